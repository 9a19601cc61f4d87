"""Extended attributes (xattr(7)): which names exist, who may use them, and the storage of those in memory."""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP, EPERM

from sentry.abi.capability import CAP_SETFCAP, CAP_SYS_ADMIN
from sentry.abi.stat import ACCESS_READ, ACCESS_WRITE, S_IFDIR, S_IFMT, S_IFREG, S_ISVTX
from sentry.errors import Errno
from sentry.vfs.permissions import check, is_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode

XATTR_CREATE = 1
XATTR_REPLACE = 2
NAME_MAX = 255
VALUE_MAX = 65536
FILE_MAX = 1 << 18  # bytes of all attributes of one file that we keep in memory

LIST_MAX = 65536
_NAMESPACES = (b"user.", b"trusted.", b"security.")
CAPABILITY = b"security.capability"
# struct vfs_cap_data: its size by the revision in its first word (capabilities(7))
_REVISION_SIZES = {2: 20, 3: 24}


def get_attribute(attributes: dict[bytes, bytes] | None, name: bytes) -> bytes:
    """ENODATA; EOPNOTSUPP for namespaces that memory has not."""
    _check_namespace(name)
    if not attributes or name not in attributes:
        raise Errno(ENODATA)
    return attributes[name]


def set_attribute(
    attributes: dict[bytes, bytes] | None, name: bytes, value: bytes, flags: int
) -> dict[bytes, bytes]:
    """The attributes with one set; EEXIST, ENODATA by `flags`, ENOSPC, EOPNOTSUPP."""
    _check_namespace(name)
    attributes = attributes if attributes is not None else {}
    if flags & XATTR_CREATE and name in attributes:
        raise Errno(EEXIST)
    if flags & XATTR_REPLACE and name not in attributes:
        raise Errno(ENODATA)
    if sum(map(len, attributes)) + sum(map(len, attributes.values())) + len(name) + len(value) > FILE_MAX:
        raise Errno(ENOSPC)
    attributes[name] = value
    return attributes


def _check_namespace(name: bytes) -> None:
    if not name.startswith(_NAMESPACES):
        raise Errno(EOPNOTSUPP)
    if name in _NAMESPACES:
        raise Errno(EINVAL)


def check_access(creds: Creds, inode: Inode, name: bytes, write: bool) -> None:
    """Whether `name` may be read or written (xattr(7)); EPERM, EACCES, ENODATA."""
    if write and creds.idmap is not None and not creds.idmap.maps(inode):
        raise Errno(EPERM)
    if name.startswith(b"trusted."):
        if not creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(EPERM if write else ENODATA)
    elif name.startswith(b"security."):
        if not write:
            return
        if not (
            creds.has_cap_over(CAP_SETFCAP, inode) if name == CAPABILITY else creds.has_cap(CAP_SYS_ADMIN)
        ):
            raise Errno(EPERM)
    elif name.startswith(b"user."):
        kind = inode.mode & S_IFMT
        if kind not in (S_IFREG, S_IFDIR):
            raise Errno(EPERM if write else ENODATA)
        if write and kind == S_IFDIR and inode.mode & S_ISVTX and not is_owner(creds, inode):
            raise Errno(EPERM)
        check(creds, inode, ACCESS_WRITE if write else ACCESS_READ)


def check_value(name: bytes, value: bytes) -> None:
    """EINVAL for capabilities of a file that are none (capabilities(7))."""
    if name == CAPABILITY and value and _REVISION_SIZES.get(value[3] if len(value) > 3 else 0) != len(value):
        raise Errno(EINVAL)


def visible(creds: Creds, names: list[bytes]) -> list[bytes]:
    """The names that listxattr(2) shows to `creds`."""
    public = [name for name in names if not name.startswith(b"trusted.")]
    return names if len(public) < len(names) and creds.has_cap(CAP_SYS_ADMIN) else public
