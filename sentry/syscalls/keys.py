"""Keys: add_key, request_key and keyctl."""

import errno

from sentry.abi import keys as abi
from sentry.abi.capability import CAP_SETUID, CAP_SYS_ADMIN
from sentry.abi.keys import LINK, READ, SEARCH, SETATTR, VIEW, WRITE
from sentry.errors import Errno
from sentry.keys import key as keys
from sentry.keys.key import Key, Keyring, as_keyring, check_payload
from sentry.keys.process import join_session, look_up, may, persistent_keyring, possesses, search, search_own
from sentry.syscalls.args import Int, Ptr, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task

    Operation = Callable[[Task, int, int, int, int], int]

_TYPES = (b"user", b"logon", b"keyring")
_PERMS = {b"user": 0x3F010000, b"logon": 0x3D010000, b"keyring": 0x3F010000}
_PAGE = 4096


# Names


def _string(task: "Task", address: int, size: int) -> bytes:
    """A string of less than `size` bytes; EFAULT, EINVAL."""
    try:
        return task.copy_in_str(address, size)
    except Errno as error:
        raise Errno(errno.EINVAL if error.code == errno.ENAMETOOLONG else error.code) from None


def _type(task: "Task", address: int) -> bytes:
    name = _string(task, address, abi.KEY_TYPE_SIZE)
    if not name:
        raise Errno(errno.EINVAL)
    if name[:1] == b".":
        raise Errno(errno.EPERM)
    return name


def _ring(task: "Task", id: int, wanted: int, create: bool = True) -> tuple[Keyring, bool]:
    key, possessed = look_up(task, id, wanted, create)
    return as_keyring(key), possessed


# Adding and requesting


def add_key(task: "Task", type: Ptr, description: Ptr, payload: Ptr, size: Size, ring: Int) -> int:
    if size > abi.ADD_MAX:
        raise Errno(errno.EINVAL)
    kind = _type(task, type)
    name = _string(task, description, abi.KEY_MAX_DESC_SIZE) if description else b""
    if name[:1] == b"." and kind == b"keyring":
        raise Errno(errno.EPERM)
    data = task.copy_in(payload, size) if size else b""
    target, _ = look_up(task, ring, WRITE, create=True)
    if kind not in _TYPES:
        raise Errno(errno.ENODEV)
    target = as_keyring(target)
    name = check_payload(kind, name, data)
    old = target.links.get((kind, name))
    if old is not None and kind != b"keyring" and old.is_valid():
        if not may(task.creds, old, possesses(task, old), WRITE):
            raise Errno(errno.EACCES)
        old.set_payload(data)
        return old.serial
    if target.restricted:
        raise Errno(errno.EPERM)
    creds = task.creds
    new: Key
    if kind == b"keyring":
        new = Keyring(name, creds.fsuid, creds.fsgid, _PERMS[kind])
    else:
        new = Key(kind, name, creds.fsuid, creds.fsgid, _PERMS[kind], data)
    target.link(new)
    return new.serial


def request_key(task: "Task", type: Ptr, description: Ptr, callout: Ptr, ring: Int) -> int:
    kind = _type(task, type)
    name = _string(task, description, abi.KEY_MAX_DESC_SIZE)
    if callout:
        _string(task, callout, _PAGE)
    target = look_up(task, ring, WRITE, create=True)[0] if ring else None
    try:
        key = search_own(task, lambda other: other.type == kind and other.description == name)
    except Errno as error:
        if error.code == errno.ENOKEY and callout and kind in _TYPES:
            raise Errno(errno.ENOENT) from None  # Linux starts /sbin/request-key; there is none here
        raise
    if target is not None:
        if not may(task.creds, key, True, LINK):
            raise Errno(errno.EACCES)
        as_keyring(target).link(key)
    return key.serial


# keyctl


def keyctl(task: "Task", operation: Int, a: Size, b: Size, c: Size, d: Size) -> int:
    handler = _OPERATIONS.get(operation)
    if handler is None:
        raise Errno(errno.EOPNOTSUPP)
    return handler(task, a, b, c, d)


