"""futex(2)."""

import errno

from sentry.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from sentry.abi.time import CLOCK_MONOTONIC, CLOCK_REALTIME
from sentry.errors import Errno
from sentry.kernel import futex_pi
from sentry.kernel.futex import apply
from sentry.kernel.timekeeping import clock
from sentry.syscalls.args import Int, Ptr, UInt
from sentry.syscalls.timespec import read_timespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]

_COMMAND_MASK = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
_MAY_BE_REALTIME = (FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2)


def futex(
    task: "Task", address: Ptr, operation: Int, value: UInt, timeout: Ptr, address2: Ptr, value3: UInt
) -> "Answer":
    command = operation & _COMMAND_MASK
    shared = not operation & FUTEX_PRIVATE_FLAG
    realtime = bool(operation & FUTEX_CLOCK_REALTIME)
    futexes = task.kernel.futexes
    if realtime and command not in _MAY_BE_REALTIME:
        raise Errno(errno.ENOSYS)
    if command == FUTEX_WAKE:
        return futexes.wake(futexes.key(task, address, shared), _count(value))
    if command == FUTEX_WAIT:
        deadline = _relative(task, timeout)
        return futexes.wait_again(task, address, value, FUTEX_BITSET_MATCH_ANY, deadline, shared)
    if command == FUTEX_WAIT_BITSET:
        deadline = _absolute(task, timeout, realtime)
        return futexes.wait_again(task, address, value, _checked(value3), deadline, shared)
    if command == FUTEX_WAKE_BITSET:
        return futexes.wake(futexes.key(task, address, shared), _count(value), _checked(value3))
    if command in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_CMP_REQUEUE_PI):
        return _requeue(task, command, address, value, timeout & 0xFFFFFFFF, address2, value3, shared)
    if command == FUTEX_WAKE_OP:
        key, key2 = futexes.key(task, address, shared), futexes.key(task, address2, shared)
        also = apply(task, address2, value3)
        woken = futexes.wake(key, _count(value))
        return woken + futexes.wake(key2, _count(timeout & 0xFFFFFFFF)) if also else woken
    if command in (FUTEX_LOCK_PI, FUTEX_LOCK_PI2):
        deadline = _absolute(task, timeout, realtime or command == FUTEX_LOCK_PI)
        return _lock_pi(task, address, deadline, shared)
    if command == FUTEX_TRYLOCK_PI:
        if futex_pi.try_lock(task, address, futexes.key(task, address, shared)):
            return 0
        raise Errno(errno.EAGAIN)
    if command == FUTEX_UNLOCK_PI:
        futex_pi.unlock(task, address, shared)
        return 0
    if command == FUTEX_WAIT_REQUEUE_PI:
        deadline = _absolute(task, timeout, realtime)
        return _wait_requeue_pi(task, address, value, deadline, address2, shared)
    raise Errno(errno.ENOSYS)


def _count(value: int) -> int:
    # Linux takes a negative count as "one": the loop tests after it has woken somebody.
    return max(1, (value ^ 1 << 31) - (1 << 31))


def _checked(bitset: int) -> int:
    if not bitset:
        raise Errno(errno.EINVAL)
    return bitset


def _relative(task: "Task", timeout: int) -> int | None:
    return task.kernel.clock.monotonic() + read_timespec(task, timeout) if timeout else None


def _absolute(task: "Task", timeout: int, realtime: bool) -> int | None:
    if not timeout:
        return None
    return clock.absolute(task, CLOCK_REALTIME if realtime else CLOCK_MONOTONIC, read_timespec(task, timeout))


def _requeue(
    task: "Task", command: int, address: int, wake: int, move: int, target: int, expected: int, shared: bool
) -> int:
    if wake >= 1 << 31 or move >= 1 << 31:
        raise Errno(errno.EINVAL)
    if command == FUTEX_CMP_REQUEUE_PI and (wake != 1 or address == target):
        raise Errno(errno.EINVAL)
    futexes = task.kernel.futexes
    key, target_key = futexes.key(task, address, shared), futexes.key(task, target, shared)
    if command != FUTEX_REQUEUE and task.read_u32(address) != expected:
        raise Errno(errno.EAGAIN)
    if command == FUTEX_CMP_REQUEUE_PI:
        return futexes.requeue_pi(key, target_key, wake + move)
    woken, moved = futexes.requeue(key, target_key, wake, move)
    return woken + moved


async def _lock_pi(task: "Task", address: int, deadline: int | None, shared: bool) -> int:
    await futex_pi.lock(task, address, deadline, shared)
    return 0


async def _wait_requeue_pi(
    task: "Task", address: int, value: int, deadline: int | None, target: int, shared: bool
) -> int:
    await futex_pi.wait_requeue(task, address, value, FUTEX_BITSET_MATCH_ANY, deadline, target, shared)
    return 0
