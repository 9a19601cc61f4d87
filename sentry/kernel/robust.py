"""Robust futexes: what a thread's death does to the locks it holds (get_robust_list(2), futex(2)).

The list lives in guest memory, so every step may fault, cycle or lie; the walk is bounded as in Linux.
"""

from __future__ import annotations

from sentry.abi.futex import (
    FUTEX_OWNER_DIED,
    FUTEX_TID_MASK,
    FUTEX_WAITERS,
    ROBUST_LIST_HEAD,
    ROBUST_LIST_LIMIT,
)
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_MASK64 = 2**64 - 1
_PI = 1  # the low bit of a list pointer: a priority-inheritance futex


def leave(task: Task) -> None:
    """Mark the futexes that a dying thread holds as ownerless, and wake a waiter of each."""
    head, task.robust_list = task.robust_list, 0
    if head:
        try:
            _walk(task, head)
        except Errno:
            pass  # as Linux: the walk ends at the first bad address


def _walk(task: Task, head: int) -> None:
    first, offset, pending = ROBUST_LIST_HEAD.unpack(task.copy_in(head, ROBUST_LIST_HEAD.size))
    entry, kept = first, pending & ~_PI
    for _ in range(ROBUST_LIST_LIMIT):
        node = entry & ~_PI
        if node == head:
            break
        # The next pointer is read before the lock is given away: its new owner may unlink the entry.
        following = task.read_u64(node)
        if node != kept:
            _abandon(task, (node + offset) & _MASK64, bool(entry & _PI))
        entry = following
    if kept:
        _abandon(task, (kept + offset) & _MASK64, bool(pending & _PI), pending=True)


def _abandon(task: Task, address: int, pi: bool, pending: bool = False) -> None:
    if address & 3:
        raise Errno(22)
    futexes = task.kernel.futexes
    word = task.read_u32(address)
    while True:
        if pending and not pi and not word:
            # It died between unlocking and waking: wake for it.
            futexes.wake(futexes.key(task, address, True), 1)
            return
        if word & FUTEX_TID_MASK != task.local_tid:
            return
        seen = task.ctx.cmpxchg(address, word, word & FUTEX_WAITERS | FUTEX_OWNER_DIED)
        if seen == word:
            break
        word = seen
    if pi:
        futexes.owner_died(futexes.key(task, address, True))
    elif word & FUTEX_WAITERS:
        futexes.wake(futexes.key(task, address, True), 1)
