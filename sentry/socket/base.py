"""What the socket system calls need of every address family.

Attempts return WOULD_BLOCK when they can't be done now; waiting is sentry.socket.transfer's.
"""

from __future__ import annotations

import errno

from sentry.abi.fcntl import F_OWNER_PGRP, F_OWNER_PID, O_NONBLOCK, O_RDWR
from sentry.abi.socket import FIOGETOWN, FIOSETOWN, MSG_DONTWAIT, SIOCGPGRP, SIOCSPGRP, SOCK_STREAM
from sentry.errors import Errno
from sentry.socket.interface import interface_ioctl
from sentry.socket.options import Options
from sentry.vfs import owner
from sentry.vfs.anon import socket_path
from sentry.vfs.file import File
from sentry.vfs.pipe import broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.rights import Rights

    Credentials = tuple[int, int, int]  # pid, uid, gid


class Outgoing:
    """Something to send: bytes, where to (raw sockaddr, None: the peer), and what goes along (unix(7))."""

    __slots__ = ("address", "creds", "data", "rights", "urgent")

    def __init__(
        self,
        data: bytes | memoryview,
        address: bytes | None = None,
        rights: Rights | None = None,
        creds: Credentials | None = None,
    ) -> None:
        self.data = data
        self.address = address
        self.rights = rights
        self.creds = creds
        self.urgent = False  # MSG_OOB


class Received:
    """What a receive gave; `length` is the datagram's own, `address` the sender's raw sockaddr or b""."""

    __slots__ = ("address", "control", "creds", "data", "final", "flags", "length", "rights")

    def __init__(self, data: bytes, length: int, address: bytes = b"", flags: int = 0) -> None:
        self.data = data
        self.length = length
        self.address = address
        self.flags = flags  # MSG_TRUNC, ...
        self.final = False  # MSG_WAITALL asks for no more
        self.rights: list[File] = []
        self.creds: Credentials | None = None
        self.control: list[tuple[int, int, bytes]] = []  # further control messages: level, type, data


class Socket(File):
    """An open socket."""

    __slots__ = ("options",)

    gives = True
    takes = True
    can_signal = True

    family = 0
    protocol = 0

    def __init__(self, task: Task, type: int, flags: int) -> None:
        super().__init__(flags | O_RDWR, socket_path(task.creds))
        self.options = Options(type)

    @property
    def type(self) -> int:
        return self.options.type

    # File

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if count == 0:
            return b""
        received = self.receive(task, count, MSG_DONTWAIT if self.flags & O_NONBLOCK else 0)
        return received.data if isinstance(received, Received) else received

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        return self.send_or_signal(task, Outgoing(data), True)

    def timeout(self, writing: bool) -> int | None:
        return self.options.send_timeout if writing else self.options.receive_timeout

    def send_or_signal(self, task: Task, outgoing: Outgoing, signal: bool) -> int | _Marker:
        """`send`, with SIGPIPE for a stream that nobody can read any more."""
        try:
            return self.send(task, outgoing)
        except Errno as error:
            if error.code == errno.EPIPE and signal and self.type == SOCK_STREAM:
                broken(task)
            raise

    def ioctl(self, task: Task, request: int, arg: int) -> int | Coroutine[None, None, int]:
        if request in (FIOSETOWN, SIOCSPGRP):
            number = task.read_u32(arg)
            number -= number >> 31 << 32
            owner.set_owner(task, self, F_OWNER_PID if number >= 0 else F_OWNER_PGRP, abs(number))
        elif request in (FIOGETOWN, SIOCGPGRP):
            kind, number = owner.get_owner(task, self)
            task.write_u32(arg, (-number if kind == F_OWNER_PGRP else number) & 0xFFFFFFFF)
        else:
            return interface_ioctl(task, request, arg, self.family)
        return 0

    # Transfer

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        """The count of bytes taken; all or nothing except on streams."""
        raise Errno(errno.EOPNOTSUPP)

    def receive(self, task: Task, count: int, flags: int) -> Received | _Marker:
        """Up to count bytes, or one datagram; flags: MSG_PEEK, and MSG_DONTWAIT if nobody will wait."""
        raise Errno(errno.EOPNOTSUPP)

    # Set-up

    def bind(self, task: Task, address: bytes) -> None:
        raise Errno(errno.EOPNOTSUPP)

    def listen(self, task: Task, backlog: int) -> None:
        raise Errno(errno.EOPNOTSUPP)

    def connect(self, task: Task, address: bytes) -> int | Coroutine[None, None, Any]:
        raise Errno(errno.EOPNOTSUPP)

    def accept(self, task: Task, flags: int) -> Socket | _Marker:
        """The next connection, as a socket with the file flags `flags`."""
        raise Errno(errno.EOPNOTSUPP)

    def pair(self, other: Socket, task: Task) -> None:
        """Connect this new socket and `other` (socketpair(2))."""
        raise Errno(errno.EOPNOTSUPP)

    def shutdown(self, how: int) -> None:
        raise Errno(errno.EOPNOTSUPP)

    def name(self) -> bytes:
        """The raw sockaddr that getsockname(2) tells."""
        raise Errno(errno.EOPNOTSUPP)

    def peer_name(self) -> bytes:
        raise Errno(errno.ENOTCONN)

    def is_listening(self) -> bool:
        return False

    # Options

    def take_error(self) -> int:
        """The pending error, which is cleared (SO_ERROR)."""
        return 0

    def memory(self) -> tuple[int, int]:
        """Bytes that lie in its inbox, and those of its messages in others' (SO_MEMINFO)."""
        return 0, 0

    def set_peek_off(self, offset: int) -> None:
        """SO_PEEK_OFF, where peeking from an offset is possible."""
        raise Errno(errno.EOPNOTSUPP)

    def unread(self) -> int:
        """The bytes that a read would find (SO_INQ)."""
        return 0

    def get_option(self, task: Task, level: int, name: int) -> bytes:
        """The value of an option beyond those of sentry.socket.options."""
        raise Errno(errno.ENOPROTOOPT)

    def set_option(self, task: Task, level: int, name: int, value: bytes) -> None:
        raise Errno(errno.ENOPROTOOPT)
