"""membarrier(2): a memory barrier on every thread that runs now; and errands for one of them.

The way from guest code into a back-end and back is one, for memory and for code; so each thread that runs is
interrupted, and the call ends once all have passed by.
"""

from __future__ import annotations

from sentry import _core
from sentry.kernel.wait import INTERRUPTED, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


class Errand(Barrier):
    """Something to be done by a thread once it has left guest code; not if it dies first."""

    __slots__ = ("act",)

    def __init__(self, task: Task, act: Callable[[], None]) -> None:
        super().__init__(task)
        self.act = act

    def passed(self, task: Task) -> None:
        if task.state != "dead":
            self.act()
        super().passed(task)


async def run(task: Task, threads: Iterable[Task]) -> int:
    """Wait until each of the threads that runs guest code has left it."""
    await _pass(Barrier(task), [thread for thread in threads if thread is not task and is_running(thread)])
    return 0


async def have_done(task: Task, thread: Task, act: Callable[[], None]) -> None:
    """Call `act` when a thread that runs guest code has been stopped for that, and wait for it."""
    await _pass(Errand(task, act), [thread])


def is_running(thread: Task) -> bool:
    """Whether it runs guest code."""
    return thread.ctx is not None and thread.ctx.running


async def _pass(barrier: Barrier, threads: list[Task]) -> None:
    for thread in threads:
        thread.barriers.append(barrier)
        thread.work |= _core.WORK_BARRIER
        barrier.waiting.add(thread)
        thread.ctx.interrupt()
    while barrier.waiting:
        if await suspend(barrier.task, interruptible=False) == INTERRUPTED:
            break


def passed(task: Task) -> None:
    """The task has left guest code, or is dead."""
    task.work &= ~_core.WORK_BARRIER
    barriers, task.barriers = task.barriers, []
    for barrier in barriers:
        barrier.passed(task)
