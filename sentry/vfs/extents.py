"""ioctl(2) requests about where a file's bytes are, and about sharing them between files.

Files in memory have no extents and share none, as Linux's tmpfs: what is left is who is told so, and how.
"""

from __future__ import annotations

from errno import EBADF, EINVAL, EISDIR, ENOMEM, EOPNOTSUPP, EPERM, EXDEV
from struct import Struct

from sentry.abi.capability import CAP_SYS_RAWIO
from sentry.abi.fcntl import O_APPEND
from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

_PAGE = 4096
_SAME = Struct("=QQHHI")  # struct file_dedupe_range: src_offset src_length dest_count reserved1 reserved2
_SAME_INFO_SIZE = 32
_CLONE_RANGE = Struct("=qQQQ")  # struct file_clone_range: src_fd src_offset src_length dest_offset
_OFFSET_MAX = (1 << 63) - 1


def bmap(task: Task, arg: int) -> int:
    """FIBMAP: EPERM, EFAULT, EINVAL (no blocks)."""
    if not task.creds.has_cap(CAP_SYS_RAWIO):
        raise Errno(EPERM)
    task.read_u32(arg)
    raise Errno(EINVAL)


def clone_range(task: Task, target: File, arg: int) -> int:
    """FICLONERANGE."""
    source = _CLONE_RANGE.unpack(task.copy_in(arg, _CLONE_RANGE.size))[0]
    return clone(task, target, source)


def clone(task: Task, target: File, fd: int) -> int:
    """FICLONE (ioctl_ficlone(2)): EBADF, EXDEV, EISDIR, EINVAL, and EOPNOTSUPP at the end."""
    source = task.files.get((fd & 0xFFFFFFFF ^ 0x80000000) - 0x80000000)
    if source.inode is None or target.inode is None or source.inode.fs is not target.inode.fs:
        raise Errno(EXDEV)
    kinds = source.inode.mode & S_IFMT, target.inode.mode & S_IFMT
    if S_IFDIR in kinds:
        raise Errno(EISDIR)
    if kinds != (S_IFREG, S_IFREG):
        raise Errno(EINVAL)
    if not source.readable or not target.writable or target.flags & O_APPEND:
        raise Errno(EBADF)
    raise Errno(EOPNOTSUPP)


def deduplicate(task: Task, source: File, arg: int) -> int:
    """FIDEDUPERANGE (ioctl_fideduperange(2)): EFAULT, ENOMEM, EINVAL, EISDIR, and EOPNOTSUPP at the end."""
    start, length, count, *reserved = _SAME.unpack(task.copy_in(arg, _SAME.size))
    size = _SAME.size + count * _SAME_INFO_SIZE
    if size > _PAGE:
        raise Errno(ENOMEM)
    task.copy_in(arg, size)
    kind = source.inode.mode & S_IFMT if source.inode is not None else 0
    if not source.readable or any(reserved) or max(start, length, start + length) > _OFFSET_MAX:
        raise Errno(EINVAL)
    if kind != S_IFREG:
        raise Errno(EISDIR if kind == S_IFDIR else EINVAL)
    raise Errno(EOPNOTSUPP)
