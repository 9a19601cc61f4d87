"""Namespaces (namespaces(7)), and the set of them that a task is in.

What must hold: a Namespaces object never changes once a task has it: it is replaced.  The user namespace is
not in it but in the task's credentials, its PID namespace in its thread group.
"""

from __future__ import annotations

from sentry.abi.clone import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)
from sentry.abi.netlink import IFF_UP
from sentry.kernel.interfaces import Interface
from sentry.kernel.namespaces.namespace_limits import Charge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.vfs.mounts.mount_namespace import MountNamespace

# The inode numbers of Linux's initial namespaces in nsfs.
INITIAL_INUMS = {
    b"mnt": 0xEFFFFFF8,
    b"net": 0xEFFFFFF9,
    b"time": 0xEFFFFFFA,
    b"cgroup": 0xEFFFFFFB,
    b"pid": 0xEFFFFFFC,
    b"user": 0xEFFFFFFD,
    b"uts": 0xEFFFFFFE,
    b"ipc": 0xEFFFFFFF,
}
_FIRST_INUM = 0xF0000000  # of those that are made later
FLAGS = {
    b"mnt": CLONE_NEWNS,
    b"net": CLONE_NEWNET,
    b"time": CLONE_NEWTIME,
    b"cgroup": CLONE_NEWCGROUP,
    b"pid": CLONE_NEWPID,
    b"user": CLONE_NEWUSER,
    b"uts": CLONE_NEWUTS,
    b"ipc": CLONE_NEWIPC,
}


class Namespace:
    """One namespace of any kind: `kind` as in /proc/PID/ns, `inum` its inode number there, `owner` the user
    namespace that it belongs to (None: the initial user namespace, which has no parent)."""

    inum_last = _FIRST_INUM - 1

    def __init__(self, kind: bytes, owner: UserNamespace | None, initial: bool = False) -> None:
        self.kind = kind
        self.owner = owner
        self.charge: Charge | None = None  # it counts for a user
        if initial:
            self.inum = INITIAL_INUMS[kind]
        else:
            Namespace.inum_last += 1
            self.inum = Namespace.inum_last

    def charge_to(self, kuid: int) -> None:
        """Count it for the user who made it; ENOSPC when that has too many (/proc/sys/user)."""
        assert self.owner is not None
        self.charge = Charge(self.owner, kuid, self.kind)

    @property
    def flag(self) -> int:
        """The CLONE_NEW* flag of its kind."""
        return FLAGS[self.kind]


class UtsNamespace(Namespace):
    """Host and domain name (uts_namespaces(7))."""

    def __init__(
        self, hostname: bytes, domainname: bytes, owner: UserNamespace, initial: bool = False
    ) -> None:
        super().__init__(b"uts", owner, initial)
        self.hostname = hostname
        self.domainname = domainname

    def copy(self, owner: UserNamespace) -> UtsNamespace:
        """What CLONE_NEWUTS gives."""
        return UtsNamespace(self.hostname, self.domainname, owner)


class NetNamespace(Namespace):
    """Interfaces, and the names that sockets have (network_namespaces(7)).

    `names`: the abstract addresses of UNIX sockets, by type and name; `unix`: weakly, all that are open, by
    inode number; `ports`: the netlink sockets, by protocol and port id.  They are sentry.socket's to keep.
    """

    def __init__(self, owner: UserNamespace | None, initial: bool = False) -> None:
        super().__init__(b"net", owner, initial)
        self.loopback = Interface()
        self.names: dict[tuple[int, bytes], Any] = {}
        self.unix: dict[int, Any] = {}
        self.ports: dict[tuple[int, int], Any] = {}
        if initial:
            self.loopback.set_flags(IFF_UP)


class TimeNamespace(Namespace):
    """Offsets of clocks (time_namespaces(7)), in ns; they are fixed once a task is in it."""

    def __init__(self, owner: UserNamespace, initial: bool = False) -> None:
        super().__init__(b"time", owner, initial)
        self.monotonic = 0
        self.boottime = 0
        self.fixed = initial

    @property
    def shifted(self) -> bool:
        return bool(self.monotonic or self.boottime)

    def copy(self, owner: UserNamespace) -> TimeNamespace:
        """What CLONE_NEWTIME gives."""
        new = TimeNamespace(owner)
        new.monotonic, new.boottime = self.monotonic, self.boottime
        return new


def enter_time(ns: Namespaces) -> Namespaces:
    """The set of a process that starts in the time namespace for children, whose offsets that fixes."""
    new = ns.copy()
    new.time = new.time_for_children
    new.time.fixed = True
    return new


class Namespaces:
    """The namespaces of a task (Linux's nsproxy); `*_for_children` are those that its children get."""

    __slots__ = ("cgroup", "ipc", "mnt", "net", "pid_for_children", "time", "time_for_children", "uts")

    def __init__(self, owner: UserNamespace, pid: PidNamespace, mnt: MountNamespace) -> None:
        """The initial ones of a sandbox."""
        from sentry.ipc import namespace  # a cycle at module level

        self.uts = UtsNamespace(b"runsc", b"(none)", owner, initial=True)
        self.ipc = namespace.INITIAL
        self.mnt = mnt
        self.net = NetNamespace(owner, initial=True)
        self.cgroup = Namespace(b"cgroup", owner, initial=True)
        self.time = self.time_for_children = TimeNamespace(owner, initial=True)
        self.pid_for_children = pid

    def copy(self) -> Namespaces:
        """A set to change before it is given to a task."""
        new = Namespaces.__new__(Namespaces)
        for name in Namespaces.__slots__:
            setattr(new, name, getattr(self, name))
        return new
