"""The alternate signal stack (sigaltstack(2))."""

from __future__ import annotations

import errno

from sentry.abi.signal import MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.signals import SignalState
    from sentry.kernel.task import Task


def flags_at(state: SignalState, sp: int) -> int:
    """ss_flags as sigaltstack(2) tells them to a thread whose stack pointer is `sp` (signed 32 bits)."""
    if state.altstack_flags & SS_DISABLE:
        flags = SS_DISABLE
    elif state.altstack_flags & SS_AUTODISARM:
        flags = SS_AUTODISARM
    else:
        flags = SS_ONSTACK if state.on_altstack(sp) else 0
    return (flags ^ 1 << 31) - (1 << 31)


def set(task: Task, sp: int, flags: int, size: int, current_sp: int) -> None:
    """Replace the alternate stack: EPERM while it is in use, EINVAL for unknown flags, ENOMEM when it is too
    small.
    """
    state = task.signal
    flags &= 0xFFFFFFFF
    if state.on_altstack(current_sp):
        raise Errno(errno.EPERM)
    mode = flags & ~SS_AUTODISARM
    if mode not in (0, SS_ONSTACK, SS_DISABLE):
        raise Errno(errno.EINVAL)
    if mode == SS_DISABLE:
        disarm(state)
        return
    if size < MINSIGSTKSZ:
        raise Errno(errno.ENOMEM)
    state.altstack_sp = sp
    state.altstack_size = size
    state.altstack_flags = flags & SS_AUTODISARM


def disarm(state: SignalState) -> None:
    """No alternate stack any more."""
    state.altstack_sp = 0
    state.altstack_size = 0
    state.altstack_flags = SS_DISABLE
