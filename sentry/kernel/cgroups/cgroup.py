"""Control groups, version 2 (cgroups(7)): the tree, who is in which group, and what a group may use.

What must hold: a process is in one group, `ThreadGroup.cgroup`, and that is the only record of it: a group's
members are found by looking at all processes.  Resource values are kept in `values` by the name of their
file, None: the default ("max" for limits).  Who enforces them: `charge_fork` here (pids.max),
kernel.cgroups.freezer (cgroup.freeze), kernel.cgroups.cpu_quota (cpu.max), kernel.cgroups.oom (memory.max).
"""

from __future__ import annotations

from _weakref import ref
from errno import EAGAIN, EBUSY, EEXIST, ENOENT

from sentry._core import WaitQueue
from sentry.abi.fcntl import POLLERR, POLLPRI
from sentry.abi.signal import SIGKILL
from sentry.errors import Errno
from sentry.kernel.cgroups import cpuset, freezer
from sentry.kernel.namespaces.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from sentry.kernel.cgroups.cpu_quota import CpuQuota
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

    class Watcher(Protocol):
        """Whom Events tell."""

        def changed(self) -> None: ...


CONTROLLERS = (b"cpuset", b"cpu", b"io", b"memory", b"pids")
GROUPS_MAX = 4096  # in one sandbox
MAX = 2**63 - 1  # "max"
_CHANGED = POLLERR | POLLPRI


class Events:
    """What happens to one file of a group that tells of events, for those who wait for it.

    `serial` counts the changes.
    """

    __slots__ = ("_watchers", "queue", "serial", "state")

    def __init__(self, state: tuple[bool, bool]) -> None:
        self.queue = WaitQueue()
        self.serial = 1
        self.state = state  # cgroup.events: populated and frozen, as they were last
        self._watchers: set[ref[Watcher]] = set()

    def watch(self, watcher: Watcher) -> None:
        """Tell it of each change, as long as it lives."""
        self._watchers.add(ref(watcher, self._watchers.discard))

    def happened(self) -> None:
        self.serial += 1
        self.queue.wake(_CHANGED)
        for known in list(self._watchers):
            watcher = known()
            if watcher is not None:
                watcher.changed()


