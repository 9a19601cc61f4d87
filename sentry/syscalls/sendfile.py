"""From file to file without user memory: sendfile, splice, tee, vmsplice, copy_file_range."""

import errno

from sentry._core import KIND_NULL
from sentry.abi.fcntl import MAX_FILE_SIZE, MAX_RW_COUNT, O_APPEND, O_NONBLOCK
from sentry.abi.inotify import IN_ACCESS, IN_MODIFY
from sentry.abi.poll import READABLE, WRITABLE
from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.syscalls.args import File, Ptr, Size, UInt
from sentry.vfs import notify
from sentry.vfs.pipe import PipeEnd
from sentry.vfs.relay import Relay, until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, Any]

SPLICE_F_NONBLOCK = 2
SPLICE_F_ALL = 15


def sendfile(task: "Task", target: File, source: File, offset: Ptr, count: Size) -> "Answer":
    _check_modes(source, target)
    if not _is_seekable(source) or not source.inode.spliceable or target.flags & O_APPEND:
        raise Errno(errno.EINVAL)
    start = _read_offset(task, offset) if offset else source.pos
    end = target.pos if _is_seekable(target) else None
    relay = Relay(task, source, start, target, end, min(count, MAX_RW_COUNT))
    relay.nonblocking = bool(target.flags & O_NONBLOCK)
    return _run(task, relay, offset, 0)


def splice(
    task: "Task", source: File, source_at: Ptr, target: File, target_at: Ptr, count: Size, flags: UInt
) -> "Answer":
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    if not count:
        return 0
    _check_modes(source, target)
    from_pipe, to_pipe = isinstance(source, PipeEnd), isinstance(target, PipeEnd)
    if not from_pipe and not to_pipe:
        raise Errno(errno.EINVAL)
    if (from_pipe and source_at) or (to_pipe and target_at):
        raise Errno(errno.ESPIPE)
    if from_pipe and to_pipe and source.state is target.state:
        raise Errno(errno.EINVAL)
    if target.flags & O_APPEND and not to_pipe:
        raise Errno(errno.EINVAL)
    if (source_at and not source.seekable) or (target_at and not target.seekable):
        raise Errno(errno.EINVAL)
    if source.inode.mode & S_IFMT == S_IFDIR or source.kind == KIND_NULL or not source.inode.spliceable:
        raise Errno(errno.EINVAL)
    start = _position(task, source, source_at)
    end = _position(task, target, target_at)
    relay = Relay(task, source, start, target, end, min(count, MAX_RW_COUNT))
    pipes_wait = not flags & SPLICE_F_NONBLOCK
    relay.nonblocking = not pipes_wait or bool((source.flags | target.flags) & O_NONBLOCK)
    relay.patient = False
    return _run(task, relay, source_at, target_at)


def tee(task: "Task", source: File, target: File, count: Size, flags: UInt) -> "Answer":
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    if not count:
        return 0
    _check_modes(source, target)
    if not isinstance(source, PipeEnd) or not isinstance(target, PipeEnd) or source.state is target.state:
        raise Errno(errno.EINVAL)
    nonblocking = bool(flags & SPLICE_F_NONBLOCK or (source.flags | target.flags) & O_NONBLOCK)
    return _tee(task, source, target, min(count, MAX_RW_COUNT), nonblocking)


async def _tee(task: "Task", source: PipeEnd, target: PipeEnd, count: int, nonblocking: bool) -> int:
    while True:
        room = target.room(task)
        data = source.peek(min(count, room)) if room else WOULD_BLOCK
        if isinstance(data, bytes):
            moved = target.write(task, data, None) if data else 0
            if isinstance(moved, int):
                return moved
        if nonblocking:
            raise Errno(errno.EAGAIN)
        file, events = (source, READABLE) if room else (target, WRITABLE)
        await until(task, file, events)


def vmsplice(task: "Task", file: File, iov: Ptr, count: Size, flags: UInt) -> "Answer":
    if flags & ~SPLICE_F_ALL:
        raise Errno(errno.EINVAL)
    if not isinstance(file, PipeEnd):
        raise Errno(errno.EBADF)
    vector = task.read_iovec(iov, count)
    nonblocking = bool(flags & SPLICE_F_NONBLOCK or file.flags & O_NONBLOCK)
    if file.writable:
        return _vmsplice(task, lambda: _write_vector(task, file, vector), file, WRITABLE, nonblocking)
    return _vmsplice(task, lambda: _read_vector(task, file, vector), file, READABLE, nonblocking)


async def _vmsplice(
    task: "Task", attempt: "Callable[[], Any]", pipe: PipeEnd, events: int, nonblocking: bool
) -> int:
    # Without page gifts this is a writev or readv that answers as soon as something was moved.
    while True:
        moved = attempt()
        if isinstance(moved, int):
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


def copy_file_range(
    task: "Task", source: File, source_at: Ptr, target: File, target_at: Ptr, count: Size, flags: UInt
) -> "Answer":
    if flags:
        raise Errno(errno.EINVAL)
    for file in (source, target):
        kind = file.inode.mode & S_IFMT
        if kind != S_IFREG:
            raise Errno(errno.EISDIR if kind == S_IFDIR else errno.EINVAL)
    if not source.readable or not target.writable or target.flags & O_APPEND:
        raise Errno(errno.EBADF)
    start = _position(task, source, source_at) or 0
    end = _position(task, target, target_at) or 0
    count = min(count, max(source.stat_inode().size - start, 0))
    if source.inode is target.inode and start < end + count and end < start + count:
        raise Errno(errno.EINVAL)
    relay = Relay(task, source, start, target, end, min(count, MAX_RW_COUNT))
    return _run(task, relay, source_at, target_at)


# Shared


def _check_modes(source: File, target: File) -> None:
    if not source.readable or not target.writable:
        raise Errno(errno.EBADF)


def _is_seekable(file: File) -> bool:
    return file.seekable and file.inode.mode & S_IFMT != S_IFDIR


def _position(task: "Task", file: File, at: int) -> int | None:
    """Where to start in `file`; None where it has no positions.  Raises Errno: ESPIPE, EINVAL, EFAULT."""
    if not _is_seekable(file):
        if at:
            raise Errno(errno.ESPIPE)
        return None
    return _read_offset(task, at) if at else file.pos


def _read_offset(task: "Task", at: int) -> int:
    offset = task.read_u64(at)
    if offset > MAX_FILE_SIZE:
        raise Errno(errno.EINVAL)
    return offset


def _run(task: "Task", relay: Relay, source_at: int, target_at: int) -> "Answer":
    """Do it, then put the positions where they belong: at the given addresses, or into the open files."""
    answer = relay.run()
    if isinstance(answer, int):
        _keep_positions(task, relay, source_at, target_at)
        return answer
    return _finish(task, relay, source_at, target_at, answer)


async def _finish(
    task: "Task", relay: Relay, source_at: int, target_at: int, running: "Coroutine[None, None, Any]"
) -> int:
    answer: int = await running
    _keep_positions(task, relay, source_at, target_at)
    return answer


def _keep_positions(task: "Task", relay: Relay, source_at: int, target_at: int) -> None:
    if relay.done:
        notify.tell_file(relay.source, IN_ACCESS)
        notify.tell_file(relay.target, IN_MODIFY)
    for file, pos, at in (
        (relay.source, relay.source_pos, source_at),
        (relay.target, relay.target_pos, target_at),
    ):
        if pos is not None and at:
            task.write_u64(at, pos)
        elif pos is not None:
            file.pos = pos
