"""Keys and keyrings: what they are, who owns them, and what their owners may have (keyrings(7)).

What must hold: a key lives as long as something refers to it - a keyring that it is linked to, a task whose
keyring it is, or who constructs it - and is charged to its owner for as long.  No keyring is below itself.
"""

from __future__ import annotations

import os
from _heapq import heappop, heappush
from _weakref import ref
from errno import (
    EDEADLK,
    EDQUOT,
    EKEYEXPIRED,
    EKEYREVOKED,
    ELOOP,
    ENOENT,
    ENOKEY,
    ENOMEM,
    ENOTDIR,
    EPERM,
)

from sentry import _core
from sentry.abi.keys import BIG_CHARGE, LINK_BYTES
from sentry.abi.time import NSEC
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_MAX = 6  # of keyrings within keyrings, when they are searched

# /proc/sys/kernel/keys (proc_sys_kernel_keys(5))
limits = {
    "gc_delay": 300, "maxbytes": 20_000, "maxkeys": 200, "persistent_keyring_expiry": 3 * 24 * 3600,
    "root_maxbytes": 25_000_000, "root_maxkeys": 1_000_000,
}  # fmt: skip
# What all users together may have, whatever the limits above: it is the sentry's memory.
TOTAL_KEYS = 100_000
TOTAL_BYTES = 64 << 20
_LINK_MEMORY = 100  # bytes that a link takes

_keys: dict[int, ref[Key]] = {}  # by serial number, in the order in which they were made
_doomed: list[tuple[int, int]] = []  # a heap: when (CLOCK_REALTIME ns) which key may have to be collected


class Quota:
    """What one user has; `keys` and `bytes` are what counts against its quota."""

    __slots__ = ("all", "bytes", "instantiated", "keys")

    def __init__(self) -> None:
        self.all = 0
        self.instantiated = 0
        self.keys = 0
        self.bytes = 0


class _Totals:
    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


totals = _Totals()
quotas: dict[int, Quota] = {}  # by user


def most(uid: int) -> tuple[int, int]:
    """How many keys and bytes a user may have."""
    prefix = "" if uid else "root_"
    return limits[prefix + "maxkeys"], limits[prefix + "maxbytes"]


def charge(uid: int, keys: int, size: int) -> None:
    """Take from a user's quota, or give back (negative); EDQUOT."""
    quota = quotas.get(uid) or Quota()
    allowed = most(uid)
    if (keys > 0 and quota.keys + keys > allowed[0]) or (size > 0 and quota.bytes + size > allowed[1]):
        raise Errno(EDQUOT)
    quota.keys += keys
    quota.bytes += size
    quotas[uid] = quota


def _check_room(more: int) -> None:
    """ENOMEM when there is no memory for so many more bytes of payloads, descriptions and links."""
    if more > 0 and totals.bytes + more > TOTAL_BYTES:
        raise Errno(ENOMEM)