def _id(argument: int) -> int:
    """A key's serial number: signed 32 bits."""
    return (argument & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


def _get_keyring_id(task: "Task", id: int, create: int, _: int, __: int) -> int:
    return look_up(task, _id(id), SEARCH, bool(create & 0xFFFFFFFF))[0].serial


def _join_session(task: "Task", name: int, _: int, __: int, ___: int) -> int:
    if not name:
        return join_session(task, None)
    text = _string(task, name, abi.KEY_MAX_DESC_SIZE)
    if text[:1] == b".":
        raise Errno(errno.EPERM)
    return join_session(task, text)


def _update(task: "Task", id: int, payload: int, size: int, _: int) -> int:
    if size > _PAGE:
        raise Errno(errno.EINVAL)
    data = task.copy_in(payload, size) if payload and size else b""
    key, _possessed = look_up(task, _id(id), WRITE)
    if isinstance(key, Keyring):
        raise Errno(errno.EOPNOTSUPP)
    check_payload(key.type, key.description, data)
    key.set_payload(data)
    return 0


def _revoke(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    try:
        key, _possessed = look_up(task, _id(id), WRITE)
    except Errno as error:
        if error.code != errno.EACCES:
            raise
        key, _possessed = look_up(task, _id(id), SETATTR)
    key.revoke()
    return 0


def _invalidate(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    key, _possessed = look_up(task, _id(id), SEARCH)
    key.revoke()
    for other in keys.every():
        if isinstance(other, Keyring) and other.links.get((key.type, key.description)) is key:
            other.unlink(key)
    return 0


def _chown(task: "Task", id: int, uid: int, gid: int, _: int) -> int:
    uid, gid = uid & 0xFFFFFFFF, gid & 0xFFFFFFFF
    unchanged = 0xFFFFFFFF
    if uid == gid == unchanged:
        return 0
    namespace = task.creds.user_ns
    new_uid, new_gid = namespace.kuid(uid), namespace.kgid(gid)
    if (uid != unchanged and new_uid < 0) or (gid != unchanged and new_gid < 0):
        raise Errno(errno.EINVAL)
    key, _possessed = look_up(task, _id(id), SETATTR, create=True)
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        if uid != unchanged and new_uid != key.uid:
            raise Errno(errno.EACCES)
        if gid != unchanged and new_gid != key.gid and not task.creds.in_group(new_gid):
            raise Errno(errno.EACCES)
    if uid != unchanged and new_uid != key.uid:
        key.give(new_uid)
    if gid != unchanged:
        key.gid = new_gid
    return 0


def _set_perm(task: "Task", id: int, perm: int, _: int, __: int) -> int:
    perm &= 0xFFFFFFFF
    if perm & ~abi.PERM_ALL:
        raise Errno(errno.EINVAL)
    key, _possessed = look_up(task, _id(id), SETATTR, create=True)
    if key.uid != task.creds.fsuid and not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(errno.EACCES)
    key.perm = perm
    return 0


def _describe(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    key, _possessed = look_up(task, _id(id), VIEW)
    namespace = task.creds.user_ns
    owner = namespace.show_uid(key.uid), namespace.show_gid(key.gid)
    text = b"%b;%d;%d;%08x;%b\0" % (key.type, *owner, key.perm, key.description)
    if buffer and size >= len(text):
        task.copy_out(buffer, text)
    return len(text)


def _clear(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    _ring(task, _id(id), WRITE)[0].clear()
    return 0


def _link(task: "Task", id: int, ring: int, _: int, __: int) -> int:
    target, _possessed = look_up(task, _id(ring), WRITE, create=True)
    key, _possessed = look_up(task, _id(id), LINK, create=True)
    as_keyring(target).link(key)
    return 0


def _unlink(task: "Task", id: int, ring: int, _: int, __: int) -> int:
    source, _possessed = look_up(task, _id(ring), WRITE)
    key, _possessed = look_up(task, _id(id), 0, validate=False)
    as_keyring(source).unlink(key)
    return 0


def _move(task: "Task", id: int, source: int, target: int, flags: int) -> int:
    if flags & 0xFFFFFFFF & ~abi.KEYCTL_MOVE_EXCL:
        raise Errno(errno.EINVAL)
    key, _possessed = look_up(task, _id(id), LINK, create=True)
    old = as_keyring(look_up(task, _id(source), WRITE)[0])
    new = as_keyring(look_up(task, _id(target), WRITE, create=True)[0])
    if old is new:
        return 0
    name = (key.type, key.description)
    if old.links.get(name) is not key:
        raise Errno(errno.ENOENT)
    if flags & abi.KEYCTL_MOVE_EXCL and name in new.links:
        raise Errno(errno.EEXIST)
    new.link(key)
    old.unlink(key)
    return 0


def _search(task: "Task", ring: int, type: int, description: int, target: int) -> int:
    kind = _type(task, type)
    name = _string(task, description, abi.KEY_MAX_DESC_SIZE)
    root, possessed = look_up(task, _id(ring), SEARCH)
    wanted = look_up(task, _id(target), WRITE, create=True)[0] if target & 0xFFFFFFFF else None
    if kind not in _TYPES:
        raise Errno(errno.ENOKEY)
    key = search(
        task.creds,
        as_keyring(root),
        possessed,
        lambda other: other.type == kind and other.description == name,
        expired=errno.EKEYEXPIRED,
    )
    if wanted is not None:
        if not may(task.creds, key, possessed, LINK):
            raise Errno(errno.EACCES)
        as_keyring(wanted).link(key)
    return key.serial


def _read(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    key, possessed = look_up(task, _id(id), 0)
    # What one could find by a search may be read even without the permission to (keyctl_read(3)).
    if not may(task.creds, key, possessed, READ) and not possessed:
        raise Errno(errno.EACCES)
    if key.type == b"logon":
        raise Errno(errno.EOPNOTSUPP)
    data = key.payload
    if isinstance(key, Keyring):
        if buffer and size & 3:
            raise Errno(errno.EINVAL)
        data = b"".join([other.serial.to_bytes(4, "little") for other in key.links.values()])
    if buffer and len(data) <= size:
        task.copy_out(buffer, data)
    return len(data)


def _refuse_authority(task: "Task", _: int, __: int, ___: int, ____: int) -> int:
    raise Errno(errno.EPERM)  # nobody is asked to construct keys


def _set_request_keyring(task: "Task", choice: int, _: int, __: int, ___: int) -> int:
    old, new = task.keyrings.default, _id(choice)
    if new == abi.KEY_REQKEY_DEFL_NO_CHANGE:
        return old
    if new not in abi.KEY_REQKEY_DEFL_CHOICES:
        raise Errno(errno.EINVAL)
    task.keyrings.default = new
    return old


def _set_timeout(task: "Task", id: int, seconds: int, _: int, __: int) -> int:
    key, _possessed = look_up(task, _id(id), SETATTR, create=True)
    key.expire_in(seconds & 0xFFFFFFFF)
    return 0


def _assume_authority(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    if _id(id) < 0:
        raise Errno(errno.EINVAL)
    if _id(id):
        raise Errno(errno.ENOKEY)
    return 0


def _get_security(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    look_up(task, _id(id), VIEW)
    if buffer and size:
        task.copy_out(buffer, b"\0")  # no security module labels keys
    return 1


def _session_to_parent(task: "Task", _: int, __: int, ___: int, ____: int) -> int:
    parent = task.group.parent_task
    session = task.keyrings.session
    if parent is None or parent.group is task.kernel.init or len(parent.group.tasks) != 1:
        raise Errno(errno.EPERM)
    mine, theirs = task.creds, parent.creds
    ids = (mine.uid, mine.euid, mine.suid, mine.gid, mine.egid, mine.sgid)
    if ids != (theirs.uid, theirs.euid, theirs.suid, theirs.gid, theirs.egid, theirs.sgid):
        raise Errno(errno.EPERM)
    if session is not None and session.uid != mine.euid:
        raise Errno(errno.EPERM)
    parent.keyrings.session = session
    return 0


def _get_persistent(task: "Task", uid: int, ring: int, _: int, __: int) -> int:
    creds = task.creds
    owner = creds.uid if uid & 0xFFFFFFFF == 0xFFFFFFFF else creds.user_ns.kuid(uid & 0xFFFFFFFF)
    if owner < 0:
        raise Errno(errno.EINVAL)
    if owner not in (creds.uid, creds.euid) and not creds.has_cap(CAP_SETUID, creds.user_ns):
        raise Errno(errno.EPERM)
    target, _possessed = look_up(task, _id(ring), WRITE, create=True)
    key = persistent_keyring(owner)
    as_keyring(target).link(key)
    return key.serial


def _restrict(task: "Task", id: int, type: int, restriction: int, _: int) -> int:
    ring, _possessed = _ring(task, _id(id), SETATTR, create=False)
    if type:
        _type(task, type)
        raise Errno(errno.ENOENT)  # no type of ours has restrictions to offer
    if restriction:
        raise Errno(errno.EINVAL)
    if ring.restricted:
        raise Errno(errno.EEXIST)
    ring.restricted = True
    return 0


def _capabilities(task: "Task", buffer: int, size: int, _: int, __: int) -> int:
    known = abi.CAPABILITIES
    if size:
        task.copy_out(buffer, known[:size].ljust(min(size, _PAGE), b"\0"))
    return len(known)


_OPERATIONS: "dict[int, Operation]" = {
    abi.KEYCTL_GET_KEYRING_ID: _get_keyring_id,
    abi.KEYCTL_JOIN_SESSION_KEYRING: _join_session,
    abi.KEYCTL_UPDATE: _update,
    abi.KEYCTL_REVOKE: _revoke,
    abi.KEYCTL_CHOWN: _chown,
    abi.KEYCTL_SETPERM: _set_perm,
    abi.KEYCTL_DESCRIBE: _describe,
    abi.KEYCTL_CLEAR: _clear,
    abi.KEYCTL_LINK: _link,
    abi.KEYCTL_UNLINK: _unlink,
    abi.KEYCTL_SEARCH: _search,
    abi.KEYCTL_READ: _read,
    abi.KEYCTL_INSTANTIATE: _refuse_authority,
    abi.KEYCTL_NEGATE: _refuse_authority,
    abi.KEYCTL_SET_REQKEY_KEYRING: _set_request_keyring,
    abi.KEYCTL_SET_TIMEOUT: _set_timeout,
    abi.KEYCTL_ASSUME_AUTHORITY: _assume_authority,
    abi.KEYCTL_GET_SECURITY: _get_security,
    abi.KEYCTL_SESSION_TO_PARENT: _session_to_parent,
    abi.KEYCTL_REJECT: _refuse_authority,
    abi.KEYCTL_INSTANTIATE_IOV: _refuse_authority,
    abi.KEYCTL_INVALIDATE: _invalidate,
    abi.KEYCTL_GET_PERSISTENT: _get_persistent,
    abi.KEYCTL_RESTRICT_KEYRING: _restrict,
    abi.KEYCTL_MOVE: _move,
    abi.KEYCTL_CAPABILITIES: _capabilities,
}
