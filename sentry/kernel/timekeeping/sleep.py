"""Sleeping (nanosleep(2), clock_nanosleep(2))."""

from __future__ import annotations

from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from sentry.errors import Errno
from sentry.kernel.timekeeping import clock
from sentry.kernel.timekeeping.cpu_alarm import CpuAlarm
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.kernel.timekeeping.cpu_clock import CpuClock


async def sleep(task: Task, deadline: int, report: Callable[[int], None] | None) -> int:
    """Sleep until `deadline` (as of `suspend`); 0.

    Args:
        report: of a relative sleep, called with the ns that are left when a signal ends it; it is restarted
            by restart_syscall(2) then.  None: the sleep is absolute, and restarts by itself.
    """
    while True:
        outcome = await suspend(task, deadline)
        remaining = clock.left(task.kernel.clock, deadline)
        if outcome == TIMED_OUT_OUTCOME or remaining <= 0:
            return 0
        if outcome == INTERRUPTED:
            break
    if report is None:
        raise Errno(ERESTARTNOHAND)
    report(remaining)
    task.signal.restart_block = lambda: sleep(task, deadline, report)
    raise Errno(ERESTART_RESTARTBLOCK)


async def sleep_cpu(task: Task, counted: CpuClock, when: int, report: Callable[[int], None] | None) -> int:
    """Sleep until `counted` shows `when` ns; 0.  `report`: as of `sleep`."""
    alarm = CpuAlarm(counted, when, task.wake)
    try:
        while counted.now() < when:
            if await suspend(task) != INTERRUPTED:
                continue
            if report is None:
                raise Errno(ERESTARTNOHAND)
            report(max(0, when - counted.now()))
            task.signal.restart_block = lambda: sleep_cpu(task, counted, when, report)
            raise Errno(ERESTART_RESTARTBLOCK)
    finally:
        alarm.cancel()
    return 0
