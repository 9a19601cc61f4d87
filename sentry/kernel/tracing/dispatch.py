"""Calls that a process answers itself, by a signal (PR_SET_SYSCALL_USER_DISPATCH in prctl(2)).

Neither fork(2) nor execve(2) passes it on.
"""

from __future__ import annotations

from sentry._core import GUARD_DISPATCH, NO_RESULT
from sentry.abi.seccomp import AUDIT_ARCH_X86_64
from sentry.abi.signal import SIGSEGV, SIGSYS
from sentry.errors import Errno
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SYS_USER_DISPATCH = 2  # si_code of SIGSYS
_ALLOW, _BLOCK = range(2)
_MASK64 = 2**64 - 1


class Dispatch:
    """Calls from outside [start, start + length) raise SIGSYS, unless the byte at `selector` allows them."""

    __slots__ = ("length", "selector", "start")

    def __init__(self, start: int, length: int, selector: int) -> None:
        self.start = start
        self.length = length
        self.selector = selector


def set(task: Task, dispatch: Dispatch | None) -> None:
    task.dispatch = dispatch
    task.guard = task.guard & ~GUARD_DISPATCH | (GUARD_DISPATCH if dispatch is not None else 0)


def intercept(task: Task) -> object:
    """NO_RESULT when the call that the registers describe is not to be made; else None."""
    dispatch, ctx = task.dispatch, task.ctx
    if dispatch is None or (ctx.rip - dispatch.start) & _MASK64 < dispatch.length:
        return None
    if dispatch.selector:
        try:
            chosen = task.copy_in(dispatch.selector, 1)[0]
        except Errno:
            task.group.begin_exit(SIGSEGV)
            return NO_RESULT
        if chosen == _ALLOW:
            return None
        if chosen != _BLOCK:
            task.group.begin_exit(SIGSYS)
            return NO_RESULT
    info = SigInfo(SIGSYS, _SYS_USER_DISPATCH)
    info.addr, info.status, info.value = ctx.rip, task.syscall_nr, AUDIT_ARCH_X86_64
    ctx.rax = task.syscall_nr & _MASK64
    signals.force_fault(task, info)
    return NO_RESULT
