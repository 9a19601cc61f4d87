"""file_getattr, file_setattr: an inode's flags by name."""

import errno

from sentry.abi.fcntl import AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW
from sentry.abi.file_flags import FILE_ATTR, FS_XFLAG_KNOWN
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Ptr, Size, UInt
from sentry.syscalls.xattr import place_at
from sentry.vfs import file_flags
from sentry.vfs.idmap import acting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SIZE_MAX = 4096


def _check(size: int, flags: int) -> None:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(errno.EINVAL)
    if size > _SIZE_MAX:
        raise Errno(errno.E2BIG)
    if size < FILE_ATTR.size:
        raise Errno(errno.EINVAL)


def file_getattr(task: "Task", dirfd: Fd, name: Ptr, attr: Ptr, size: Size, flags: UInt) -> int:
    _check(size, flags)
    inode = place_at(task, dirfd, name, flags).inode
    if not inode.flags_kept:
        raise Errno(errno.EOPNOTSUPP)
    record = FILE_ATTR.pack(file_flags.extended(inode), 0, 0, 0, 0)
    task.copy_out(attr, record.ljust(size, b"\0"))
    return 0


def file_setattr(task: "Task", dirfd: Fd, name: Ptr, attr: Ptr, size: Size, flags: UInt) -> int:
    _check(size, flags)
    data = task.copy_in(attr, size)
    if any(data[FILE_ATTR.size :]):
        raise Errno(errno.E2BIG)
    xflags, extent, _, project, cow_extent = FILE_ATTR.unpack_from(data)
    if xflags & ~FS_XFLAG_KNOWN:
        raise Errno(errno.EINVAL)
    path = place_at(task, dirfd, name, flags)
    if not path.inode.flags_kept:
        raise Errno(errno.EOPNOTSUPP)
    file_flags.set_extended(acting(task, path.mount), path, xflags, extent, project, cow_extent)
    return 0
