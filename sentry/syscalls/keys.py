"""Keys: add_key and keyctl."""

import errno

from sentry.abi import keys as abi
from sentry.abi.capability import CAP_SETUID, CAP_SYS_ADMIN
from sentry.abi.keys import LINK, READ, SEARCH, SETATTR, VIEW, WRITE
from sentry.errors import Errno
from sentry.keys.key import Key, Keyring, as_keyring
from sentry.keys.process import (
    UnderConstructionError,
    join_session,
    look_up,
    may,
    persistent_keyring,
    possesses,
    search,
    use_persistent,
)
from sentry.keys.types import TYPES, check_description, check_payload, read
from sentry.syscalls import key_requests
from sentry.syscalls.args import Int, Ptr, Size
from sentry.syscalls.key_requests import key_string, key_type, look_up_authorised, retried, serial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.task import Task

    Operation = Callable[[Task, int, int, int, int], int]

_PAGE = 4096
_CLEAR_MAX = 1 << 20


def add_key(task: "Task", type: Ptr, description: Ptr, payload: Ptr, size: Size, ring: Int) -> "Any":
    if size > abi.ADD_MAX:
        raise Errno(errno.EINVAL)
    kind = key_type(task, type)
    name = key_string(task, description, abi.KEY_MAX_DESC_SIZE) if description else b""
    if name[:1] == b"." and kind.startswith(b"keyring"):
        raise Errno(errno.EPERM)
    data = task.copy_in(payload, size) if size else b""
    return retried(task, lambda: _add(task, kind, name, data, ring))


def _add(task: "Task", kind: bytes, name: bytes, data: bytes, ring: int) -> int:
    found, _possessed = look_up(task, ring, WRITE, create=True)
    if kind not in TYPES:
        raise Errno(errno.ENODEV)
    if not name:
        raise Errno(errno.EINVAL)
    target = as_keyring(found)
    check_payload(kind, data)
    if target.restricted:
        raise Errno(errno.EPERM)
    old = target.links.get((kind, name))
    if old is not None and kind != b"keyring" and not old.revoked:
        if old.building:
            raise UnderConstructionError(old)
        if not may(task.creds, old, possesses(task, old), WRITE):
            raise Errno(errno.EACCES)
        old.update(data)
        return old.serial
    check_description(kind, name)
    creds = task.creds
    new: Key
    if kind == b"keyring":
        new = Keyring(name, creds.fsuid, creds.fsgid, TYPES[kind], creds.user_ns.inum)
    else:
        new = Key(kind, name, creds.fsuid, creds.fsgid, TYPES[kind], data)
    target.put(new)
    return new.serial


# keyctl


def keyctl(task: "Task", operation: Int, a: Size, b: Size, c: Size, d: Size) -> "Any":
    handler = _OPERATIONS.get(operation)
    if handler is None:
        raise Errno(errno.EOPNOTSUPP)
    return retried(task, lambda: handler(task, a, b, c, d))


def _ring(task: "Task", id: int, wanted: int, create: bool = True) -> Keyring:
    return as_keyring(look_up(task, id, wanted, create)[0])


def _get_keyring_id(task: "Task", id: int, create: int, _: int, __: int) -> int:
    return look_up(task, serial(id), SEARCH, bool(create & 0xFFFFFFFF))[0].serial


def _join_session(task: "Task", name: int, _: int, __: int, ___: int) -> int:
    if not name:
        return join_session(task, None)
    text = key_string(task, name, abi.KEY_MAX_DESC_SIZE)
    if text[:1] == b".":
        raise Errno(errno.EPERM)
    return join_session(task, text)


def _update(task: "Task", id: int, payload: int, size: int, _: int) -> int:
    if size > _PAGE:
        raise Errno(errno.EINVAL)
    data = task.copy_in(payload, size) if size else b""
    key, _possessed = look_up(task, serial(id), WRITE)
    if key.type not in TYPES or isinstance(key, Keyring):
        raise Errno(errno.EOPNOTSUPP)
    check_payload(key.type, data)
    key.update(data)
    return 0


