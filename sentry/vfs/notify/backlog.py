"""Events that nobody has read yet: of one watcher, and how many all of them together may leave unread."""

from __future__ import annotations

from _collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNREAD_MAX = 1 << 18  # what there is memory for, whatever root has set the limits in /proc/sys to


class Backlog(deque):  # type: ignore[misc]  # what is in `_collections` has no types
    """The queue of one watcher, which clears it at its end."""

    __slots__ = ()

    total = 0  # in all of them

    def is_full(self, limit: int) -> bool:
        """Whether there is no room for an event more when the watcher itself may have `limit`."""
        return len(self) >= limit or Backlog.total >= UNREAD_MAX

    def append(self, event: Any) -> None:
        super().append(event)
        Backlog.total += 1

    def popleft(self) -> Any:
        event = super().popleft()
        Backlog.total -= 1
        return event

    def remove(self, event: Any) -> None:
        super().remove(event)
        Backlog.total -= 1

    def clear(self) -> None:
        Backlog.total -= len(self)
        super().clear()