class Key:
    """One key: of a type with a payload, or a Keyring."""

    __slots__ = (
        "__weakref__",
        "building",
        "charged",
        "counted",
        "description",
        "error",
        "expires",
        "gid",
        "instantiated",
        "invalidated",
        "payer",
        "payload",
        "perm",
        "queue",
        "revoked",
        "serial",
        "type",
        "uid",
    )  # fmt: skip

    def __init__(
        self, type: bytes, description: bytes, uid: int, gid: int, perm: int, payload: bytes | None = None,
        in_quota: bool = True,
    ) -> None:  # fmt: skip
        """payload None: it has to be instantiated yet.  EDQUOT, ENOMEM."""
        self.payer = -1
        self.counted = 0  # bytes in `totals`
        if len(_keys) >= TOTAL_KEYS:
            raise Errno(ENOMEM)
        _check_room(len(description))
        self.charged = len(description) + 1 if in_quota else -1  # -1: nobody is charged
        if in_quota:
            charge(uid, 1, self.charged)
        self.payer = uid  # gets it back in __del__
        self._count(len(description))
        self.type = type
        self.description = description
        self.uid = uid
        self.gid = gid
        self.perm = perm
        self.payload = b""
        self.expires: int | None = None  # CLOCK_REALTIME ns
        self.revoked = self.invalidated = False
        self.building = False  # somebody was asked to construct it
        self.instantiated = False
        self.error = 0  # what those get who want it: it is negative
        self.queue: _core.WaitQueue | None = None  # see `changes`
        self.serial = _new_serial()
        _keys[self.serial] = ref(self)
        quota = quotas.setdefault(uid, Quota())
        quota.all += 1
        if payload is not None:
            self.instantiate(payload)

    def __del__(self) -> None:
        if self.payer < 0:
            return
        totals.bytes -= self.counted
        quota = quotas[self.payer]
        quota.all -= 1
        quota.instantiated -= self.instantiated
        if self.charged >= 0:
            quota.keys -= 1
            quota.bytes -= self.charged
        if not quota.all:
            del quotas[self.payer]
        _keys.pop(self.serial, None)

    # State

    def is_expired(self) -> bool:
        return self.expires is not None and self.expires <= _core.realtime()

    def is_valid(self) -> bool:
        return not (self.revoked or self.invalidated or self.is_expired())

    def validate(self) -> None:
        """ENOKEY (invalidated), EKEYREVOKED, EKEYEXPIRED."""
        if self.invalidated:
            raise Errno(ENOKEY)
        if self.revoked:
            raise Errno(EKEYREVOKED)
        if self.is_expired():
            raise Errno(EKEYEXPIRED)

    def expire_in(self, seconds: int) -> None:
        """0: never."""
        self.expires = None
        if seconds:
            self.end_after(seconds)

    def end_after(self, seconds: int) -> None:
        """Expire when the seconds have passed."""
        self.expires = (_core.realtime() // NSEC + seconds) * NSEC  # Linux counts whole seconds
        _collect_at(self.expires + limits["gc_delay"] * NSEC, self)

    def revoke(self) -> None:
        self.revoked = True
        self.set_payload(b"")
        _collect_at(_core.realtime() + limits["gc_delay"] * NSEC, self)

    def invalidate(self) -> None:
        self.invalidated = True
        drop_links({self.serial})

    # Payload and owner

    def recharge(self, change: int) -> None:
        """It has grown by `change` bytes; EDQUOT."""
        if self.charged >= 0:
            charge(self.payer, 0, change)
            self.charged += change

    def set_payload(self, payload: bytes) -> None:
        """EDQUOT, ENOMEM."""
        change = len(payload) - len(self.payload)
        _check_room(change)
        if self.type == b"big_key":
            self._charge_big(payload)
        else:
            self.recharge(change)
        self._count(change)
        self.payload = payload

    def _count(self, change: int) -> None:
        """It takes `change` more bytes of the sentry's memory."""
        totals.bytes += change
        self.counted += change

    def _charge_big(self, payload: bytes) -> None:
        """A big payload is charged with little; an update must be affordable in full nevertheless."""
        held = BIG_CHARGE if self.payload else 0
        if held and payload:
            self.recharge(len(payload) - held)
            self.recharge(held - len(payload))
        else:
            self.recharge((BIG_CHARGE if payload else 0) - held)

    def instantiate(self, payload: bytes) -> None:
        """Give it its first payload.  EDQUOT, ENOMEM."""
        self.set_payload(payload)
        self._settle()

    def update(self, payload: bytes) -> None:
        """Give it another payload, which makes a negative or expired key a good one.  EDQUOT, ENOMEM."""
        self.set_payload(payload)
        self.expires = None
        self._settle()

    def reject(self, error: int, seconds: int) -> None:
        """Make it a negative key: whoever wants it gets `error`."""
        self._settle()
        self.error = error
        self.end_after(seconds)

    def _settle(self) -> None:
        if not self.instantiated:
            self.instantiated = True
            quotas[self.payer].instantiated += 1
        self.error = 0
        self.building = False
        self.tell()

    def changes(self) -> _core.WaitQueue:
        """Woken when it is no longer under construction, and when who constructs it has ended."""
        if self.queue is None:
            self.queue = _core.WaitQueue()
        return self.queue

    def tell(self) -> None:
        """Wake those who wait for it."""
        if self.queue is not None:
            self.queue.wake(1)

    def give(self, uid: int) -> None:
        """Another owner, to whom it is charged; EDQUOT."""
        old, new = quotas[self.payer], quotas.setdefault(uid, Quota())
        if self.charged >= 0:
            try:
                charge(uid, 1, self.charged)
            except Errno:
                if not new.all:
                    del quotas[uid]
                raise
            old.keys -= 1
            old.bytes -= self.charged
        old.all -= 1
        new.all += 1
        old.instantiated -= self.instantiated
        new.instantiated += self.instantiated
        if not old.all:
            del quotas[self.payer]
        self.uid = self.payer = uid


class Keyring(Key):
    """A key whose payload is links to other keys, one for each type and description."""

    __slots__ = ("links", "namespace", "restricted")

    def __init__(
        self, name: bytes, uid: int, gid: int, perm: int, namespace: int = 0,
        in_quota: bool = True,
    ) -> None:  # fmt: skip
        """namespace: the number of that where it can be joined as a session by its name.  EDQUOT, ENOMEM."""
        self.links: dict[tuple[bytes, bytes], Key] = {}
        self.restricted = False
        self.namespace = namespace
        super().__init__(b"keyring", name, uid, gid, perm, b"", in_quota)

    def link(self, key: Key) -> None:
        """Add a key, in place of one of the same type and description.  EDEADLK, EDQUOT, ELOOP, EPERM."""
        if self.restricted:
            raise Errno(EPERM)
        if isinstance(key, Keyring) and (key is self or key.holds(self)):
            raise Errno(EDEADLK)
        self.put(key)

    def put(self, key: Key) -> None:
        """Add a key that is new and no keyring; EDQUOT, EKEYREVOKED, ENOMEM."""
        if self.revoked:
            raise Errno(EKEYREVOKED)
        name = (key.type, key.description)
        if name not in self.links:
            self._charge_links(1)
        self.links[name] = key

    def unlink(self, key: Key) -> None:
        """ENOENT."""
        name = (key.type, key.description)
        if self.links.get(name) is not key:
            raise Errno(ENOENT)
        del self.links[name]
        self._charge_links(-1)

    def clear(self) -> None:
        self._charge_links(-len(self.links))
        self.links.clear()

    def _charge_links(self, change: int) -> None:
        """EDQUOT, ENOMEM."""
        _check_room(change * _LINK_MEMORY)
        self.recharge(change * LINK_BYTES)
        self._count(change * _LINK_MEMORY)

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
    """All keys, the oldest first."""
    for reference in list(_keys.values()):
        key = reference()
        if key is not None:
            yield key


def as_keyring(key: Key) -> Keyring:
    """ENOTDIR for a key that is none."""
    if not isinstance(key, Keyring):
        raise Errno(ENOTDIR)
    return key


# Keys of no use any more


def _collect_at(when: int, key: Key) -> None:
    if len(_doomed) > 2 * TOTAL_KEYS:
        _doomed.clear()  # timeouts were set over and over: those keys stay in their keyrings
    heappush(_doomed, (when, key.serial))


def collect() -> None:
    """Unlink the keys that expired or were revoked long enough ago (gc_delay): nobody sees when it is done,
    so that every call about keys does it first.
    """
    if not _doomed:
        return
    now, serials = _core.realtime(), set()
    while _doomed and _doomed[0][0] <= now:
        serials.add(heappop(_doomed)[1])
    grace = limits["gc_delay"] * NSEC
    for serial in serials.copy():
        found = _keys.get(serial)
        key = found() if found is not None else None
        if key is None or not (key.revoked or (key.expires is not None and key.expires + grace <= now)):
            serials.discard(serial)
    if serials:
        drop_links(serials)


def drop_links(serials: set[int]) -> None:
    """Unlink these keys from all keyrings."""
    for ring in every():
        if isinstance(ring, Keyring):
            for key in [key for key in ring.links.values() if key.serial in serials]:
                ring.unlink(key)
