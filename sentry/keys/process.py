"""The keyrings of tasks and users, and who may do what with a key (keyrings(7), "Possession")."""

from __future__ import annotations

from errno import EACCES, EDQUOT, EINVAL, EKEYREVOKED, ENOKEY

from sentry.abi.keys import (
    GROUP,
    KEY_SPEC_PROCESS_KEYRING,
    KEY_SPEC_REQKEY_AUTH_KEY,
    KEY_SPEC_REQUESTOR_KEYRING,
    KEY_SPEC_SESSION_KEYRING,
    KEY_SPEC_THREAD_KEYRING,
    KEY_SPEC_USER_KEYRING,
    KEY_SPEC_USER_SESSION_KEYRING,
    OTHER,
    PERSISTENT_EXPIRY,
    POSSESSOR,
    SEARCH,
    USER,
)
from sentry.errors import Errno
from sentry.keys.key import DEPTH_MAX, Key, Keyring, as_keyring, every, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task

_NO_GROUP = 65534  # the user's own keyrings belong to none
_OWN_PERM = 0x3F010000
_SESSION_PERM = 0x3F030000
_NAMED_PERM = 0x3F130000
_USER_PERM = 0x1F3F0000
_PERSISTENT_PERM = 0x1F030000
_USERS_MAX = 4096

_user_keyrings: dict[tuple[bytes, int], Keyring] = {}  # by prefix and user


class TaskKeyrings:
    """The keyrings that a task looks into, in this order; None: it has none yet."""

    __slots__ = ("default", "process", "session", "thread")

    def __init__(self) -> None:
        self.thread: Keyring | None = None
        self.process: Keyring | None = None
        self.session: Keyring | None = None
        self.default = 0  # KEY_REQKEY_DEFL_*: kept and told

    def inherit(self, creds: Creds, thread: bool) -> TaskKeyrings:
        """Those of a child, or of a new thread, which gets a keyring of its own if its parent has one."""
        new = TaskKeyrings()
        new.session = self.session
        new.default = self.default
        if thread:
            new.process = self.process
            if self.thread is not None:
                try:
                    new.thread = Keyring(b"_tid", creds.uid, creds.gid, _OWN_PERM)
                except Errno:
                    pass  # as Linux: one over its quota goes without
        return new

    def roots(self) -> list[Keyring]:
        return [ring for ring in (self.thread, self.process, self.session) if ring is not None]


def may(creds: Creds, key: Key, possessed: bool, wanted: int) -> bool:
    """Whether the permissions `wanted` are granted (keyrings(7), "Access rights")."""
    if creds.fsuid == key.uid:
        granted = key.perm >> USER
    elif key.perm >> GROUP & 0x3F and creds.in_group(key.gid):
        granted = key.perm >> GROUP
    else:
        granted = key.perm >> OTHER
    if possessed:
        granted |= key.perm >> POSSESSOR
    return not wanted & ~granted


def search(
    creds: Creds, root: Keyring, possessed: bool, matches: Callable[[Key], bool], expired: int = ENOKEY
) -> Key:
    """The first key that matches in `root` (or `root` itself) or below, breadth first.

    Args:
        expired: the errno for a match that is expired.

    Raises EACCES, EKEYREVOKED and `expired` for matches that won't do, else ENOKEY.
    """
    if not may(creds, root, possessed, SEARCH):
        raise Errno(EACCES)
    problem = ENOKEY
    level: list[Keyring] = [root]
    seen = {root.serial}
    if matches(root):
        return root
    for _ in range(DEPTH_MAX):
        below: list[Keyring] = []
        for ring in level:
            for key in ring.links.values():
                permitted = may(creds, key, possessed, SEARCH)
                if matches(key):
                    if key.is_valid() and permitted:
                        return key
                    problem = EKEYREVOKED if key.revoked else expired if key.is_expired() else EACCES
                if isinstance(key, Keyring) and permitted and key.is_valid() and key.serial not in seen:
                    seen.add(key.serial)
                    below.append(key)
        level = below
    raise Errno(problem)


def search_own(task: Task, matches: Callable[[Key], bool]) -> Key:
    """The first match in the task's own keyrings; the Errno of `search`: ENOKEY wins over the others."""
    absent = problem = 0
    for root in _roots(task):
        try:
            return search(task.creds, root, True, matches)
        except Errno as error:
            if error.code == ENOKEY:
                absent = ENOKEY
            else:
                problem = error.code
    raise Errno(absent or problem or ENOKEY)


def _roots(task: Task) -> list[Keyring]:
    roots = task.keyrings.roots()
    if task.keyrings.session is None:
        session = _user_keyrings.get((b"_uid_ses.", task.creds.uid))
        if session is not None:
            roots.append(session)
    return roots


