"""read, write, their positioned and vectored forms, lseek."""

from errno import EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESPIPE

from sentry.abi.fcntl import MAX_RW_COUNT, O_PATH, SEEK_HOLE
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


# The file's mode comes first, then whether it can be read or written at all, then the memory.


def _check_read(file: File) -> None:
    if not file.readable:
        raise Errno(EBADF)
    if not file.can_read:
        raise Errno(EINVAL)


def _check_write(file: File) -> None:
    if not file.writable:
        raise Errno(EBADF)
    if not file.can_write:
        raise Errno(EINVAL)


def _buffer(address: int, count: int) -> "list[tuple[int, int]]":
    if address + count > TASK_SIZE:
        raise Errno(EFAULT)
    return [(address, min(count, MAX_RW_COUNT))]


def _vectors(task: "Task", address: int, count: int) -> "list[tuple[int, int]]":
    """What an array of struct iovec describes; empty: no bytes at all, which the file is not asked about."""
    # The kernel takes the count as an unsigned long: what doesn't fit is too much.
    vectors = task.read_iovec(address, count if count <= 0x7FFFFFFF else 0x7FFFFFFF)
    return vectors if any(length for _, length in vectors) else []


def _positioned(task: "Task", fd: int, pos: int) -> File:
    if pos < 0:
        raise Errno(EINVAL)
    file = task.files.get(fd)
    if not file.seekable:
        raise Errno(EBADF if file.flags & O_PATH else ESPIPE)
    found: File = file
    return found


def read(task: "Task", file: File, buf: Ptr, count: Size) -> "Count":
    _check_read(file)
    return read_into(task, file, _buffer(buf, count), None)


def write(task: "Task", file: File, buf: Ptr, count: Size) -> "Count":
    _check_write(file)
    return write_from(task, file, _buffer(buf, count), None)


def pread64(task: "Task", fd: Fd, buf: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    _check_read(file)
    return read_into(task, file, _buffer(buf, count), pos)


def pwrite64(task: "Task", fd: Fd, buf: Ptr, count: Size, pos: Long) -> "Count":
    file = _positioned(task, fd, pos)
    _check_write(file)
    return write_from(task, file, _buffer(buf, count), pos)


def readv(task: "Task", file: File, iov: Ptr, count: Size) -> "Count":
    return _readv(task, file, iov, count, None)


def writev(task: "Task", file: File, iov: Ptr, count: Size) -> "Count":
    return _writev(task, file, iov, count, None)


def preadv(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long) -> "Count":
    return _readv(task, _positioned(task, fd, pos), iov, count, pos)


def pwritev(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long) -> "Count":
    return _writev(task, _positioned(task, fd, pos), iov, count, pos)


def preadv2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    return _readv(task, file, iov, count, at, flags)


def pwritev2(task: "Task", fd: Fd, iov: Ptr, count: Size, pos: Long, high: Long, flags: Int) -> "Count":
    at, file = (None, task.files.get(fd)) if pos == -1 else (pos, _positioned(task, fd, pos))
    return _writev(task, file, iov, count, at, flags)


def _readv(task: "Task", file: File, iov: int, count: int, at: int | None, flags: int = 0) -> "Count":
    _check_read(file)
    vectors = _vectors(task, iov, count)
    if not vectors:
        return 0
    if flags:
        _check_flags(file, file.reads_iter, flags)
    return read_into(task, file, vectors, at, not flags & RWF_NOWAIT)


def _writev(task: "Task", file: File, iov: int, count: int, at: int | None, flags: int = 0) -> "Count":
    _check_write(file)
    vectors = _vectors(task, iov, count)
    if not vectors:
        return 0
    if flags:
        _check_flags(file, file.writes_iter, flags)
    if not file.writes_iter and len(vectors) > 1:
        return _write_each(task, file, vectors, at)
    if not flags:
        return write_from(task, file, vectors, at)
    return write_with_flags(task, file, vectors, at, flags)


async def _write_each(task: "Task", file: File, vectors: "list[tuple[int, int]]", at: int | None) -> int:
    """A write for each part: so Linux does it with files that don't gather."""
    done = 0
    for address, length in vectors:
        try:
            answer = write_from(task, file, [(address, length)], None if at is None else at + done)
            written = answer if isinstance(answer, int) else await answer
        except Errno:
            if done:
                break
            raise
        done += written
        if written != length:
            break
    return done


def _check_flags(file: File, by_iter: bool, flags: int) -> None:
    if not by_iter and flags & ~RWF_HIPRI:
        raise Errno(EOPNOTSUPP)
    check_flags(file, flags)


def lseek(task: "Task", file: File, offset: Long, whence: Int) -> int:
    if not 0 <= whence <= SEEK_HOLE and not file.flags & O_PATH:
        raise Errno(EINVAL)
    return file.seek(task, offset, whence)