class Cgroup:
    """One control group."""

    __slots__ = (
        "children", "controls", "counts", "creator", "events", "frozen", "gid", "hides_pressure", "kernel",
        "max_depth", "max_descendants", "mode", "name", "number", "parent", "peaks", "quota", "removed",
        "spent", "throttle", "uid", "values",
    )  # fmt: skip

    last_number = 0

    def __init__(self, kernel: Kernel, name: bytes, parent: Cgroup | None) -> None:
        self.kernel = kernel
        self.name = name
        self.parent = parent
        self.children: dict[bytes, Cgroup] = {}
        self.removed = False
        Cgroup.last_number += 1
        self.number = Cgroup.last_number
        self.mode = 0o755  # of its directory, and who owns that
        self.uid = self.gid = 0
        self.creator = 0, 0  # uid and gid: whose its files are at first
        self.controls: set[bytes] = set()  # cgroup.subtree_control
        self.max_depth = self.max_descendants = MAX
        self.hides_pressure = False
        self.frozen = False  # as cgroup.freeze was written
        self.values: dict[bytes, int] = {}
        self.peaks: dict[bytes, int] = {}
        self.counts: dict[bytes, int] = {}  # events: b"pids.max", b"memory.oom_kill", ...
        self.events: dict[bytes, Events] = {}  # by the name of a file that somebody has looked at
        self.spent = 0  # CPU time in ns of processes that are gone
        self.quota: CpuQuota | None = None  # cpu.max
        self.throttle = (0, 0, 0)  # cpu.stat: periods, periods with a stop, ns stopped

    # The tree

    @property
    def id(self) -> int:
        """The inode number of its directory: what follows it are the numbers of the files in it."""
        return self.number << 8

    def path(self, top: Cgroup | None = None) -> bytes:
        """Its name as /proc/PID/cgroup tells it to who sees `top` as the root."""
        return relative(top, self) if top is not None else b"/" + b"/".join(self._names())

    def _names(self) -> list[bytes]:
        return [group.name for group in self.lineage()][-2::-1]

    def lineage(self) -> list[Cgroup]:
        """It and all above it, the root last."""
        found, group = [], self
        while True:
            found.append(group)
            if group.parent is None:
                return found
            group = group.parent

    def subtree(self) -> list[Cgroup]:
        """It and all below it."""
        found = [self]
        for group in found:
            found += group.children.values()
        return found

    def make(self, name: bytes) -> Cgroup:
        """mkdir(2): EAGAIN where a limit on descendants or depth is reached."""
        for depth, group in enumerate(self.lineage(), 1):
            if depth > group.max_depth or len(group.subtree()) > group.max_descendants:
                raise Errno(EAGAIN)
        if self.removed:
            raise Errno(ENOENT)
        if name in self.children:
            raise Errno(EEXIST)
        if len(self.lineage()[-1].subtree()) >= GROUPS_MAX:
            raise Errno(EAGAIN)
        child = self.children[name] = Cgroup(self.kernel, name, self)
        return child

    def remove(self, name: bytes) -> None:
        """rmdir(2): ENOENT, EBUSY while there are processes or groups in it."""
        child = self.children.get(name)
        if child is None:
            raise Errno(ENOENT)
        if child.children or child.is_populated():
            raise Errno(EBUSY)
        child.removed = True
        if child.quota is not None:
            child.quota.cancel()
        self.spent += child.spent
        del self.children[name]

    # Members

    def members(self) -> list[ThreadGroup]:
        """Its processes, zombies included."""
        return [group for group in self.kernel.groups.values() if group.cgroup is self]

    def below(self) -> list[ThreadGroup]:
        """The processes in it and in the groups below."""
        if self.parent is None:
            return list(self.kernel.groups.values())
        inside = set(self.subtree())
        return [group for group in self.kernel.groups.values() if group.cgroup in inside]

    def is_populated(self) -> bool:
        return any(not group.dead for group in self.below())

    def tasks(self) -> int:
        """pids.current: threads, and processes that nobody has waited for yet."""
        if self.parent is None:
            return len(self.kernel.tasks)
        inside = set(self.subtree())
        return sum(task.group.cgroup in inside for task in self.kernel.tasks.values())

    # Controllers

    def available(self) -> set[bytes]:
        """cgroup.controllers: what the parent has enabled for it."""
        return set(CONTROLLERS) if self.parent is None else self.parent.controls

    def enable(self, wanted: set[bytes], unwanted: set[bytes]) -> None:
        """Write cgroup.subtree_control: ENOENT, EBUSY (in use below, or there are processes here)."""
        if wanted - self.available():
            raise Errno(ENOENT)
        if any(unwanted & child.controls for child in self.children.values()):
            raise Errno(EBUSY)
        if wanted - self.controls and self.parent is not None and self.members():
            raise Errno(EBUSY)
        self.controls = self.controls - unwanted | wanted

    def limit(self, name: bytes) -> int:
        """A limit by its file's name; MAX: none."""
        return self.values.get(name, MAX)

    def count(self, event: bytes) -> None:
        """One more event of a controller: `event` is its name and the event's."""
        self.counts[event] = self.counts.get(event, 0) + 1
        controller = event.partition(b".")[0]
        for group in self.lineage():
            for name in (b".events", b".events.local") if group is self else (b".events",):
                known = group.events.get(controller + name)
                if known is not None:
                    known.happened()

    # Who is in it, and whether they run: cgroup.events

    def state(self) -> tuple[bool, bool]:
        """Whether there are processes in it or below; whether all of them are frozen."""
        return self.is_populated(), self.is_frozen() and self.has_settled()

    def changed(self) -> None:
        """Processes came, went, or were frozen: tell those who wait for that, here and above."""
        for group in self.lineage():
            known = group.events.get(b"cgroup.events")
            if known is not None:
                state = group.state()
                if state != known.state:
                    known.state = state
                    known.happened()

    def cpu(self) -> int:
        """CPU time in ns of all that ran in it or below."""
        return sum(group.spent for group in self.subtree()) + sum(
            max(0, group.usage.cpu() - group.cgroup_base) for group in self.below()
        )

    # Freezing

    def is_frozen(self) -> bool:
        """Whether it or a group above is to be frozen."""
        return any(group.frozen for group in self.lineage())

    def freeze(self, on: bool) -> None:
        """Write cgroup.freeze."""
        self.frozen = on
        for process in self.below():
            freezer.set_hold(process, freezer.FROZEN, process.cgroup.is_frozen())
        for group in self.subtree():
            group.changed()

    def has_settled(self) -> bool:
        """Whether everything that is to be frozen is: `frozen` in cgroup.events."""
        return all(freezer.is_parked(task) for group in self.below() for task in group.tasks)

    def kill(self) -> None:
        """Write cgroup.kill."""
        for group in self.below():
            if not group.dead:
                group.begin_exit(SIGKILL)


