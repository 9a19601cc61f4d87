"""The stops of a traced task (ptrace(2), "Stopped states").

Each is a coroutine that suspends the task until its tracer, a SIGKILL or the tracer's end lets it go on.  The
stops on the way back to user mode are driven by kernel.run.
"""

from __future__ import annotations

import errno

from sentry._core import NO_RESULT, PF_PATCH_NONE, WORK_OTHER
from sentry.abi.ptrace import (
    EFLAGS_TF,
    PTRACE_EVENT_EXEC,
    PTRACE_EVENT_EXIT,
    PTRACE_EVENT_SECCOMP,
    PTRACE_EVENT_STOP,
    PTRACE_O_TRACEEXEC,
    PTRACE_O_TRACEEXIT,
    PTRACE_O_TRACESECCOMP,
    PTRACE_O_TRACESYSGOOD,
    TRAP_BRKPT,
)
from sentry.abi.restart import RESTARTS
from sentry.abi.signal import CLD_STOPPED, CLD_TRAPPED, SI_KERNEL, SI_USER, SIGKILL, SIGTRAP
from sentry.kernel import run
from sentry.kernel.signals import job_control, signals
from sentry.kernel.signals.siginfo import SigInfo, fault
from sentry.kernel.tracing import tracing
from sentry.kernel.wait import INTERRUPTED, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SIGN = 1 << 63
_MASK64 = 2**64 - 1


async def _stop(task: Task, code: int, info: SigInfo | None, message: int = 0, why: int = CLD_TRAPPED) -> int:
    """Stop until the tracer lets the task go on; the signal it gives, 0: none."""
    trace = task.trace
    if trace is None or task.dying:
        return 0
    clear_step(task)
    task.ctx.limit_patches(PF_PATCH_NONE)  # the tracer is to see the guest's code
    trace.stopped = True
    trace.code, trace.info, trace.message, trace.signal = code, info, message, 0
    tracing.notify(task, why, code & 0x7F)
    while trace.stopped:
        if await suspend(task, interruptible=False) == INTERRUPTED:
            break
    trace.stopped = trace.listening = False
    trace.code = 0
    return trace.signal


def _told(task: Task, code: int) -> SigInfo:
    """siginfo of a stop that no signal has caused."""
    return SigInfo(code & 0x7F, code, task.group.tgid, task.creds.uid)


# Single steps: the trap flag is in the registers while guest code runs, and nowhere else


def is_stepping(task: Task) -> bool:
    return task.trace is not None and task.trace.mode in (tracing.STEP, tracing.EMULATE_STEP)


def set_step(task: Task) -> None:
    """Guest code is about to run: have it trap after one instruction."""
    trace, ctx = task.trace, task.ctx
    if trace is not None and not ctx.eflags & EFLAGS_TF:
        ctx.eflags |= EFLAGS_TF
        trace.forced_step = True


def clear_step(task: Task) -> None:
    """Guest code has been left: the trap flag that it didn't set is not to be seen."""
    trace = task.trace
    if trace is not None and trace.forced_step:
        task.ctx.eflags &= ~EFLAGS_TF
        trace.forced_step = False


# In calls


async def _call_stop(task: Task, message: int) -> None:
    trace = task.trace
    assert trace is not None
    code = SIGTRAP | (0x80 if trace.options & PTRACE_O_TRACESYSGOOD else 0)
    signo = await _stop(task, code, _told(task, code), message)
    if signo:
        signals.send_task(task, signo, SigInfo(signo, SI_KERNEL))


async def enter_call(task: Task) -> bool:
    """The stop before a call; False when the tracer answers the call itself (PTRACE_SYSEMU)."""
    trace = task.trace
    if trace is None or trace.mode in (tracing.RUN, tracing.STEP):
        clear_step(task)
        return True
    emulated = trace.mode in (tracing.EMULATE, tracing.EMULATE_STEP)
    await _call_stop(task, 1)
    return not emulated


async def leave_call(task: Task) -> None:
    """The stop after a call, whose result the registers have."""
    trace = task.trace
    if trace is None or task.dying:
        return
    if trace.mode == tracing.CALLS:
        await _call_stop(task, 2)
    elif trace.mode == tracing.STEP:
        signals.send_task(task, SIGTRAP, fault(SIGTRAP, TRAP_BRKPT, task.ctx.rip))


async def end_call(task: Task, result: int) -> int:
    """A call that has told of an event is over: the stop after it, if the tracer wants that by now."""
    trace = task.trace
    if trace is None or trace.guarded or trace.mode == tracing.RUN or task.dying:
        return result
    ctx = task.ctx
    ctx.rax = result & _MASK64
    await leave_call(task)
    return ctx.rax - (1 << 64) if ctx.rax & _SIGN else ctx.rax


