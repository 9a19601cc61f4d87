"""The capabilities of files: the attribute security.capability (capabilities(7), "File capabilities")."""

from __future__ import annotations

from errno import EINVAL, ENODATA, EOPNOTSUPP
from struct import Struct

from sentry.abi.capability import ALL_CAPS
from sentry.errors import Errno
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.user_namespace import UserNamespace
    from sentry.vfs.inode import Inode

_EFFECTIVE = 1
_HEAD = Struct("<I")
_OLD = Struct("<II")  # permitted, inheritable: 32 bits each
_NEW = Struct("<IIII")  # permitted and inheritable, low words, then the high ones
_SIZES = {0x01000000: 12, 0x02000000: 20, 0x03000000: 24}


class FileCaps:
    """What a file gives to whom executes it; sets as ints."""

    __slots__ = ("effective", "inheritable", "permitted")

    def __init__(self, permitted: int, inheritable: int, effective: bool) -> None:
        self.permitted = permitted & ALL_CAPS
        self.inheritable = inheritable & ALL_CAPS
        self.effective = effective


def of_file(inode: Inode, namespace: UserNamespace) -> FileCaps | None:
    """What the file gives in `namespace`; None when it has no capabilities, or none that count there."""
    try:
        data = inode.getxattr(CAPABILITY)
    except Errno as error:
        if error.code in (ENODATA, EOPNOTSUPP, EINVAL):
            return None
        raise
    if len(data) < _HEAD.size:
        return None
    (magic,) = _HEAD.unpack_from(data)
    revision = magic & 0xFF000000
    if _SIZES.get(revision) != len(data):
        return None
    if revision == 0x01000000:
        permitted, inheritable = _OLD.unpack_from(data, _HEAD.size)
    else:
        low, low_inheritable, high, high_inheritable = _NEW.unpack_from(data, _HEAD.size)
        permitted, inheritable = low | high << 32, low_inheritable | high_inheritable << 32
    root = int.from_bytes(data[20:24], "little") if revision == 0x03000000 else 0
    if not _counts(root, namespace):
        return None
    return FileCaps(permitted, inheritable, bool(magic & _EFFECTIVE))


def _counts(root: int, namespace: UserNamespace) -> bool:
    """Whether `root` is root of the namespace or of one above."""
    ns: UserNamespace | None = namespace
    while ns is not None:
        if ns.uid(root) == 0:
            return True
        ns = ns.parent
    return False
