"""The keyrings of tasks and users, and who may do what with a key (keyrings(7), "Possession")."""

from __future__ import annotations

from errno import EACCES, EDQUOT, EINVAL, EIO, EKEYEXPIRED, EKEYREVOKED, ENOKEY

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
    POSSESSOR,
    SEARCH,
    USER,
)
from sentry.errors import Errno
from sentry.keys.key import DEPTH_MAX, Key, Keyring, as_keyring, every, find, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task

_NO_GROUP = 65534  # the user's own keyrings belong to none
_OWN_PERM = 0x3F010000
_SESSION_PERM = 0x3F030000
_NAMED_PERM = 0x3F130000
_USER_PERM = 0x1F3F0000
_PERSISTENT_PERM = 0x1F030000
_USERS_MAX = 8192  # who have keyrings in one namespace

AUTHORITY = b".request_key_auth"
_AUTHORITY_PERM = 0x1B010000


class TaskKeyrings:
    """The keyrings that a task looks into, in this order; None: it has none yet."""

    __slots__ = ("authority", "default", "process", "session", "thread")

    def __init__(self) -> None:
        self.thread: Keyring | None = None
        self.process: Keyring | None = None
        self.session: Keyring | None = None
        self.default = 0  # KEY_REQKEY_DEFL_*
        self.authority: Authority | None = None  # assumed: whose keyrings it looks into as well

    def inherit(self, creds: Creds, thread: bool) -> TaskKeyrings:
        """Those of a child, or of a new thread, which gets a keyring of its own if its parent has one."""
        new = TaskKeyrings()
        new.session = self.session
        new.default = self.default
        new.authority = self.authority
        if thread:
            new.process = self.process
            if self.thread is not None:
                try:
                    new.thread = Keyring(b"_tid", creds.uid, creds.gid, _OWN_PERM)
                except Errno:
                    pass  # as Linux: one over its quota goes without
        return new

    def snapshot(self) -> TaskKeyrings:
        """What it has now."""
        new = TaskKeyrings()
        new.thread, new.process, new.session = self.thread, self.process, self.session
        return new

    def roots(self, creds: Creds) -> list[Keyring]:
        """What is searched: without a session, the user's."""
        roots = [ring for ring in (self.thread, self.process, self.session) if ring is not None]
        if self.session is None:
            session = creds.user_ns.keyrings.get((b"_uid_ses.", creds.uid))
            if session is not None:
                roots.append(session)
        return roots


class Authority(Key):
    """The right to construct `target`, and to use the keyrings of who requested it (request_key(2)).

    The task whose session keyring it is in may assume it (KEYCTL_ASSUME_AUTHORITY).
    """

    __slots__ = ("callout", "creds", "ended", "keyrings", "pid", "ring", "target")

    def __init__(self, task: Task, target: Key, callout: bytes, ring: Keyring) -> None:
        """EKEYREVOKED: `task` acts for another one, whose key is constructed meanwhile."""
        creds, outer = task.creds, task.keyrings.authority
        self.target = target
        self.callout = callout
        self.ended = False  # the program that was to construct it is gone: who waits for that is told
        self.ring: Keyring | None = ring  # where the requestor wants the key
        if outer is None:
            self.creds, self.keyrings, self.pid = creds, task.keyrings.snapshot(), task.group.tgid
        else:
            if outer.revoked:
                raise Errno(EKEYREVOKED)
            self.creds, self.keyrings, self.pid = outer.creds, outer.keyrings, outer.pid
        name = b"%x" % target.serial
        super().__init__(AUTHORITY, name, creds.fsuid, creds.fsgid, _AUTHORITY_PERM, b"", in_quota=False)

    def revoke(self) -> None:
        super().revoke()
        self._let_go()

    def invalidate(self) -> None:
        super().invalidate()
        self._let_go()

    def _let_go(self) -> None:
        self.keyrings = TaskKeyrings()
        self.ring = None


# Permissions


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


def possessed_keys(task: Task) -> dict[int, Key]:
    """The keys, by number, that are the task's own keyrings or linked below one where they could be found.

    Who has assumed authority possesses what the requestor possesses.
    """
    found: dict[int, Key] = {}
    for creds, keyrings in _searched(task):
        level = [root for root in keyrings.roots(creds) if may(creds, root, True, SEARCH)]
        found |= {root.serial: root for root in level}
        for _ in range(DEPTH_MAX + 1):
            below: list[Keyring] = []
            for ring in level:
                for key in ring.links.values():
                    if key.serial not in found and may(creds, key, True, SEARCH):
                        found[key.serial] = key
                        if isinstance(key, Keyring):
                            below.append(key)
            level = below
    return found


