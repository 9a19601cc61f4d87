"""Stopping and continuing processes (signal(7), wait(2), POSIX job control).

What must hold: while group.stopping is set, each live thread is parked (state "stopped") or on its way to be;
group.stopped is set once all are.  A parked thread's context is stopped and nothing is pending in the kernel
on its behalf; `resume` or a group exit sends it back to user mode.
"""

from __future__ import annotations

from sentry import _core
from sentry.abi.signal import (
    CLD_CONTINUED,
    CLD_STOPPED,
    SA_NOCLDSTOP,
    SI_KERNEL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGHUP,
)
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.tracing import tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.sessions import ProcessGroup
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


def stop(group: ThreadGroup, signo: int) -> None:
    """Begin to stop every thread of the group because of `signo`."""
    if group.exiting:
        return
    if group.stopping:
        for task in group.tasks:  # whom tracers have let go on meanwhile
            if task.trace is not None and not task.trace.stopped:
                task.work |= _core.WORK_STOP
                task.interrupt()
        return
    group.stopping = signo
    group.continue_report = False
    for task in group.tasks:
        task.work |= _core.WORK_STOP
        task.interrupt()


def park(task: Task) -> bool:
    """Called on the way back to user mode with WORK_STOP: True when the thread stays stopped."""
    group = task.group
    if not group.stopping or task.dying:
        return False
    task.state = "stopped"
    task.waits += 1
    settle(group)
    return True


def settle(group: ThreadGroup) -> None:
    """Tell the parent once every thread is parked."""
    if not group.stopped and all(_is_stopped(task) for task in group.tasks):
        group.stopped = True
        group.stop_report = group.stopping
        notify_parent(group, CLD_STOPPED, group.stopping)


def _is_stopped(task: Task) -> bool:
    return task.state == "stopped" or (task.trace is not None and task.trace.in_group_stop)


def resume(group: ThreadGroup) -> None:
    """Let a stopped (or stopping) group go on: SIGCONT has been sent."""
    if not group.stopping:
        return
    was_stopped = group.stopped
    release(group)
    if was_stopped:
        group.continue_report = True
        notify_parent(group, CLD_CONTINUED, SIGCONT)


def release(group: ThreadGroup) -> None:
    """Send the parked threads back to user mode, without telling anyone."""
    group.stopping = 0
    group.stopped = False
    group.stop_report = 0
    for task in group.tasks.copy():
        task.work &= ~_core.WORK_STOP
        if task.state == "stopped":
            task.unpark()
        elif task.trace is not None and task.trace.seized:
            tracing.trap(task)


def notify_parent(group: ThreadGroup, code: int, status: int) -> None:
    """Tell the parent that the group has stopped or goes on: SIGCHLD and its waits."""
    parent = group.parent
    if parent is None or not parent.tasks:
        return
    action = parent.sighand[SIGCHLD]
    if action.handler != SIG_IGN and not action.flags & SA_NOCLDSTOP:
        signals.send_group(parent, SIGCHLD, child_info(group, code, status))
    parent.child_queue.wake(1)


def child_info(group: ThreadGroup, code: int, status: int) -> SigInfo:
    """SIGCHLD's siginfo about `group`."""
    info = SigInfo(SIGCHLD, code, group.tgid, group.leader.creds.uid)
    info.status = status
    user, system = group.usage.ticks()
    info.utime, info.stime = user, system
    return info


def orphan_check(process_group: ProcessGroup, leaving: ThreadGroup | None) -> None:
    """If `leaving`'s exit orphans a group that has stopped members: SIGHUP and SIGCONT to it (POSIX
    _exit).
    """
    if process_group.is_orphaned(leaving) and process_group.has_stopped():
        for signo in (SIGHUP, SIGCONT):
            signals.send_pgrp(process_group, signo, SigInfo(signo, SI_KERNEL))
