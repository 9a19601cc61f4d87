"""Who traces whom (ptrace(2)): beginning and ending that, what a tracer's wait finds.

What must hold: task.trace is set exactly while the task is in its tracer's `tracees`; a traced thread
that has died stays there, and in kernel.tasks, until its tracer has waited for it.  The stops themselves are
kernel.tracing.trace_stops'.
"""

from __future__ import annotations

from sentry._core import GUARD_CALLS, GUARD_FILTER, GUARD_TRACED, PF_PATCH_ANY, PF_PATCH_ASKING, WORK_STOP
from sentry.abi.core import CORE_DUMPED
from sentry.abi.ptrace import PTRACE_O_EXITKILL
from sentry.abi.signal import (
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_TRAPPED,
    SA_NOCLDSTOP,
    SIG_IGN,
    SIGCHLD,
    SIGKILL,
)
from sentry.abi.wait import P_PGID, P_PID, WEXITED, WNOWAIT, stopped
from sentry.kernel import exit as exits
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task

_POLLIN = 1

# How a tracee goes on after a stop (Tracee.mode).
RUN, CALLS, STEP, EMULATE, EMULATE_STEP = range(5)


class Tracee:
    """How a task is traced, and the stop it is in."""

    __slots__ = (
        "code", "creds", "debug", "exit_code", "forced_step", "guarded",
        "in_group_stop", "info", "listening", "message", "mode",
        "options", "seized", "signal", "stopped", "told_exit", "tracer", "trap",
    )  # fmt: skip

    def __init__(self, tracer: Task, creds: Creds, seized: bool, options: int) -> None:
        self.tracer = tracer
        self.creds = creds  # of whoever began it: what the tracer gains later, by execve say, doesn't count
        self.seized = seized
        self.options = options
        self.mode = RUN
        self.forced_step = False  # the trap flag in its registers is ours
        self.trap = False  # it is to stop for PTRACE_EVENT_STOP
        self.stopped = False
        self.in_group_stop = False  # ... as its part in a stop of the process
        self.listening = False
        self.code = 0  # what the wait for that stop tells; 0: it has been waited for
        self.message = 0  # PTRACE_GETEVENTMSG
        self.info: SigInfo | None = None  # PTRACE_GETSIGINFO
        self.signal = 0  # that the tracer lets it go on with
        self.told_exit = False
        self.debug = [0, 0, 0, 0, 0, 0, 0xFFFF0FF0, 0]  # the debug registers, of which none works
        self.guarded = False  # a call of it is under kernel.tracing.guard's eyes
        self.exit_code = 0  # wait status of a dead thread


def link(task: Task, tracer: Task, creds: Creds, seized: bool, options: int) -> Tracee:
    """Have `tracer` trace `task`, with the rights that `creds` give."""
    trace = task.trace = Tracee(tracer, creds, seized, options)
    tracer.tracees.append(task)
    task.guard |= GUARD_TRACED
    return trace


def unlink(task: Task) -> None:
    """Nobody traces `task` any more."""
    trace = task.trace
    assert trace is not None
    trace.tracer.tracees.remove(task)
    task.trace = None
    task.guard &= ~(GUARD_TRACED | GUARD_CALLS)
    if task.ctx is not None and not task.ctx.running and not any(t.trace for t in task.group.tasks):
        filtered = any(thread.guard & GUARD_FILTER for thread in task.group.tasks)
        task.ctx.limit_patches(PF_PATCH_ANY)
        if filtered:
            task.ctx.limit_patches(PF_PATCH_ASKING)


def set_mode(task: Task, mode: int) -> None:
    """What the tracee's going on is to be like until its next stop."""
    assert task.trace is not None
    task.trace.mode = mode
    task.guard = task.guard & ~GUARD_CALLS | (GUARD_CALLS if mode != RUN else 0)


def resume(task: Task, signo: int) -> None:
    """Let a stopped tracee go on with `signo` (0: none)."""
    trace = task.trace
    assert trace is not None
    trace.stopped = trace.listening = False
    trace.code = 0
    trace.signal = signo
    task.wake()


def detach(task: Task, signo: int) -> None:
    """PTRACE_DETACH, or the tracer's end: the task goes on, or back into the stop of its process."""
    trace = task.trace
    assert trace is not None
    set_mode(task, RUN)
    if task.state == "dead":
        _forget(task)
        return
    was_stopped = trace.stopped
    unlink(task)
    if task.group.stopping:
        task.work |= WORK_STOP
    if was_stopped:
        trace.stopped = False
        trace.signal = signo
        task.wake()
    elif task.group.stopping:
        task.interrupt()


