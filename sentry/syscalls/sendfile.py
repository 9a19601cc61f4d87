"""From file to file without user memory: sendfile, copy_file_range, and what splice(2) shares with them."""

import errno

from sentry.abi.fcntl import MAX_FILE_SIZE, MAX_RW_COUNT, O_APPEND, O_NONBLOCK, O_PATH
from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, Size, UInt
from sentry.vfs.anon import AnonymousFile
from sentry.vfs.notify import notify
from sentry.vfs.pipe import PipeEnd
from sentry.vfs.regular import file_limit
from sentry.vfs.relay import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    Answer = int | Coroutine[None, None, Any]

_SIGN = 1 << 63


def sendfile(task: "Task", target_fd: Fd, source_fd: Fd, offset: Ptr, count: Size) -> "Answer":
    given = read_offset(task, offset) if offset else 0
    source = open_file(task, source_fd)
    if not source.readable:
        raise Errno(errno.EBADF)
    if offset and not source.seekable:
        raise Errno(errno.ESPIPE)
    start = given if offset else source.pos
    check_area(start, count)
    target = open_file(task, target_fd)
    check_modes(source, target)
    if isinstance(target, PipeEnd):
        target.room(task)  # EPIPE before all else
        if isinstance(source, PipeEnd) and count:
            raise Errno(errno.EINVAL)
    else:
        check_area(target.pos, count)
        if target.flags & O_APPEND or not _can_seek(source):
            raise Errno(errno.EINVAL)
    relay = Relay(
        task, source, start if source.seekable else None, target, target.pos if target.seekable else None,
        min(count, MAX_RW_COUNT),
    )  # fmt: skip
    relay.pipes_wait = not target.flags & O_NONBLOCK
    return run(relay, offset, 0)


def copy_file_range(
    task: "Task", source_fd: Fd, source_at: Ptr, target_fd: Fd, target_at: Ptr, count: Size, flags: UInt
) -> "Answer":
    source, target = open_file(task, source_fd), open_file(task, target_fd)
    start = read_offset(task, source_at) if source_at else source.pos
    end = read_offset(task, target_at) if target_at else target.pos
    if flags:
        raise Errno(errno.EINVAL)
    kinds = source.inode.mode & S_IFMT, target.inode.mode & S_IFMT
    if S_IFDIR in kinds:
        raise Errno(errno.EISDIR)
    if kinds != (S_IFREG, S_IFREG):
        raise Errno(errno.EINVAL)
    check_modes(source, target)
    if target.flags & O_APPEND:
        raise Errno(errno.EBADF)
    if source.inode.fs is not target.inode.fs:
        raise Errno(errno.EXDEV)
    # The end of a range wraps like an unsigned number, before its start is looked at.
    if any(at % (2 * _SIGN) + count >= 2 * _SIGN for at in (start, end)):
        raise Errno(errno.EOVERFLOW)
    count = min(count, max(source.stat_inode().size - start, 0))
    count = min(count, file_limit(task, end) - end)
    if source.inode is target.inode and start < end + count and end < start + count:
        raise Errno(errno.EINVAL)
    check_area(start, count)
    check_area(end, count)
    relay = Relay(task, source, start, target, end, min(count, MAX_RW_COUNT))
    return run(relay, source_at, target_at)


def _can_seek(file: "File") -> bool:
    return file.can_seek if isinstance(file, AnonymousFile) else file.seekable


# Shared


def open_file(task: "Task", fd: int) -> "File":
    """The open file; EBADF too for a mere place (O_PATH)."""
    file: File = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    return file


def check_modes(source: "File", target: "File") -> None:
    if not source.readable or not target.writable:
        raise Errno(errno.EBADF)


def read_offset(task: "Task", at: int) -> int:
    """A signed offset in guest memory."""
    return (task.read_u64(at) ^ _SIGN) - _SIGN


def check_area(at: int, count: int) -> None:
    """EINVAL where no file can have `count` bytes at an offset."""
    if at < 0 or at + count > MAX_FILE_SIZE:
        raise Errno(errno.EINVAL)


def run(relay: Relay, source_at: int, target_at: int) -> "Answer":
    """Do it, then put the positions where they belong: at the given addresses, or into the open files."""
    waits = notify.read_questions(relay.source)
    answer = _run_asked(relay, waits) if waits else relay.run()
    if isinstance(answer, int):
        _keep_positions(relay, source_at, target_at)
        return answer
    return _finish(relay, source_at, target_at, answer)


async def _run_asked(relay: Relay, waits: "list[notify.Question]") -> int:
    await notify.answers(relay.task, waits)
    answer = relay.run()
    return answer if isinstance(answer, int) else await answer


async def _finish(relay: Relay, source_at: int, target_at: int, running: "Coroutine[None, None, Any]") -> int:
    answer: int = await running
    _keep_positions(relay, source_at, target_at)
    return answer


def _keep_positions(relay: Relay, source_at: int, target_at: int) -> None:
    if relay.done:
        relay.tell()
    for file, pos, at in (
        (relay.source, relay.source_pos, source_at),
        (relay.target, relay.target_pos, target_at),
    ):
        if pos is not None and at:
            relay.task.write_u64(at, pos)
        elif pos is not None:
            file.pos = pos
