"""Futexes (futex(2)): waiters by key.

What must hold: a waiter is in the list of exactly one key while it waits, and no key has an empty list; the
dispatcher is told of each waiter (Machine.futex_enter), because it answers a wake that finds nobody by
itself.

A key is (mm, address) for private futexes, and what the memory manager says for shared ones.
"""

from __future__ import annotations

import errno

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
from sentry.abi.restart import ERESTARTSYS
from sentry.errors import Errno
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sentry._core import Machine
    from sentry.kernel.task import Task



class FutexWaiter:
    """One thread waiting on one futex word."""

    __slots__ = ("address", "bitset", "key", "pi", "task", "woken")

    def __init__(self, task: Task, address: int, bitset: int, pi: bool = False) -> None:
        self.task = task
        self.address = address
        self.bitset = bitset
        self.pi = pi  # waits to own the lock: only kernel.futex_pi wakes it
        self.key: Hashable = None  # set while it is queued
        self.woken = False

    def wake(self) -> None:
        self.woken = True
        self.task.wake()


class Futexes:
    """All futexes of the sandbox that someone waits on."""

    __slots__ = ("_machine", "_waiters")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waiters: dict[Hashable, list[FutexWaiter]] = {}

    def key(self, task: Task, address: int, shared: bool) -> Hashable:
        """What identifies the futex word at `address`; EINVAL when misaligned, EFAULT outside memory."""
        if address & 3:
            raise Errno(errno.EINVAL)
        if address >= TASK_SIZE:
            raise Errno(errno.EFAULT)
        if shared:
            return task.mm.futex_key(address, True)
        return (task.mm, address)

    def waiters(self, key: Hashable) -> list[FutexWaiter]:
        """Who waits on `key`, in order of arrival (not to be changed)."""
        return self._waiters.get(key, [])

    def add(self, waiter: FutexWaiter, key: Hashable) -> None:
        waiter.key = key
        self._waiters.setdefault(key, []).append(waiter)
        self._machine.futex_enter(waiter.address)

    def remove(self, waiter: FutexWaiter) -> None:
        """Take it off the list it is on; nothing when it is on none."""
        key, waiter.key = waiter.key, None
        if key is None:
            return
        waiters = self._waiters[key]
        waiters.remove(waiter)
        if not waiters:
            del self._waiters[key]
        self._machine.futex_leave(waiter.address)

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

    def wake(self, key: Hashable, count: int, bitset: int = FUTEX_BITSET_MATCH_ANY) -> int:
        """Wake at most `count` waiters (those whose bitset matches); how many.  EINVAL when one waits for a
        PI lock.
        """
        woken = 0
        for waiter in self.waiters(key).copy():
            if waiter.pi:
                raise Errno(errno.EINVAL)
            if woken >= count:
                break
            if waiter.bitset & bitset:
                self.remove(waiter)
                waiter.wake()
                woken += 1
        return woken

    def requeue(
        self, key: Hashable, target: Hashable, target_address: int, wake: int, move: int
    ) -> tuple[int, int]:
        """Wake at most `wake` waiters of `key` and move at most `move` others to `target`: how many of
        each.
        """
        woken = moved = 0
        for waiter in self.waiters(key).copy():
            if waiter.pi:
                raise Errno(errno.EINVAL)
            if woken < wake:
                self.remove(waiter)
                waiter.wake()
                woken += 1
            elif moved < move:
                self.remove(waiter)
                waiter.address = target_address
                self.add(waiter, target)
                moved += 1
            else:
                break
        return woken, moved

    def owner_died(self, key: Hashable) -> None:
        """The owner of a PI futex died: its first waiter tries to take the lock."""
        for waiter in self.waiters(key):
            if waiter.pi:
                waiter.task.wake()
                return


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
    if operate is None or compare is None:
        raise Errno(errno.ENOSYS)
    old = task.read_u32(address)
    while True:
        seen = cmpxchg(task, address, old, operate(old, argument) & 0xFFFFFFFF)
        if seen == old:
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
