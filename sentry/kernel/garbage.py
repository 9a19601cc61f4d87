"""When to look for cycles among the sentry's objects.

A look walks over every object that lives.  It comes when a good part of them is new: however many a guest has
made, a new one costs the same.
"""

from __future__ import annotations

import gc

LEAST = 30_000  # new objects, less those freed, below which nobody looks
LEAST_IN_NEED = 1_000  # where one more of something is wanted than may be, and some may be dead


class Garbage:
    """The collector of cycles, which does nothing by itself (sentry.boot)."""

    __slots__ = ("due",)

    def __init__(self) -> None:
        self.due = LEAST  # so many new objects

    def tend(self) -> None:
        """Collect if it is time."""
        if gc.get_count()[0] > self.due:
            self.collect()

    def collect(self) -> None:
        """Collect now."""
        gc.collect()
        self.due = max(LEAST, len(gc.get_objects()) // 2)


def sweep() -> None:
    """Collect if it can help: what is dead, in a cycle, may still count against a limit."""
    if gc.get_count()[0] > LEAST_IN_NEED:
        gc.collect()
