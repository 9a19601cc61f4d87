"""read, write, their positioned and vectored forms, lseek."""

from errno import EBADF, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESPIPE

from sentry.abi.fcntl import MAX_RW_COUNT, O_APPEND
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.abi.mman import TASK_SIZE
from sentry.abi.stat import TMPFS_MAGIC
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Int, Long, Ptr, Size
from sentry.vfs.transfer import read_into, write_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task

    Count = int | Coroutine[Any, Any, int]

RWF_NOWAIT = 0x08
RWF_APPEND = 0x10
RWF_NOAPPEND = 0x20
_RWF_NOSIGNAL = 0x100
_RWF_PLACES = RWF_APPEND | RWF_NOAPPEND  # of no meaning for reads, and allowed there
_RWF_SYNC = 0x01 | 0x02 | 0x04  # HIPRI, DSYNC, SYNC: nothing to do for what is in memory


def _buffer(allowed: bool, address: int, count: int) -> "list[tuple[int, int]]":
    if not allowed:  # the file's mode is looked at before the buffer
        raise Errno(EBADF)
    if address + count > TASK_SIZE:
        raise Errno(EFAULT)
    return [(address, min(count, MAX_RW_COUNT))]


def _positioned(task: "Task", fd: int, pos: int) -> File:
    if pos < 0:
        raise Errno(EINVAL)
    file = task.files.get(fd)
    if not file.seekable:
        raise Errno(ESPIPE)
    found: File = file
    return found


def read(task: "Task", file: File, buf: Ptr, count: Size) -> "Count":
    return read_into(task, file, _buffer(file.readable, buf, count), None)


def write(task: "Task", file: File, buf: Ptr, count: Size) -> "Count":
    return write_from(task, file, _buffer(file.writable, buf, count), None)


def pread64(task: "Task", fd: Fd, buf: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    return read_into(task, file, _buffer(file.readable, buf, count), pos)


def pwrite64(task: "Task", fd: Fd, buf: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    return write_from(task, file, _buffer(file.writable, buf, count), pos)


def readv(task: "Task", file: File, iov: Ptr, count: Size) -> "Count":
    return read_into(task, file, task.read_iovec(iov, _vectors(count)), None)


def writev(task: "Task", file: File, iov: Ptr, count: Size) -> "Count":
    return write_from(task, file, task.read_iovec(iov, _vectors(count)), None)


def preadv(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    return read_into(task, file, task.read_iovec(iov, _vectors(count)), pos)


def pwritev(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    return write_from(task, file, task.read_iovec(iov, _vectors(count)), pos)


def _check_flags(file: File, allowed: bool, vectors: "list[tuple[int, int]]", flags: int) -> None:
    """EOPNOTSUPP for RWF_* that the file lacks; the file's mode comes first, and nothing needs no flags."""
    if not allowed:
        raise Errno(EBADF)
    if not any(length for _, length in vectors):
        return
    if flags & ~(RWF_NOWAIT | _RWF_PLACES | _RWF_SYNC | _RWF_NOSIGNAL):
        raise Errno(EOPNOTSUPP)
    if flags & RWF_NOWAIT and file.whole and file.inode.fs.magic == TMPFS_MAGIC:
        raise Errno(EOPNOTSUPP)
    if flags & _RWF_PLACES == _RWF_PLACES:
        raise Errno(EINVAL)


def preadv2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    vectors = task.read_iovec(iov, _vectors(count)) if file.readable else []
    if flags:
        _check_flags(file, file.readable, vectors, flags)
    return read_into(task, file, vectors, at, not flags & RWF_NOWAIT)


def pwritev2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    vectors = task.read_iovec(iov, _vectors(count)) if file.writable else []
    if flags:
        _check_flags(file, file.writable, vectors, flags)
    if flags & _RWF_NOSIGNAL:
        return _without_sigpipe(task, file, vectors, at, flags)
    return write_with_flags(task, file, vectors, at, flags)


async def _without_sigpipe(
    task: "Task", file: File, vectors: "list[tuple[int, int]]", at: int | None, flags: int
) -> int:
    task.signal.no_sigpipe = True
    try:
        answer = write_with_flags(task, file, vectors, at, flags)
        return answer if isinstance(answer, int) else await answer
    finally:
        task.signal.no_sigpipe = False


def write_with_flags(
    task: "Task", file: File, vectors: "list[tuple[int, int]]", at: int | None, flags: int
) -> "Count":
    """Write as RWF_* `flags` say."""
    if flags & RWF_NOAPPEND and file.flags & O_APPEND and file.whole:
        if file.inode.fs_flags & FS_APPEND_FL:
            raise Errno(EPERM)
        file.flags &= ~O_APPEND  # for this call alone; a regular file never waits
        try:
            return write_from(task, file, vectors, at)
        finally:
            file.flags |= O_APPEND
    if not flags & RWF_APPEND or file.flags & O_APPEND or not file.whole:
        return write_from(task, file, vectors, at, not flags & RWF_NOWAIT)
    file.flags |= O_APPEND  # for this call alone; a regular file never waits
    try:
        return write_from(task, file, vectors, at)
    finally:
        file.flags &= ~O_APPEND


def _vectors(count: int) -> int:
    # The kernel takes the count as an unsigned long: what doesn't fit is too much.
    return count if count <= 0x7FFFFFFF else 0x7FFFFFFF


def lseek(task: "Task", file: File, offset: Long, whence: Int) -> int:
    return file.seek(task, offset, whence)
