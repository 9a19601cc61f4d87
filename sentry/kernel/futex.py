"""Futexes (futex(2)): waiters by key.

Who waits is kept in `_core.FutexTable`: the dispatcher answers most calls itself, and those that wait in C
(see kernel.wait) queue up there with those that wait here.

A key is (mm, address) for private futexes, and what the memory manager says for shared ones.
"""

from __future__ import annotations

import errno

from sentry._core import FutexTable, FutexWaiter
from sentry.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_OP_ADD,
    FUTEX_OP_ANDN,
    FUTEX_OP_CMP_EQ,
    FUTEX_OP_CMP_GE,
    FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE,
    FUTEX_OP_CMP_LT,
    FUTEX_OP_CMP_NE,
    FUTEX_OP_OPARG_SHIFT,
    FUTEX_OP_OR,
    FUTEX_OP_SET,
    FUTEX_OP_XOR,
)
from sentry.abi.mman import TASK_SIZE
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTSYS
from sentry.errors import Errno
from sentry.kernel.timekeeping.timers import WallTime
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sentry._core import Machine
    from sentry.kernel.task import Task

    Key = tuple[Hashable, int]


class Futexes:
    """All futexes of the sandbox that someone waits on."""

    __slots__ = ("_pi", "_table")

    def __init__(self, machine: Machine) -> None:
        self._table = machine.futexes = FutexTable()
        # Who waits for a PI lock, and the lock if it is to be woken into its queue (FUTEX_WAIT_REQUEUE_PI).
        self._pi: dict[FutexWaiter, Key | None] = {}

    def __len__(self) -> int:
        """How many threads wait."""
        return len(self._table)

    def key(self, task: Task, address: int, shared: bool) -> Key:
        """What identifies the futex word at `address`; EINVAL when misaligned, EFAULT outside memory."""
        if address & 3:
            raise Errno(errno.EINVAL)
        if address >= TASK_SIZE:
            raise Errno(errno.EFAULT)
        if shared:
            return task.mm.futex_key(address, True)
        return (task.mm, address)

    def pi_waiters(self, key: Key) -> list[FutexWaiter]:
        """Who waits to own the lock `key`, in order of arrival."""
        return self._table.pi_waiters(key)

    def add(self, waiter: FutexWaiter, key: Key, lock: Key | None = None) -> None:
        """Put it at the end of the queue of `key`; `lock`: whose lock it will want."""
        self._table.add(waiter, key)
        if waiter.pi:
            self._pi[waiter] = lock

    def remove(self, waiter: FutexWaiter) -> None:
        """Take it out of the queue it is in; nothing when it is in none."""
        self._table.remove(waiter)
        self._pi.pop(waiter, None)

    async def wait(
        self, task: Task, address: int, value: int, bitset: int, deadline: int | None, shared: bool
    ) -> None:
        """FUTEX_WAIT: until woken.  EAGAIN when the word isn't `value`, ETIMEDOUT, ERESTARTSYS, EFAULT.

        A wake that came with a signal or a time-out counts.
        """
        key = self.key(task, address, shared)
        if task.read_u32(address) != value:
            raise Errno(errno.EAGAIN)
        waiter = FutexWaiter(task, address, bitset)
        self.add(waiter, key)
        try:
            await self.sleep(task, [waiter], deadline)
        finally:
            self.remove(waiter)

    async def sleep(self, task: Task, waiters: list[FutexWaiter], deadline: int | None) -> int:
        """Suspend until one of the task's queued `waiters` is woken: its index.  ETIMEDOUT, ERESTARTSYS."""
        while True:
            outcome = await suspend(task, deadline)
            for index, waiter in enumerate(waiters):
                if waiter.woken:
                    return index
            if outcome == TIMED_OUT_OUTCOME:
                raise Errno(errno.ETIMEDOUT)
            if outcome == INTERRUPTED:
                raise Errno(ERESTARTSYS)

    def restart_later(
        self, task: Task, address: int, value: int, bitset: int, deadline: int, shared: bool, wall: bool
    ) -> None:
        """A signal has interrupted a wait with a deadline, on CLOCK_REALTIME if `wall`: what
        restart_syscall(2) goes on with."""
        if wall:
            deadline = WallTime(deadline)
        task.signal.restart_block = lambda: self.wait_again(task, address, value, bitset, deadline, shared)

    async def wait_again(
        self, task: Task, address: int, value: int, bitset: int, deadline: int | None, shared: bool
    ) -> int:
        """A whole FUTEX_WAIT: 0, or the Errno of `wait`; interrupted, it will go on to the same deadline."""
        try:
            await self.wait(task, address, value, bitset, deadline, shared)
        except Errno as error:
            if error.code == ERESTARTSYS and deadline is not None:
                wall = isinstance(deadline, WallTime)
                self.restart_later(task, address, value, bitset, deadline, shared, wall)
                raise Errno(ERESTART_RESTARTBLOCK) from None
            raise
        return 0

    def wake(self, key: Key, count: int, bitset: int = FUTEX_BITSET_MATCH_ANY) -> int:
        """Wake at most `count` waiters (those whose bitset matches); how many.  EINVAL when one waits for a
        PI lock.
        """
        return self._table.wake(key, count, bitset)

    def requeue(self, key: Key, target: Key, wake: int, move: int) -> tuple[int, int]:
        """Wake at most `wake` waiters of `key` and move at most `move` others to `target`: how many of
        each.  EINVAL as `wake`.
        """
        return self._table.requeue(key, target, wake, move)

    def requeue_pi(self, key: Key, lock: Key, count: int) -> int:
        """Have at most `count` waiters of FUTEX_WAIT_REQUEUE_PI queue for `lock`; how many.  EINVAL for other
        waiters, or when they want another lock.
        """
        waiters = self.pi_waiters(key)
        if (not waiters and self._table.any_waits(key)) or any(self._pi[w] != lock for w in waiters[:count]):
            raise Errno(errno.EINVAL)
        for waiter in waiters[:count]:  # each queues by itself: the outcome is the same
            self.remove(waiter)
            waiter.wake()
        return len(waiters[:count])

    def owner_exits(self, task: Task) -> None:
        """A thread ends: who waits for a PI lock of its (or may do so) looks again."""
        for waiter in self._pi:
            waiter.task.wake()

    def owner_died(self, key: Key) -> None:
        """The owner of a PI futex died: its first waiter tries to take the lock."""
        for waiter in self.pi_waiters(key)[:1]:
            waiter.task.wake()


