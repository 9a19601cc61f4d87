"""statfs, fstatfs, sync, syncfs, fsync, fdatasync, sync_file_range; advice: readahead, fadvise64."""

from errno import EBADF, EINVAL, ESPIPE

from sentry.abi.fcntl import AT_FDCWD, O_PATH
from sentry.abi.mount import (
    MS_MANDLOCK,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_NOSYMFOLLOW,
    MS_RDONLY,
    MS_RELATIME,
    MS_SYNCHRONOUS,
)
from sentry.abi.stat import (
    S_IFBLK,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    ST_MANDLOCK,
    ST_NOATIME,
    ST_NODEV,
    ST_NODIRATIME,
    ST_NOEXEC,
    ST_NOSUID,
    ST_NOSYMFOLLOW,
    ST_RDONLY,
    ST_RELATIME,
    ST_SYNCHRONOUS,
    ST_VALID,
    STATFS,
)
from sentry.errors import Errno
from sentry.mm.vma import VM_SECRET
from sentry.syscalls.args import File, Int, Long, Path, Ptr, Size, UInt
from sentry.vfs.namei import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place

_FLAGS = (
    (MS_RDONLY, ST_RDONLY),
    (MS_NOSUID, ST_NOSUID),
    (MS_NODEV, ST_NODEV),
    (MS_NOEXEC, ST_NOEXEC),
    (MS_NOATIME, ST_NOATIME),
    (MS_NODIRATIME, ST_NODIRATIME),
    (MS_RELATIME, ST_RELATIME),
    (MS_NOSYMFOLLOW, ST_NOSYMFOLLOW),
    (MS_SYNCHRONOUS, ST_SYNCHRONOUS),
    (MS_MANDLOCK, ST_MANDLOCK),
)
_ADVICE_MAX = 5  # POSIX_FADV_NOREUSE


def _answer(task: "Task", path: "Place", buf: int) -> int:
    fs = path.mount.fs
    found = fs.statfs()
    flags = ST_VALID
    held = path.mount.attributes | fs.flags
    for mount_flag, flag in _FLAGS:
        if held & mount_flag:
            flags |= flag
    task.copy_out(
        buf,
        STATFS.pack(
            fs.magic, found.bsize, found.blocks, found.bfree, found.bavail, found.files, found.ffree, fs.dev,
            found.namelen, found.bsize, flags,
        ),
    )  # fmt: skip
    return 0


def statfs(task: "Task", name: Path, buf: Ptr) -> int:
    return _answer(task, walk(task, AT_FDCWD, name), buf)


def fstatfs(task: "Task", file: File, buf: Ptr) -> int:
    if file.path is None:
        raise Errno(EBADF)
    return _answer(task, file.path, buf)


def sync(task: "Task") -> int:
    # What is shared with the host is the host's to write back; the rest is in memory.
    return 0


def syncfs(task: "Task", file: File) -> int:
    _opened(file)
    return 0


def fsync(task: "Task", file: File) -> int:
    _opened(file).fsync()
    return 0


def fdatasync(task: "Task", file: File) -> int:
    _opened(file).fsync()
    return 0


def sync_file_range(task: "Task", file: File, offset: Long, length: Long, flags: UInt) -> int:
    _opened(file)
    if offset < 0 or length < 0 or offset + length > 0x7FFFFFFFFFFFFFFF or flags & ~7:
        raise Errno(EINVAL)
    if file.inode is None or file.inode.mode & S_IFMT not in (S_IFREG, S_IFBLK, S_IFDIR, S_IFLNK):
        raise Errno(ESPIPE)
    return 0


def _opened(file: File) -> File:
    if file.flags & O_PATH:
        raise Errno(EBADF)
    return file


def readahead(task: "Task", file: File, offset: Long, count: Size) -> int:
    if not file.readable:
        raise Errno(EBADF)
    if file.inode is None or file.inode.mode & S_IFMT != S_IFREG or file.mapping_flags & VM_SECRET:
        raise Errno(EINVAL)
    return 0


def fadvise64(task: "Task", file: File, offset: Long, length: Long, advice: Int) -> int:
    _opened(file)
    if file.inode is not None and file.inode.mode & S_IFMT == S_IFIFO:
        raise Errno(ESPIPE)
    if length < 0 or not 0 <= advice <= _ADVICE_MAX:
        raise Errno(EINVAL)
    return 0
