"""Sockets but for their data: making, naming, connecting and shutting them down, and their options."""

import errno

from sentry.abi.fcntl import O_NONBLOCK, O_PATH
from sentry.abi.socket import (
    AF_MAX,
    AF_NETLINK,
    AF_UNIX,
    SHUT_RDWR,
    SO_ATTACH_FILTER,
    SO_COOKIE,
    SO_NETNS_COOKIE,
    SO_PEERGROUPS,
    SO_PEERNAME,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_MAX,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOCK_TYPE_MASK,
    SOCKADDR_MAX,
    SOL_SOCKET,
)
from sentry.errors import Errno
from sentry.socket import options, transfer
from sentry.socket.base import Socket
from sentry.socket.netlink import NetlinkSocket
from sentry.socket.options import Options
from sentry.socket.unix_datagram import DatagramEndpoint, UnixDatagram
from sentry.socket.unix_stream import UnixStream, make_endpoint
from sentry.syscalls.args import Fd, File, Int, Ptr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry._core import SocketFilter
    from sentry.kernel.task import Task

_EXACT = (SO_PEERNAME, SO_NETNS_COOKIE)  # options whose value is not made longer than it is
_COOKIES = (SO_COOKIE, SO_NETNS_COOKIE)  # these are not cut
_OPTION_MAX = 1 << 16  # bytes of an option's value


def socket(task: "Task", family: Int, type: Int, protocol: Int) -> int:
    file, cloexec = _make(task, family, type, protocol)
    return task.files.install(file, cloexec)


def socketpair(task: "Task", family: Int, type: Int, protocol: Int, ends: Ptr) -> int:
    first, cloexec = _make(task, family, type, protocol)
    second, _ = _make(task, family, type, protocol)
    first.pair(second, task)
    files = task.files
    fds: list[int] = []
    try:
        fds.append(files.install(first, cloexec))
        fds.append(files.install(second, cloexec))
        task.copy_out(ends, fds[0].to_bytes(4, "little") + fds[1].to_bytes(4, "little"))
    except Errno:
        for fd in fds:
            files.remove(fd)
        raise
    return 0


def bind(task: "Task", fd: Fd, address: Ptr, length: Int) -> int:
    socket_of(task, fd).bind(task, read_address(task, address, length))
    return 0


def listen(task: "Task", fd: Fd, backlog: Int) -> int:
    socket_of(task, fd).listen(task, backlog)
    return 0


def connect(task: "Task", fd: Fd, address: Ptr, length: Int) -> "int | Coroutine[None, None, Any]":
    return socket_of(task, fd).connect(task, read_address(task, address, length))


def accept(task: "Task", fd: Fd, address: Ptr, length: Ptr) -> "int | Coroutine[None, None, Any]":
    return accept4(task, fd, address, length, 0)


def accept4(
    task: "Task", fd: Fd, address: Ptr, length: Ptr, flags: Int
) -> "int | Coroutine[None, None, Any]":
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        raise Errno(errno.EINVAL)
    listener = socket_of(task, fd)
    accepted = listener.accept(task, flags & O_NONBLOCK)
    if isinstance(accepted, Socket):
        return _install_accepted(task, accepted, address, length, flags)
    if transfer.is_nonblocking(listener, 0):
        raise Errno(errno.EAGAIN)
    return _wait_to_accept(task, listener, address, length, flags)


async def _wait_to_accept(task: "Task", listener: Socket, address: int, length: int, flags: int) -> int:
    accepted = await transfer.wait(
        task, listener, lambda: listener.accept(task, flags & O_NONBLOCK), listener.options.receive_timeout
    )
    return _install_accepted(task, accepted, address, length, flags)


def _install_accepted(task: "Task", accepted: Socket, address: int, length: int, flags: int) -> int:
    fd = task.files.install(accepted, bool(flags & SOCK_CLOEXEC))
    if address:
        try:
            write_address(task, address, length, accepted.peer_name())
        except Errno:
            task.files.remove(fd)
            raise
    return fd


def shutdown(task: "Task", fd: Fd, how: Int) -> int:
    file = socket_of(task, fd)
    if not 0 <= how <= SHUT_RDWR:
        raise Errno(errno.EINVAL)
    file.shutdown(how)
    return 0


def getsockname(task: "Task", fd: Fd, address: Ptr, length: Ptr) -> int:
    write_address(task, address, length, socket_of(task, fd).name())
    return 0


def getpeername(task: "Task", fd: Fd, address: Ptr, length: Ptr) -> int:
    write_address(task, address, length, socket_of(task, fd).peer_name())
    return 0


