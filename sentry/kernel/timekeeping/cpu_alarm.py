"""Alarms on CPU time: ITIMER_VIRTUAL and ITIMER_PROF, timers on CPU-time clocks, RLIMIT_CPU.

The host can't tell when a process has used so much; an alarm looks again when that could be so at the
earliest.
"""

from __future__ import annotations

from sentry.abi.resource import RLIM_INFINITY, RLIMIT_CPU
from sentry.abi.signal import SI_KERNEL, SIGKILL, SIGXCPU
from sentry.abi.time import NSEC
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.timekeeping.cpu_clock import CpuClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.timekeeping.timers import Timer

_GRANULARITY = 4_000_000  # ns: the tick of a kernel with HZ=250


class CpuAlarm:
    """Calls `callback` once `clock` shows `when` ns; `cancel` undoes it."""

    __slots__ = ("_callback", "_clock", "_timer", "when")

    def __init__(self, clock: CpuClock, when: int, callback: Callable[[], None]) -> None:
        self.when = when
        self._clock = clock
        self._callback = callback
        self._timer: Timer | None = None
        self._arm(when - clock.now())

    def _arm(self, remaining: int) -> None:
        wall = max(remaining // self._clock.speed, _GRANULARITY)
        kernel = self._clock.group.kernel
        self._timer = kernel.timers.at(kernel.clock.monotonic() + wall, self._look)

    def _look(self) -> None:
        self._timer = None
        remaining = self.when - self._clock.now()
        if remaining > 0:
            if not self._clock.ended:
                self._arm(remaining)
        else:
            self._callback()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class CpuLimit:
    """RLIMIT_CPU of one group: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard
    one.
    """

    __slots__ = ("_alarm", "_group")

    def __init__(self, group: ThreadGroup) -> None:
        self._group = group
        self._alarm: CpuAlarm | None = None
        self.update()

    def update(self) -> None:
        """Look at the limit again (setrlimit)."""
        soft, hard = self._group.rlimits[RLIMIT_CPU]
        self.cancel()
        if min(soft, hard) != RLIM_INFINITY:
            self._alarm = CpuAlarm(CpuClock(self._group), min(soft, hard) * NSEC, self._exceeded)

    def _exceeded(self) -> None:
        group = self._group
        used = group.usage.cpu()
        hard = group.rlimits[RLIMIT_CPU][1]
        if hard != RLIM_INFINITY and used >= hard * NSEC:
            signals.send_group(group, SIGKILL, SigInfo(SIGKILL, SI_KERNEL), force=True)
            return
        signals.send_group(group, SIGXCPU, SigInfo(SIGXCPU, SI_KERNEL))
        self._alarm = CpuAlarm(CpuClock(group), used + NSEC, self._exceeded)

    def cancel(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