def _revoke(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    try:
        key, _possessed = look_up(task, serial(id), WRITE)
    except Errno as error:
        if error.code != errno.EACCES:
            raise
        key, _possessed = look_up(task, serial(id), SETATTR)
    key.revoke()
    return 0


def _invalidate(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    key, _possessed = look_up(task, serial(id), SEARCH)
    key.invalidate()
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
    key, _possessed = look_up(task, serial(id), SETATTR, create=True, partial=True)
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
    key, _possessed = look_up(task, serial(id), SETATTR, create=True, partial=True)
    if key.uid != task.creds.fsuid and not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(errno.EACCES)
    key.perm = perm
    return 0


def _describe(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    key = look_up_authorised(task, serial(id), VIEW)
    namespace = task.creds.user_ns
    owner = namespace.show_uid(key.uid), namespace.show_gid(key.gid)
    text = b"%b;%d;%d;%08x;%b\0" % (key.type, *owner, key.perm, key.description)
    if buffer and size >= len(text):
        task.copy_out(buffer, text)
    return len(text)


def _clear(task: "Task", id: int, _: int, __: int, ___: int) -> int:
    _ring(task, serial(id), WRITE).clear()
    return 0


def _link(task: "Task", id: int, ring: int, _: int, __: int) -> int:
    target, _possessed = look_up(task, serial(ring), WRITE, create=True)
    key, _possessed = look_up(task, serial(id), LINK, create=True)
    as_keyring(target).link(key)
    return 0


def _unlink(task: "Task", id: int, ring: int, _: int, __: int) -> int:
    source, _possessed = look_up(task, serial(ring), WRITE)
    key, _possessed = look_up(task, serial(id), 0, partial=True, unchecked=True)
    as_keyring(source).unlink(key)
    return 0


def _move(task: "Task", id: int, source: int, target: int, flags: int) -> int:
    if flags & 0xFFFFFFFF & ~abi.KEYCTL_MOVE_EXCL:
        raise Errno(errno.EINVAL)
    key, _possessed = look_up(task, serial(id), LINK, create=True)
    old = as_keyring(look_up(task, serial(source), WRITE)[0])
    new = as_keyring(look_up(task, serial(target), WRITE, create=True)[0])
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
    kind = key_type(task, type)
    name = key_string(task, description, abi.KEY_MAX_DESC_SIZE)
    root, possessed = look_up(task, serial(ring), SEARCH)
    wanted = look_up(task, serial(target), WRITE, create=True)[0] if target & 0xFFFFFFFF else None
    if kind not in TYPES:
        raise Errno(errno.ENOKEY)
    ring_key = as_keyring(root)
    key = search(
        task.creds, ring_key, possessed, lambda other: other.type == kind and other.description == name
    )
    if key is None:
        raise Errno(errno.ENOKEY)
    if wanted is not None:
        if not may(task.creds, key, possessed, LINK):
            raise Errno(errno.EACCES)
        as_keyring(wanted).link(key)
    return key.serial


def _read(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    try:
        key, possessed = look_up(task, serial(id), 0, unchecked=True)
    except Errno:
        raise Errno(errno.ENOKEY) from None
    if key.error:
        raise Errno(key.error)
    # What one could find by a search may be read even without the permission to (keyctl_read(3)).
    if not may(task.creds, key, possessed, READ) and not possessed:
        raise Errno(errno.EACCES)
    key.validate()
    data = read(key)
    if isinstance(key, Keyring) and buffer and size & 3:
        raise Errno(errno.EINVAL)
    if buffer and len(data) <= size:
        task.copy_out(buffer, data)
    return len(data)


def _set_request_keyring(task: "Task", choice: int, _: int, __: int, ___: int) -> int:
    old, new = task.keyrings.default, serial(choice)
    if new == abi.KEY_REQKEY_DEFL_NO_CHANGE:
        return old
    if new not in abi.KEY_REQKEY_DEFL_CHOICES:
        raise Errno(errno.EINVAL)
    task.keyrings.default = new
    return old


def _set_timeout(task: "Task", id: int, seconds: int, _: int, __: int) -> int:
    key = look_up_authorised(task, serial(id), SETATTR, create=True)
    key.expire_in(seconds & 0xFFFFFFFF)
    return 0


def _get_security(task: "Task", id: int, buffer: int, size: int, _: int) -> int:
    look_up_authorised(task, serial(id), VIEW)
    if buffer and size:
        task.copy_out(buffer, b"\0")  # no security module labels keys
    return 1


def _session_to_parent(task: "Task", _: int, __: int, ___: int, ____: int) -> int:
    session = _ring(task, abi.KEY_SPEC_SESSION_KEYRING, LINK, create=False)
    parent = task.group.parent_task
    if parent is None or parent.group is task.kernel.init or len(parent.group.tasks) != 1:
        raise Errno(errno.EPERM)
    theirs, euid, egid = parent.creds, task.creds.euid, task.creds.egid
    old = parent.keyrings.session
    if old is session:
        return 0
    ids = (theirs.uid, theirs.euid, theirs.suid, theirs.gid, theirs.egid, theirs.sgid)
    if ids != (euid, euid, euid, egid, egid, egid):
        raise Errno(errno.EPERM)
    if session.uid != euid or (old is not None and old.uid != euid):
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
    target = _ring(task, serial(ring), WRITE)
    key = persistent_keyring(creds.user_ns, owner)
    if not may(creds, key, True, LINK):
        raise Errno(errno.EACCES)
    target.link(key)
    use_persistent(key)
    return key.serial


def _restrict(task: "Task", id: int, type: int, restriction: int, _: int) -> int:
    key, _possessed = look_up(task, serial(id), SETATTR)
    if bool(type) != bool(restriction):
        raise Errno(errno.EINVAL)
    kind = key_type(task, type) if type else None
    if restriction:
        key_string(task, restriction, _PAGE)
    ring = as_keyring(key)
    if kind is not None:
        # No type of ours has restrictions to offer.
        raise Errno(errno.ENOENT if kind in TYPES else errno.ENOKEY)
    if ring.restricted:
        raise Errno(errno.EEXIST)
    ring.restricted = True
    return 0


def _capabilities(task: "Task", buffer: int, size: int, _: int, __: int) -> int:
    known = abi.CAPABILITIES
    if size:
        task.copy_out(buffer, known[:size].ljust(min(size, _CLEAR_MAX), b"\0"))
    return len(known)


def _query_public_key(task: "Task", _: int, reserved: int, __: int, ___: int) -> int:
    raise Errno(errno.EINVAL if reserved else errno.EOPNOTSUPP)


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
    abi.KEYCTL_INSTANTIATE: key_requests.instantiate,
    abi.KEYCTL_NEGATE: key_requests.negate,
    abi.KEYCTL_SET_REQKEY_KEYRING: _set_request_keyring,
    abi.KEYCTL_SET_TIMEOUT: _set_timeout,
    abi.KEYCTL_ASSUME_AUTHORITY: key_requests.assume_authority,
    abi.KEYCTL_GET_SECURITY: _get_security,
    abi.KEYCTL_SESSION_TO_PARENT: _session_to_parent,
    abi.KEYCTL_REJECT: key_requests.reject,
    abi.KEYCTL_INSTANTIATE_IOV: key_requests.instantiate_iov,
    abi.KEYCTL_INVALIDATE: _invalidate,
    abi.KEYCTL_GET_PERSISTENT: _get_persistent,
    abi.KEYCTL_PKEY_QUERY: _query_public_key,
    abi.KEYCTL_RESTRICT_KEYRING: _restrict,
    abi.KEYCTL_MOVE: _move,
    abi.KEYCTL_CAPABILITIES: _capabilities,
}
