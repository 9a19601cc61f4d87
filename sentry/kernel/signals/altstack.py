"""The alternate signal stack (sigaltstack(2))."""

from __future__ import annotations

import errno

from sentry.abi.signal import MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import TaskBase


def contains(task: TaskBase, sp: int) -> bool:
    """Whether a thread with the stack pointer `sp` is on the alternate stack."""
    if task.altstack_flags & SS_AUTODISARM:
        return False
    return task.altstack_sp < sp <= task.altstack_sp + task.altstack_size


def flags_at(task: TaskBase, sp: int) -> int:
    """ss_flags as sigaltstack(2) tells them to a thread whose stack pointer is `sp` (signed 32 bits)."""
    if not task.altstack_size:
        flags = SS_DISABLE
    else:
        flags = SS_ONSTACK if contains(task, sp) else 0
    return signed(flags | task.altstack_flags & SS_AUTODISARM)


def signed(flags: int) -> int:
    """ss_flags as the int that they are."""
    return (flags ^ 1 << 31) - (1 << 31)


def set(task: TaskBase, sp: int, flags: int, size: int, current_sp: int) -> None:
    """Replace the alternate stack: EPERM while it is in use, EINVAL for unknown flags, ENOMEM when it is too
    small.
    """
    flags &= 0xFFFFFFFF
    if contains(task, current_sp):
        raise Errno(errno.EPERM)
    mode = flags & ~SS_AUTODISARM
    if mode not in (0, SS_ONSTACK, SS_DISABLE):
        raise Errno(errno.EINVAL)
    if mode == SS_DISABLE:
        sp = size = 0
    elif size < MINSIGSTKSZ:
        raise Errno(errno.ENOMEM)
    task.altstack_sp = sp
    task.altstack_size = size
    task.altstack_flags = flags


def disarm(task: TaskBase) -> None:
    """No alternate stack any more."""
    task.altstack_sp = 0
    task.altstack_size = 0
    task.altstack_flags = SS_DISABLE
