"""POSIX access control lists (acl(5)): their form in an attribute, what they grant, how they are inherited.

An ACL is a tuple of (tag, permissions, id), ids as the kernel has them.  Files that can have any keep them in
`acls`, by the attribute's name; one that has them is `guarded`, so that C does not decide about it.
"""

from __future__ import annotations

from errno import EACCES, EINVAL, ENODATA, EOPNOTSUPP, EPERM
from struct import Struct

from sentry._core import now
from sentry.abi.capability import CAP_FSETID
from sentry.abi.stat import S_ISGID
from sentry.errors import Errno
from sentry.vfs.permissions import ACL_ACCESS, ACL_DEFAULT, guard, is_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import Inode
    from sentry.vfs.permissions import Acl

_HEADER = Struct("=I")
_ENTRY = Struct("=HHI")
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_ENTRY_COST = 104  # bytes that an entry takes in the sentry's memory

USER_OBJ = 0x01
USER = 0x02
GROUP_OBJ = 0x04
GROUP = 0x08
MASK = 0x10
OTHER = 0x20
_NAMED = (USER, GROUP)
# Which tags may follow which: a list is sorted (posix_acl_valid's rules; acl(5), "VALID ACLs").
_NEXT = {
    0: (USER_OBJ,),
    USER_OBJ: (USER, GROUP_OBJ),
    USER: (USER, GROUP_OBJ),
    GROUP_OBJ: (GROUP, MASK, OTHER),
    GROUP: (GROUP, MASK),
    MASK: (OTHER,),
    OTHER: (),
}


def parse(creds: Creds, value: bytes) -> Acl | None:
    """The ACL of an attribute's value, None for an empty one; EINVAL, EOPNOTSUPP (another version)."""
    if not value:
        return None
    if len(value) < _HEADER.size:
        raise Errno(EINVAL)
    if _HEADER.unpack_from(value)[0] != _VERSION:
        raise Errno(EOPNOTSUPP)
    if (len(value) - _HEADER.size) % _ENTRY.size:
        raise Errno(EINVAL)
    entries = []
    for tag, permissions, number in _ENTRY.iter_unpack(value[_HEADER.size :]):
        if tag == USER:
            number = creds.user_ns.kuid(number)
        elif tag == GROUP:
            number = creds.user_ns.kgid(number)
        elif tag in _NEXT and tag:
            number = _NO_ID
        else:
            raise Errno(EINVAL)
        if number < 0:
            raise Errno(EINVAL)
        entries.append((tag, permissions, number))
    return tuple(entries) or None


def pack(creds: Creds, acl: Acl) -> bytes:
    """The attribute's value, for a reader with these credentials."""
    shown = {USER: creds.user_ns.show_uid, GROUP: creds.user_ns.show_gid}
    entries = [
        _ENTRY.pack(tag, permissions, shown[tag](number) if tag in shown else _NO_ID)
        for tag, permissions, number in acl
    ]
    return _HEADER.pack(_VERSION) + b"".join(entries)


def _check_valid(acl: Acl) -> None:
    before = 0
    for tag, permissions, number in acl:
        if tag not in _NEXT[before] or permissions & ~7 or (tag in _NAMED and number == _NO_ID):
            raise Errno(EINVAL)
        # Whoever names somebody needs a mask: "other" comes at once only without names.
        if tag == OTHER and before == GROUP_OBJ and any(entry[0] in _NAMED for entry in acl):
            raise Errno(EINVAL)
        before = tag
    if before != OTHER:
        raise Errno(EINVAL)


def _cost(acl: Acl | None) -> int:
    return len(acl) * _ENTRY_COST if acl is not None else 0


def _bits(acl: Acl) -> int:
    """The permission bits that an access ACL shows as; the group's are the mask's."""
    by_tag = {tag: permissions for tag, permissions, _ in acl if tag not in _NAMED}
    return by_tag[USER_OBJ] << 6 | by_tag.get(MASK, by_tag[GROUP_OBJ]) << 3 | by_tag[OTHER]


