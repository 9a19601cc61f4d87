"""read, write, their positioned and vectored forms, lseek."""

from errno import EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESPIPE

from sentry.abi.fcntl import MAX_RW_COUNT, O_PATH
from sentry.abi.mman import TASK_SIZE
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Int, Long, Ptr, Size
from sentry.syscalls.transfer_flags import RWF_HIPRI, RWF_NOWAIT, check_flags, write_with_flags
from sentry.vfs.transfer import read_into, write_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task

    Count = int | Coroutine[Any, Any, int]


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
        raise Errno(EBADF if file.flags & O_PATH else ESPIPE)
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


def preadv2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    vectors = task.read_iovec(iov, _vectors(count)) if file.readable else []
    if flags:
        _check_flags(file, file.readable, file.reads_iter, vectors, flags)
    return read_into(task, file, vectors, at, not flags & RWF_NOWAIT)


def pwritev2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    vectors = task.read_iovec(iov, _vectors(count)) if file.writable else []
    if flags:
        _check_flags(file, file.writable, file.writes_iter, vectors, flags)
    return write_with_flags(task, file, vectors, at, flags)


def _check_flags(
    file: File, allowed: bool, by_iter: bool, vectors: "list[tuple[int, int]]", flags: int
) -> None:
    """The file's mode comes first, and nothing needs no flags."""
    if not allowed:
        raise Errno(EBADF)
    if not any(length for _, length in vectors):
        return
    if not by_iter and flags & ~RWF_HIPRI:
        raise Errno(EOPNOTSUPP)
    check_flags(file, flags)


def _vectors(count: int) -> int:
    # The kernel takes the count as an unsigned long: what doesn't fit is too much.
    return count if count <= 0x7FFFFFFF else 0x7FFFFFFF


def lseek(task: "Task", file: File, offset: Long, whence: Int) -> int:
    return file.seek(task, offset, whence)
