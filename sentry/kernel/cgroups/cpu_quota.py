"""cpu.max: a control group gets so much CPU time in each period, and is held once it has used it up.

The host counts the time; a timer looks at it when it could be used up at the earliest.  What was used beyond
the quota before the hold took effect is owed in the next period.
"""

from __future__ import annotations

from sentry.kernel.cgroups import freezer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.timekeeping.timers import Timer

QUOTA_MIN, PERIOD_MIN, PERIOD_MAX = 1_000, 1_000, 1_000_000  # us
PERIOD = 100_000  # us, when none is given
_LOOK_MIN = 1_000_000  # ns between two looks at the clocks
_USEC = 1_000


class CpuQuota:
    """The limit of one group, while it has one."""

    __slots__ = ("_ends", "_group", "_held_since", "_left", "_seen", "_timer", "period", "quota")

    def __init__(self, group: Cgroup, quota: int, period: int) -> None:
        """`quota` of each `period`, in us."""
        self.quota = quota
        self.period = period
        self._group = group
        self._left = quota * _USEC
        self._seen = group.cpu()
        self._held_since = 0
        self._ends = group.kernel.clock.monotonic() + period * _USEC
        self._timer: Timer | None = None
        self._look()

    def _look(self) -> None:
        group, now = self._group, self._group.kernel.clock.monotonic()
        used = group.cpu()
        self._left -= used - self._seen
        idle, self._seen = used == self._seen, used
        quota = self.quota * _USEC
        if now >= self._ends:
            passed = 1 + (now - self._ends) // (self.period * _USEC)
            self._ends += passed * self.period * _USEC
            self._left = min(quota, self._left + passed * quota)
            periods, stops, stopped = group.throttle
            group.throttle = periods + (not idle), stops, stopped
        if self._left > 0:
            self._hold(False, now)
            threads = sum(len(process.tasks) for process in group.below()) or 1
            wait = max(_LOOK_MIN, self._left // min(threads, group.kernel.cpus.bit_count()))
        else:
            self._hold(True, now)
            wait = self.period * _USEC
        self._timer = group.kernel.timers.at(min(now + wait, self._ends), self._look)

    def _hold(self, on: bool, now: int) -> None:
        if on:  # again: others may have come in
            if not self._held_since:
                self._held_since = now
        elif self._held_since:
            periods, stops, stopped = self._group.throttle
            self._group.throttle = periods, stops + 1, stopped + now - self._held_since
            self._held_since = 0
        else:
            return
        for process in self._group.below():
            if not process.dead:
                freezer.set_hold(process, freezer.THROTTLED, on)

    def cancel(self) -> None:
        """There is no limit any more."""
        self._hold(False, self._group.kernel.clock.monotonic())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
