"""/proc/keys, /proc/key-users and /proc/sys/kernel/keys (keyrings(7))."""

from __future__ import annotations

from errno import EPERM

from sentry import _core
from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.keys import VIEW
from sentry.abi.time import NSEC
from sentry.errors import Errno
from sentry.fs.pseudo import parse_decimal
from sentry.keys import key as keys
from sentry.keys.key import Key, Keyring
from sentry.keys.process import may, possessed_keys
from sentry.keys.types import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Show, Store
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task

_UNITS = ((60, b"s", 1), (3600, b"m", 60), (86400, b"h", 3600), (604800, b"d", 86400))


def show_keys(task: Task) -> bytes:
    """The keys that the reader may view, by their numbers."""
    keys.collect()
    lines = []
    namespace = task.creds.user_ns
    possessed = possessed_keys(task)
    uses = _uses(task.kernel)
    for key in sorted(keys.every(), key=lambda key: key.serial):
        if namespace.uid(key.uid) < 0 or not may(task.creds, key, key.serial in possessed, VIEW):
            continue
        lines.append(
            b"%08x %b %5d %4b %08x %5d %5d %-9.9b %b\n"
            % (
                key.serial, _flags(key), uses.get(key.serial, 0), _timeout(key), key.perm,
                namespace.show_uid(key.uid), namespace.show_gid(key.gid), key.type, describe(key),
            )
        )  # fmt: skip
    return b"".join(lines)


def _flags(key: Key) -> bytes:
    states = (
        (b"I", key.instantiated), (b"R", key.revoked), (b"D", False), (b"Q", key.charged >= 0),
        (b"U", key.building), (b"N", key.error), (b"i", key.invalidated),
    )  # fmt: skip
    return b"".join([letter if state else b"-" for letter, state in states])


def _uses(kernel: Kernel) -> dict[int, int]:
    """How many keyrings, users and tasks have each key, by its number."""
    uses: dict[int, int] = {}

    def use(key: Key | None) -> None:
        if key is not None:
            uses[key.serial] = uses.get(key.serial, 0) + 1

    for ring in keys.every():
        if isinstance(ring, Keyring):
            for key in ring.links.values():
                use(key)
    spaces = set()
    for task in kernel.tasks.values():
        rings = task.keyrings
        for own in (rings.thread, rings.process, rings.session):
            use(own)
        use(rings.authority)
        if task.creds is not None:
            spaces.add(task.creds.user_ns)
    for space in spaces:
        for ring in space.keyrings.values():
            use(ring)
    return uses


def _timeout(key: Key) -> bytes:
    if key.revoked:
        return b"expd"
    if key.expires is None:
        return b"perm"
    left = key.expires // NSEC - _core.realtime() // NSEC
    if left <= 0:
        return b"expd"
    for below, unit, size in _UNITS:
        if left < below:
            return b"%d%b" % (left // size, unit)
    return b"%dw" % (left // 604800)


def show_users(task: Task) -> bytes:
    """What each user has of what it may have."""
    keys.collect()
    lines = []
    namespace = task.creds.user_ns
    for uid, quota in sorted(keys.quotas.items()):
        if namespace.uid(uid) < 0:
            continue
        most = keys.most(uid)
        lines.append(
            b"%5d: %5d %d/%d %d/%d %d/%d\n"
            % (
                namespace.uid(uid), quota.all + 1, quota.all, quota.instantiated, quota.keys, most[0],
                quota.bytes, most[1],
            )
        )  # fmt: skip
    return b"".join(lines)


def key_controls() -> dict[bytes, tuple[Show, Store]]:
    """/proc/sys/kernel/keys."""

    def entry(name: str) -> tuple[Show, Store]:
        def store(task: Task, data: bytes) -> None:
            if not task.creds.has_cap(CAP_SYS_ADMIN):
                raise Errno(EPERM)
            keys.limits[name] = parse_decimal(data, 0x7FFFFFFF)

        return lambda task: b"%d\n" % keys.limits[name], store

    return {name.encode(): entry(name) for name in keys.limits}
