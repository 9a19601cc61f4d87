"""CPU time, memory and faults of a thread group (getrusage(2), times(2)).

The host counts them: per stub process, that is per address space, and per thread.  What is called system time
is what the host itself needed to run the guest's code: faults, mappings, the hand-over of calls; the work
that the sentry does for a call is nobody's.
"""

from __future__ import annotations

from time import clock_gettime_ns

from sentry.abi.resource import RUSAGE
from sentry.abi.time import NSEC, NSEC_PER_TICK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.host_proc import HostProc, Snapshot
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace

_CPUCLOCK_SCHED = 2
_SLICE = 1_000_000  # ns: what the host lets a thread run at the least, as a rule
_ASKED_MAX = 64  # of how many threads the host is asked for one answer
Io = tuple[int, int, int, int]  # bytes read and written, calls that read and that wrote (proc_pid_io(5))


def host_cpu_time(host_pid: int) -> int:
    """CPU time in ns of a host process; 0 once it is gone."""
    try:
        return clock_gettime_ns(~host_pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0


def thread_time(task: Task) -> int:
    """CPU time in ns of one thread: its process's where the host does not tell."""
    usage = task.group.usage
    if task.ctx is not None:
        times = task.kernel.host_proc.thread_times(usage.host_pid, task.ctx.host_tid)
        if times is not None:
            return times[0]
    return usage.cpu()


def last_cpu(task: Task) -> int:
    """The CPU that a thread ran on last; where the host does not tell, one that it may run on."""
    mask = task.sched.affinity or task.kernel.cpus
    if task.ctx is not None:
        seen = task.kernel.host_proc.thread(task.group.usage.host_pid, task.ctx.host_tid)
        if seen is not None and mask >> seen.cpu & 1:
            return seen.cpu
    return (mask & -mask).bit_length() - 1


def thread_total(task: Task) -> Total:
    """What one thread has used (RUSAGE_THREAD)."""
    usage, cpu = task.group.usage, thread_time(task)
    seen = task.kernel.host_proc.thread(usage.host_pid, task.ctx.host_tid)
    total = Total(cpu, _system_share(cpu, seen))
    if seen is not None:
        total.minor_faults, total.major_faults = seen.minor_faults, seen.major_faults
        total.maxrss = seen.resident
    total.waits, total.preempted = task.waits, preempted(task)
    return total


def _system_share(cpu: int, seen: Snapshot | None) -> int:
    """How much of `cpu` ns is system time: the host counts the kinds of time in ticks only."""
    if seen is None or not seen.system:
        return 0
    return cpu * seen.system // (seen.user + seen.system)


# What the host counted for its threads when one of ours ended, by their number: they are used again.
_counted: dict[int, int] = {}
_COUNTED_MAX = 1024


def _host_count(task: Task) -> int:
    told = task.kernel.host_proc.status(task.group.usage.host_pid, task.ctx.host_tid)
    return told.get(b"nonvoluntary_ctxt_switches", 0)


def preempted(task: Task) -> int:
    """How often the host took the CPU from a thread."""
    if task.ctx is None:
        return task.preempted
    return task.preempted + max(0, _host_count(task) - _counted.get(task.ctx.host_tid, 0))


def _settle(task: Task) -> None:
    """The thread is about to leave its host's, which goes on counting."""
    if task.ctx is None:
        return
    tid, count = task.ctx.host_tid, _host_count(task)
    task.preempted += max(0, count - _counted.pop(tid, 0))
    _counted[tid] = count
    if len(_counted) > _COUNTED_MAX:
        del _counted[next(iter(_counted))]


def thread_io(task: Task) -> Io:
    return task.rchar, task.wchar, task.syscr, task.syscw


def _sum(one: Io, other: Io) -> Io:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


class Total:
    """What something has used."""

    __slots__ = ("cpu", "major_faults", "maxrss", "minor_faults", "preempted", "system", "waits")

    def __init__(self, cpu: int = 0, system: int = 0) -> None:
        self.cpu = cpu  # ns, system time included
        self.system = system  # ns
        self.maxrss = 0  # KiB
        self.minor_faults = self.major_faults = 0
        self.waits = self.preempted = 0  # voluntary and other context switches

    def add(self, other: Total) -> None:
        """Add a child's use."""
        self.cpu += other.cpu
        self.system += other.system
        self.maxrss = max(self.maxrss, other.maxrss)
        self.minor_faults += other.minor_faults
        self.major_faults += other.major_faults
        self.waits += other.waits
        self.preempted += other.preempted

    def ticks(self) -> tuple[int, int]:
        """User and system time in clock ticks (sysconf(_SC_CLK_TCK))."""
        return (self.cpu - self.system) // NSEC_PER_TICK, self.system // NSEC_PER_TICK

    def pack(self) -> bytes:
        """struct rusage.  No block is ever read or written: files are on no disk of this machine's."""
        user, system = divmod(self.cpu - self.system, NSEC), divmod(self.system, NSEC)
        times = user[0], user[1] // 1000, system[0], system[1] // 1000
        faults = self.minor_faults, self.major_faults
        return RUSAGE.pack(*times, self.maxrss, 0, 0, 0, *faults, *(0,) * 6, self.waits, self.preempted)


class Usage:
    """What a group has used, and what its dead and waited-for children had."""

    __slots__ = ("_host", "_host_pid", "_io", "_offset", "_past", "_shared", "_switches", "children")

    def __init__(self, host: HostProc) -> None:
        self._host = host
        self._host_pid = 0
        self._shared = False
        self._offset = 0  # CPU time that the host process had used before it was ours
        self._past = Total()  # in address spaces that are left
        self._io = (0, 0, 0, 0)  # of ended threads, and of children that were waited for
        self._switches = (0, 0)  # of ended threads: voluntary and other context switches
        self.children = Total()

    def enter(self, host_pid: int, shared: bool = False) -> None:
        """The group's threads now run in the host process `host_pid` (fork, execve), which is another
        group's if `shared` (vfork)."""
        self.leave()
        self._host_pid = host_pid
        self._shared = shared
        self._offset = host_cpu_time(host_pid)
        if not shared:
            _counted.pop(host_pid, None)  # another process' number before

    def leave(self, last: Task | None = None) -> None:
        """Take the last reading: the host process is about to end, or isn't ours any more.  `last` is the
        only thread."""
        if self._host_pid:
            if last is not None and self._may_have_been_preempted(last):
                _settle(last)
            self._past = self.total()
            self._host_pid = 0

    @property
    def host_pid(self) -> int:
        return self._host_pid

    def note_size(self, mm: AddressSpace) -> None:
        """Where the host does not tell, take the size of the address space as the most that was resident."""
        if not self._host:
            self._past.maxrss = max(self._past.maxrss, mm.areas.total >> 10)

    def cpu(self) -> int:
        """CPU time used so far, in ns; never goes back."""
        if not self._host_pid:
            return self._past.cpu
        return self._past.cpu + max(0, host_cpu_time(self._host_pid) - self._offset)

    def _may_have_been_preempted(self, task: Task) -> bool:
        """Whether to ask the host, which a thread that can't have used up its first slice is spared."""
        return self.cpu() - max(self._past.cpu, task.cpu_before) > _SLICE

    def total(self, threads: list[Task] | None = None) -> Total:
        """All that was used so far, children not included; switches: of ended threads and of `threads`."""
        past, seen = self._past, self._host.process(self._host_pid)
        cpu = self.cpu()
        total = Total(cpu, past.system + _system_share(cpu - past.cpu, seen))
        total.add(past)
        total.cpu, total.system = cpu, total.system - past.system
        if seen is not None:
            total.maxrss = max(total.maxrss, seen.resident)
            if not self._shared:
                total.minor_faults += seen.minor_faults
                total.major_faults += seen.major_faults
        total.waits, total.preempted = self._switches
        for index, task in enumerate(threads or ()):
            total.waits += task.waits
            total.preempted += preempted(task) if index < _ASKED_MAX else task.preempted
        return total

    def ticks(self) -> tuple[int, int]:
        """User and system time in clock ticks."""
        return self.total().ticks()

    def add_child(self, child: Usage) -> None:
        """A child has been waited for."""
        self.children.add(child.total())
        self.children.add(child.children)
        self._io = _sum(self._io, child._io)

    def end_thread(self, task: Task) -> None:
        """Keep the counts of a thread that ends; of the last one after `leave`."""
        if self._host_pid and self._may_have_been_preempted(task):
            _settle(task)
        self._switches = self._switches[0] + task.waits, self._switches[1] + task.preempted
        self._io = _sum(self._io, thread_io(task))

    def io(self, threads: list[Task]) -> Io:
        """What its calls have read and written; `threads` are those that live."""
        total = self._io
        for task in threads:
            total = _sum(total, thread_io(task))
        return total