_OPERATIONS: dict[int, Callable[[int, int], int]] = {
    FUTEX_OP_SET: lambda old, arg: arg,
    FUTEX_OP_ADD: lambda old, arg: old + arg,
    FUTEX_OP_OR: lambda old, arg: old | arg,
    FUTEX_OP_ANDN: lambda old, arg: old & ~arg,
    FUTEX_OP_XOR: lambda old, arg: old ^ arg,
}
_COMPARISONS: dict[int, Callable[[int, int], bool]] = {
    FUTEX_OP_CMP_EQ: lambda old, arg: old == arg,
    FUTEX_OP_CMP_NE: lambda old, arg: old != arg,
    FUTEX_OP_CMP_LT: lambda old, arg: old < arg,
    FUTEX_OP_CMP_LE: lambda old, arg: old <= arg,
    FUTEX_OP_CMP_GT: lambda old, arg: old > arg,
    FUTEX_OP_CMP_GE: lambda old, arg: old >= arg,
}


def apply(task: Task, address: int, encoded: int) -> bool:
    """FUTEX_WAKE_OP's change of the word at `address`, atomically; whether the comparison with its old value
    held.

    ENOSYS for an unknown operation or comparison, EFAULT.
    """
    operation, comparison = encoded >> 28 & 0xF, encoded >> 24 & 0xF
    argument, comparand = _signed12(encoded >> 12), _signed12(encoded)
    if operation & FUTEX_OP_OPARG_SHIFT:
        argument = 1 << (argument & 31)
    operate = _OPERATIONS.get(operation & 7)
    compare = _COMPARISONS.get(comparison)
    if operate is None:
        raise Errno(errno.ENOSYS)
    old = task.read_u32(address)
    while True:
        seen = cmpxchg(task, address, old, operate(old, argument) & 0xFFFFFFFF)
        if seen == old:
            if compare is None:
                raise Errno(errno.ENOSYS)  # the word is changed by then, as by Linux
            return compare((old ^ 1 << 31) - (1 << 31), comparand)
        old = seen


def cmpxchg(task: Task, address: int, expect: int, desired: int) -> int:
    """Compare-and-swap of a guest word, with its page faulted in; the word seen."""
    try:
        return task.ctx.cmpxchg(address, expect, desired)
    except Errno:
        if not task.mm.fault_in(task, address, True):
            raise
        return task.ctx.cmpxchg(address, expect, desired)


def _signed12(bits: int) -> int:
    return ((bits & 0xFFF) ^ 0x800) - 0x800