def setsockopt(task: "Task", fd: Fd, level: Int, name: Int, value: Ptr, length: Int) -> int:
    file = socket_of(task, fd)
    if length < 0:
        raise Errno(errno.EINVAL)
    options.set_option(
        task, file, level, name, task.copy_in(value, min(length, _OPTION_MAX)) if length else b""
    )
    return 0


def getsockopt(task: "Task", fd: Fd, level: Int, name: Int, value: Ptr, length: Ptr) -> int:
    file = socket_of(task, fd)
    if level != SOL_SOCKET and file.family == AF_UNIX:
        raise Errno(errno.EOPNOTSUPP)
    room = _length(task, length)
    if level == SOL_SOCKET and name == SO_ATTACH_FILTER:
        return _get_filter(task, file.options.filter, room, value, length)
    data = options.get_option(task, file, level, name)
    if level == SOL_SOCKET and name == SO_PEERGROUPS and room < len(data):
        task.write_u32(length, len(data))
        raise Errno(errno.ERANGE)
    if level == SOL_SOCKET and (
        (name in _EXACT and room > len(data)) or (name in _COOKIES and room < len(data))
    ):
        raise Errno(errno.EINVAL)
    if data[:room]:
        task.copy_out(value, data[:room])
    task.write_u32(length, min(len(data), room))
    return 0


def _get_filter(task: "Task", found: "SocketFilter | None", room: int, value: int, length: int) -> int:
    """SO_GET_FILTER counts in instructions; with a length of 0 it only tells how many there are."""
    count = len(found) if found is not None else 0
    if found is not None and room:
        if room < count:
            raise Errno(errno.EINVAL)
        task.copy_out(value, found.program)
    task.write_u32(length, count)
    return 0


# Shared with the transfers


def socket_of(task: "Task", fd: int) -> Socket:
    """The socket behind a descriptor.  Raises Errno: EBADF, ENOTSOCK."""
    file: File = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    if not isinstance(file, Socket):
        raise Errno(errno.ENOTSOCK)
    return file


def read_address(task: "Task", at: int, length: int) -> bytes:
    """A raw sockaddr.  Raises Errno: EINVAL, EFAULT."""
    if not 0 <= length <= SOCKADDR_MAX:
        raise Errno(errno.EINVAL)
    return task.copy_in(at, length) if length else b""


def write_address(task: "Task", at: int, length: int, address: bytes) -> None:
    """Tell a raw sockaddr: as much as the caller has room for, and how long it is."""
    room = _length(task, length)
    if room and address:
        task.copy_out(at, address[:room])
    task.write_u32(length, len(address))


def _length(task: "Task", at: int) -> int:
    room = task.read_u32(at)
    if room > 0x7FFFFFFF:
        raise Errno(errno.EINVAL)
    return room


def _make(task: "Task", family: int, type: int, protocol: int) -> tuple[Socket, bool]:
    """A new socket, and whether its descriptor is close-on-exec."""
    flags = type & ~SOCK_TYPE_MASK
    kind = type & SOCK_TYPE_MASK
    if flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK):
        raise Errno(errno.EINVAL)
    if not 0 <= family < AF_MAX:
        raise Errno(errno.EAFNOSUPPORT)
    if kind >= SOCK_MAX:
        raise Errno(errno.EINVAL)
    cloexec = bool(flags & SOCK_CLOEXEC)
    if family == AF_NETLINK:
        if kind not in (SOCK_RAW, SOCK_DGRAM):
            raise Errno(errno.ESOCKTNOSUPPORT)
        return NetlinkSocket(task, kind, flags & O_NONBLOCK, protocol), cloexec
    if family != AF_UNIX:
        raise Errno(errno.EAFNOSUPPORT)
    if protocol not in (0, AF_UNIX):
        raise Errno(errno.EPROTONOSUPPORT)
    if kind == SOCK_RAW:  # "believed to be a datagram socket", net/unix has it since BSD
        kind = SOCK_DGRAM
    if kind == SOCK_DGRAM:
        return UnixDatagram(
            task, kind, flags & O_NONBLOCK, DatagramEndpoint(Options(kind), task.ns.net)
        ), cloexec
    if kind in (SOCK_STREAM, SOCK_SEQPACKET):
        return UnixStream(task, kind, flags & O_NONBLOCK, make_endpoint(kind, task.ns.net)), cloexec
    raise Errno(errno.ESOCKTNOSUPPORT)
