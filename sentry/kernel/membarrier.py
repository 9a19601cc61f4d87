"""membarrier(2): a memory barrier on every thread that runs now.

The way from guest code into a back-end and back is one, for memory and for code; so each thread that runs is
interrupted, and the call ends once all have passed by.
"""

from __future__ import annotations

from sentry import _core
from sentry.kernel.wait import INTERRUPTED, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentry.kernel.task import Task


class Barrier:
    """Those that have yet to pass, and who waits for them."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.waiting: set[Task] = set()

    def passed(self, task: Task) -> None:
        self.waiting.discard(task)
        if not self.waiting:
            self.task.wake()


async def run(task: Task, threads: Iterable[Task]) -> int:
    """Wait until each of the threads that runs guest code has left it."""
    barrier = Barrier(task)
    for thread in threads:
        if thread is not task and thread.ctx is not None and thread.ctx.running:
            thread.barriers.append(barrier)
            thread.work |= _core.WORK_BARRIER
            barrier.waiting.add(thread)
            thread.ctx.interrupt()
    while barrier.waiting:
        if await suspend(task, interruptible=False) == INTERRUPTED:
            break
    return 0


def passed(task: Task) -> None:
    """The task has left guest code, or is dead."""
    task.work &= ~_core.WORK_BARRIER
    barriers, task.barriers = task.barriers, []
    for barrier in barriers:
        barrier.passed(task)
