"""The clocks (clock_gettime(2)), and deadlines on them."""

from __future__ import annotations

import errno
import time

from sentry import _core
from sentry.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
)
from sentry.errors import Errno
from sentry.kernel.usage import thread_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

# The guest's clocks are the host's: its vDSO reads them without us.
_HOST = {
    CLOCK_REALTIME: time.CLOCK_REALTIME,
    CLOCK_MONOTONIC: time.CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_RAW: time.CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE: CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE: CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME: time.CLOCK_BOOTTIME,
    CLOCK_REALTIME_ALARM: time.CLOCK_REALTIME,
    CLOCK_BOOTTIME_ALARM: time.CLOCK_BOOTTIME,
    CLOCK_TAI: time.CLOCK_TAI,
}
_COARSE = (CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE)
_TICK = 4_000_000  # ns: what the coarse clocks' resolution is told to be
# What clock_nanosleep and timer_create can wait on, CPU-time clocks aside.
WAITABLE = (
    CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_TAI,
)  # fmt: skip


class Clock:
    """The time sources of a kernel, in ns; tests put a fake one in its place."""

    __slots__ = ()

    def monotonic(self) -> int:
        return _core.monotonic()

    def realtime(self) -> int:
        return _core.realtime()

    def read(self, clock_id: int) -> int:
        """A clock of _HOST."""
        return time.clock_gettime_ns(_HOST[clock_id])


def shift(task: Task, clock_id: int) -> int:
    """How far a clock of the task's time namespace is ahead of the machine's, in ns (time_namespaces(7))."""
    namespace = task.ns.time
    if clock_id in (CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE):
        return namespace.monotonic
    return namespace.boottime if clock_id in (CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM) else 0


def read(task: Task, clock_id: int) -> int:
    """clock_gettime(2) in ns; EINVAL for a clock that doesn't exist."""
    if clock_id in _HOST:
        return task.kernel.clock.read(clock_id) + shift(task, clock_id)
    group = cpu_clock_group(task, clock_id)
    if clock_id == CLOCK_THREAD_CPUTIME_ID:
        return thread_time(task)
    pid = ~(clock_id >> 3)
    if clock_id < 0 and clock_id & 4 and pid:
        other = task.find(pid)
        assert other is not None  # cpu_clock_group has found it
        return thread_time(other)
    return thread_time(task) if clock_id < 0 and clock_id & 4 else group.usage.cpu()


def resolution(task: Task, clock_id: int) -> int:
    """clock_getres(2) in ns; EINVAL."""
    if clock_id in _COARSE:
        return _TICK
    if clock_id not in _HOST:
        cpu_clock_group(task, clock_id)
    return 1


def cpu_clock_group(task: Task, clock_id: int) -> ThreadGroup:
    """The group whose CPU time the clock counts (clock_getcpuclockid(3), pthread_getcpuclockid(3));
    EINVAL.
    """
    if clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID):
        return task.group
    if clock_id >= 0 or clock_id & 3 == 3:
        raise Errno(errno.EINVAL)
    pid = ~(clock_id >> 3)
    if not pid:
        return task.group
    other = task.find(pid)
    if other is None or (clock_id & 4 and other.group is not task.group):
        raise Errno(errno.EINVAL)
    return other.group


def is_cpu_clock(clock_id: int) -> bool:
    return clock_id < 0 or clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID)


def absolute(task: Task, clock_id: int, when: int) -> int:
    """The CLOCK_MONOTONIC time of the machine at which the task's clock will show `when`."""
    return deadline(task.kernel.clock, clock_id, when - shift(task, clock_id))


def deadline(clock: Clock, clock_id: int, when: int) -> int:
    """The CLOCK_MONOTONIC time (ns) at which the waitable clock `clock_id` will show `when`."""
    if clock_id == CLOCK_MONOTONIC:
        return when
    return clock.monotonic() + (when - clock.read(clock_id))
