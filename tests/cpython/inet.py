"""The tests of CPython that need a network, by module: patterns of their names."""

from __future__ import annotations

_MULTIPROCESSING = """
    TestCloseFds.* TestTimeouts.* TestWait.test_wait_socket* WithManagerTestRemoteManager.*
    WithProcessesTestListener.test_multiple_bind WithProcessesTestListenerClient.test_issue16955
    WithProcessesTestListenerClient.test_listener_client WithProcessesTestPicklingConnections.test_pickling
    *TestManagerRestart.*
"""

_NAMES = {
    "_test_eintr": "SocketEINTRTest.test_accept",
    "test_asyncio": """
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_ipv6_scope
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_ssl_s*
        test_base_events.BaseEventLoopWithSelectorTests.test_create_connection_wrong_sock
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_allow_broadcast
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_no_matching_family
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sock
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sockopts
        test_base_events.BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_wrong_sock
        test_base_events.BaseEventLoopWithSelectorTests.test_create_server_ipv6
        test_base_events.BaseEventLoopWithSelectorTests.test_create_server_stream_bittype
        test_base_events.BaseEventLoopWithSelectorTests.test_create_server_wrong_sock
        test_base_events.BaseLoopSockSendfileTests.* test_base_events.TestSelectorUtils.*
        test_buffered_proto.BufferedProtocolSelectorTests.* test_events.*EventLoopTests.test_co*
        test_events.*EventLoopTests.test_create_c* test_events.*EventLoopTests.test_create_d*
        test_events.*EventLoopTests.test_create_server
        test_events.*EventLoopTests.test_create_server_addr_in_use
        test_events.*EventLoopTests.test_create_server_dual_stack
        test_events.*EventLoopTests.test_create_server_reuse_port
        test_events.*EventLoopTests.test_create_server_s*
        test_events.*EventLoopTests.test_create_ssl_connection
        test_events.*EventLoopTests.test_create_unix_server_path_socket_error
        test_events.*EventLoopTests.test_server_close
        test_events.*EventLoopTests.test_ssl_connect_accepted_socket
        test_sendfile.*EventLoopTests.test_sendfile test_sendfile.*EventLoopTests.test_sendfile_c*
        test_sendfile.*EventLoopTests.test_sendfile_f*
        test_sendfile.*EventLoopTests.test_sendfile_not_supported
        test_sendfile.*EventLoopTests.test_sendfile_p* test_sendfile.*EventLoopTests.test_sendfile_s*
        test_sendfile.*EventLoopTests.test_so*
        test_server.SelectorStartServerTests.test_start_server_1
        test_sock_lowlevel.*EventLoopTests.test_cancel_sock_accept
        test_sock_lowlevel.*EventLoopTests.test_create_connection_sock
        test_sock_lowlevel.*EventLoopTests.test_hu* test_sock_lowlevel.*EventLoopTests.test_re*
        test_sock_lowlevel.*EventLoopTests.test_sendto_blocking
        test_sock_lowlevel.*EventLoopTests.test_so* test_ssl.TestSSL.test_co*
        test_ssl.TestSSL.test_cr* test_ssl.TestSSL.test_flush_before_shutdown
        test_ssl.TestSSL.test_handshake_timeout_handler_leak
        test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data test_ssl.TestSSL.test_sh*
        test_ssl.TestSSL.test_ssl_h* test_ssl.TestSSL.test_st*
        test_sslproto.SelectorStartTLSTests.test_cr*
        test_sslproto.SelectorStartTLSTests.test_handshake_timeout
        test_sslproto.SelectorStartTLSTests.test_start_tls_c*
        test_sslproto.SelectorStartTLSTests.test_start_tls_s* test_streams.StreamTests.test_as*
        test_streams.StreamTests.test_drain_raises
        test_streams.StreamTests.test_eof_feed_when_closing_writer
        test_streams.StreamTests.test_open_c* test_streams.StreamTests.test_start_server
        test_streams.StreamTests.test_start_tls test_streams.StreamTests.test_wa*
        test_unix_events.SelectorEventLoopUnixSockSendfileTests.*
        test_unix_events.SelectorEventLoopUnixSocketTests.test_create_unix_connection_path_inetsock
        test_unix_events.SelectorEventLoopUnixSocketTests.test_create_unix_server_path_inetsock
    """,
    "test_asyncore": """
        DispatcherWithSendTests.* TestAPI_UseIPv4Poll.* TestAPI_UseIPv4Select.* TestAPI_UseIPv6Poll.*
        TestAPI_UseIPv6Select.*
    """,
    "test_eintr": """
        EINTRTests.test_all
    """,
    "test_audit": "AuditTest.test_socket",
    "test_epoll": """
        TestEPoll.*
    """,
    "test_largefile": """
        TestSocketSendfile.*
    """,
    "test_logging": """
        ConfigDictTest.test_listen_config_* ConfigDictTest.test_listen_verify DatagramHandlerTest.*
        HTTPHandlerTest.* IPv6SysLogHandlerTest.* SMTPHandlerTest.* SocketHandlerTest.*
        SysLogHandlerTest.*
    """,
    "test_multiprocessing_fork": _MULTIPROCESSING,
    "test_multiprocessing_forkserver": _MULTIPROCESSING,
    "test_multiprocessing_spawn": _MULTIPROCESSING,
    "test_os": """
        TestSendfile.*
    """,
    "test_signal": """
        WakeupFDTests.test_invalid_socket WakeupFDTests.test_set_wakeup_fd_socket_result
    """,
    "test_socket": """
        BasicTCPTest.* BasicTCPTest2.* BasicUDPLITETest.* BasicUDPTest.* BufferIOTest.*
        ContextManagersTest.* CreateServerFunctionalTest.* CreateServerTest.*
        FileObjectClassTestCase.* GeneralModuleTests.testCloseException
        GeneralModuleTests.testDefaultTimeout GeneralModuleTests.testGetSockOpt
        GeneralModuleTests.testInterfaceNameIndex GeneralModuleTests.testNewAttributes
        GeneralModuleTests.testSen* GeneralModuleTests.testSetSockOpt GeneralModuleTests.testSockName
        GeneralModuleTests.test_SocketType_is_socketobject
        GeneralModuleTests.test__sendfile_use_sendfile GeneralModuleTests.test_csocket_repr
        GeneralModuleTests.test_dealloc_warn GeneralModuleTests.test_flowinfo
        GeneralModuleTests.test_geta* GeneralModuleTests.test_getnameinfo_ipv6_scopeid_symbolic
        GeneralModuleTests.test_getsockaddrarg GeneralModuleTests.test_li* GeneralModuleTests.test_ma*
        GeneralModuleTests.test_name_closed_socketio GeneralModuleTests.test_pickle
        GeneralModuleTests.test_repr GeneralModuleTests.test_socket_c*
        GeneralModuleTests.test_socket_fileno GeneralModuleTests.test_str_for_enums
        GeneralModuleTests.test_un* GeneralModuleTests.test_weakref InheritanceTest.test_SOCK_CLOEXEC
        InheritanceTest.test_default_inheritable InheritanceTest.test_dup
        InheritanceTest.test_get_inheritable_cloexec InheritanceTest.test_se*
        InterruptedRecvTimeoutTest.* InterruptedSendTimeoutTest.*
        LineBufferedFileObjectClassTestCase.* NetworkConnectionAttributesTest.*
        NetworkConnectionBehaviourTest.* NetworkConnectionNoServer.test_connect
        NetworkConnectionNoServer.test_create_connection
        NetworkConnectionNoServer.test_create_connection_all_errors NonBlockingTCPTests.*
        NonblockConstantTest.* RecvmsgIntoRFC3542AncillaryUDP6Test.*
        RecvmsgIntoRFC3542AncillaryUDPLITE6Test.* RecvmsgIntoTCPTest.* RecvmsgIntoUDP6Test.*
        RecvmsgIntoUDPLITE6Test.* RecvmsgIntoUDPLITETest.* RecvmsgIntoUDPTest.*
        RecvmsgRFC3542AncillaryUDP6Test.* RecvmsgRFC3542AncillaryUDPLITE6Test.* RecvmsgTCPTest.*
        RecvmsgUDP6Test.* RecvmsgUDPLITE6Test.* RecvmsgUDPLITETest.* RecvmsgUDPTest.*
        SendfileUsingSendTest.* SendfileUsingSendfileTest.* SendmsgTCPTest.* SendmsgUDP6Test.*
        SendmsgUDPLITE6Test.* SendmsgUDPLITETest.* SendmsgUDPTest.*
        SmallBufferedFileObjectClassTestCase.* TCPCloserTest.* TCPTimeoutTest.*
        TestExceptions.test_setblocking_invalidfd UDPLITETimeoutTest.* UDPTimeoutTest.*
        UnbufferedFileObjectClassTestCase.* UnicodeReadFileObjectClassTestCase.*
        UnicodeReadWriteFileObjectClassTestCase.* UnicodeWriteFileObjectClassTestCase.*
    """,
    "test_socketserver": """
        ErrorHandlerTest.* MiscTestCase.test_shutdown_request_called_if_verify_request_false
        MiscTestCase.test_threads_reaped SocketServerTest.test_*TCP* SocketServerTest.test_*UDP*
        SocketServerTest.test_close_immediately SocketServerTest.test_context_manager
        SocketServerTest.test_shutdown SocketServerTest.test_tcpserver_bind_leak SocketWriterTest.*
    """,
    "test_support": """
        TestSupport.test_HOST TestSupport.test_bind_port TestSupport.test_find_unused_port
    """,
}

NEEDS_INET = [f"test.{module}.{name}" for module, names in _NAMES.items() for name in names.split()]
