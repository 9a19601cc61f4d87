"""VTIME of termios(3): how long a read that is not canonical waits."""

from __future__ import annotations

from sentry import _core
from sentry.abi.poll import POLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.task import Task

TENTH = 100_000_000  # VTIME's unit in ns


class ReadTimer:
    """The deadline of one open file's read under way.

    A read's attempts belong together as long as the same handler of the same task makes them; another read
    starts anew.
    """

    __slots__ = ("_deadline", "_queue", "_reader", "_seen")

    def __init__(self, queue: Any) -> None:
        """`queue` is woken when the time is up, for the attempt that finds it so."""
        self._queue = queue
        self._reader: Any = None
        self._deadline = 0
        self._seen = 0

    def expired(self, task: Task, tenths: int, have: int, between_bytes: bool) -> bool:
        """Whether the read must end with what there is.

        Args:
            tenths: VTIME.
            have: bytes that could be read now.
            between_bytes: VMIN isn't 0: the time runs from the last byte typed, not from the start of the
            read.
        """
        now = _core.monotonic()
        # The first attempt of a call is made outside its coroutine.
        fresh = task.coroutine is None or self._reader is not task.coroutine
        if fresh or (between_bytes and have != self._seen):
            self._reader = task.coroutine
            self._seen = have
            self._deadline = now + tenths * TENTH
            if have or not between_bytes:
                task.kernel.timers.at(self._deadline, self._time_is_up)
            return False
        return (have > 0 or not between_bytes) and now >= self._deadline

    def _time_is_up(self) -> None:
        self._queue.wake(POLLIN)
