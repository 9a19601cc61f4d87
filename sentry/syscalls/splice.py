"""Bytes in and out of pipes without user memory: splice, tee, vmsplice."""

import errno

from sentry.abi.fcntl import MAX_RW_COUNT, O_APPEND, O_NONBLOCK
from sentry.abi.inotify import IN_ACCESS, IN_MODIFY
from sentry.abi.poll import READABLE, WRITABLE
from sentry.abi.socket import SOCK_STREAM
from sentry.abi.stat import S_IFIFO, S_IFMT
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.mm.secret import pinnable
from sentry.socket.base import Socket
from sentry.syscalls.args import Fd, Ptr, Size, UInt
from sentry.syscalls.sendfile import check_area, check_modes, open_file, read_offset, run
from sentry.vfs.host_file import HostStream
from sentry.vfs.notify import notify
from sentry.vfs.pipe import PipeEnd
from sentry.vfs.relay import Relay, until
from sentry.vfs.transfer import read_into, write_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    Answer = int | Coroutine[None, None, Any]

SPLICE_F_NONBLOCK = 2
SPLICE_F_ALL = 15


def splice(
    task: "Task", source_fd: Fd, source_at: Ptr, target_fd: Fd, target_at: Ptr, count: Size, flags: UInt
) -> "Answer":
    if not count:
        return 0
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    source, target = open_file(task, source_fd), open_file(task, target_fd)
    from_pipe, to_pipe = _is_pipe(source), _is_pipe(target)
    if (from_pipe and source_at) or (to_pipe and target_at):
        raise Errno(errno.ESPIPE)
    end = read_offset(task, target_at) if target_at else target.pos
    start = read_offset(task, source_at) if source_at else source.pos
    check_modes(source, target)
    if not from_pipe and not to_pipe:
        raise Errno(errno.EINVAL)
    pipes = (source.flags if from_pipe else 0) | (target.flags if to_pipe else 0)
    if from_pipe and to_pipe:
        if source.inode is target.inode:
            raise Errno(errno.EINVAL)
    elif from_pipe:
        if (target_at and not target.seekable) or target.flags & O_APPEND or not target.takes:
            raise Errno(errno.EINVAL)
        check_area(end, count)
    else:
        if source_at and not source.seekable:
            raise Errno(errno.EINVAL)
        check_area(start, count)
    relay = Relay(
        task, source, start if source.seekable else None, target, end if target.seekable else None,
        min(count, MAX_RW_COUNT), modified_first=True,
    )  # fmt: skip
    relay.pipes_wait = not (flags & SPLICE_F_NONBLOCK or pipes & O_NONBLOCK)
    if flags & SPLICE_F_NONBLOCK and isinstance(source, Socket) and source.type == SOCK_STREAM:
        relay.source_waits = False  # of all that is no pipe, the flag is for these alone
    return run(relay, source_at, target_at)


def tee(task: "Task", source_fd: Fd, target_fd: Fd, count: Size, flags: UInt) -> "Answer":
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    if not count:
        return 0
    source, target = open_file(task, source_fd), open_file(task, target_fd)
    check_modes(source, target)
    if not isinstance(source, PipeEnd) or not isinstance(target, PipeEnd) or source.state is target.state:
        raise Errno(errno.EINVAL)
    nonblocking = bool(flags & SPLICE_F_NONBLOCK or (source.flags | target.flags) & O_NONBLOCK)
    return _tee(task, source, target, min(count, MAX_RW_COUNT), nonblocking)


async def _tee(task: "Task", source: PipeEnd, target: PipeEnd, count: int, nonblocking: bool) -> int:
    while True:
        waiting = source.peek(1)
        room = target.room(task) if isinstance(waiting, bytes) else 0
        data = source.peek(min(count, room)) if room else WOULD_BLOCK
        if isinstance(data, bytes):
            moved = target.write(task, data, None) if data else 0
            if isinstance(moved, int):
                if moved:
                    notify.tell_file(source, IN_ACCESS)
                    notify.tell_file(target, IN_MODIFY)
                return moved
        if nonblocking:
            raise Errno(errno.EAGAIN)
        file, events = (target, WRITABLE) if isinstance(waiting, bytes) else (source, READABLE)
        await until(task, file, events)


def vmsplice(task: "Task", fd: Fd, iov: Ptr, count: Size, flags: UInt) -> "Answer":
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    file = open_file(task, fd)
    if not file.writable and not file.readable:
        raise Errno(errno.EBADF)
    vector = task.read_iovec(iov, count)
    if not any(length for _, length in vector):
        return 0
    nonblocking = bool(flags & SPLICE_F_NONBLOCK or file.flags & O_NONBLOCK)
    if not isinstance(file, PipeEnd):
        if not _is_pipe(file):
            raise Errno(errno.EBADF)
        transfer = write_from if file.writable else read_into
        return transfer(task, file, vector, None, not nonblocking)
    if file.writable:
        vector = pinnable(task.mm, vector)
        return _vmsplice(task, lambda: _write_vector(task, file, vector), file, WRITABLE, nonblocking)
    return _vmsplice(task, lambda: _read_vector(task, file, vector), file, READABLE, nonblocking)


async def _vmsplice(
    task: "Task", attempt: "Callable[[], Any]", pipe: PipeEnd, events: int, nonblocking: bool
) -> int:
    # Without page gifts this is a writev or readv that answers as soon as something was moved.
    while True:
        moved = attempt()
        if isinstance(moved, int):
            if moved:
                notify.tell_file(pipe, IN_MODIFY if pipe.writable else IN_ACCESS)
            return moved
        if nonblocking:
            raise Errno(errno.EAGAIN)
        await until(task, pipe, events)


def _write_vector(task: "Task", pipe: PipeEnd, vector: list[tuple[int, int]]) -> "Any":
    room = pipe.room(task)
    return pipe.write(task, task.gather(_cut(vector, room)), None) if room else WOULD_BLOCK


def _read_vector(task: "Task", pipe: PipeEnd, vector: list[tuple[int, int]]) -> "Any":
    data = pipe.peek(sum(length for _, length in vector))
    if not isinstance(data, bytes):
        return data
    moved = task.scatter(vector, data) if data else 0
    pipe.read(task, moved, None)
    return moved


def _cut(vector: list[tuple[int, int]], room: int) -> list[tuple[int, int]]:
    """The first `room` bytes of a vector."""
    out = []
    for at, length in vector:
        if room <= 0:
            break
        out.append((at, min(length, room)))
        room -= length
    return out


def _is_pipe(file: "File") -> bool:
    return isinstance(file, PipeEnd) or (isinstance(file, HostStream) and file.inode.mode & S_IFMT == S_IFIFO)