async def event(task: Task, kind: int, message: int) -> None:
    """PTRACE_EVENT_* `kind`, if the tracer has asked for it."""
    trace = task.trace
    if trace is not None and trace.options >> kind & 1:
        code = SIGTRAP | kind << 8
        await _stop(task, code, _told(task, code), message)


async def executed(task: Task, old_tid: int) -> object:
    """A traced task has become another program."""
    trace, ctx = task.trace, task.ctx
    ctx.orig_rax = task.syscall_nr  # the call is not over yet
    if trace is not None and trace.options & PTRACE_O_TRACEEXEC:
        ctx.rax = -errno.ENOSYS & _MASK64
        await event(task, PTRACE_EVENT_EXEC, old_tid)
        ctx.rax = 0
        await end_call(task, 0)
    elif trace is not None and not trace.seized:
        signals.send_task(task, SIGTRAP, SigInfo(SIGTRAP, SI_USER, task.group.tgid, task.creds.uid))
    return NO_RESULT


async def seccomp_event(task: Task, value: int) -> bool:
    """SECCOMP_RET_TRACE; False when nobody wants to hear of it."""
    trace = task.trace
    if trace is None or not trace.options & PTRACE_O_TRACESECCOMP:
        return False
    await event(task, PTRACE_EVENT_SECCOMP, value)
    return True


# On the way out


def wants_exit(task: Task) -> bool:
    """Whether the tracer is to be told that the task is about to die, and has not been."""
    trace = task.trace
    return trace is not None and not trace.told_exit and bool(trace.options & PTRACE_O_TRACEEXIT)


async def before_exit(task: Task, code: int) -> object:
    """PTRACE_EVENT_EXIT with the wait status `code`.  What dooms the task has been heeded: it can wait."""
    trace = task.trace
    assert trace is not None
    trace.told_exit = True
    doomed, task.dying = task.dying, False
    await event(task, PTRACE_EVENT_EXIT, code)
    task.dying = doomed or task.dying
    task.work |= WORK_OTHER
    return NO_RESULT


# On the way back to user mode


def _reconsider_restart(task: Task) -> None:
    """Whether the interrupted call starts again is for the registers to say, which the tracer may have
    changed.
    """
    ctx = task.ctx
    number = ctx.orig_rax & 0xFFFFFFFF
    result = ctx.rax - (1 << 64) if ctx.rax & _SIGN else ctx.rax
    in_call = not number >> 31
    task.signal.restart = -result if in_call and -result in RESTARTS else 0
    if in_call:
        task.syscall_nr = number


async def deliver(task: Task, info: SigInfo) -> object:
    """Signal-delivery-stop, then what the tracer makes of the signal."""
    trace = task.trace
    assert trace is not None
    signo = await _stop(task, info.signo, info)
    info = trace.info or info
    task.work |= WORK_OTHER
    if task.dying:
        return NO_RESULT
    _reconsider_restart(task)
    if not signo:
        return NO_RESULT
    if signo != info.signo:
        tracer = trace.tracer
        info = SigInfo(signo, SI_USER, tracer.group.tgid, tracer.creds.uid)
    if task.sigmask >> signo - 1 & 1:
        signals.send_task(task, signo, info)
    elif signo == SIGKILL:
        task.group.begin_exit(SIGKILL)
    elif run.act(task, info.seen_by(task)) and is_stepping(task):
        await _stop(task, SIGTRAP, _told(task, SIGTRAP))  # at the handler's first instruction
    return NO_RESULT


async def group_stop(task: Task) -> object:
    """The task's part in a stop of its process, or PTRACE_EVENT_STOP."""
    trace, group = task.trace, task.group
    assert trace is not None
    trace.trap = False
    signo = group.stopping or SIGTRAP
    if group.stopping:
        trace.in_group_stop = True
        job_control.settle(group)
    if trace.seized:
        code = signo | PTRACE_EVENT_STOP << 8
        resumed = await _stop(task, code, _told(task, code), why=CLD_STOPPED)
    else:
        resumed = await _stop(task, signo, None, why=CLD_STOPPED)
    trace.in_group_stop = False
    task.work |= WORK_OTHER
    if resumed and task.trace is None:
        signals.send_task(task, resumed, SigInfo(resumed, SI_KERNEL))
    if not task.dying:
        _reconsider_restart(task)
    return NO_RESULT
