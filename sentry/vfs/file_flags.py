"""Immutable, append-only, no-dump, no-atime: what chattr(1) sets (ioctl_iflags(2), file_setattr(2)).

What they forbid is checked where it happens (vfs.permissions.check_mutable); here they are told and set.
"""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP, EPERM, EROFS

from sentry._core import now
from sentry.abi.capability import CAP_LINUX_IMMUTABLE
from sentry.abi.file_flags import (
    FLAG_PAIRS,
    FS_APPEND_FL,
    FS_IMMUTABLE_FL,
    FS_XFLAG_COWEXTSIZE,
    FS_XFLAG_EXTSIZE,
    FS_XFLAG_EXTSZINHERIT,
    FS_XFLAG_READ_ONLY,
)
from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.fs.memory import Node
from sentry.vfs.permissions import check_owner, guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


def extended(inode: Inode) -> int:
    """The flags as FS_XFLAG_*."""
    return sum(xflag for flag, xflag in FLAG_PAIRS if inode.fs_flags & flag)


def set_flags(creds: Creds, path: Path, flags: int) -> None:
    """EROFS, EOPNOTSUPP (a flag that the file can't have), EPERM (not the owner; CAP_LINUX_IMMUTABLE)."""
    inode = _changeable(creds, path)
    _set(creds, inode, flags, supported=not flags & ~inode.flags_kept)


def set_extended(creds: Creds, path: Path, xflags: int, extent: int, project: int, cow_extent: int) -> None:
    """The same with FS_XFLAG_*, extent sizes and a project id, which files in memory have not."""
    inode = _changeable(creds, path)
    kind = inode.mode & S_IFMT
    if (
        (project and creds.user_ns.parent is not None)
        or (xflags & FS_XFLAG_EXTSIZE and kind != S_IFREG)
        or (xflags & FS_XFLAG_EXTSZINHERIT and kind != S_IFDIR)
        or (xflags & FS_XFLAG_COWEXTSIZE and kind not in (S_IFREG, S_IFDIR))
    ):
        raise Errno(EINVAL)
    # A size of zero turns its flags off.
    if not extent:
        xflags &= ~(FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT)
    if not cow_extent:
        xflags &= ~FS_XFLAG_COWEXTSIZE
    xflags &= ~FS_XFLAG_READ_ONLY
    flags = sum(flag for flag, xflag in FLAG_PAIRS if xflags & xflag)
    rest = xflags & ~sum(xflag for _, xflag in FLAG_PAIRS)
    _set(creds, inode, flags, supported=not (rest or extent or project or cow_extent))


def _changeable(creds: Creds, path: Path) -> Inode:
    if path.mount.readonly:
        raise Errno(EROFS)
    check_owner(creds, path.inode)
    return path.inode


def _set(creds: Creds, inode: Inode, flags: int, supported: bool) -> None:
    if (flags ^ inode.fs_flags) & (FS_IMMUTABLE_FL | FS_APPEND_FL) and not creds.has_cap(CAP_LINUX_IMMUTABLE):
        raise Errno(EPERM)
    if not supported or not isinstance(inode, Node):
        raise Errno(EOPNOTSUPP)
    inode.touch()
    inode.fs_flags = flags
    inode.ctime = now()
    guard(inode)
