"""Credentials (credentials(7), capabilities(7)).  A Creds object never changes once a task has it: it is
replaced.
"""

from __future__ import annotations

from sentry import _core
from sentry.abi.capability import (
    ALL_CAPS,
    CAP_SYS_ADMIN,
    FILE_CAPS,
    SECBIT_KEEP_CAPS,
    SECBIT_NO_SETUID_FIXUP,
)
from sentry.kernel.namespaces import user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentry.config import Config
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.vfs.idmap import IdMap
    from sentry.vfs.inode import Inode
    from sentry.vfs.landlock import Domain


GROUPS_MAX = 1 << 22  # entries of all lists that setgroups(2) made


class Privilege:
    """Whether a process has used any capability, whatever its credentials were then (acct(5), ASU)."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = False


class Groups(tuple[int, ...]):
    """Supplementary groups of a process that has chosen them."""

    __slots__ = ()

    entries = 0  # of all these lists

    def __new__(cls, groups: Iterable[int]) -> Groups:
        new = super().__new__(cls, groups)
        Groups.entries += len(new)
        return new

    def __del__(self) -> None:
        Groups.entries -= len(self)


class Creds(_core.CredsBase):
    """Ids, supplementary groups and capability sets of a task; capability sets are ints, bit n for
    capability n.
    """

    user_ns: UserNamespace
    idmap: IdMap | None = None  # set: for files of a mount with this mapping alone (vfs.idmap)

    def __init__(self, uid: int = 0, gid: int = 0, groups: Iterable[int] = ()) -> None:
        super().__init__()
        self.uid = self.euid = self.suid = self.fsuid = uid
        self.gid = self.egid = self.sgid = self.fsgid = gid
        self.groups: tuple[int, ...] = tuple(groups)
        self.permitted = self.effective = ALL_CAPS if uid == 0 else 0
        self.inheritable = 0
        self.bounding = ALL_CAPS
        self.ambient = 0
        self.securebits = 0
        self.no_new_privs = False
        self.user_ns = user_namespace.INITIAL
        self.landlock: Domain = ()
        self.privilege = Privilege()

    def copy(self) -> Creds:
        """A Creds to change before it is given to a task."""
        new = Creds.__new__(Creds)
        _core.CredsBase.__init__(new)
        for name in _COPIED:
            setattr(new, name, getattr(self, name))
        return new

    def of_child(self) -> Creds:
        """The same for a new process, which has not used any capability."""
        if not self.effective and not self.privilege.used:
            return self
        new = self.copy()
        new.privilege = Privilege()
        return new

    def has_cap(self, capability: int, ns: UserNamespace | None = None) -> bool:
        """Whether `capability` is effective in the user namespace `ns`: that which owns what is to be used
        (None: the initial one; user_namespaces(7)).
        """
        if ns is None or ns is self.user_ns:
            held = bool(self.effective >> capability & 1) and (ns is not None or not self.user_ns.level)
        else:
            held = user_namespace.has_capability(self, capability, ns)
        if held:
            self.privilege.used = True
        return held

    def in_group(self, gid: int) -> bool:
        """Whether gid is the file-system group or a supplementary one (path_resolution(7))."""
        return gid == self.fsgid or gid in self.groups

    def in_user_namespace(self, ns: UserNamespace) -> Creds:
        """The same ids in another user namespace: with every capability there (user_namespaces(7))."""
        new = self.copy()
        new.user_ns = ns
        new.securebits = 0
        new.inheritable = new.ambient = 0
        new.permitted = new.effective = new.bounding = ALL_CAPS
        return new

    def uids_changed(self, old: Creds) -> None:
        """Adjust the capabilities for a change of user ids since `old` (capabilities(7), "Effect of user ID
        changes").
        """
        if self.securebits & SECBIT_NO_SETUID_FIXUP:
            return
        root = self.user_ns.kuid(0)
        had_root = root in (old.uid, old.euid, old.suid)
        if had_root and root not in (self.uid, self.euid, self.suid):
            if not self.securebits & SECBIT_KEEP_CAPS:
                self.permitted = self.effective = 0
            self.ambient = 0
        if old.euid == root and self.euid != root:
            self.effective = 0
        elif old.euid != root and self.euid == root:
            self.effective = self.permitted

    def fsuid_changed(self, old: Creds) -> None:
        """The same for setfsuid(2), which touches the file capabilities alone."""
        if self.securebits & SECBIT_NO_SETUID_FIXUP:
            return
        root = self.user_ns.kuid(0)
        if old.fsuid == root and self.fsuid != root:
            self.effective &= ~FILE_CAPS
        elif old.fsuid != root and self.fsuid == root:
            self.effective |= FILE_CAPS & self.permitted

    def has_cap_over(self, capability: int, inode: Inode) -> bool:
        """Whether `capability` is effective for a file: its owner and group must mean something in the user
        namespace (user_namespaces(7)).
        """
        ns = self.user_ns
        if not self.effective >> capability & 1:
            return False
        every = not ns.level and self.idmap is None
        held = every or (ns.uid(inode.uid) >= 0 and ns.gid(inode.gid) >= 0)
        if held:
            self.privilege.used = True
        return held

    def may_signal(self, target: Creds) -> bool:
        """Whether a task with these ids may send signals to one with `target`'s (kill(2)), capabilities
        aside.
        """
        return self.euid in (target.uid, target.suid) or self.uid in (target.uid, target.suid)

    def is_admin(self) -> bool:
        return self.has_cap(CAP_SYS_ADMIN)


_COPIED = (
    "uid", "euid", "suid", "fsuid", "gid", "egid", "sgid", "fsgid", "groups", "permitted", "effective",
    "inheritable", "bounding", "ambient", "securebits", "no_new_privs", "user_ns", "landlock", "restricted",
    "privilege",
)  # fmt: skip


def from_config(config: Config) -> Creds:
    """The first process's credentials."""
    creds = Creds(config.uid, config.gid, config.groups)
    creds.no_new_privs = config.no_new_privs
    bounding, effective, inheritable, permitted, ambient = (bits & ALL_CAPS for bits in config.capabilities)
    creds.bounding = bounding
    creds.permitted = permitted
    creds.effective = effective & permitted
    creds.inheritable = inheritable
    creds.ambient = ambient & permitted & inheritable
    return creds