def _is_minimal(acl: Acl) -> bool:
    """Whether the permission bits say it all."""
    return len(acl) == 3


def _with_bits(acl: Acl, mode: int, only_less: bool = False) -> Acl:
    """The ACL after chmod(2), or (`only_less`) that of a file made with `mode`."""
    group = MASK if any(tag == MASK for tag, _, _ in acl) else GROUP_OBJ
    bits = {USER_OBJ: mode >> 6 & 7, group: mode >> 3 & 7, OTHER: mode & 7}
    return tuple(
        (entry[0], bits[entry[0]] & (entry[1] if only_less else 7), entry[2]) if entry[0] in bits else entry
        for entry in acl
    )


def get(creds: Creds, inode: Inode, name: bytes) -> bytes:
    """EOPNOTSUPP, ENODATA."""
    _check_supported(inode)
    acl = inode.acls.get(name) if inode.acls else None
    if acl is None:
        raise Errno(ENODATA)
    return pack(creds, acl)


def set(creds: Creds, inode: Inode, name: bytes, acl: Acl | None) -> None:
    """setxattr(2) or, with None, removexattr(2) of an ACL: EOPNOTSUPP, EACCES, EPERM, EINVAL, ENOSPC."""
    _check_supported(inode)
    if name == ACL_DEFAULT and not inode.is_dir():
        if acl is not None:
            raise Errno(EACCES)
        return
    if not is_owner(creds, inode):
        raise Errno(EPERM)
    if acl is not None:
        _check_valid(acl)
        if name == ACL_ACCESS:
            mode = inode.mode & 0o7000 | _bits(acl)
            if not creds.in_group(inode.gid) and not creds.has_cap_over(CAP_FSETID, inode):
                mode &= ~S_ISGID
            inode.setattr(mode=mode)
            if _is_minimal(acl):
                acl = None
    _attach(inode, name, acl)
    inode.ctime = now()


def _check_supported(inode: Inode) -> None:
    if not inode.has_acls:
        raise Errno(EOPNOTSUPP)


def _attach(inode: Inode, name: bytes, acl: Acl | None) -> None:
    """ENOSPC."""
    inode.keep(_cost(acl) - _cost(inode.acls.get(name) if inode.acls else None))
    if acl is not None:
        inode.setattr()  # a file of a lower layer is now one of ours
        inode.acls = {**(inode.acls or {}), name: acl}
    elif inode.acls and name in inode.acls:
        inode.acls = {other: kept for other, kept in inode.acls.items() if other != name} or None
    guard(inode)


def mode_changed(inode: Inode) -> None:
    """chmod(2) has set the permission bits: the access ACL follows."""
    acl = inode.acls.get(ACL_ACCESS) if inode.acls else None
    if acl is not None:
        _attach(inode, ACL_ACCESS, _with_bits(acl, inode.mode))


def masked(directory: Inode, mode: int, umask: int) -> int:
    """The permission bits that a file is made with in `directory`: a default ACL replaces the umask.

    Raises ENOSPC where there is no room for what `inherit` will attach.
    """
    acl = directory.acls.get(ACL_DEFAULT) if directory.acls else None
    if acl is None:
        return mode & ~umask
    room = 2 * _cost(acl)
    directory.keep(room)
    directory.keep(-room)
    return mode


def inherit(directory: Inode, inode: Inode) -> None:
    """A new file takes over the default ACL of its directory (acl(5), "OBJECT CREATION")."""
    acl = directory.acls.get(ACL_DEFAULT) if directory.acls else None
    if acl is None or not inode.has_acls:
        return
    own = _with_bits(acl, inode.mode, only_less=True)
    inode.mode = inode.mode & ~0o777 | _bits(own)
    if not _is_minimal(own):
        _attach(inode, ACL_ACCESS, own)
    if inode.is_dir():
        _attach(inode, ACL_DEFAULT, acl)