def possesses(task: Task, key: Key) -> bool:
    """Whether the key is one of the task's own keyrings, or linked below one where it could be found."""
    roots = _roots(task)
    pending = [(root, 0) for root in roots if may(task.creds, root, True, SEARCH)]
    seen = {root.serial for root in roots}
    if key in roots:
        return True
    while pending:
        ring, depth = pending.pop()
        for found in ring.links.values():
            if not may(task.creds, found, True, SEARCH):
                continue
            if found is key:
                return True
            if isinstance(found, Keyring) and depth < DEPTH_MAX and found.serial not in seen:
                seen.add(found.serial)
                pending.append((found, depth + 1))
    return False


def look_up(
    task: Task, id: int, wanted: int, create: bool = False, validate: bool = True
) -> tuple[Key, bool]:
    """The key that an id means to the task, with the permissions `wanted`, and whether it is possessed.

    `create`: make a special keyring that is missing.  EACCES, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENOKEY.
    """
    if id < 0:
        key: Key = _special(task, id, create)
        possessed = True
    elif not id:
        raise Errno(EINVAL)
    else:
        key = find(id)
        possessed = possesses(task, key)
    if validate:
        key.validate()
    if not may(task.creds, key, possessed, wanted):
        raise Errno(EACCES)
    return key, possessed


def _special(task: Task, id: int, create: bool) -> Keyring:
    rings, creds = task.keyrings, task.creds
    if id == KEY_SPEC_THREAD_KEYRING:
        if rings.thread is None and create:
            rings.thread = Keyring(b"_tid", creds.uid, creds.gid, _OWN_PERM)
        found = rings.thread
    elif id == KEY_SPEC_PROCESS_KEYRING:
        if rings.process is None and create:
            rings.process = Keyring(b"_pid", creds.uid, creds.gid, _OWN_PERM)
        found = rings.process
    elif id == KEY_SPEC_SESSION_KEYRING:
        shared = user_keyring(creds.uid, b"_uid_ses.")
        if create and rings.session in (None, shared):
            join_session(task, None)
        elif rings.session is None:
            rings.session = shared
        found = rings.session
    elif id == KEY_SPEC_USER_KEYRING:
        found = user_keyring(creds.uid, b"_uid.")
    elif id == KEY_SPEC_USER_SESSION_KEYRING:
        found = user_keyring(creds.uid, b"_uid_ses.")
    elif id in (KEY_SPEC_REQKEY_AUTH_KEY, KEY_SPEC_REQUESTOR_KEYRING):
        found = None
    else:
        raise Errno(EINVAL)
    if found is None:
        raise Errno(ENOKEY)
    return found


def user_keyring(uid: int, prefix: bytes) -> Keyring:
    """The keyring _uid.UID or _uid_ses.UID, made on first use; EDQUOT."""
    ring = _user_keyrings.get((prefix, uid))
    if ring is None or ring.revoked:
        if len(_user_keyrings) >= _USERS_MAX:
            raise Errno(EDQUOT)
        ring = _user_keyrings[prefix, uid] = Keyring(prefix + b"%d" % uid, uid, _NO_GROUP, _USER_PERM)
        if prefix == b"_uid_ses.":
            ring.link(user_keyring(uid, b"_uid."))
    return ring


def persistent_keyring(uid: int) -> Keyring:
    """The keyring _persistent.UID, which expires when it is not used for long (persistent-keyring(7))."""
    ring = _user_keyrings.get((b"_persistent.", uid))
    if ring is None or not ring.is_valid():
        if len(_user_keyrings) >= _USERS_MAX:
            raise Errno(EDQUOT)
        ring = Keyring(b"_persistent.%d" % uid, uid, _NO_GROUP, _PERSISTENT_PERM)
        _user_keyrings[b"_persistent.", uid] = ring
    ring.expire_in(PERSISTENT_EXPIRY)
    return ring


def join_session(task: Task, name: bytes | None) -> int:
    """KEYCTL_JOIN_SESSION_KEYRING: the serial number, 0 when nothing changes.  EDQUOT."""
    creds = task.creds
    ring: Keyring | None = None
    if name is None:
        ring = Keyring(b"_ses", creds.uid, creds.gid, _SESSION_PERM)
    else:
        for key in every():
            named = isinstance(key, Keyring) and key.description == name and key.is_valid()
            if named and may(creds, key, False, SEARCH):
                ring = as_keyring(key)
                break
        if ring is None:
            ring = Keyring(name, creds.uid, creds.gid, _NAMED_PERM)
    if ring is task.keyrings.session:
        return 0
    task.keyrings.session = ring
    return ring.serial