def possesses(task: Task, key: Key) -> bool:
    """Whether `key` is one of possessed_keys."""
    return key.serial in possessed_keys(task)


def _searched(task: Task) -> Iterator[tuple[Creds, TaskKeyrings]]:
    """Whose keyrings a task searches: its own, and those of the requestor whose authority it assumed."""
    yield task.creds, task.keyrings
    authority = task.keyrings.authority
    if authority is not None and authority.is_valid():
        yield authority.creds, authority.keyrings


# Searches


def search(
    creds: Creds, root: Keyring, possessed: bool, matches: Callable[[Key], bool], expired: int = EKEYEXPIRED
) -> Key | None:
    """The first key that matches in `root` (or `root` itself) or below, breadth first; None: there is none.

    Args:
        expired: the errno for a match that is expired, 0: it is passed over.

    Raises EACCES, EKEYREVOKED and `expired` for matches that won't do, and the errno of a negative key.
    """
    if not may(creds, root, possessed, SEARCH):
        raise Errno(EACCES)
    problem = 0
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
                    if key.revoked or key.invalidated:
                        problem = EKEYREVOKED
                    elif key.is_expired():
                        problem = expired or problem
                    elif not permitted:
                        problem = EACCES
                    elif key.error:
                        problem = key.error
                    else:
                        return key
                if isinstance(key, Keyring) and permitted and key.is_valid() and key.serial not in seen:
                    seen.add(key.serial)
                    below.append(key)
        level = below
    if problem:
        raise Errno(problem)
    return None


def search_own(task: Task, matches: Callable[[Key], bool], expired: int = 0) -> Key | None:
    """The first match in the keyrings that the task searches; None: there is none though one is searchable.

    Raises the Errno of `search`: ENOKEY (a negative key) before None before the others.
    """
    outcomes: list[int | None] = []
    for creds, keyrings in _searched(task):
        outcome = None
        for root in keyrings.roots(creds):
            try:
                key = search(creds, root, True, matches, expired)
            except Errno as error:
                if error.code == ENOKEY or outcome is None:
                    outcome = error.code
            else:
                if key is not None:
                    return key
                if outcome != ENOKEY:
                    outcome = 0
        outcomes.append(outcome)
    if ENOKEY in outcomes:
        raise Errno(ENOKEY)
    problem = outcomes[-1] if outcomes[0] == EACCES else outcomes[0]
    if problem:
        raise Errno(problem)
    return None


# What an id means


class UnderConstructionError(Exception):
    """A call has to wait until `key` is constructed, and to be tried again then."""

    def __init__(self, key: Key) -> None:
        super().__init__(key.serial)
        self.key = key


def look_up(
    task: Task,
    id: int,
    wanted: int,
    create: bool = False,
    partial: bool = False,
    unchecked: bool = False,
) -> tuple[Key, bool]:
    """The key that an id means to the task, with the permissions `wanted`, and whether it is possessed.

    Args:
        create: make a special keyring that is missing.
        partial: a key that is under construction or negative will do.
        unchecked: neither permissions nor the key's state matter.

    EACCES, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENOKEY, a negative key's errno; UnderConstructionError.
    """
    if id < 0:
        key: Key = _special(task, id, create)
        possessed = True
    elif not id:
        raise Errno(EINVAL)
    else:
        key = find(id)
        possessed = possesses(task, key)
    if not partial and key.building:
        raise UnderConstructionError(key)
    if unchecked:
        return key, possessed
    if not partial and key.error:
        raise Errno(key.error)
    key.validate()
    if not partial and not key.instantiated:
        raise Errno(EIO)
    if not may(task.creds, key, possessed, wanted):
        raise Errno(EACCES)
    return key, possessed


