"""The one place that suspends a task.

A system call that must wait awaits `suspend`, alone or through `block`, which is the pattern of every
blocking operation: try, register, try again, suspend.  A wait ends in exactly one of three ways:

    woken        something it registered with called `Waiter.notify`
    interrupted  a signal arrived, or the task must die       -> Errno(restart code)
    timed out    its deadline passed                           -> `TIMED_OUT` is returned

Handlers never look at signals: the restart code travels up to the way back to user mode, which decides
between EINTR and a restart.

A call that is answered in C waits in C: `sentry/core/park.c` is the other half of this module.  There the
same pattern is kept without a coroutine, in the same queues, and the wait ends in the same three ways.
Whoever looks at a task, or ends its wait (Task.wake, Task.interrupt), need not know which half it waits in.
"""

from __future__ import annotations

from sentry._core import (
    WAIT_INTERRUPTED,
    WAIT_PENDING,
    WAIT_TIMED_OUT,
    WAIT_WOKEN,
    WaitQueue,
)
from sentry.abi.restart import ERESTARTSYS
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from sentry.kernel.task import Task

    T = TypeVar("T")

# Outcomes of a wait, kept in Task.outcome while it is under way.
PENDING = WAIT_PENDING
WOKEN = WAIT_WOKEN
INTERRUPTED = WAIT_INTERRUPTED
TIMED_OUT_OUTCOME = WAIT_TIMED_OUT


class _Marker:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


WOULD_BLOCK = _Marker("WOULD_BLOCK")  # an attempt's answer: nothing yet, wait for the queue
TIMED_OUT = _Marker("TIMED_OUT")  # a wait's answer: the deadline passed


class Waiter:
    """One task's registration in one or more wait queues; wakes it when `events` intersect."""

    __slots__ = ("events", "fired", "task")

    def __init__(self, task: Task, events: int = 0xFFFFFFFF) -> None:
        self.task = task
        self.events = events
        self.fired = 0

    def notify(self, events: int) -> bool:
        """Called by WaitQueue.wake; True when this waiter took the event (for wake-one queues)."""
        if not events & self.events:
            return False
        self.fired |= events
        self.task.wake()
        return True


class _Suspend:
    """Awaiting this yields once to the scheduler."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


_SUSPEND = _Suspend()


async def suspend(task: Task, deadline: int | None = None, interruptible: bool = True) -> int:
    """Suspend `task` until it is woken; the only function in the sentry that does so.

    Args:
        deadline: CLOCK_MONOTONIC nanoseconds, or a WallTime; None to wait for ever.
        interruptible: False only where Linux waits in TASK_KILLABLE (a fatal signal still ends it).

    Returns WOKEN, INTERRUPTED or TIMED_OUT_OUTCOME.
    """
    if interruptible:
        if task.signal_pending():
            return INTERRUPTED
    elif task.dying:
        return INTERRUPTED
    task.outcome = PENDING
    task.interruptible = interruptible
    task.state = "waiting"
    task.waits += 1
    timer = None
    if deadline is not None:
        timer = task.kernel.at(deadline, task.time_out)
    try:
        await _SUSPEND
    finally:
        if timer is not None:
            timer.cancel()
        task.state = "running"
    return task.outcome


async def block(
    task: Task,
    attempt: Callable[[], T | _Marker],
    queue: WaitQueue,
    events: int = 0xFFFFFFFF,
    deadline: int | None = None,
    restart: int = ERESTARTSYS,
) -> T | _Marker:
    """Try, register, try again, suspend: until `attempt` has an answer.

    Args:
        attempt: returns the answer, or WOULD_BLOCK; may raise Errno.
        queue: woken whenever `attempt` may have a new answer.
        events: the poll(2) bits to be woken for.
        deadline: as of `suspend`; TIMED_OUT is returned when it passes.
        restart: the code raised when a signal interrupts the wait.
    """
    waiter = Waiter(task, events)
    queue.add(waiter)
    try:
        while True:
            answer = attempt()
            if answer is not WOULD_BLOCK:
                return answer
            outcome = await suspend(task, deadline)
            if outcome == INTERRUPTED:
                raise Errno(restart)
            if outcome == TIMED_OUT_OUTCOME:
                answer = attempt()
                return TIMED_OUT if answer is WOULD_BLOCK else answer
    finally:
        queue.remove(waiter)
