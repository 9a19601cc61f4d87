"""Waiting for children (wait4(2), waitid(2)), and the end of zombies."""

from __future__ import annotations

import errno

from sentry.abi.core import CORE_DUMPED
from sentry.abi.poll import POLLHUP
from sentry.abi.signal import CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT
from sentry.abi.wait import (
    CONTINUED_STATUS,
    P_PGID,
    P_PID,
    WALL,
    WCLONE,
    WCONTINUED,
    WEXITED,
    WNOTHREAD,
    WNOWAIT,
    WSTOPPED,
    stopped,
)
from sentry.errors import Errno
from sentry.kernel import sessions
from sentry.kernel.cgroups import cgroup
from sentry.kernel.signals import job_control
from sentry.kernel.tracing import tracing
from sentry.kernel.wait import WOULD_BLOCK, block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.wait import _Marker


class Reaped:
    """What a wait found: the child's change of state."""

    __slots__ = ("info", "rusage", "status")

    def __init__(self, info: SigInfo, status: int, rusage: bytes) -> None:
        self.info = info
        self.status = status  # as wait4 tells it
        self.rusage = rusage  # struct rusage of the child


def release(group: ThreadGroup) -> None:
    """Forget a dead group: its ids are free again."""
    kernel = group.kernel
    if group.leader.trace is not None:
        tracing.unlink(group.leader)
    sessions.leave(kernel, group)
    cgroup.leave(group)
    kernel.groups.pop(group.tgid, None)
    if kernel.tasks.get(group.tgid) is group.leader:
        del kernel.tasks[group.tgid]
    kernel.pids.release(group.tgid)
    group.exit_queue.wake(POLLHUP)
    if group.parent is not None and group in group.parent.children:
        group.parent.children.remove(group)
    group.parent = group.parent_task = None


async def wait(task: Task, id_type: int, identity: int, options: int) -> Reaped:
    """Wait for a child's change of state; raises what `look` does, and the restart code for a signal."""
    answer = await block(task, lambda: look(task, id_type, identity, options), task.group.child_queue)
    assert isinstance(answer, Reaped)
    return answer


def look(task: Task, id_type: int, identity: int, options: int) -> Reaped | _Marker:
    """A child's change of state, reported with this unless WNOWAIT is set; WOULD_BLOCK: none yet.

    Raises ECHILD when no child could ever match.
    """
    eligible = False
    children = task.group.children
    if id_type == P_PID:
        child = task.kernel.groups.get(identity)
        children = [child] if child is not None and child.parent is task.group else []
    for child in children:
        if not _matches(task, child, id_type, identity, options):
            continue
        if child.dead and not options & WEXITED:
            continue  # it will neither stop nor go on any more
        eligible = True
        found = _take(task, child, options)
        if found is not None:
            return found
    for thread in (task,) if options & WNOTHREAD else task.group.tasks:
        for tracee in thread.tracees:
            if not tracing.matches(tracee, id_type, identity):
                continue
            eligible = True
            told = tracing.take(task, tracee, options)
            if told is not None:
                return Reaped(*told, rusage(tracee.group))
    if not eligible:
        raise Errno(errno.ECHILD)
    return WOULD_BLOCK


def _matches(task: Task, child: ThreadGroup, id_type: int, identity: int, options: int) -> bool:
    if id_type == P_PGID and child.pgid != identity:
        return False
    if options & WNOTHREAD and child.parent_task is not task:
        return False
    if options & WALL:
        return True
    return (child.exit_signal != SIGCHLD) == bool(options & WCLONE)


def _take(task: Task, child: ThreadGroup, options: int) -> Reaped | None:
    """The child's unreported change of state that `options` ask for; reported now, unless WNOWAIT."""
    keep = options & WNOWAIT
    leader = child.leader
    if child.dead:
        if not options & WEXITED or tracing.hides(leader):
            return None
        code = child.exit_code
        if code & 0x7F:
            why = CLD_DUMPED if code & CORE_DUMPED else CLD_KILLED
            info = job_control.child_info(child, why, code & 0x7F)
        else:
            info = job_control.child_info(child, CLD_EXITED, code >> 8)
        found = Reaped(info.seen_by(task), code, rusage(child))
        if not keep:
            assert child.parent is not None
            child.parent.usage.add_child(child.usage)
            release(child)
        return found
    shown = leader.trace is None or tracing.hides(leader)  # else its tracer's stops are what we wait for
    if options & WSTOPPED and child.stopped and child.stop_report and shown:
        signo = child.stop_report
        if not keep:
            child.stop_report = 0
        info = job_control.child_info(child, CLD_STOPPED, signo)
        return Reaped(info.seen_by(task), stopped(signo), rusage(child))
    if options & WCONTINUED and child.continue_report:
        if not keep:
            child.continue_report = False
        info = job_control.child_info(child, CLD_CONTINUED, SIGCONT)
        return Reaped(info.seen_by(task), CONTINUED_STATUS, rusage(child))
    return None


def rusage(group: ThreadGroup) -> bytes:
    """struct rusage of a process that may have children waited for (those count for wait4's)."""
    total = group.usage.total(group.tasks)
    total.add(group.usage.children)
    return total.pack()
