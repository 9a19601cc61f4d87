"""chmod, chown, utime and their forms; truncate, ftruncate, fallocate."""

from errno import EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, EPERM, ESPIPE
from struct import Struct

from sentry.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_WRITE_ZEROES,
    FALLOC_FL_ZERO_RANGE,
    MAX_FILE_SIZE,
    O_PATH,
)
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.abi.inotify import IN_MODIFY
from sentry.abi.stat import S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, TMPFS_MAGIC
from sentry.errors import Errno
from sentry.mm.vma import VM_HUGETLB
from sentry.syscalls.args import Fd, File, Int, Long, Path, Ptr, UInt
from sentry.vfs import attributes, landlock
from sentry.vfs.namei import walk, walk_at
from sentry.vfs.notify import notify
from sentry.vfs.permissions import check_mutable
from sentry.vfs.regular import drop_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place

    Times = tuple[tuple[int, int], tuple[int, int]]

_PAIRS = Struct("=qqqq")  # two of struct timespec or struct timeval
_UTIMBUF = Struct("=qq")
_MICROSECOND = 1000


def _place(file: File) -> "Place":
    """The file of a descriptor that is open for more than its place (fchmod(2): EBADF)."""
    if file.flags & O_PATH or file.path is None:
        raise Errno(EBADF)
    path: Place = file.path
    return path


def chmod(task: "Task", name: Path, mode: UInt) -> int:
    attributes.chmod(task, walk(task, AT_FDCWD, name), mode)
    return 0


def fchmod(task: "Task", file: File, mode: UInt) -> int:
    attributes.chmod(task, _place(file), mode)
    return 0


def fchmodat(task: "Task", dirfd: Fd, name: Path, mode: UInt) -> int:
    attributes.chmod(task, walk(task, dirfd, name), mode)
    return 0


def fchmodat2(task: "Task", dirfd: Fd, name: Path, mode: UInt, flags: UInt) -> int:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    path = walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
    if path.inode.mode & S_IFMT == S_IFLNK:
        raise Errno(EOPNOTSUPP)
    attributes.chmod(task, path, mode)
    return 0


def chown(task: "Task", name: Path, uid: UInt, gid: UInt) -> int:
    attributes.chown(task, walk(task, AT_FDCWD, name), uid, gid)
    return 0


def lchown(task: "Task", name: Path, uid: UInt, gid: UInt) -> int:
    attributes.chown(task, walk(task, AT_FDCWD, name, False), uid, gid)
    return 0


def fchown(task: "Task", file: File, uid: UInt, gid: UInt) -> int:
    attributes.chown(task, _place(file), uid, gid)
    return 0


def fchownat(task: "Task", dirfd: Fd, name: Path, uid: UInt, gid: UInt, flags: Int) -> int:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    attributes.chown(task, walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW), uid, gid)
    return 0


def utime(task: "Task", name: Path, times: Ptr) -> int:
    pair = None
    if times:
        access, modification = _UTIMBUF.unpack(task.copy_in(times, _UTIMBUF.size))
        pair = (access, 0), (modification, 0)
    attributes.set_times(task, walk(task, AT_FDCWD, name), pair)
    return 0


def utimes(task: "Task", name: Path, times: Ptr) -> int:
    return _set_times(task, AT_FDCWD, name, _timevals(task, times), 0)


def futimesat(task: "Task", dirfd: Fd, name: Ptr, times: Ptr) -> int:
    return _set_times(task, dirfd, task.copy_in_str(name) if name else None, _timevals(task, times), 0)


def utimensat(task: "Task", dirfd: Fd, name: Ptr, times: Ptr, flags: Int) -> int:
    pair = None
    if times:
        a, b, c, d = _PAIRS.unpack(task.copy_in(times, _PAIRS.size))
        if b == d == attributes.UTIME_OMIT:
            return 0  # nothing to do, not even to look for the file
        pair = (a, b), (c, d)
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    return _set_times(task, dirfd, task.copy_in_str(name) if name else None, pair, flags)


def _timevals(task: "Task", times: int) -> "Times | None":
    if not times:
        return None
    a, b, c, d = _PAIRS.unpack(task.copy_in(times, _PAIRS.size))
    if not (0 <= b < 1_000_000 and 0 <= d < 1_000_000):
        raise Errno(EINVAL)
    return (a, b * _MICROSECOND), (c, d * _MICROSECOND)


def _set_times(task: "Task", dirfd: int, name: bytes | None, times: "Times | None", flags: int) -> int:
    """Without a name it is the descriptor's file, as futimens(3) wants it."""
    if name is None:
        if dirfd == AT_FDCWD:
            raise Errno(EFAULT)
        if flags:
            raise Errno(EINVAL)
        path = _place(task.files.get(dirfd))
    else:
        path = walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
    attributes.set_times(task, path, times)
    return 0


def truncate(task: "Task", name: Path, length: Long) -> "int | Coroutine[None, None, int]":
    if length < 0:
        raise Errno(EINVAL)
    later = attributes.truncate(task, walk(task, AT_FDCWD, name), length)
    return 0 if later is None else _done(later)


async def _done(later: "Coroutine[None, None, None]") -> int:
    await later
    return 0


def ftruncate(task: "Task", fd: Fd, length: Long) -> int:
    if length < 0:
        raise Errno(EINVAL)
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if not file.writable or file.inode.mode & S_IFMT != S_IFREG:
        raise Errno(file.inode.unchangeable or EINVAL)
    if file.inode.fs_flags & FS_APPEND_FL:
        raise Errno(EPERM)
    if file.denied:
        landlock.check_truncate(file)
    attributes.check_size(task, length)
    drop_privileges(task, file.inode)
    file.truncate(length)
    notify.tell_file(file, IN_MODIFY)
    return 0


# What fallocate(2) knows, each with FALLOC_FL_KEEP_SIZE where that may go with it; and what is carried out.
_FALLOCATES = frozenset({
    0, FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_UNSHARE_RANGE, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_WRITE_ZEROES,
})  # fmt: skip
_FALLOCATED = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE


def fallocate(task: "Task", file: File, mode: Int, offset: Long, length: Long) -> int:
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if offset < 0 or length <= 0:
        raise Errno(EINVAL)
    if mode not in _FALLOCATES:
        raise Errno(EOPNOTSUPP)
    if not file.writable:
        raise Errno(EBADF)
    check_mutable(file.inode, bool(mode & ~FALLOC_FL_KEEP_SIZE))
    kind = file.inode.mode & S_IFMT
    if kind != S_IFREG:
        refusal = ESPIPE if kind == S_IFIFO else EISDIR if kind == S_IFDIR else ENODEV
        raise Errno(file.inode.unchangeable or refusal)
    if offset + length > MAX_FILE_SIZE:
        raise Errno(EFBIG)
    in_memory = file.inode.fs.magic == TMPFS_MAGIC
    if mode & ~_FALLOCATED or (mode & FALLOC_FL_ZERO_RANGE and in_memory):
        raise Errno(EOPNOTSUPP)
    # In memory the limit holds for what is beyond the end, too.
    keeps = mode & FALLOC_FL_KEEP_SIZE and not file.mapping_flags & VM_HUGETLB
    if not keeps or (not mode & FALLOC_FL_PUNCH_HOLE and in_memory):
        attributes.check_size(task, offset + length)
    file.fallocate(mode, offset, length)
    notify.tell_file(file, IN_MODIFY)
    return 0
