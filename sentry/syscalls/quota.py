"""quotactl, quotactl_fd: none of our file systems has quotas."""

from errno import EACCES, EBADF, EINVAL, ENODEV, ENOSYS, ENOTBLK

from sentry.abi.fcntl import AT_FDCWD, O_PATH
from sentry.abi.mount import MS_NODEV
from sentry.abi.stat import S_IFBLK, S_IFMT
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, UInt
from sentry.vfs.namei import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_TYPE_BITS = 8  # of a quotactl command: the lowest say whose quota is meant
_TYPES = 3  # user, group, project
_Q_SYNC = 0x800001
_PAGE = 4096


def quotactl(task: "Task", command: UInt, special: Ptr, number: UInt, address: Ptr) -> int:
    if command & (1 << _TYPE_BITS) - 1 >= _TYPES:
        raise Errno(EINVAL)
    if not special:
        if command >> _TYPE_BITS == _Q_SYNC:
            return 0  # of all file systems: of none
        raise Errno(ENODEV)
    place = walk(task, AT_FDCWD, task.copy_in_str(special, _PAGE))
    if place.inode.mode & S_IFMT != S_IFBLK:
        raise Errno(ENOTBLK)
    if place.mount.flags & MS_NODEV:
        raise Errno(EACCES)
    raise Errno(ENODEV)  # no block device holds a file system of ours


def quotactl_fd(task: "Task", fd: Fd, command: UInt, number: UInt, address: Ptr) -> int:
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if command & (1 << _TYPE_BITS) - 1 >= _TYPES:
        raise Errno(EINVAL)
    raise Errno(ENOSYS)
