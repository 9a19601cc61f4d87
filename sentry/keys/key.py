"""Keys and keyrings: what they are, who owns them, and what their owners may have (keyrings(7)).

What must hold: a key lives as long as something refers to it - a keyring that it is linked to, or a task
whose keyring it is - and is charged to its owner for as long.  No keyring is below itself.
"""

from __future__ import annotations

import os
from _weakref import ref
from errno import EDEADLK, EDQUOT, EINVAL, EKEYEXPIRED, EKEYREVOKED, ELOOP, ENOENT, ENOKEY, ENOTDIR, EPERM

from sentry import _core
from sentry.abi.keys import LINK_BYTES, PAYLOAD_MAX
from sentry.abi.time import NSEC
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_MAX = 6  # of keyrings within keyrings, when they are searched

MAX_KEYS = 200  # of one user (proc_sys_kernel_keys(5))
MAX_BYTES = 20_000
ROOT_MAX_KEYS = 10_000  # Linux allows more, which we have no memory for
ROOT_MAX_BYTES = 4_000_000

_keys: dict[int, ref[Key]] = {}  # by serial number


class Quota:
    """What one user has."""

    __slots__ = ("bytes", "keys")

    def __init__(self) -> None:
        self.keys = 0
        self.bytes = 0


quotas: dict[int, Quota] = {}  # by user


def limits(uid: int) -> tuple[int, int]:
    """How many keys and bytes a user may have."""
    return (MAX_KEYS, MAX_BYTES) if uid else (ROOT_MAX_KEYS, ROOT_MAX_BYTES)


def charge(uid: int, keys: int, size: int) -> None:
    """Take (or give back: negative) from a user's quota; EDQUOT."""
    quota = quotas.get(uid)
    if quota is None:
        quota = quotas[uid] = Quota()
    most = limits(uid)
    if (keys > 0 and quota.keys + keys > most[0]) or (size > 0 and quota.bytes + size > most[1]):
        if not quota.keys:
            del quotas[uid]
        raise Errno(EDQUOT)
    quota.keys += keys
    quota.bytes += size
    if not quota.keys:
        del quotas[uid]


class Key:
    """One key: of type user or logon with a payload, or a Keyring."""

    __slots__ = (
        "__weakref__", "charged", "description", "expires", "gid", "payload", "perm", "revoked", "serial",
        "type", "uid",
    )  # fmt: skip

    def __init__(
        self, type: bytes, description: bytes, uid: int, gid: int, perm: int, payload: bytes
    ) -> None:
        self.charged = 0
        self.uid = uid
        size = len(description) + 1 + len(payload)
        charge(uid, 1, size)
        self.charged = size  # taken back by __del__
        self.type = type
        self.description = description
        self.gid = gid
        self.perm = perm
        self.payload = payload
        self.expires: int | None = None  # CLOCK_REALTIME ns
        self.revoked = False
        self.serial = _new_serial()
        _keys[self.serial] = ref(self)

    def __del__(self) -> None:
        if self.charged:
            charge(self.uid, -1, -self.charged)
            _keys.pop(self.serial, None)

    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= _core.realtime()

    def is_valid(self) -> bool:
        return not self.revoked and not self.is_expired()

    def validate(self) -> None:
        """EKEYREVOKED, EKEYEXPIRED."""
        if self.revoked:
            raise Errno(EKEYREVOKED)
        if self.is_expired():
            raise Errno(EKEYEXPIRED)

    def expire_in(self, seconds: int) -> None:
        """0: never."""
        self.expires = _core.realtime() + seconds * NSEC if seconds else None

    def recharge(self, change: int) -> None:
        """It has grown by `change` bytes; EDQUOT."""
        charge(self.uid, 0, change)
        self.charged += change

    def set_payload(self, payload: bytes) -> None:
        """EDQUOT."""
        self.recharge(len(payload) - len(self.payload))
        self.payload = payload

    def give(self, uid: int) -> None:
        """Another owner, to whom it is charged; EDQUOT."""
        charge(uid, 1, self.charged)
        charge(self.uid, -1, -self.charged)
        self.uid = uid

    def revoke(self) -> None:
        self.revoked = True
        self.set_payload(b"")


class Keyring(Key):
    """A key whose payload is links to other keys, one for each type and description."""

    __slots__ = ("links", "restricted")

    def __init__(self, name: bytes, uid: int, gid: int, perm: int) -> None:
        self.links: dict[tuple[bytes, bytes], Key] = {}
        self.restricted = False
        super().__init__(b"keyring", name, uid, gid, perm, b"")

    def link(self, key: Key) -> None:
        """Add a key, in place of one of the same type and description.  EDEADLK, EDQUOT, ELOOP, EPERM."""
        if self.restricted:
            raise Errno(EPERM)
        if isinstance(key, Keyring) and (key is self or key.holds(self)):
            raise Errno(EDEADLK)
        name = (key.type, key.description)
        if name not in self.links:
            self.recharge(LINK_BYTES)
        self.links[name] = key

    def unlink(self, key: Key) -> None:
        """ENOENT."""
        name = (key.type, key.description)
        if self.links.get(name) is not key:
            raise Errno(ENOENT)
        del self.links[name]
        self.recharge(-LINK_BYTES)

    def clear(self) -> None:
        self.recharge(-LINK_BYTES * len(self.links))
        self.links.clear()

    def holds(self, other: Key) -> bool:
        """Whether `other` is somewhere below it; ELOOP when there are too many levels below."""
        level: list[Keyring] = [self]
        for _ in range(DEPTH_MAX):
            below: dict[int, Keyring] = {}
            for ring in level:
                for key in ring.links.values():
                    if key is other:
                        return True
                    if isinstance(key, Keyring):
                        below[key.serial] = key
            if not below:
                return False
            level = list(below.values())
        raise Errno(ELOOP)

    def revoke(self) -> None:
        super().revoke()
        self.clear()


def _new_serial() -> int:
    while True:
        serial = int.from_bytes(os.urandom(4), "little") >> 2
        if serial > 2 and serial not in _keys:
            return serial


def find(serial: int) -> Key:
    """The key with this number; ENOKEY."""
    found = _keys.get(serial)
    key = found() if found is not None else None
    if key is None:
        raise Errno(ENOKEY)
    return key


def every() -> Iterator[Key]:
    """All keys, by serial number."""
    for serial in sorted(_keys):
        key = _keys[serial]()
        if key is not None:
            yield key


def as_keyring(key: Key) -> Keyring:
    """ENOTDIR for a key that is none."""
    if not isinstance(key, Keyring):
        raise Errno(ENOTDIR)
    return key


def check_payload(type: bytes, description: bytes | None, payload: bytes) -> bytes:
    """The description of a key to be added, once it and the payload suit the type; EINVAL."""
    if not description:
        raise Errno(EINVAL)
    if type == b"keyring":
        if payload:
            raise Errno(EINVAL)
        return description
    if not 0 < len(payload) <= PAYLOAD_MAX:
        raise Errno(EINVAL)
    if type == b"logon" and description.find(b":") < 1:
        raise Errno(EINVAL)
    return description
