"""ioctl(2): the requests that every file has; the others are the file's own.  And vhangup(2)."""

import errno

from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_TTY_CONFIG
from sentry.abi.fcntl import FASYNC, O_NONBLOCK, O_PATH
from sentry.abi.file_flags import FSXATTR
from sentry.abi.ioctl import (
    FIBMAP,
    FICLONE,
    FICLONERANGE,
    FIDEDUPERANGE,
    FIFREEZE,
    FIGETBSZ,
    FIOASYNC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    FIOQSIZE,
    FITHAW,
    FS_IOC_FIEMAP,
    FS_IOC_FSGETXATTR,
    FS_IOC_FSSETXATTR,
    FS_IOC_GETFLAGS,
    FS_IOC_SETFLAGS,
)
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, UInt
from sentry.vfs import extents, file_flags, landlock, owner
from sentry.vfs.idmap import acting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File


_FLAGS = (FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR)
_EXTENTS = {
    FICLONE: extents.clone,
    FICLONERANGE: extents.clone_range,
    FIDEDUPERANGE: extents.deduplicate,
}


def ioctl(task: "Task", fd: Fd, request: UInt, arg: Ptr) -> "int | Coroutine[Any, Any, int]":
    file: File = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    if request == FIOCLEX:
        task.files.set_cloexec(fd, True)
    elif request == FIONCLEX:
        task.files.set_cloexec(fd, False)
    elif request == FIONBIO:
        _set_flag(file, O_NONBLOCK, task.read_u32(arg))
    elif request == FIOASYNC:
        on = bool(task.read_u32(arg))
        if on != bool(file.flags & FASYNC):
            if not file.can_signal:
                raise Errno(errno.ENOTTY)
            owner.set_async(task, file, fd, on)
    elif request == FIOQSIZE:
        task.write_u64(arg, _size_of(file))
    elif request == FIGETBSZ:
        task.write_u32(arg, file.stat_inode().blksize)
    elif request in _FLAGS and file.inode is not None and file.inode.flags_kept:
        _flags(task, file, request, arg)
    elif request in _EXTENTS:
        return _EXTENTS[request](task, file, arg)
    elif request == FIBMAP and file.inode is not None and file.inode.mode & S_IFMT == S_IFREG:
        return extents.bmap(task, arg)
    elif request in (FIFREEZE, FITHAW):
        if not task.creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(errno.EPERM)
        raise Errno(errno.EOPNOTSUPP if request == FIFREEZE else errno.EINVAL)
    elif request == FS_IOC_FIEMAP:
        raise Errno(errno.EOPNOTSUPP)
    else:
        if file.denied:
            landlock.check_ioctl(file)
        return file.ioctl(task, request, arg)
    return 0


def _set_flag(file: "File", flag: int, on: int) -> None:
    if on:
        file.flags |= flag
    else:
        file.flags &= ~flag


def _flags(task: "Task", file: "File", request: int, arg: int) -> None:
    """ioctl_iflags(2), and the same flags with FS_XFLAG_*."""
    path = file.path
    assert path is not None
    if request == FS_IOC_GETFLAGS:
        task.write_u32(arg, path.inode.fs_flags)
    elif request == FS_IOC_SETFLAGS:
        file_flags.set_flags(acting(task, path.mount), path, task.read_u32(arg))
    elif request == FS_IOC_FSGETXATTR:
        task.copy_out(arg, FSXATTR.pack(file_flags.extended(path.inode), 0, 0, 0, 0))
    else:
        xflags, extent, _, project, cow_extent = FSXATTR.unpack(task.copy_in(arg, FSXATTR.size))
        file_flags.set_extended(acting(task, path.mount), path, xflags, extent, project, cow_extent)


def _size_of(file: "File") -> int:
    """FIOQSIZE is for files, directories and links; ENOTTY for the rest."""
    inode = file.stat_inode()
    if inode.mode & S_IFMT not in (S_IFREG, S_IFDIR, S_IFLNK):
        raise Errno(errno.ENOTTY)
    return inode.blocks() * 512


def vhangup(task: "Task") -> int:
    if not task.creds.has_cap(CAP_SYS_TTY_CONFIG):
        raise Errno(errno.EPERM)
    terminal = task.group.session.tty
    if terminal is not None:
        terminal.hang_up()
    return 0
