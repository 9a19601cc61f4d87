"""/proc/keys, /proc/key-users and /proc/sys/kernel/keys (keyrings(7))."""

from __future__ import annotations

from sentry import _core
from sentry.abi.keys import PERSISTENT_EXPIRY, VIEW
from sentry.abi.time import NSEC
from sentry.keys import key as keys
from sentry.keys.key import Key, Keyring
from sentry.keys.process import may, possesses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_UNITS = ((60, b"s", 1), (3600, b"m", 60), (86400, b"h", 3600), (604800, b"d", 86400))


def show_keys(task: Task) -> bytes:
    """The keys that the reader may view."""
    lines = []
    namespace = task.creds.user_ns
    for key in keys.every():
        if not may(task.creds, key, possesses(task, key), VIEW):
            continue
        flags = b"I%b-Q---" % (b"R" if key.revoked else b"-")
        links = sum(
            other.links.get((key.type, key.description)) is key
            for other in keys.every()
            if isinstance(other, Keyring)
        )
        count = len(key.links) if isinstance(key, Keyring) else len(key.payload)
        text = key.description
        if not key.revoked:
            text += b": empty" if isinstance(key, Keyring) and not count else b": %d" % count
        lines.append(
            b"%08x %b %5d %4b %08x %5d %5d %-9.9b %b\n"
            % (
                key.serial, flags, links + 1, _timeout(key), key.perm, namespace.show_uid(key.uid),
                namespace.show_gid(key.gid), key.type, text,
            )
        )  # fmt: skip
    return b"".join(lines)


def _timeout(key: Key) -> bytes:
    if key.expires is None:
        return b"perm"
    left = (key.expires - _core.realtime()) // NSEC
    if left < 0:
        return b"expd"
    for below, unit, size in _UNITS:
        if left < below:
            return b"%d%b" % (left // size, unit)
    return b"%dw" % (left // 604800)


def show_users(task: Task) -> bytes:
    """What each user has of what it may have."""
    lines = []
    for uid, quota in sorted(keys.quotas.items()):
        most = keys.limits(uid)
        lines.append(
            b"%5d: %5d %d/%d %d/%d %d/%d\n"
            % (
                task.creds.user_ns.show_uid(uid), quota.keys + 1, quota.keys, quota.keys, quota.keys,
                most[0], quota.bytes, most[1],
            )
        )  # fmt: skip
    return b"".join(lines)


LIMITS = {
    "gc_delay": 300, "maxbytes": keys.MAX_BYTES, "maxkeys": keys.MAX_KEYS,
    "persistent_keyring_expiry": PERSISTENT_EXPIRY, "root_maxbytes": keys.ROOT_MAX_BYTES,
    "root_maxkeys": keys.ROOT_MAX_KEYS,
}  # fmt: skip
