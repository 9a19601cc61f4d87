"""The way back to user mode: restart or EINTR, signal delivery, stopping, dying.

Each call of a task's that ends with work pending comes through `on_return`, and so does a task that was
interrupted in guest code.  Compare arch_do_signal_or_restart() and get_signal() of Linux.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOINTR, ERESTARTSYS, RESTARTS
from sentry.abi.signal import (
    CORE_SIGNALS,
    DEFAULT_IGNORED,
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    SIGKILL,
    SIGSEGV,
    SIGSTOP,
    STOP_SIGNALS,
    UNBLOCKABLE,
)
from sentry.errors import Errno
from sentry.kernel import core_pattern, exit
from sentry.kernel.cgroups import freezer
from sentry.kernel.signals import job_control, sigframe, signals
from sentry.kernel.signals.siginfo import SigInfo, fault
from sentry.kernel.tracing import trace_stops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry._core import Action
    from sentry.kernel.task import Task

_MASK64 = 2**64 - 1
_SYSCALL_LENGTH = 2  # bytes of the syscall instruction
_NR_RESTART_SYSCALL = 219
_PAGE_FAULT = 14
_PF_USER = 4  # page-fault error code: the fault came from user mode
_PF_PRESENT = 1


def on_return(task: Task, result: object) -> bool:
    """Do what is pending before guest code goes on.

    Args:
        result: the answer of the call that has just ended (an int), or NO_RESULT.

    Returns False when the task must not run: it is stopped or dead.
    """
    if type(result) is int:
        task.ctx.rax = result & _MASK64
        task.signal.restart = -result if -result in RESTARTS else 0
    while True:
        if task.dying:
            if not trace_stops.wants_exit(task):
                exit.exit_task(task)
                return False
            if not _over(task, trace_stops.before_exit(task, exit.status_of(task))):
                return False
            continue
        if task.group.held and freezer.park(task):
            return False
        if task.work & _core.WORK_STOP:
            task.work &= ~_core.WORK_STOP
            trace = task.trace
            if trace is None:
                if job_control.park(task):
                    return False
            elif task.group.stopping or trace.trap:
                if not _over(task, trace_stops.group_stop(task)):
                    return False
                continue
        if task.signal.core is not None:
            taken, task.signal.core = task.signal.core, None
            if not _over(task, task.kernel.dump_core(task, taken)):
                return False
            continue
        task.work = 0
        info = signals.dequeue(task, ~task.sigmask)
        if info is None:
            break
        if task.trace is None or info.signo == SIGKILL:
            act(task, info)
        elif not _over(task, trace_stops.deliver(task, info)):
            return False
    _settle_without_handler(task)
    group = task.group
    if group.pending & task.sigmask and len(group.tasks) > 1:
        signals.retarget(group, group.pending & task.sigmask)
    if trace_stops.is_stepping(task):
        trace_stops.set_step(task)
    return True


def _over(task: Task, stop: Coroutine[None, None, object]) -> bool:
    """Begin a stop for the task's tracer.  False: once it is over, the way back begins anew."""
    return task.kernel.drive(task, stop) is not None


def act(task: Task, info: SigInfo) -> bool:
    """Do what the taken signal's action says; True when a handler has been entered."""
    group, signo = task.group, info.signo
    action = group.sighand[signo]
    if action.handler == SIG_IGN:
        return False
    if task.kernel.strace is not None:
        task.kernel.strace.signal(task, info)
    if action.handler != SIG_DFL:
        _deliver(task, info, action)
        return True
    bit = 1 << signo - 1
    if bit & DEFAULT_IGNORED or (group.unkillable and not bit & UNBLOCKABLE and not info.forced):
        return False
    if bit & STOP_SIGNALS:
        if signo == SIGSTOP or not group.process_group.is_orphaned():
            job_control.stop(group, signo)
        return False
    if bit & CORE_SIGNALS and core_pattern.is_wanted(group):
        task.signal.core = info  # on_return goes on with that
    else:
        group.begin_exit(signo)
    return False


def _deliver(task: Task, info: SigInfo, action: Action) -> None:
    """Have the handler run when guest code goes on."""
    state, ctx = task.signal, task.ctx
    _settle_restart(task, action)
    mask = task.sigmask if state.saved_mask is None else state.saved_mask
    state.saved_mask = None
    try:
        sigframe.push(task, info, action, mask)
    except Errno:
        # No room for the frame: SIGSEGV, and its default action if this was SIGSEGV (signal(7)).
        if info.signo == SIGSEGV:
            task.group.sighand[SIGSEGV] = _core.Action()
        signals.force_fault(task, SigInfo(SIGSEGV, 0x80))
        return
    if action.flags & SA_RESETHAND:
        task.group.sighand[info.signo] = _core.Action()
    blocked = task.sigmask | action.mask
    if not action.flags & SA_NODEFER:
        blocked |= 1 << info.signo - 1
    signals.set_mask(task, blocked)
    ctx.orig_rax = _MASK64


def _settle_restart(task: Task, action: Action) -> None:
    """A handler runs: the interrupted call starts again after it, or fails with EINTR."""
    code, task.signal.restart = task.signal.restart, 0
    if not code:
        return
    if code == ERESTARTNOINTR or (code == ERESTARTSYS and action.flags & SA_RESTART):
        _repeat(task, task.syscall_nr)
    else:
        task.ctx.rax = -errno.EINTR & _MASK64
        task.signal.restart_block = None


def _settle_without_handler(task: Task) -> None:
    state = task.signal
    code, state.restart = state.restart, 0
    if code:
        _repeat(task, _NR_RESTART_SYSCALL if code == ERESTART_RESTARTBLOCK else task.syscall_nr)
    if state.saved_mask is not None:
        task.sigmask = state.saved_mask
        state.saved_mask = None


def _repeat(task: Task, nr: int) -> None:
    """Have guest code make call `nr` again: the argument registers still are as they were."""
    ctx = task.ctx
    ctx.rip -= _SYSCALL_LENGTH
    ctx.rax = nr & _MASK64
    ctx.orig_rax = _MASK64


def on_fault(task: Task, signo: int, code: int, addr: int, trapno: int, error: int) -> bool:
    """The CPU raised a fault in guest code: grow the stack, or send the signal.  True: go on with pending
    work.

    Args:
        error: the CPU's error code where the back-end knows it, else 0.
    """
    task.syscall_nr = -1
    trace_stops.clear_step(task)
    if signo == SIGSEGV and task.mm.fault_in(task, addr, False):
        return True
    if trapno == _PAGE_FAULT and not error:
        error = _PF_USER | (_PF_PRESENT if code == 2 else 0)
    task.fault_error, task.fault_trapno = error, trapno
    if trapno == _PAGE_FAULT:
        task.fault_addr = addr
    signals.force_fault(task, fault(signo, code, addr))
    return True


def abandon(task: Task) -> bool:
    """A bug of the sentry has left the task in no state to go on: its process dies of SIGKILL.  False."""
    task.group.begin_exit(SIGKILL)
    if task.state != "dead":
        exit.exit_task(task)
    return False


def on_gone(task: Task, signo: int) -> None:
    """The host killed the thread's context: the process dies of SIGKILL (out of memory, or someone outside),
    or of SIGSEGV, the host's word for what is wrong with its restartable sequences (rseq(2)).
    """
    task.group.begin_exit(SIGSEGV if signo == SIGSEGV else SIGKILL)
    if task.state == "running" and task.coroutine is None:
        exit.exit_task(task)
