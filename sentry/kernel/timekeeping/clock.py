"""The clocks (clock_gettime(2)), and deadlines on them."""

from __future__ import annotations

import time

from sentry import _core
from sentry.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    NSEC,
)
from sentry.kernel.timekeeping import cpu_clock
from sentry.kernel.timekeeping.timers import WallTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

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
_CPU_CLOCK_KIND = 3  # the bits of a CPU-time clock's number that say how it counts
_CPU_CLOCK_SCHED = 2  # by what the scheduler measures, not by ticks
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
    return cpu_clock.find(task, clock_id, to_read=True).now()


def resolution(task: Task, clock_id: int) -> int:
    """clock_getres(2) in ns; EINVAL."""
    if clock_id in _COARSE:
        return _TICK
    if clock_id not in _HOST:
        cpu_clock.find(task, clock_id, to_read=True)
        return 1 if clock_id >= 0 or clock_id & _CPU_CLOCK_KIND == _CPU_CLOCK_SCHED else _TICK
    return 1


def absolute(task: Task, clock_id: int, when: int) -> int:
    """The deadline at which the task's clock will show `when`."""
    return deadline(task.kernel.clock, clock_id, when - shift(task, clock_id))


def deadline(clock: Clock, clock_id: int, when: int) -> int:
    """The deadline at which the waitable clock `clock_id` will show `when`: CLOCK_MONOTONIC ns, or a WallTime
    of clocks that are set together with CLOCK_REALTIME."""
    if clock_id == CLOCK_MONOTONIC:
        return when
    if clock_id in (CLOCK_REALTIME, CLOCK_REALTIME_ALARM):
        return WallTime(when)
    if clock_id == CLOCK_TAI:  # whole seconds ahead
        ahead = (clock.read(CLOCK_TAI) - clock.realtime() + NSEC // 2) // NSEC * NSEC
        return WallTime(when - ahead)
    return clock.monotonic() + (when - clock.read(clock_id))


def left(clock: Clock, deadline: int) -> int:
    """The ns until a deadline."""
    return deadline - (clock.realtime() if isinstance(deadline, WallTime) else clock.monotonic())


def for_relative(clock_id: int) -> int:
    """The clock on which a time relative to now on `clock_id` is waited for."""
    # clock_nanosleep(2), timer_settime(2): setting the clock has no effect on it.
    return CLOCK_MONOTONIC if clock_id == CLOCK_REALTIME else clock_id
