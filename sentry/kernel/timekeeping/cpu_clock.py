"""CPU-time clocks of processes and of threads (clock_getcpuclockid(3), pthread_getcpuclockid(3))."""

from __future__ import annotations

from errno import EINVAL

from sentry.abi.time import CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID
from sentry.errors import Errno
from sentry.kernel.usage import thread_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

_PER_THREAD = 4  # bits of a clock's number below the thread's, which is inverted
_KIND = 3
_NO_CPU_CLOCK = 3  # a kind that stands for descriptors of other clocks


class CpuClock:
    """What such a clock counts."""

    __slots__ = ("_last", "group", "task")

    def __init__(self, group: ThreadGroup, task: Task | None = None) -> None:
        """`task`: whose time it is; None: that of all the group's threads."""
        self.group = group
        self.task = task
        self._last = 0

    def now(self) -> int:
        """ns; once what it counts has ended, what was read last."""
        if self.task is None:
            return self.group.usage.cpu()
        if self.task.ctx is not None:
            self._last = max(self._last, thread_time(self.task))
        return self._last

    @property
    def ended(self) -> bool:
        return self.group.dead if self.task is None else self.task.ctx is None

    @property
    def speed(self) -> int:
        """How many ns it may count in one, at most."""
        if self.task is not None:
            return 1
        return max(1, min(len(self.group.tasks), self.group.kernel.cpus.bit_count()))

    def taker(self) -> Task | None:
        """Of the threads that run guest code now, the one with most CPU time since it was chosen last: whom
        Linux's tick would have met when a timer on the clock expires (None: none runs)."""
        running = [task for task in self.group.tasks if task.ctx is not None and task.ctx.running]
        if len(running) < 2:
            return running[0] if running else None
        used = [(thread_time(task), task) for task in running]
        now, chosen = max(used, key=lambda entry: entry[0] - entry[1].sampled)
        chosen.sampled = now
        return chosen


def is_cpu_clock(clock_id: int) -> bool:
    return clock_id < 0 or clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID)


def find(task: Task, clock_id: int, to_read: bool = False) -> CpuClock:
    """The clock with that number as `task` has it; EINVAL.

    Args:
        to_read: it is only read: then the caller's own thread may stand for its process.
    """
    if clock_id == CLOCK_PROCESS_CPUTIME_ID:
        return CpuClock(task.group)
    if clock_id == CLOCK_THREAD_CPUTIME_ID:
        return CpuClock(task.group, task)
    if clock_id >= 0 or clock_id & _KIND == _NO_CPU_CLOCK:
        raise Errno(EINVAL)
    pid = ~(clock_id >> 3)
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(EINVAL)
    if clock_id & _PER_THREAD:
        if other.group is not task.group:
            raise Errno(EINVAL)
        return CpuClock(other.group, other)
    if pid and other is not other.group.leader and not (to_read and other is task):
        raise Errno(EINVAL)
    return CpuClock(other.group)
