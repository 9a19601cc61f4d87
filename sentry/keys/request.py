"""The construction of keys (request_key(2), "Requesting user-space instantiation of a key").

What must hold: a key under construction has one Authority, which ends - revoked or invalidated - when the key
is instantiated or made negative.
"""

from __future__ import annotations

from errno import EACCES, EBUSY, EINVAL, ENOKEY, EPERM

from sentry.abi.keys import (
    KEY_REQKEY_DEFL_DEFAULT,
    KEY_REQKEY_DEFL_PROCESS_KEYRING,
    KEY_REQKEY_DEFL_REQUESTOR_KEYRING,
    KEY_REQKEY_DEFL_THREAD_KEYRING,
    KEY_REQKEY_DEFL_USER_KEYRING,
    KEY_REQKEY_DEFL_USER_SESSION_KEYRING,
    KEY_SPEC_REQKEY_AUTH_KEY,
    KEY_SPEC_REQUESTOR_KEYRING,
    NEGATIVE_TIMEOUT,
    WRITE,
)
from sentry.errors import Errno
from sentry.keys.key import Key, Keyring, as_keyring
from sentry.keys.process import AUTHORITY, Authority, look_up, may, search_own, user_keyring
from sentry.keys.types import TYPES, check_description, check_payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_HELPER_SESSION_PERM = 0x3F030000


def begin(task: Task, type: bytes, description: bytes, ring: Keyring | None) -> tuple[Key, Keyring]:
    """A new key, under construction, and the keyring in which it is: where its requestor wants it.  EACCES,
    EDQUOT, EINVAL, EPERM.
    """
    if type == b"keyring":
        raise Errno(EPERM)
    ring = ring or _default_ring(task)
    check_description(type, description)
    creds = task.creds
    key = Key(type, description, creds.fsuid, creds.fsgid, TYPES[type])
    ring.put(key)
    key.building = True
    return key, ring


def _default_ring(task: Task) -> Keyring:
    """Where keys go that are requested for no keyring (KEYCTL_SET_REQKEY_KEYRING); EACCES."""
    rings, creds = task.keyrings, task.creds
    choice = rings.default
    if choice in (KEY_REQKEY_DEFL_DEFAULT, KEY_REQKEY_DEFL_REQUESTOR_KEYRING):
        authority = rings.authority
        if authority is not None and not authority.revoked and authority.ring is not None:
            return authority.ring  # whose keyring it is has asked for keys there
        choice = KEY_REQKEY_DEFL_THREAD_KEYRING
    ring = None
    if choice == KEY_REQKEY_DEFL_THREAD_KEYRING:
        ring = rings.thread
    if ring is None and choice <= KEY_REQKEY_DEFL_PROCESS_KEYRING:
        ring = rings.process
    if choice == KEY_REQKEY_DEFL_USER_KEYRING:
        ring = user_keyring(creds, b"_uid.")
    elif ring is None and choice != KEY_REQKEY_DEFL_USER_SESSION_KEYRING:
        ring = rings.session
    if ring is None:
        ring = user_keyring(creds, b"_uid_ses.")
    if not may(creds, ring, True, WRITE):
        raise Errno(EACCES)
    return ring


def helper_session(task: Task, authority: Authority) -> Keyring:
    """The session keyring of the program that is to construct a key."""
    target, creds = authority.target, task.creds
    session = Keyring(b"_req.%d" % target.serial, creds.fsuid, creds.fsgid, _HELPER_SESSION_PERM)
    session.put(authority)
    return session


def helper_arguments(task: Task, target: Key) -> list[bytes]:
    """What /sbin/request-key is called with (request-key(8)): ids are those of the first namespace."""
    rings, creds = task.keyrings, task.creds
    session = rings.session or user_keyring(creds, b"_uid_ses.")
    numbers = [ring.serial if ring is not None else 0 for ring in (rings.thread, rings.process, session)]
    values = [target.serial, creds.fsuid, creds.fsgid, *numbers]
    return [b"/sbin/request-key", b"create", *(b"%d" % value for value in values)]


def end(authority: Authority) -> None:
    """The program has ended: the key is negative, if it is nothing yet."""
    if authority.target.building:
        fail(authority)
    else:
        authority.revoke()
    authority.ended = True
    authority.target.tell()


def fail(authority: Authority) -> None:
    """Nobody constructs the key."""
    if authority.target.building:
        authority.target.reject(ENOKEY, NEGATIVE_TIMEOUT)
    authority.invalidate()


# What the program does


def authority_for(task: Task, serial: int) -> Authority:
    """The authority to construct this key, where the task can find it; EKEYREVOKED, ENOKEY."""
    name = b"%x" % (serial & 0xFFFFFFFF)
    found = search_own(task, lambda key: key.type == AUTHORITY and key.description == name)
    if not isinstance(found, Authority):
        raise Errno(ENOKEY)
    return found


def _assumed(task: Task, serial: int) -> Authority:
    """The assumed authority, which must be over this key; EPERM."""
    authority = task.keyrings.authority
    if authority is None or authority.target.serial != serial:
        raise Errno(EPERM)
    return authority


def _ring_for(task: Task, authority: Authority, ring: int) -> Keyring | None:
    """The keyring that a constructed key is to be linked to: one by its number, or the requestor's."""
    if not ring:
        return None
    if ring > 0:
        return as_keyring(look_up(task, ring, WRITE, create=True)[0])
    if ring == KEY_SPEC_REQKEY_AUTH_KEY:
        raise Errno(EINVAL)
    if ring < KEY_SPEC_REQUESTOR_KEYRING:
        raise Errno(ENOKEY)
    return authority.ring


def check_assumed(task: Task, serial: int) -> None:
    """EPERM unless the task has assumed authority over this key."""
    _assumed(task, serial)


def instantiate(task: Task, serial: int, payload: bytes, ring: int) -> None:
    """KEYCTL_INSTANTIATE.  EBUSY, EDQUOT, EINVAL, EPERM and the errnos of looking up `ring`."""
    authority = _assumed(task, serial)
    key, target = authority.target, _ring_for(task, authority, ring)
    check_payload(key.type, payload)
    if target is not None and target.restricted:
        raise Errno(EPERM)
    if key.instantiated:
        raise Errno(EBUSY)
    if target is not None:
        target.put(key)
    key.instantiate(payload)
    authority.invalidate()
    task.keyrings.authority = None


def reject(task: Task, serial: int, seconds: int, error: int, ring: int) -> None:
    """KEYCTL_REJECT: whoever wants the key gets `error` for a while.  EBUSY, EPERM and as above."""
    authority = _assumed(task, serial)
    key, target = authority.target, _ring_for(task, authority, ring)
    if target is not None and target.restricted:
        raise Errno(EPERM)
    if key.instantiated:
        raise Errno(EBUSY)
    key.reject(error, seconds)
    if target is not None:
        target.put(key)
    authority.invalidate()
    task.keyrings.authority = None
