"""The three interval timers of a process (setitimer(2), alarm(2))."""

from __future__ import annotations

from sentry.abi.signal import SI_KERNEL, SIGALRM, SIGPROF, SIGVTALRM
from sentry.abi.time import ITIMER_REAL
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.timekeeping.cpu_alarm import CpuAlarm
from sentry.kernel.timekeeping.cpu_clock import CpuClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.timekeeping.timers import Timer

_SIGNALS = (SIGALRM, SIGVTALRM, SIGPROF)


class IntervalTimers:
    """ITIMER_REAL (wall time), ITIMER_VIRTUAL and ITIMER_PROF (CPU time); times in ns."""

    __slots__ = ("_group", "_intervals", "_timers", "_when")

    def __init__(self, group: ThreadGroup) -> None:
        self._group = group
        self._timers: list[Timer | CpuAlarm | None] = [None, None, None]
        self._when = [0, 0, 0]
        self._intervals = [0, 0, 0]

    def _now(self, which: int) -> int:
        if which == ITIMER_REAL:
            return self._group.kernel.clock.monotonic()
        return self._group.usage.cpu()

    def get(self, which: int) -> tuple[int, int]:
        """(interval, time left); (0, 0) when it is not armed.  An armed one never shows 0."""
        if self._timers[which] is None:
            return self._intervals[which], 0
        return self._intervals[which], max(self._when[which] - self._now(which), 1000)

    def set(self, which: int, interval: int, value: int) -> None:
        """Arm to expire after `value` (0: disarm) and then each `interval` (0: once)."""
        self.cancel(which)
        self._intervals[which] = interval if value or which != ITIMER_REAL else 0
        if value:
            self._arm(which, self._now(which) + value)

    def _arm(self, which: int, when: int) -> None:
        self._when[which] = when
        if which == ITIMER_REAL:
            self._timers[which] = self._group.kernel.timers.at(when, lambda: self._expire(which))
        else:
            self._timers[which] = CpuAlarm(CpuClock(self._group), when, lambda: self._expire(which))

    def _expire(self, which: int) -> None:
        self._timers[which] = None
        if self._group.dead:
            return
        interval = self._intervals[which]
        if interval:
            missed = (self._now(which) - self._when[which]) // interval
            self._arm(which, self._when[which] + (missed + 1) * interval)
        signo = _SIGNALS[which]
        taker = CpuClock(self._group).taker() if which != ITIMER_REAL else None
        signals.send_group(self._group, signo, SigInfo(signo, SI_KERNEL), first=taker)

    def cancel(self, which: int) -> None:
        timer = self._timers[which]
        if timer is not None:
            timer.cancel()
            self._timers[which] = None

    def cancel_all(self) -> None:
        for which in range(3):
            self.cancel(which)
