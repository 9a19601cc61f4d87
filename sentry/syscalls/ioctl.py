"""ioctl(2): the requests that every file has; the others are the file's own.  And vhangup(2)."""

import errno

from sentry.abi.capability import CAP_SYS_TTY_CONFIG
from sentry.abi.fcntl import FASYNC, O_NONBLOCK
from sentry.abi.ioctl import (
    FIGETBSZ,
    FIOASYNC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    FIOQSIZE,
)
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, UInt
from sentry.vfs import landlock, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File


def ioctl(task: "Task", fd: Fd, request: UInt, arg: Ptr) -> "int | Coroutine[Any, Any, int]":
    file: File = task.files.get(fd)
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


def _size_of(file: "File") -> int:
    """FIOQSIZE is for files, directories and links; ENOTTY for the rest."""
    inode = file.stat_inode()
    if inode.mode & S_IFMT not in (S_IFREG, S_IFDIR, S_IFLNK):
        raise Errno(errno.ENOTTY)
    return inode.size


def vhangup(task: "Task") -> int:
    if not task.creds.has_cap(CAP_SYS_TTY_CONFIG):
        raise Errno(errno.EPERM)
    terminal = task.group.session.tty
    if terminal is not None:
        terminal.hang_up()
    return 0
