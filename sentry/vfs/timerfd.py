"""timerfd_create(2): timers as files.

What must hold: nothing ticks.  A timer that has expired is at rest until somebody asks: then the expirations
since `expiry` are counted and it is armed again, so that the shortest interval costs nothing
until the next read.
"""

from __future__ import annotations

import errno
from _weakref import ref

from sentry import _core
from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.ioctl import TFD_IOC_SET_TICKS
from sentry.abi.poll import POLLIN, READABLE, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
from sentry.abi.time import CLOCK_REALTIME, CLOCK_REALTIME_ALARM, NSEC
from sentry.errors import Errno
from sentry.kernel.timekeeping.timers import WallTime
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.timekeeping.timers import Timer
    from sentry.kernel.wait import _Marker

_CANCELABLE = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
_FAR = 1 << 62  # ns; later deadlines are as good as never, and fit the host's timer
_WRAP = 0xFFFFFFFFFFFFFFFF


class TimerFile(AnonymousFile):
    """An open timerfd."""

    __slots__ = (
        "_expired", "_kernel", "_self", "_stepped", "_ticks", "_timer", "_wall", "_watches", "clock",
        "expiry", "interval", "set_flags",
    )  # fmt: skip

    can_write = False

    def __init__(self, clock: int, flags: int, kernel: Kernel) -> None:
        self.clock = clock
        self.expiry = 0  # when it expires, or did last; ns
        self.interval = 0
        self.set_flags = 0  # TFD_*, as timerfd_settime(2) was told
        self._kernel = kernel
        self._self = ref(self)  # what waits for the timer must not keep a closed one alive
        self._timer: Timer | None = None  # None: disarmed, or at rest
        self._ticks = 0  # to be read
        self._expired = False  # since the last read: with an interval, more of them may have passed
        self._stepped = False  # the clock was set, which nobody was told
        self._watches = False  # for steps of the clock
        self._wall = False  # whether `expiry` is of CLOCK_REALTIME, or of CLOCK_MONOTONIC
        super().__init__(flags, b"[timerfd]")  # when that fails, there is something to release

    def _now(self) -> int:
        # The sentry sees no suspend, so CLOCK_BOOTTIME is CLOCK_MONOTONIC here.
        return _core.realtime() if self._wall else _core.monotonic()

    def settime(self, value: int, interval: int, flags: int) -> tuple[int, int]:
        """Arm (value 0: disarm); nanoseconds, TFD_* flags.  Returns what `gettime` would have before.

        Raises Errno(ECANCELED), nevertheless armed, when the clock was set and no read has told of that.
        """
        self._watch(
            self.clock in (CLOCK_REALTIME, CLOCK_REALTIME_ALARM) and flags & _CANCELABLE == _CANCELABLE
        )
        self._settle()
        self._rest()
        if self._expired:
            self._forward()
        old = self._left(), self.interval
        absolute = bool(flags & TFD_TIMER_ABSTIME)
        # A relative time is of CLOCK_MONOTONIC, unless it is the time to wake the machine.
        self._wall = self.clock == CLOCK_REALTIME_ALARM or (absolute and self.clock == CLOCK_REALTIME)
        self._expired, self._ticks, self.interval = False, 0, interval
        self.expiry = (value if absolute else self._now() + value) if value else 0
        if value:
            self._arm()
            if self._canceled():
                raise Errno(errno.ECANCELED)
        self.set_flags = flags
        return old

    def gettime(self) -> tuple[int, int]:
        """(nanoseconds until the next expiration, 0 when there is none; interval)."""
        self._settle()
        if self._expired and self.interval:
            self._expired = False
            self._ticks += self._forward() - 1
            self._arm()
        return self._left(), self.interval

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if count < 8:
            raise Errno(errno.EINVAL)
        self._look()
        if self._canceled():
            self._ticks, self._expired = 0, False
            raise Errno(errno.ECANCELED)
        ticks = self._ticks
        if not ticks:
            return WOULD_BLOCK
        if self._expired and self.interval:
            ticks += self._forward() - 1
            self._arm()
        self._ticks, self._expired = 0, False
        if not ticks:  # the clock was set back meanwhile
            return WOULD_BLOCK if self.flags & O_NONBLOCK else b""
        return (ticks & _WRAP).to_bytes(8, "little")

    def ioctl(self, task: Task, request: int, argument: int) -> int | Coroutine[None, None, int]:
        if request != TFD_IOC_SET_TICKS:
            return super().ioctl(task, request, argument)
        ticks = int.from_bytes(task.copy_in(argument, 8), "little")
        if not ticks:
            raise Errno(errno.EINVAL)
        self._look()
        if self._canceled():
            raise Errno(errno.ECANCELED)
        self._ticks = ticks
        self.queue.wake(READABLE)
        return 0

    def fdinfo(self, reader: Task) -> bytes:
        self._look()
        return b"clockid: %d\nticks: %d\nsettime flags: 0%o\nit_value: (%d, %d)\nit_interval: (%d, %d)\n" % (
            self.clock,
            self._ticks & _WRAP,
            self.set_flags,
            *divmod(self._left(), NSEC),
            *divmod(self.interval, NSEC),
        )

    def poll(self) -> int:
        self._look()
        return POLLIN if self._ticks else 0

    def release(self) -> None:
        self._rest()
        self._watch(False)

    def clock_was_set(self) -> None:
        """CLOCK_REALTIME has made a step, and the timer is one to be cancelled by that."""
        self._stepped = True
        self._ticks += 1
        self.queue.wake(READABLE)

    def _canceled(self) -> bool:
        if not self._stepped or not self._watches:
            return False
        self._stepped = False
        return True

    def _watch(self, on: bool) -> None:
        if on:
            self._kernel.wall_timers.watch(self._self)
        elif self._watches:
            self._kernel.wall_timers.forget(self._self)
        self._watches = on

    def _look(self) -> None:
        """Take note of what has happened to the timer and its clock."""
        if self._watches:
            self._kernel.wall_timers.look_for_steps()
        self._settle()

    def _settle(self) -> None:
        """Note that it has expired."""
        if self._timer is not None and self._now() >= self.expiry:
            self._rest()
            self._expired = True
            self._ticks += 1

    def _left(self) -> int:
        return max(self.expiry - self._now(), 0) if self.expiry else 0

    def _forward(self) -> int:
        """Move `expiry` past now, in whole intervals: how many."""
        passed = self._now() - self.expiry
        if not self.interval or passed < 0:
            return 0
        count = 1 + passed // self.interval
        self.expiry += count * self.interval
        return count

    def _arm(self) -> None:
        file, when = self._self, min(self.expiry, _FAR)

        def expire() -> None:
            self = file()
            if self is not None:
                self._settle()
                self.queue.wake(READABLE)

        self._rest()
        self._timer = self._kernel.at(WallTime(when) if self._wall else when, expire)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
