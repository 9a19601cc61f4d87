"""Holding tasks: cgroup.freeze, the pauses of cpu.max and memory.high, and the wait for a core file.

What must hold: `ThreadGroup.held` says why a process must not run, and while it isn't 0 every thread is
parked (state "stopped") or on its way to be; a fatal signal ends it all the same.  A held thread takes no
signal until it goes on.
"""

from __future__ import annotations

from sentry import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

FROZEN = 1
THROTTLED = 2
DUMPING = 4
RECLAIMING = 8


def set_hold(group: ThreadGroup, reason: int, on: bool) -> None:
    """Hold the process's threads for a reason, or let them go on where there is no other."""
    before = group.held
    group.held = before | reason if on else before & ~reason
    if group.held and not before:
        for task in group.tasks:
            hold(task)
    elif before and not group.held:
        for task in group.tasks:
            _release(task)


def hold(task: Task) -> None:
    """Have a thread park as soon as it is on its way back to user mode."""
    if task.state != "stopped":
        task.work |= _core.WORK_HOLD
        if task.state == "running" or task.group.held & FROZEN:  # who waits uses no CPU time
            task.interrupt()


def park(task: Task) -> bool:
    """Called on the way back to user mode: True when the thread is held."""
    if not task.group.held or task.dying:
        return False
    task.state = "stopped"
    task.waits += 1
    if task.group.held & FROZEN:
        task.group.cgroup.changed()
    return True


def is_parked(task: Task) -> bool:
    """Whether it runs no guest code until it is let go on: parked, or in a wait that nothing can end."""
    return task.state == "stopped" or (task.state == "waiting" and not task.interruptible)


def _release(task: Task) -> None:
    task.work &= ~_core.WORK_HOLD
    if task.state == "stopped":
        if task.group.stopping:
            task.work |= _core.WORK_STOP  # it may have been parked for either reason: let it look
        task.unpark()
