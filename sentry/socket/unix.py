"""The open file in front of a UNIX socket's endpoint."""

from __future__ import annotations

import errno
from _weakref import ref

from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.fcntl import O_NONBLOCK, O_PATH
from sentry.abi.poll import POLLOUT
from sentry.abi.signal import POLL_HUP, POLL_IN, POLL_OUT
from sentry.abi.socket import (
    AF_UNIX,
    AF_UNSPEC,
    FAMILY,
    FIONREAD,
    MSG_OOB,
    SHUT_RDWR,
    SIOCATMARK,
    SIOCUNIXFILE,
    SO_INQ,
    SO_NETNS_COOKIE,
    SO_PEERCRED,
    SO_PEERGROUPS,
    SO_PEERNAME,
    SO_PEERPIDFD,
    SOCK_STREAM,
    SOL_SOCKET,
    TIOCOUTQ,
    UCRED,
)
from sentry.errors import Errno
from sentry.kernel.pidfd import PidFile
from sentry.kernel.wait import WOULD_BLOCK
from sentry.socket import unix_names
from sentry.socket.base import Socket
from sentry.socket.control import seen_by
from sentry.socket.options import INT
from sentry.socket.unix_endpoint import LISTENING, credentials
from sentry.vfs.file import PathFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Outgoing, Received
    from sentry.socket.unix_endpoint import Endpoint


class UnixSocket(Socket):
    """An open UNIX socket."""

    __slots__ = ("_lacked_room", "endpoint")

    family = AF_UNIX

    def __init__(self, task: Task, type: int, flags: int, endpoint: Endpoint) -> None:
        super().__init__(task, type, flags)
        self.options = endpoint.options
        self.endpoint = endpoint
        self._lacked_room = False  # a send had to wait, or was refused
        self.queue = endpoint.queue
        assert self.inode is not None
        endpoint.net.unix[self.inode.ino] = ref(endpoint)
        endpoint.file = ref(self)

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        endpoint = self.endpoint
        peer = endpoint.peer
        if outgoing.creds is None and (
            endpoint.options.wants_creds
            or (peer is not None and peer.options.wants_creds)
            or outgoing.address is not None
        ):
            outgoing.creds = credentials(task)
        sent = endpoint.send_urgent(task, outgoing) if outgoing.urgent else endpoint.send(task, outgoing)
        if sent is WOULD_BLOCK:
            self._lacked_room = True
        return sent

    def signal_reason(self, events: int) -> int:
        reason = super().signal_reason(events)
        if reason in (POLL_HUP, POLL_IN) or not events & POLLOUT or not self._lacked_room:
            return 0 if reason == POLL_OUT else reason
        self._lacked_room = False  # Linux tells of room only who has missed it
        return POLL_OUT

    def receive(self, task: Task, count: int, flags: int) -> Received | _Marker:
        if flags & MSG_OOB:
            return self.endpoint.receive_urgent(flags)
        return self.endpoint.receive(count, flags)

    def poll(self) -> int:
        return self.endpoint.poll()

    def ioctl(self, task: Task, request: int, arg: int) -> int | Coroutine[None, None, int]:
        endpoint = self.endpoint
        if request == FIONREAD:
            if endpoint.state == LISTENING:
                raise Errno(errno.EINVAL)
            task.write_u32(arg, self.unread())
        elif request == TIOCOUTQ:
            task.write_u32(arg, endpoint.sent)
        elif request == SIOCATMARK:
            if endpoint.type != SOCK_STREAM:
                raise Errno(errno.EOPNOTSUPP)
            task.write_u32(arg, endpoint.at_mark())
        elif request == SIOCUNIXFILE:
            if not task.creds.has_cap(CAP_NET_ADMIN, endpoint.net.owner):
                raise Errno(errno.EPERM)
            if endpoint.path is None:
                raise Errno(errno.ENOENT)
            return task.files.install(PathFile(O_PATH, endpoint.path), True)
        else:
            return super().ioctl(task, request, arg)
        return 0

    def unread(self) -> int:
        """The bytes that a read would find, or those of the first datagram (FIONREAD)."""
        inbox = self.endpoint.inbox
        if self.endpoint.connection_based:
            return sum(len(message.data) - message.start for message in inbox)
        return len(inbox[0].data) if inbox else 0

    def bind(self, task: Task, address: bytes) -> None:
        self.endpoint.domain = task.creds.landlock
        unix_names.bind(task, self.endpoint, unix_names.parse(address))

    def connect(self, task: Task, address: bytes) -> int | Coroutine[None, None, Any]:
        if len(address) >= FAMILY.size and FAMILY.unpack_from(address)[0] == AF_UNSPEC:
            return self.endpoint.connect(task, None, False)
        self.endpoint.domain = task.creds.landlock
        return self.endpoint.connect(task, unix_names.parse(address), bool(self.flags & O_NONBLOCK))

    def name(self) -> bytes:
        return unix_names.pack(self.endpoint.name)

    def peer_name(self) -> bytes:
        peer = self.endpoint.peer
        if peer is None:
            raise Errno(errno.ENOTCONN)
        return unix_names.pack(peer.name)

    def shutdown(self, how: int) -> None:
        if not 0 <= how <= SHUT_RDWR:
            raise Errno(errno.EINVAL)
        self.endpoint.shutdown(how)

    def is_listening(self) -> bool:
        return self.endpoint.state == LISTENING

    def take_error(self) -> int:
        return self.endpoint.take_error()

    def get_option(self, task: Task, level: int, name: int) -> bytes:
        if level != SOL_SOCKET:
            raise Errno(errno.EOPNOTSUPP)
        endpoint = self.endpoint
        if name == SO_PEERCRED:
            return UCRED.pack(*seen_by(task, endpoint.peer_creds))
        if name == SO_PEERNAME:
            return self.peer_name()
        if name == SO_NETNS_COOKIE:
            return endpoint.net.inum.to_bytes(8, "little")
        if name in (SO_PEERGROUPS, SO_PEERPIDFD):
            groups, process = endpoint.peer_groups, endpoint.peer_process
            if groups is None or process is None:
                raise Errno(errno.ENODATA)
            if name == SO_PEERPIDFD:
                return task.files.install(PidFile(process), True).to_bytes(4, "little")
            return b"".join(task.creds.user_ns.show_gid(gid).to_bytes(4, "little") for gid in groups)
        raise Errno(errno.ENOPROTOOPT)

    def memory(self) -> tuple[int, int]:
        return sum(message.charge for message in self.endpoint.inbox), self.endpoint.sent

    def set_peek_off(self, offset: int) -> None:
        self.options.peek_off = offset

    def set_option(self, task: Task, level: int, name: int, value: bytes) -> None:
        if level == SOL_SOCKET and name == SO_INQ and self.endpoint.type == SOCK_STREAM:
            if value not in (INT.pack(0), INT.pack(1)):
                raise Errno(errno.EINVAL)
            (self.options.switches.add if value[0] else self.options.switches.discard)(name)
            return
        raise Errno(errno.ENOPROTOOPT if level == SOL_SOCKET else errno.EOPNOTSUPP)

    def release(self) -> None:
        endpoint = getattr(self, "endpoint", None)
        if endpoint is not None:
            assert self.inode is not None
            self.owner = None  # its own end is no news for who closed it
            endpoint.net.unix.pop(self.inode.ino, None)
            endpoint.close()
