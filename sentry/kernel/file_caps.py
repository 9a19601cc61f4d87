"""The capabilities of files: the attribute security.capability (capabilities(7), "File capabilities")."""

from __future__ import annotations

from errno import EINVAL, ENODATA, EOPNOTSUPP, EOVERFLOW
from struct import Struct

from sentry.abi.capability import ALL_CAPS, CAP_SETFCAP
from sentry.errors import Errno
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.vfs.inode import Inode

_EFFECTIVE = 1
_HEAD = Struct("<I")
_OLD = Struct("<II")  # permitted, inheritable: 32 bits each
_NEW = Struct("<IIII")  # permitted and inheritable, low words, then the high ones
_REVISIONS = 0xFF000000
_REVISION_1, _REVISION_2, _REVISION_3 = 0x01000000, 0x02000000, 0x03000000
_SIZES = {_REVISION_1: 12, _REVISION_2: 20, _REVISION_3: 24}


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
    revision = magic & _REVISIONS
    if _SIZES.get(revision) != len(data):
        return None
    if revision == _REVISION_1:
        permitted, inheritable = _OLD.unpack_from(data, _HEAD.size)
    else:
        low, low_inheritable, high, high_inheritable = _NEW.unpack_from(data, _HEAD.size)
        permitted, inheritable = low | high << 32, low_inheritable | high_inheritable << 32
    root = int.from_bytes(data[20:24], "little") if revision == _REVISION_3 else 0
    if not _counts(root, namespace):
        return None
    return FileCaps(permitted, inheritable, bool(magic & _EFFECTIVE))


def to_store(creds: Creds, owner: UserNamespace | None, value: bytes) -> bytes:
    """What is stored for a value of security.capability that a program sets: with the root user of its
    namespace (capabilities(7), "Namespaced file capabilities").

    Args:
        creds: of the program, acting on the file's mount (vfs.idmap).
        owner: whose the file system is, None: the initial user namespace's.

    Raises EINVAL.
    """
    (magic,) = _HEAD.unpack_from(value)
    if len(value) == _SIZES[_REVISION_2] and creds.idmap is None and creds.has_cap(CAP_SETFCAP, owner):
        return value
    root = int.from_bytes(value[20:24], "little") if magic & _REVISIONS == _REVISION_3 else 0
    stored = creds.user_ns.kuid(root)
    if stored < 0:
        raise Errno(EINVAL)
    return _HEAD.pack(_REVISION_3 | magic & _EFFECTIVE) + value[4:20] + stored.to_bytes(4, "little")


def to_tell(creds: Creds, value: bytes) -> bytes:
    """A stored value as the program with these credentials sees it; EINVAL, EOVERFLOW (another's root)."""
    magic = _HEAD.unpack_from(value)[0] if len(value) >= _HEAD.size else 0
    revision = magic & _REVISIONS
    if revision not in (_REVISION_2, _REVISION_3) or _SIZES[revision] != len(value):
        raise Errno(EINVAL)
    root = int.from_bytes(value[20:24], "little") if revision == _REVISION_3 else 0
    seen = creds.user_ns.uid(root)
    if seen > 0:
        return _HEAD.pack(_REVISION_3 | magic & _EFFECTIVE) + value[4:20] + seen.to_bytes(4, "little")
    if not _counts(root, creds.user_ns):
        raise Errno(EOVERFLOW)
    return _HEAD.pack(_REVISION_2 | magic & _EFFECTIVE) + value[4:20]


def _counts(root: int, namespace: UserNamespace) -> bool:
    """Whether `root` is root of the namespace or of one above."""
    ns: UserNamespace | None = namespace
    while ns is not None:
        if ns.uid(root) == 0:
            return True
        ns = ns.parent
    return False
