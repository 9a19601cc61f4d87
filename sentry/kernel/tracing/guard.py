"""Calls of a task that somebody must see first: its tracer (kernel.tracing.trace_stops), filters
(kernel.tracing.seccomp).

`Kernel.on_guarded` comes here in place of `on_syscall`.  In the order of Linux's syscall_trace_enter(): the
process itself, the tracer, the filters, the call itself, the tracer again.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry._core import GUARD_FILTER, GUARD_STRICT
from sentry.errors import Errno
from sentry.kernel.tracing import dispatch, seccomp, trace_stops
from sentry.kernel.wait import WOULD_BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.task import Task

_INT32 = 1 << 32
_MASK64 = 2**64 - 1


def number(task: Task) -> int:
    """The call's number as the registers have it now: 32 bits, signed."""
    low = task.ctx.orig_rax & 0xFFFFFFFF
    return low - _INT32 if low >> 31 else low


async def call(task: Task) -> Any:
    """The call that the task's registers describe: its answer, as `Kernel.on_syscall` gives it."""
    if task.dispatch is not None and dispatch.intercept(task) is not None:
        return _core.NO_RESULT
    trace = task.trace
    if trace is None:
        return await _filtered(task)
    trace.guarded = True
    try:
        return await _traced(task)
    finally:
        trace.guarded = False


async def _traced(task: Task) -> Any:
    made = await trace_stops.enter_call(task)
    task.syscall_nr = number(task)
    if task.dying or not made:
        return result_of(task)
    result = await _filtered(task) if task.syscall_nr >= 0 else result_of(task)
    if task.trace is None or result is None:
        return result
    if result is not _core.NO_RESULT:
        task.ctx.rax = result & _MASK64
    await trace_stops.leave_call(task)
    return result if result is _core.NO_RESULT else result_of(task)


def result_of(task: Task) -> int:
    """What the registers say that the call has given."""
    result = task.ctx.rax
    return result - (1 << 64) if result >> 63 else result


async def _filtered(task: Task) -> Any:
    try:
        if task.guard & (GUARD_STRICT | GUARD_FILTER):
            answer = await seccomp.check(task)
            if answer is not seccomp.PASS:
                return answer
        return await _make(task)
    except Errno as error:
        return -error.code


async def _make(task: Task) -> Any:
    """Make the call that the registers describe."""
    ctx = task.ctx
    result = task.kernel.handler(task, task.syscall_nr)(
        task, ctx.rdi, ctx.rsi, ctx.rdx, ctx.r10, ctx.r8, ctx.r9
    )
    if type(result) is int or result is None or result is _core.NO_RESULT:
        return result
    return -errno.EAGAIN if result is WOULD_BLOCK else await result