def _special(task: Task, id: int, create: bool) -> Key:
    rings, creds = task.keyrings, task.creds
    found: Key | None = None
    if id == KEY_SPEC_THREAD_KEYRING:
        if rings.thread is None and create:
            rings.thread = Keyring(b"_tid", creds.uid, creds.gid, _OWN_PERM)
        if rings.thread is not None:
            rings.thread.uid = creds.fsuid  # it goes along with its task
        found = rings.thread
    elif id == KEY_SPEC_PROCESS_KEYRING:
        if rings.process is None and create:
            rings.process = Keyring(b"_pid", creds.uid, creds.gid, _OWN_PERM)
        found = rings.process
    elif id == KEY_SPEC_SESSION_KEYRING:
        found = _session(task, create)
    elif id == KEY_SPEC_USER_KEYRING:
        found = user_keyring(creds, b"_uid.")
    elif id == KEY_SPEC_USER_SESSION_KEYRING:
        found = user_keyring(creds, b"_uid_ses.")
    elif id == KEY_SPEC_REQKEY_AUTH_KEY:
        found = rings.authority
    elif id == KEY_SPEC_REQUESTOR_KEYRING:
        if rings.authority is not None and rings.authority.revoked:
            raise Errno(EKEYREVOKED)
        found = rings.authority.ring if rings.authority is not None else None
    else:
        raise Errno(EINVAL)
    if found is None:
        raise Errno(ENOKEY)
    return found


def _session(task: Task, create: bool) -> Keyring | None:
    """Nobody is without a session for long: the user's is taken, or one made to change it."""
    rings, creds = task.keyrings, task.creds
    if rings.session is None:
        rings.session = user_keyring(creds, b"_uid_ses.")
    if create and rings.session is creds.user_ns.keyrings.get((b"_uid_ses.", creds.uid)):
        join_session(task, None)
    return rings.session


def user_keyring(creds: Creds, prefix: bytes) -> Keyring:
    """The keyring _uid.UID or _uid_ses.UID, made on first use; EDQUOT."""
    namespace = creds.user_ns
    ring = namespace.keyrings.get((prefix, creds.uid))
    if ring is None or ring.revoked:
        name = prefix + b"%d" % namespace.show_uid(creds.uid)
        ring = Keyring(name, creds.uid, _NO_GROUP, _USER_PERM, namespace.inum)
        if prefix == b"_uid_ses.":
            ring.link(user_keyring(creds, b"_uid."))
        _register(namespace, prefix, ring)
    return ring


def persistent_keyring(namespace: UserNamespace, uid: int) -> Keyring:
    """The keyring _persistent.UID, which expires when it is not used for long (persistent-keyring(7))."""
    ring = namespace.keyrings.get((b"_persistent.", uid))
    if ring is None or not ring.is_valid():
        name = b"_persistent.%d" % namespace.show_uid(uid)
        ring = Keyring(name, uid, _NO_GROUP, _PERSISTENT_PERM, namespace.inum, in_quota=False)
        _register(namespace, b"_persistent.", ring)
    return ring


def use_persistent(ring: Keyring) -> None:
    """It lives on from now."""
    ring.end_after(limits["persistent_keyring_expiry"])


def _register(namespace: UserNamespace, prefix: bytes, ring: Keyring) -> None:
    if len(namespace.keyrings) >= _USERS_MAX:
        raise Errno(EDQUOT)
    namespace.keyrings[prefix, ring.uid] = ring


def join_session(task: Task, name: bytes | None) -> int:
    """KEYCTL_JOIN_SESSION_KEYRING: the serial number, 0 when nothing changes.  EDQUOT."""
    creds = task.creds
    ring: Keyring | None = None
    if name is None:
        ring = Keyring(b"_ses", creds.uid, creds.gid, _SESSION_PERM)
    else:
        for key in every():
            named = isinstance(key, Keyring) and key.description == name and not key.revoked
            if named and _is_public(key, creds) and may(creds, key, False, SEARCH):
                ring = as_keyring(key)
                break
        if ring is None:
            ring = Keyring(name, creds.uid, creds.gid, _NAMED_PERM, creds.user_ns.inum)
    if ring is task.keyrings.session:
        return 0
    task.keyrings.session = ring
    return ring.serial


def _is_public(key: Key, creds: Creds) -> bool:
    """Whether a keyring's name is known in the user namespace of `creds`."""
    return (
        isinstance(key, Keyring) and key.namespace == creds.user_ns.inum and creds.user_ns.uid(key.uid) >= 0
    )