class Cgroups:
    """The hierarchy of a sandbox; its root is what the bundle's limits are on."""

    __slots__ = ("root",)

    def __init__(self, kernel: Kernel) -> None:
        self.root = Cgroup(kernel, b"", None)


def relative(top: Cgroup, group: Cgroup) -> bytes:
    """The path from `top`, with a /.. for each step up that it takes (cgroup_namespaces(7))."""
    above = group.lineage()
    for ups, common in enumerate(top.lineage()):
        if common in above:
            down = [each.name for each in reversed(above[: above.index(common)])]
            return b"".join([b"/.."] * ups + [b"/" + name for name in down]) or b"/"
    return b"/"


def move(group: ThreadGroup, into: Cgroup) -> None:
    """Make a process a member of another group: EBUSY, ENOENT (it was removed)."""
    check_entry(into)
    old = group.cgroup
    if old is into:
        return
    used = group.usage.cpu()
    old.spent += max(0, used - group.cgroup_base)
    group.cgroup, group.cgroup_base = into, used
    freezer.set_hold(group, freezer.FROZEN, into.is_frozen())
    freezer.set_hold(group, freezer.THROTTLED, False)
    freezer.set_hold(group, freezer.RECLAIMING, False)
    for task in group.tasks:
        cpuset.refit(task)
    old.changed()
    into.changed()


def check_entry(into: Cgroup) -> None:
    """Whether processes may be put into a group: one that has controllers enabled for others has none."""
    if into.removed:
        raise Errno(ENOENT)
    if into.parent is not None and into.controls:
        raise Errno(EBUSY)


def charge_fork(into: Cgroup) -> None:
    """EAGAIN when one more task would pass a pids.max (cgroups(7))."""
    for group in into.lineage():
        if b"pids.max" in group.values and group.tasks() >= group.values[b"pids.max"]:
            group.count(b"pids.max")
            raise Errno(EAGAIN)


def leave(group: ThreadGroup) -> None:
    """A process is forgotten: what it used stays with its group."""
    group.cgroup.spent += max(0, group.usage.cpu() - group.cgroup_base)


class CgroupNamespace(Namespace):
    """What a task sees as the root of the hierarchy (cgroup_namespaces(7))."""

    def __init__(self, root: Cgroup, owner: UserNamespace | None, initial: bool = False) -> None:
        super().__init__(b"cgroup", owner, initial)
        self.root = root


def namespace_root(task: Task) -> Cgroup:
    """The group that the task sees as the root."""
    namespace = task.ns.cgroup
    return namespace.root if isinstance(namespace, CgroupNamespace) else task.kernel.cgroups.root
