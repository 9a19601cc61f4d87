"""Deadlines on CLOCK_REALTIME, and notice of its being set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET).

Who sets it does so outside of the sandbox.  A host timerfd on that clock moves with it, which is all that
deadlines need; only as long as somebody wants to hear of steps does the host tell of them.
"""

from __future__ import annotations

import os
from errno import ECANCELED

from sentry import _core
from sentry.kernel.timekeeping.timers import KTIME_MAX, Timers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Watcher(Protocol):
        def clock_was_set(self) -> None: ...

    Reference = Callable[[], Watcher | None]


class WallTimers(Timers):
    """The pending deadlines on CLOCK_REALTIME.

    Args:
        fd: a CLOCK_REALTIME timerfd, non-blocking.
        set_timer: set_timer(fd, when, notice_steps) arms it; True: the clock was set since the last time.
    """

    __slots__ = ("_fd", "_set_timer", "_watchers")

    def __init__(self, fd: int, set_timer: Callable[[int, int, bool], bool]) -> None:
        super().__init__(_core.realtime, self._arm_host)
        self._fd = fd
        self._set_timer = set_timer
        self._watchers: set[Reference] = set()

    def watch(self, watcher: Reference) -> None:
        """Call clock_was_set() of the file to which the weak reference `watcher` leads after each step from
        now on."""
        self.look_for_steps()
        if not self._watchers:
            self._set_timer(self._fd, KTIME_MAX if self._armed is None else self._armed, True)
        self._watchers.add(watcher)

    def forget(self, watcher: Reference) -> None:
        """The end of `watch`."""
        self._watchers.discard(watcher)

    def look_for_steps(self) -> None:
        """Tell the watchers if the clock was set since the last look."""
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != ECANCELED:
                raise
            self._tell()

    def _arm_host(self, when: int) -> None:
        if self._set_timer(self._fd, when, bool(self._watchers)):
            self._tell()

    def _tell(self) -> None:
        for reference in self._watchers.copy():
            watcher = reference()
            if watcher is not None:
                watcher.clock_was_set()
