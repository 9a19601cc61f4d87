"""stat, lstat, fstat, newfstatat, statx; access and its forms; readlink."""

from errno import EACCES, EBADF, EINVAL, ENOENT, EROFS
from struct import Struct

from sentry._core import accessed
from sentry.abi.fcntl import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_NO_AUTOMOUNT,
    AT_STATX_SYNC_TYPE,
    AT_SYMLINK_NOFOLLOW,
)
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.stat import (
    ACCESS_EXEC,
    ACCESS_WRITE,
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    SECOND,
    STATX,
    STATX_ATTR_EVERY,
    STATX_ATTR_FLAGS,
    STATX_ATTR_MOUNT_ROOT,
    STATX_BASIC_STATS,
    STATX_BTIME,
    STATX_MNT_ID,
    STATX_MNT_ID_UNIQUE,
    STATX_RESERVED,
    major,
    minor,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Int, Path, Ptr, UInt
from sentry.vfs.idmap import acting, view
from sentry.vfs.namei import walk, walk_at
from sentry.vfs.path import Path as Place
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode

_OWNERS = Struct("=II")  # st_uid, st_gid
_OWNERS_AT = 28  # in struct stat


def _answer(task: "Task", inode: "Inode", place: "Place | None", buf: int) -> int:
    if inode.volatile:
        inode.getattr()
    record = inode.stat_bytes(task)
    if place is not None and place.mount.idmap is not None:
        ids = view(place.mount.idmap, task.creds.user_ns)
        owners = _OWNERS.pack(ids.show_uid(inode.uid), ids.show_gid(inode.gid))
        record = record[:_OWNERS_AT] + owners + record[_OWNERS_AT + _OWNERS.size :]
    task.copy_out(buf, record)
    return 0


def stat(task: "Task", name: Path, buf: Ptr) -> int:
    path = walk(task, AT_FDCWD, name)
    return _answer(task, path.inode, path, buf)


def lstat(task: "Task", name: Path, buf: Ptr) -> int:
    path = walk(task, AT_FDCWD, name, False)
    return _answer(task, path.inode, path, buf)


def fstat(task: "Task", file: File, buf: Ptr) -> int:
    return _answer(task, file.stat_inode(), file.path, buf)


def newfstatat(task: "Task", dirfd: Fd, name: Ptr, buf: Ptr, flags: Int) -> int:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT):
        raise Errno(EINVAL)
    return _answer(task, *_inode_at(task, dirfd, name, flags), buf)


def _inode_at(task: "Task", dirfd: int, name: int, flags: int) -> "tuple[Inode, Place | None]":
    # With AT_EMPTY_PATH a null pointer is an empty name (since Linux 6.11).
    text = task.copy_in_str(name) if name or not flags & AT_EMPTY_PATH else b""
    if not text and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        file = task.files.get(dirfd)
        return file.stat_inode(), file.path
    path = walk_at(task, dirfd, text, flags, not flags & AT_SYMLINK_NOFOLLOW)
    return path.inode, path


def statx(task: "Task", dirfd: Fd, name: Ptr, flags: Int, mask: UInt, buf: Ptr) -> int:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE):
        raise Errno(EINVAL)
    if mask & STATX_RESERVED or flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE:
        raise Errno(EINVAL)
    inode, path = _inode_at(task, dirfd, name, flags)
    if inode.volatile:
        inode.getattr()
    attributes = STATX_ATTR_MOUNT_ROOT if path is not None and path.dentry is path.mount.root else 0
    attributes |= inode.fs_flags & STATX_ATTR_FLAGS
    times = []
    for time in (inode.atime, inode.btime, inode.ctime, inode.mtime):
        times += [time // SECOND, time % SECOND, 0]
    unique, number = mask & STATX_MNT_ID_UNIQUE, 0
    if path is not None:
        number = path.mount.unique_id if unique else path.mount.id
    ids = view(path.mount.idmap if path is not None else None, task.creds.user_ns)
    record = STATX.pack(
        STATX_BASIC_STATS | STATX_BTIME | (unique or STATX_MNT_ID), inode.blksize, attributes, inode.nlink,
        ids.show_uid(inode.uid), ids.show_gid(inode.gid), inode.mode, inode.ino, inode.size,
        inode.blocks(), STATX_ATTR_EVERY | inode.flags_kept & STATX_ATTR_FLAGS, *times,
        major(inode.rdev), minor(inode.rdev), major(inode.dev), minor(inode.dev),
        number, 0, 0,
    )  # fmt: skip
    task.copy_out(buf, record)
    return 0


def access(task: "Task", name: Path, mode: Int) -> int:
    return _access(task, AT_FDCWD, name, mode, 0)


def faccessat(task: "Task", dirfd: Fd, name: Path, mode: Int) -> int:
    return _access(task, dirfd, name, mode, 0)


def faccessat2(task: "Task", dirfd: Fd, name: Path, mode: Int, flags: Int) -> int:
    if flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    return _access(task, dirfd, name, mode, flags)


def _access(task: "Task", dirfd: int, name: bytes, mode: int, flags: int) -> int:
    """By the real ids, whatever the effective ones may do (access(2)), unless AT_EACCESS."""
    if mode & ~7:
        raise Errno(EINVAL)
    effective = task.creds
    try:
        if not flags & AT_EACCESS:
            real = effective.copy()
            real.fsuid, real.fsgid = real.uid, real.gid
            real.effective = real.permitted if real.uid == 0 else 0
            task.creds = real
        path = walk_at(task, dirfd, name, flags, not flags & AT_SYMLINK_NOFOLLOW)
        inode = path.inode
        kind = inode.mode & S_IFMT
        if mode & ACCESS_EXEC and kind == S_IFREG and path.mount.flags & MS_NOEXEC:
            raise Errno(EACCES)
        if mode:
            check(acting(task, path.mount), inode, mode)
        if mode & ACCESS_WRITE and path.mount.readonly and kind in (S_IFREG, S_IFDIR, S_IFLNK):
            raise Errno(EROFS)
    finally:
        task.creds = effective
    return 0


def readlink(task: "Task", name: Path, buf: Ptr, size: Int) -> int:
    return readlinkat(task, AT_FDCWD, name, buf, size)


def readlinkat(task: "Task", dirfd: Fd, name: Path, buf: Ptr, size: Int) -> int:
    if size <= 0:
        raise Errno(EINVAL)
    if not name:  # the descriptor of a link itself, opened with O_PATH | O_NOFOLLOW
        if dirfd == AT_FDCWD:
            raise Errno(ENOENT)
        file = task.files.get(dirfd)
        if file.path is None:
            raise Errno(EBADF)
        path = file.path
        if path.inode.mode & S_IFMT != S_IFLNK:
            raise Errno(ENOENT)
    else:
        path = walk(task, dirfd, name, False)
        if path.inode.mode & S_IFMT != S_IFLNK:
            raise Errno(EINVAL)
    accessed(path.mount, path.inode)
    # What proc's magic links lead to is told as the caller's root sees it.
    place = path.inode.lead(task)
    target = (place.shown(task.fs.root) if isinstance(place, Place) else place)[:size]
    task.copy_out(buf, target)
    return len(target)
