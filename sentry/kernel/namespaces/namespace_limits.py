"""How many namespaces a user may have: /proc/sys/user/max_*_namespaces (namespaces(7)).

What is made in a user namespace counts there for the user who makes it, and in each namespace above for the
user who made the one below.
"""

from __future__ import annotations

from errno import ENOSPC

from sentry.errors import Errno
from sentry.kernel.garbage import sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.user_namespace import UserNamespace

INITIAL_MAX = 4096  # Linux: half of the tasks that there may be
NESTED_MAX = 2**31 - 1  # but for the limits of the namespaces above


class Charge:
    """One namespace, counted as long as this object lives: whoever is counted holds it."""

    __slots__ = ("_counted", "_kind")

    def __init__(self, namespace: UserNamespace, kuid: int, kind: bytes) -> None:
        """Count a namespace of `kind` that `kuid` makes in `namespace`; ENOSPC at a limit."""
        self._kind = kind
        self._counted: list[tuple[UserNamespace, int]] = []
        ns = namespace
        while True:
            key = kuid, kind
            if ns.counts.get(key, 0) >= limit(ns, kind):
                sweep()
                if ns.counts.get(key, 0) >= limit(ns, kind):
                    raise Errno(ENOSPC)
            ns.counts[key] = ns.counts.get(key, 0) + 1
            self._counted.append((ns, kuid))
            if ns.parent is None:
                return
            ns, kuid = ns.parent, ns.uid_of_owner

    def __del__(self) -> None:
        for ns, kuid in self._counted:
            key = kuid, self._kind
            ns.counts[key] -= 1
            if not ns.counts[key]:
                del ns.counts[key]


def limit(namespace: UserNamespace, kind: bytes) -> int:
    """The value of /proc/sys/user/max_KIND_namespaces there."""
    return namespace.limits.get(kind, NESTED_MAX if namespace.level else INITIAL_MAX)
