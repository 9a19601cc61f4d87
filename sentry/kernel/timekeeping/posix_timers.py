"""Per-process timers (timer_create(2)).

What must hold: a timer has at most one signal queued; while it has, it isn't armed, and what it misses
becomes the overrun count when the signal is taken (timer_getoverrun(2)).
"""

from __future__ import annotations

from sentry.abi.signal import SI_TIMER, SIGEV_NONE
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.timekeeping import clock
from sentry.kernel.timekeeping.cpu_alarm import CpuAlarm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.timekeeping.cpu_clock import CpuClock
    from sentry.kernel.timekeeping.timers import Timer
    from sentry.kernel.user_count import Share

OVERRUN_MAX = 2**31 - 1


class PosixTimer:
    """One timer; times in ns on its clock."""

    __slots__ = (
        "_alarm", "_clock", "_when", "clock_id", "cpu_clock", "group", "id", "interval", "notify", "overrun",
        "share", "signo", "target", "value",
    )  # fmt: skip

    def __init__(self, group: ThreadGroup, id: int, clock_id: int, cpu_clock: CpuClock | None) -> None:
        """`cpu_clock`: what counts, None for the clocks that count no CPU time."""
        self.group = group
        self.id = id
        self.clock_id = self._clock = clock_id  # as created; on which `_when` is
        self.cpu_clock = cpu_clock
        self.notify = 0
        self.signo = 0
        self.value = 0
        self.target: Task | None = None  # SIGEV_THREAD_ID's thread
        self.interval = 0
        self.share: Share | None = None  # of what its user may have queued
        self.overrun = 0  # of the last signal taken
        self._when = 0
        self._alarm: Timer | CpuAlarm | None = None

    def now(self) -> int:
        if self.cpu_clock is not None:
            return self.cpu_clock.now()
        return self.group.kernel.clock.read(self._clock)

    def get(self) -> tuple[int, int]:
        """(interval, time left); the time left is 0 when the timer is disarmed."""
        if not self._when:
            return self.interval, 0
        now, when = self.now(), self._when
        if self.interval and when <= now:
            when += ((now - when) // self.interval + 1) * self.interval
        if when <= now:
            return self.interval, 1 if self._alarm is not None else 0
        return self.interval, when - now

    def set(self, interval: int, value: int, absolute: bool) -> None:
        """Arm at `value` (0: disarm), from now or as a time of the clock; then each `interval` (0: once)."""
        self.cancel()
        signals.forget_timer(self)
        self.interval = interval if value else 0
        self.overrun = 0
        self._when = 0
        if value:
            self._clock = self.clock_id if absolute else clock.for_relative(self.clock_id)
            self._when = value if absolute else self.now() + value
            self._arm()

    def cancel(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _arm(self) -> None:
        if self.cpu_clock is not None:
            self._alarm = CpuAlarm(self.cpu_clock, self._when, self._expire)
        else:
            kernel = self.group.kernel
            when = clock.deadline(kernel.clock, self._clock, self._when)
            self._alarm = kernel.at(when, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        if self.group.dead:
            return
        if self.notify == SIGEV_NONE:
            self._advance()
            return
        info = SigInfo(self.signo, SI_TIMER, value=self.value)
        info.timer_id = self.id
        info.timer = self
        if self.target is None:
            queued = signals.send_group(self.group, self.signo, info, first=self._taker())
        else:
            queued = not self.target.dying and signals.send_task(self.target, self.signo, info)
        if not queued:
            self._advance()

    def _taker(self) -> Task | None:
        clock = self.cpu_clock
        if clock is None or clock.group is not self.group:
            return None
        return clock.task if clock.task is not None and not clock.ended else clock.taker()

    def signal_taken(self, info: SigInfo) -> None:
        """Its signal leaves the queue: count what was missed, and arm again."""
        self.overrun = min(self._advance(), OVERRUN_MAX) if self.interval and self._alarm is None else 0
        info.overrun = self.overrun

    def _advance(self) -> int:
        """Arm for the next interval; the count of intervals that passed meanwhile."""
        if not self.interval or not self._when or self.group.posix_timers.get(self.id) is not self:
            self._when = 0
            return 0
        missed = max(0, (self.now() - self._when) // self.interval)
        self._when += (missed + 1) * self.interval
        self._arm()
        return missed
