"""User namespaces (user_namespaces(7)).

Ids in credentials, inodes and messages are always those of the initial user namespace (Linux's kuid_t); they
are translated where a call takes or gives them.
"""

from __future__ import annotations

from sentry import _core
from sentry.kernel.namespaces.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.keys.key import Keyring

OVERFLOW_ID = 65534  # what an id without a mapping is shown as
NESTING_MAX = 32

Section = tuple[int, int, int]  # first id inside, first id in the initial namespace, how many


class UserNamespace(_core.UserNamespaceBase, Namespace):
    """One user namespace; `uid` and `gid` made it (in the initial namespace's numbers).

    Translation, by the C half: `kuid(id)` what an id used inside means, -1: nothing; `uid(kuid)` the id
    inside, -1: none; `show_uid(kuid)` the same, OVERFLOW_ID for none.  Likewise kgid, gid, show_gid.
    """

    def __init__(self, parent: UserNamespace | None, uid: int = 0, gid: int = 0) -> None:
        _core.UserNamespaceBase.__init__(self, parent is None)
        Namespace.__init__(self, b"user", parent, initial=parent is None)
        self.parent = parent
        self.level: int = parent.level + 1 if parent is not None else 0
        self.uid_of_owner = uid
        self.gid_of_owner = gid
        # /proc/PID/uid_map and the like: (first inside, first in the parent, how many); None: not written yet
        whole: list[Section] | None = [(0, 0, 0xFFFFFFFF)] if parent is None else None
        self.uid_map = self.gid_map = self.projid_map = whole
        self.limits: dict[bytes, int] = {}  # /proc/sys/user/max_*_namespaces, by kind
        self.counts: dict[tuple[int, bytes], int] = {}  # what counts, by user and kind
        self.keyrings: dict[tuple[bytes, int], Keyring] = {}  # of its users, by prefix of the name and user
        self.parent_could_setfcap = False  # its maker had CAP_SETFCAP
        self.setgroups_allowed: bool = parent.setgroups_allowed if parent is not None else True

    def is_within(self, other: UserNamespace) -> bool:
        """Whether it is `other` or one of its descendants."""
        ns: UserNamespace | None = self
        while ns is not None and ns.level > other.level:
            ns = ns.parent
        return ns is other


INITIAL = UserNamespace(None)


def has_capability(creds: Creds, capability: int, ns: UserNamespace) -> bool:
    """Whether `creds` has the capability in `ns` (user_namespaces(7), "Capabilities")."""
    mine = creds.user_ns
    target: UserNamespace | None = ns
    while target is not None:
        if target is mine:
            return bool(creds.effective >> capability & 1)
        if target.level <= mine.level:
            return False
        if target.parent is mine and target.uid_of_owner == creds.euid:
            return True
        target = target.parent
    return False
