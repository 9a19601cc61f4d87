"""Priority-inheritance futexes (futex(2), FUTEX_LOCK_PI and its family).

The lock word holds the owner's tid, FUTEX_WAITERS and FUTEX_OWNER_DIED.  Priorities are not inherited (the
host schedules); what is kept are the hand-over and the errors.
"""

from __future__ import annotations

import errno

from sentry._core import FutexWaiter
from sentry.abi.futex import FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS
from sentry.abi.restart import ERESTARTNOINTR
from sentry.errors import Errno
from sentry.kernel.futex import cmpxchg
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.futex import Key
    from sentry.kernel.task import Task


def try_lock(task: Task, address: int, key: Key, inherit: bool = False) -> bool:
    """Take the lock if it is free or its owner has died; False when another thread holds it.

    Args:
        inherit: the caller has waited for the lock: it gets that of an owner who ended without a word.

    EDEADLK when the caller has it, ESRCH when the owner doesn't exist, EFAULT.
    """
    futexes = task.kernel.futexes
    word = task.read_u32(address)
    while True:
        owner = word & FUTEX_TID_MASK
        if owner == task.local_tid:
            raise Errno(errno.EDEADLK)
        if owner:
            holder = task.find(owner)
            if holder is not None and holder.state != "dead":
                return False
            if not inherit:
                _mark_waiters(task, address, word)
                raise Errno(errno.ESRCH)
            word_after = FUTEX_OWNER_DIED | FUTEX_WAITERS
        else:
            others = any(waiter.task is not task for waiter in futexes.pi_waiters(key))
            word_after = word & FUTEX_OWNER_DIED | (FUTEX_WAITERS if others else 0)
        desired = task.local_tid | word_after
        seen = cmpxchg(task, address, word, desired)
        if seen == word:
            return True
        word = seen


def _mark_waiters(task: Task, address: int, word: int) -> bool:
    """Have the owner enter the kernel to unlock; False when the word has changed meanwhile."""
    return bool(word & FUTEX_WAITERS) or cmpxchg(task, address, word, word | FUTEX_WAITERS) == word


async def lock(task: Task, address: int, deadline: int | None, shared: bool) -> None:
    """FUTEX_LOCK_PI: take the lock, waiting for it.  ETIMEDOUT and try_lock's errors; a signal restarts
    it.
    """
    futexes = task.kernel.futexes
    key = futexes.key(task, address, shared)
    if try_lock(task, address, key):
        return
    waiter = FutexWaiter(task, address, FUTEX_BITSET_MATCH_ANY, pi=True)
    futexes.add(waiter, key)
    try:
        await _acquire(task, waiter, deadline)
    finally:
        futexes.remove(waiter)


async def _acquire(task: Task, waiter: FutexWaiter, deadline: int | None) -> None:
    while True:
        if waiter.woken:  # the lock was handed over
            return
        if try_lock(task, waiter.address, waiter.key, inherit=True):
            return
        if not _mark_waiters(task, waiter.address, task.read_u32(waiter.address)):
            continue
        outcome = await suspend(task, deadline)
        if waiter.woken:
            return
        if outcome == TIMED_OUT_OUTCOME:
            raise Errno(errno.ETIMEDOUT)
        if outcome == INTERRUPTED:
            raise Errno(ERESTARTNOINTR)


def unlock(task: Task, address: int, shared: bool) -> None:
    """FUTEX_UNLOCK_PI: hand the lock to the first waiter, or free it.  EPERM when the caller doesn't hold
    it.
    """
    futexes = task.kernel.futexes
    word = task.read_u32(address)
    if word & FUTEX_TID_MASK != task.local_tid:
        raise Errno(errno.EPERM)
    key = futexes.key(task, address, shared)
    while True:
        if word & FUTEX_TID_MASK != task.local_tid:
            raise Errno(errno.EPERM)
        queue = [waiter for waiter in futexes.pi_waiters(key) if not waiter.task.dying]
        desired = 0
        if queue:
            desired = queue[0].task.local_tid | FUTEX_WAITERS
        seen = cmpxchg(task, address, word, desired)
        if seen == word:
            break
        word = seen
    if queue:
        futexes.remove(queue[0])
        queue[0].wake()


async def wait_requeue(
    task: Task, address: int, value: int, bitset: int, deadline: int | None, target: int, shared: bool
) -> None:
    """FUTEX_WAIT_REQUEUE_PI: wait on `address`; woken or requeued, return with the PI lock at `target`
    held.
    """
    if address == target:
        raise Errno(errno.EINVAL)
    futexes = task.kernel.futexes
    target_key = futexes.key(task, target, shared)
    key = futexes.key(task, address, shared)
    if task.read_u32(address) != value:
        raise Errno(errno.EAGAIN)
    early = FutexWaiter(task, address, bitset, pi=True)
    futexes.add(early, key, target_key)
    try:
        await futexes.sleep(task, [early], deadline)
    finally:
        futexes.remove(early)
    if try_lock(task, target, target_key):
        return
    waiter = FutexWaiter(task, target, FUTEX_BITSET_MATCH_ANY, pi=True)
    futexes.add(waiter, target_key)
    try:
        await _acquire(task, waiter, deadline)
    finally:
        futexes.remove(waiter)
