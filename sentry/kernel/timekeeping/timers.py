"""Deadlines: for each clock a heap of (nanoseconds, callback), and one host timerfd that kicks the loop."""

from __future__ import annotations

from _heapq import heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST = 256  # entries that never are too many
KTIME_MAX = 2**63 - 1  # ns; Linux cuts later deadlines down to this, too


class WallTime(int):
    """A deadline on CLOCK_REALTIME (ns), which may be set.  Deadlines that are plain ints are on
    CLOCK_MONOTONIC."""

    __slots__ = ()


def reraise() -> None:
    """What to do about an exception where nobody logs it."""
    raise  # within `except`


class Timer:
    """One armed deadline; `cancel` undoes it."""

    __slots__ = ("callback", "when")

    def __init__(self, when: int, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timers:
    """The pending deadlines.

    Args:
        now: returns the clock's nanoseconds (a fake clock's in tests).
        arm: called with the earliest deadline whenever it moves forward in the queue.
    """

    __slots__ = ("_arm", "_armed", "_full", "_heap", "_now", "_serial", "on_bug")

    def __init__(self, now: Callable[[], int], arm: Callable[[int], object]) -> None:
        self._now = now
        self._arm = arm
        self._armed: int | None = None
        self._heap: list[tuple[int, int, Timer]] = []
        self._full = _LEAST  # entries at which the cancelled ones are dropped
        self._serial = 0
        self.on_bug: Callable[[], object] = reraise  # called when a callback raises, within `except`

    def at(self, when: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` once `when` (ns of the clock) has passed."""
        when = min(when, KTIME_MAX)
        timer = Timer(when, callback)
        self._serial += 1
        heappush(self._heap, (when, self._serial, timer))
        if len(self._heap) >= self._full:
            self._drop_cancelled()
        if self._armed is None or when < self._armed:
            self._armed = when
            self._arm(when)
        return timer

    def run(self) -> None:
        """Call what is due, then arm the next deadline."""
        self._armed = None
        now = self._now()
        heap = self._heap
        while heap and (heap[0][2].callback is None or heap[0][0] <= now):
            callback = heappop(heap)[2].callback
            if callback is not None:
                try:
                    callback()
                except Exception:  # noqa: BLE001  # the border: the other deadlines must not be lost
                    self.on_bug()
        if heap:
            self._armed = heap[0][0]
            self._arm(self._armed)

    def _drop_cancelled(self) -> None:
        # Cancelled entries otherwise stay until their time comes: a guest that polls with a long
        # time-out in a loop would grow the heap.  The more live, the more rarely: an entry costs the same
        # however many there are.
        # In place, as `run` holds the list.
        self._heap[:] = [entry for entry in self._heap if entry[2].callback is not None]
        self._heap.sort()
        self._full = max(_LEAST, 2 * len(self._heap))
