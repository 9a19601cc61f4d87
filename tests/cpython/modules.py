"""Which modules of CPython's test suite are run, and what of them is left out, each with its reason."""

from __future__ import annotations

from tests.cpython.inet import NEEDS_INET

# What asks much of a kernel; from fast to slow.
_NAMES = """
    test_fcntl test_posix test_pty test_mmap test_epoll
    test_poll test_select test_selectors test_ioctl test_openpty test_pwd test_grp test_syslog test_getpass
    test_stat test_glob test_posixpath test_genericpath test_file test_fileio test_tempfile test_resource
    test_thread test_threadsignals test_fork1 test_wait3 test_wait4 test_popen test_time test_exceptions
    test_termios test_tty test_dbm test_dbm_gnu test_dbm_ndbm test_dbm_dumb test_pipes test_crypt test_spwd
    test_errno test_platform test_locale test_filecmp test_fileinput test_linecache test_shelve
    test_unicode_file test_unicode_file_functions test_univnewlines test_bufio test_sched test_timeit
    test_queue test_threading_local test_threadedtempfile test_contextlib_async test_atexit
    test_pathlib test_os test_io test_memoryio test_signal test_threading test_shutil test_largefile
    test_sqlite3 test_sys test_faulthandler test_cmd_line test_cmd_line_script test_script_helper test_runpy
    test_zipfile test_tarfile test_zipimport test_zlib test_gzip test_bz2 test_lzma test_mailbox
    test_logging test_tracemalloc test_gc test_weakref test_site test_repl test_readline test_pdb
    test_import test_importlib test_py_compile test_compileall test_regrtest test_support
    test_socket test_socketserver test_asyncore test_asyncio test_ctypes test_random test_uuid
    test_subprocess test_eintr _test_eintr test_concurrent_futures
    test_multiprocessing_main_handling test_multiprocessing_fork test_multiprocessing_forkserver
    test_multiprocessing_spawn test_venv test_tools
"""
MODULES = _NAMES.split()

# Patterns of test names, and why they are not compared.
LEFT_OUT: dict[str, str] = {
    "test.test_socket.*VSOCK*": "AF_VSOCK, which leads to other virtual machines, is not there",
    "test.test_time.TimeTestCase.test_monotonic_settime": "sets the machine's clock",
    "test.test_uuid.TestInternals*": "looks for network interfaces",
    **dict.fromkeys(NEEDS_INET, "AF_INET: there is no network yet"),
}