def trap(task: Task) -> None:
    """Have a seized tracee stop soon (PTRACE_INTERRUPT, SIGCONT): again, if it is only listening."""
    trace = task.trace
    assert trace is not None
    trace.trap = True
    task.work |= WORK_STOP
    if trace.stopped:
        if trace.listening:
            resume(task, 0)
    else:
        task.interrupt()


def notify(task: Task, why: int, status: int) -> None:
    """Tell the tracer of a stop (`why` is CLD_TRAPPED or CLD_STOPPED) or of a thread's death."""
    trace = task.trace
    assert trace is not None
    group = trace.tracer.group
    action = group.sighand[SIGCHLD]
    dead = why in (CLD_EXITED, CLD_KILLED, CLD_DUMPED)
    if action.handler != SIG_IGN and (dead or not action.flags & SA_NOCLDSTOP):
        signals.send_group(group, SIGCHLD, _child_info(task, why, status))
    group.child_queue.wake(_POLLIN)


def _child_info(task: Task, why: int, status: int) -> SigInfo:
    info = SigInfo(SIGCHLD, why, task.tid, task.creds.uid)
    info.status = status
    info.utime, info.stime = task.group.usage.ticks()
    return info


# Ends


def leave(task: Task) -> None:
    """`task` has died: its tracees go on without it, and its own tracer is told."""
    for tracee in task.tracees.copy():
        trace = tracee.trace
        assert trace is not None
        if trace.options & PTRACE_O_EXITKILL and tracee.state != "dead":
            signals.send_task(tracee, SIGKILL, force=True)
        detach(tracee, 0)
    trace = task.trace
    if trace is None:
        return
    group = task.group
    trace.exit_code = group.exit_code if group.exiting or task.exit_code is None else task.exit_code
    if task is not group.leader:
        code = trace.exit_code
        notify(task, _end_of(code), code & 0x7F or code >> 8)


def _end_of(status: int) -> int:
    """The CLD_ code of a death with this wait status."""
    if not status & 0x7F:
        return CLD_EXITED
    return CLD_DUMPED if status & CORE_DUMPED else CLD_KILLED


def notify_death(task: Task) -> None:
    """Tell the tracer of a process's death (`task` is the leader)."""
    code = task.group.exit_code
    notify(task, _end_of(code), code & 0x7F or code >> 8)


def hides(task: Task) -> bool:
    """Whether a dead process's tracer must wait for it before its parent can (`task` is the leader)."""
    return task.trace is not None and task.trace.tracer.group is not task.group.parent


def _forget(task: Task) -> None:
    """A dead tracee has been waited for, or its tracer is gone."""
    group = task.group
    trace = task.trace
    assert trace is not None
    hidden = task is group.leader and group.dead and hides(task)
    unlink(task)
    if task is not group.leader:
        del task.kernel.tasks[task.tid]
        task.kernel.pids.release(task.tid)
    elif hidden:
        exits.tell_family(group)


# Waiting


def matches(tracee: Task, id_type: int, identity: int) -> bool:
    if id_type == P_PID:
        return tracee.tid == identity
    return id_type != P_PGID or tracee.group.pgid == identity


def take(task: Task, tracee: Task, options: int) -> tuple[SigInfo, int] | None:
    """A tracee's change of state that its tracer has not seen: what waitid(2) and what wait4(2) tell of it.

    Gone afterwards, unless WNOWAIT.
    """
    trace = tracee.trace
    assert trace is not None
    keep = options & WNOWAIT
    if tracee.state == "dead":
        group = tracee.group
        if not options & WEXITED or (tracee is group.leader and (not group.dead or not hides(tracee))):
            return None
        code = group.exit_code if tracee is group.leader else trace.exit_code
        why = _end_of(code)
        info = _child_info(tracee, why, code & 0x7F or code >> 8).seen_by(task)
        if not keep:
            _forget(tracee)
        return info, code
    if not trace.stopped or not trace.code:
        return None
    code = trace.code
    if not keep:
        trace.code = 0
    return _child_info(tracee, CLD_TRAPPED, code).seen_by(task), stopped(code)
