"""Data through sockets: sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg."""

import errno

from sentry import _core
from sentry.abi.fcntl import MAX_RW_COUNT
from sentry.abi.socket import (
    MMSGHDR_SIZE,
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_TRUNC,
    MSG_WAITFORONE,
    MSGHDR,
    OPTMEM_MAX,
    SO_INQ,
    SOCK_STREAM,
    SOCKADDR_MAX,
    UIO_MAXIOV,
)
from sentry.abi.time import NSEC, TIMESPEC
from sentry.errors import Errno
from sentry.socket import control, transfer
from sentry.socket.base import Outgoing, Received
from sentry.syscalls.args import Fd, Int, Ptr, Size, UInt
from sentry.syscalls.socket import read_address, socket_of, write_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.socket.base import Socket

    Vector = list[tuple[int, int]]
    Answer = int | Coroutine[None, None, Any]

_CONTROL_LENGTH_AT = 40  # of msg_controllen in struct msghdr
_FLAGS_AT = 48
_WINDOW = 1 << 19  # bytes copied in at once; no datagram is longer, for no send buffer is
_MESSAGE_LENGTH_AT = 56  # of msg_len in struct mmsghdr


class Header:
    """A struct msghdr, copied in."""

    __slots__ = ("at", "control", "control_length", "iov", "name", "name_length")

    def __init__(self, task: "Task", at: int) -> None:
        """Raises Errno: EFAULT, EINVAL, EMSGSIZE (more than IOV_MAX buffers)."""
        self.at = at
        fields = MSGHDR.unpack(task.copy_in(at, MSGHDR.size))
        self.name, self.name_length, iov, count, self.control, self.control_length, _ = fields
        if self.name and self.name_length > 0x7FFFFFFF:
            raise Errno(errno.EINVAL)
        if count > UIO_MAXIOV:
            raise Errno(errno.EMSGSIZE)
        self.iov: Vector = task.read_iovec(iov, count)


# Sending


def sendto(task: "Task", fd: Fd, buf: Ptr, count: Size, flags: Int, address: Ptr, length: Int) -> "Answer":
    file = socket_of(task, fd)
    to = read_address(task, address, length) if address else None
    return _send_data(task, file, [(buf, min(count, MAX_RW_COUNT))], Outgoing(b"", to), flags)


def sendmsg(task: "Task", fd: Fd, message: Ptr, flags: Int) -> "Answer":
    return _send(task, socket_of(task, fd), message, flags)


def sendmmsg(task: "Task", fd: Fd, messages: Ptr, count: UInt, flags: Int) -> "Answer":
    file = socket_of(task, fd)
    return _send_many(task, file, messages, min(count, UIO_MAXIOV), flags)


async def _send_many(task: "Task", file: "Socket", messages: int, count: int, flags: int) -> int:
    done = 0
    try:
        while done < count:
            at = messages + done * MMSGHDR_SIZE
            sent = _send(task, file, at, flags)
            task.write_u32(at + _MESSAGE_LENGTH_AT, sent if isinstance(sent, int) else await sent)
            done += 1
    except Errno:
        if not done:
            raise
    return done


def _send(task: "Task", file: "Socket", at: int, flags: int) -> "Answer":
    header = Header(task, at)
    to = None
    if header.name and header.name_length:
        to = read_address(task, header.name, min(header.name_length, SOCKADDR_MAX))
    outgoing = Outgoing(b"", to)
    if header.control_length:
        if header.control_length > OPTMEM_MAX:
            raise Errno(errno.ENOBUFS)
        data = task.copy_in(header.control, header.control_length)
        outgoing.rights, outgoing.creds = control.parse(task, data)
    return _send_data(task, file, header.iov, outgoing, flags)


def _send_data(task: "Task", file: "Socket", iov: "Vector", outgoing: Outgoing, flags: int) -> "Answer":
    """Copy in and send what the vector describes, a window at a time where there is much of it."""
    total = sum(length for _, length in iov)
    if total <= _WINDOW:
        outgoing.data = _copy_in(task, iov)
        return transfer.send(task, file, outgoing, flags)
    if file.type != SOCK_STREAM:
        raise Errno(errno.EMSGSIZE)
    return _send_windows(task, file, iov, outgoing, flags)


