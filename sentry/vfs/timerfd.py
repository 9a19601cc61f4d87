"""timerfd_create(2): timers as files.

What must hold: `expiry` is the first moment that has not been read about yet.  Nothing ticks: expirations are
counted when somebody asks, and one kernel timer wakes the readers at `expiry`, so that the shortest
interval costs nothing until the next read.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry.abi.poll import POLLIN, READABLE
from sentry.abi.time import CLOCK_REALTIME, CLOCK_REALTIME_ALARM, NSEC
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.timers import Timer, Timers
    from sentry.kernel.wait import _Marker

_FAR = 1 << 62  # ns; later deadlines are as good as never, and fit the host's timer


class TimerFile(AnonymousFile):
    """An open timerfd."""

    __slots__ = ("_timer", "clock", "expiry", "interval", "set_flags", "timers")

    def __init__(self, clock: int, flags: int, timers: Timers) -> None:
        super().__init__(flags, b"[timerfd]")
        self.clock = clock
        self.timers = timers
        self.expiry = 0  # on the timer's clock, ns; 0: disarmed
        self.interval = 0
        self.set_flags = 0  # TFD_*, as timerfd_settime(2) was told
        self._timer: Timer | None = None

    def now(self) -> int:
        """The timer's clock, in nanoseconds."""
        # The sentry sees no suspend, so CLOCK_BOOTTIME is CLOCK_MONOTONIC here.
        realtime = self.clock in (CLOCK_REALTIME, CLOCK_REALTIME_ALARM)
        return _core.realtime() if realtime else _core.monotonic()

    def settime(self, value: int, interval: int, absolute: bool) -> tuple[int, int]:
        """Arm (value 0: disarm); nanoseconds.  Returns what `gettime` would have before."""
        old = self.gettime()
        self.interval = interval
        self.expiry = (value if absolute else self.now() + value) if value else 0
        self._arm()
        return old

    def gettime(self) -> tuple[int, int]:
        """(nanoseconds until the next expiration, 0 when disarmed; interval)."""
        if not self.expiry:
            return 0, self.interval
        now = self.now()
        left = self.expiry - now
        if left <= 0 and self.interval:
            left = self.interval - (now - self.expiry) % self.interval
        return max(left, 0), self.interval

    def ticks(self) -> int:
        """How often it has expired since the last read."""
        now = self.now()
        if not self.expiry or now < self.expiry:
            return 0
        return 1 + (now - self.expiry) // self.interval if self.interval else 1

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if count < 8:
            raise Errno(errno.EINVAL)
        ticks = self.ticks()
        if not ticks:
            return WOULD_BLOCK
        if self.interval:
            self.expiry += ticks * self.interval
            self._arm()
        else:
            self.expiry = 0
        return (ticks & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")

    def fdinfo(self, reader: Task) -> bytes:
        left, interval = self.gettime()
        return b"clockid: %d\nticks: %d\nsettime flags: 0%o\nit_value: (%d, %d)\nit_interval: (%d, %d)\n" % (
            self.clock,
            self.ticks(),
            self.set_flags,
            *divmod(left, NSEC),
            *divmod(interval, NSEC),
        )

    def poll(self) -> int:
        return POLLIN if self.expiry and self.now() >= self.expiry else 0

    def release(self) -> None:
        timer = getattr(self, "_timer", None)
        if timer is not None:
            timer.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.expiry:
            left = min(max(self.expiry - self.now(), 0), _FAR)
            # The timer must not keep a closed timerfd alive: it knows the queue, not the file.
            queue = self.queue
            self._timer = self.timers.at(_core.monotonic() + left, lambda: queue.wake(READABLE))
