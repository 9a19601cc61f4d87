"""The futex calls with flags for each word: futex_waitv, futex_wake, futex_wait, futex_requeue (futex(2))."""

import errno

from sentry._core import FutexWaiter
from sentry.abi.futex import (
    FUTEX2_MPOL,
    FUTEX2_NUMA,
    FUTEX2_PRIVATE,
    FUTEX2_SIZE_MASK,
    FUTEX2_SIZE_U32,
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_NO_NODE,
    FUTEX_WAITV,
    FUTEX_WAITV_MAX,
)
from sentry.abi.time import CLOCK_MONOTONIC, CLOCK_REALTIME
from sentry.errors import Errno
from sentry.kernel.timekeeping import clock
from sentry.syscalls.args import Int, Ptr, Size, UInt
from sentry.syscalls.timespec import read_timespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.futex import Key
    from sentry.kernel.task import Task

_KNOWN = FUTEX2_SIZE_MASK | FUTEX2_NUMA | FUTEX2_MPOL | FUTEX2_PRIVATE
_WORD_MAX = 0xFFFFFFFF
_INT_MAX = 2**31 - 1


def _check_flags(flags: int) -> None:
    """EINVAL unless the word is one of 32 bits, with flags that we know."""
    if flags & ~_KNOWN or flags & FUTEX2_SIZE_MASK != FUTEX2_SIZE_U32:
        raise Errno(errno.EINVAL)


def _key(task: "Task", address: int, flags: int) -> "Key":
    """What tells the futex at `address` from others; EFAULT, EINVAL (misaligned, no such node)."""
    if flags & FUTEX2_NUMA:
        if address & 7:
            raise Errno(errno.EINVAL)
        node = task.read_u32(address + 4)
        if node == FUTEX_NO_NODE:
            task.write_u32(address + 4, 0)  # the only one
        elif node:
            raise Errno(errno.EINVAL)
    return task.kernel.futexes.key(task, address, not flags & FUTEX2_PRIVATE)


def _deadline(task: "Task", timeout: int, clock_id: int) -> int | None:
    if not timeout:
        return None
    if clock_id not in (CLOCK_MONOTONIC, CLOCK_REALTIME):
        raise Errno(errno.EINVAL)
    return clock.absolute(task, clock_id, read_timespec(task, timeout))


def _count(count: int) -> int:
    """Negative counts are as good as 1: Linux looks after it has woken somebody."""
    return max(1, count)


def futex_wake(task: "Task", address: Ptr, mask: Size, count: Int, flags: UInt) -> int:
    _check_flags(flags)
    if not 0 < mask <= _WORD_MAX:
        raise Errno(errno.EINVAL)
    key = _key(task, address, flags)
    return task.kernel.futexes.wake(key, _count(count), mask) if count else 0


def futex_wait(
    task: "Task", address: Ptr, value: Size, mask: Size, flags: UInt, timeout: Ptr, clock_id: Int
) -> "int | Coroutine[None, None, int]":
    _check_flags(flags)
    if value > _WORD_MAX or not 0 < mask <= _WORD_MAX:
        raise Errno(errno.EINVAL)
    deadline = _deadline(task, timeout, clock_id)
    _key(task, address, flags)
    return _wait(task, address, value, mask, deadline, not flags & FUTEX2_PRIVATE)


async def _wait(task: "Task", address: int, value: int, mask: int, deadline: int | None, shared: bool) -> int:
    # The time is absolute: an interrupted call may simply be made again.
    await task.kernel.futexes.wait(task, address, value, mask, deadline, shared)
    return 0


def futex_requeue(task: "Task", array: Ptr, flags: UInt, wake: Int, move: Int) -> int:
    if flags or not array:
        raise Errno(errno.EINVAL)
    source, target = _read_waiters(task, array, 2)
    if wake < 0 or move < 0:
        raise Errno(errno.EINVAL)
    keys = _key(task, source[1], source[2]), _key(task, target[1], target[2])
    if task.read_u32(source[1]) != source[0]:
        raise Errno(errno.EAGAIN)
    woken, moved = task.kernel.futexes.requeue(*keys, wake, move)
    return woken + moved


async def futex_waitv(task: "Task", array: Ptr, count: UInt, flags: UInt, timeout: Ptr, clock_id: Int) -> int:
    if flags or not 1 <= count <= FUTEX_WAITV_MAX or not array:
        raise Errno(errno.EINVAL)
    deadline = _deadline(task, timeout, clock_id)
    futexes = task.kernel.futexes
    waiters: list[FutexWaiter] = []
    try:
        for value, address, kind in _read_waiters(task, array, count):
            key = _key(task, address, kind)
            if task.read_u32(address) != value:
                raise Errno(errno.EAGAIN)
            waiters.append(FutexWaiter(task, address, FUTEX_BITSET_MATCH_ANY))
            futexes.add(waiters[-1], key)
        return await futexes.sleep(task, waiters, deadline)
    finally:
        for waiter in waiters:
            futexes.remove(waiter)


def _read_waiters(task: "Task", array: int, count: int) -> list[tuple[int, int, int]]:
    """(value, address, flags) of each struct futex_waitv.  EFAULT, EINVAL."""
    waiters = []
    data = task.copy_in(array, count * FUTEX_WAITV.size)
    for value, address, flags, reserved in FUTEX_WAITV.iter_unpack(data):
        _check_flags(flags)
        if reserved or value > _WORD_MAX:
            raise Errno(errno.EINVAL)
        waiters.append((value, address, flags))
    return waiters