async def _send_windows(task: "Task", file: "Socket", iov: "Vector", outgoing: Outgoing, flags: int) -> int:
    done = 0
    try:
        for at, length in iov:
            for offset in range(0, length, _WINDOW):
                outgoing.data = task.copy_in(at + offset, min(length - offset, _WINDOW))
                expected = len(outgoing.data)
                sent = transfer.send(task, file, outgoing, flags)
                count = sent if isinstance(sent, int) else await sent
                done += count
                if count < expected:
                    return done
    except Errno:
        if not done:
            raise
    return done


def _copy_in(task: "Task", iov: "Vector") -> bytes:
    return b"".join([task.copy_in(at, length) for at, length in iov if length])


# Receiving


def recvfrom(task: "Task", fd: Fd, buf: Ptr, count: Size, flags: Int, address: Ptr, length: Ptr) -> "Answer":
    file = socket_of(task, fd)

    def finish(received: Received) -> int:
        if received.data:
            task.copy_out(buf, received.data)
        if address:
            write_address(task, address, length, received.address)
        return received.length if flags & MSG_TRUNC else len(received.data)

    return _receive(task, file, min(count, MAX_RW_COUNT), flags, finish)


def recvmsg(task: "Task", fd: Fd, message: Ptr, flags: Int) -> "Answer":
    return _receive_message(task, socket_of(task, fd), message, flags)


def recvmmsg(task: "Task", fd: Fd, messages: Ptr, count: UInt, flags: Int, timeout: Ptr) -> "Answer":
    file = socket_of(task, fd)
    deadline = None
    if timeout:
        seconds, nanoseconds = TIMESPEC.unpack(task.copy_in(timeout, TIMESPEC.size))
        if seconds < 0 or not 0 <= nanoseconds < NSEC:
            raise Errno(errno.EINVAL)
        deadline = _core.monotonic() + seconds * NSEC + nanoseconds
    return _receive_many(task, file, messages, min(count, UIO_MAXIOV), flags, deadline)


async def _receive_many(
    task: "Task", file: "Socket", messages: int, count: int, flags: int, deadline: int | None
) -> int:
    # The time-out is looked at after each message, not while one is waited for (recvmmsg(2), BUGS).
    done = 0
    try:
        while done < count:
            at = messages + done * MMSGHDR_SIZE
            length = _receive_message(task, file, at, flags & ~MSG_WAITFORONE)
            task.write_u32(at + _MESSAGE_LENGTH_AT, length if isinstance(length, int) else await length)
            done += 1
            if flags & MSG_WAITFORONE:
                flags |= MSG_DONTWAIT
            if deadline is not None and _core.monotonic() >= deadline:
                break
    except Errno:
        if not done:
            raise
    return done


def _receive_message(task: "Task", file: "Socket", at: int, flags: int) -> "Answer":
    header = Header(task, at)
    count = sum(length for _, length in header.iov)

    def finish(received: Received) -> int:
        if received.data and task.scatter(header.iov, received.data) < len(received.data):
            raise Errno(errno.EFAULT)
        if header.name:
            room = min(header.name_length, len(received.address))
            if room:
                task.copy_out(header.name, received.address[:room])
            task.write_u32(at + 8, len(received.address))
        cloexec = bool(flags & MSG_CMSG_CLOEXEC)
        room = header.control_length if header.control else 0
        unread = file.unread() if SO_INQ in file.options.switches else 0
        ancillary, truncated = control.deliver(task, received, room, cloexec, file.options, unread)
        if ancillary:
            task.copy_out(header.control, ancillary)
        task.write_u64(at + _CONTROL_LENGTH_AT, len(ancillary))
        task.write_u32(at + _FLAGS_AT, received.flags | truncated | flags & MSG_CMSG_CLOEXEC)
        return received.length if flags & MSG_TRUNC else len(received.data)

    return _receive(task, file, count, flags, finish)


def _receive(
    task: "Task", file: "Socket", count: int, flags: int, finish: "Callable[[Received], int]"
) -> "Answer":
    received = transfer.receive(task, file, count, flags)
    if isinstance(received, Received):
        return finish(received)
    return _finish_later(received, finish)


async def _finish_later(received: "Coroutine[None, None, Any]", finish: "Callable[[Received], int]") -> int:
    return finish(await received)
