"""System V semaphores: semget, semop, semtimedop, semctl."""

import errno
from struct import pack, unpack

from sentry.abi.ipc import (
    GETALL,
    GETNCNT,
    GETPID,
    GETVAL,
    GETZCNT,
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    PERM,
    SEM_INFO,
    SEM_STAT,
    SEM_STAT_ANY,
    SEMAEM,
    SEMBUF,
    SEMID_DS,
    SEMINFO,
    SEMUSZ,
    SEMVMX,
    SETALL,
    SETVAL,
)
from sentry.errors import Errno
from sentry.ipc.ids import seconds
from sentry.syscalls.args import Int, Ptr, Size, UInt
from sentry.syscalls.timespec import read_timespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.ipc.sem import SemaphoreIds, SemaphoreSet
    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]


def semget(task: "Task", key: Int, count: Int, flags: Int) -> int:
    return task.ns.ipc.sem.obtain(task, key, count, flags)


def semop(task: "Task", id: Int, operations: Ptr, count: UInt) -> "Answer":
    return _operate(task, id, operations, count, 0)


def semtimedop(task: "Task", id: Int, operations: Ptr, count: UInt, timeout: Ptr) -> "Answer":
    return _operate(task, id, operations, count, timeout)


def _operate(task: "Task", id: int, address: int, count: int, timeout: int) -> "Answer":
    ids = task.ns.ipc.sem
    deadline = None
    if timeout:
        deadline = task.kernel.clock.monotonic() + read_timespec(task, timeout)
    if count > ids.operations_limit:
        raise Errno(errno.E2BIG)
    if count < 1 or id < 0:
        raise Errno(errno.EINVAL)
    operations = list(SEMBUF.iter_unpack(task.copy_in(address, count * SEMBUF.size)))
    return ids.operate(task, id, operations, deadline)


def semctl(task: "Task", id: Int, number: Int, command: Int, argument: Size) -> int:
    ids = task.ns.ipc.sem
    if id < 0:
        raise Errno(errno.EINVAL)
    if command in (IPC_INFO, SEM_INFO):
        used = (len(ids.objects), ids.total) if command == SEM_INFO else (SEMUSZ, SEMAEM)
        limits = SEMINFO.pack(
            ids.total_limit, ids.limit, ids.total_limit, ids.total_limit, ids.set_limit,
            ids.operations_limit, ids.operations_limit, used[0], SEMVMX, used[1],
        )  # fmt: skip
        task.copy_out(argument, limits)
        return ids.highest()
    if command in (IPC_STAT, SEM_STAT, SEM_STAT_ANY):
        return _stat(task, ids, id, command, argument)
    if command in (IPC_SET, IPC_RMID):
        return _change(task, ids, id, command, argument)
    if command == SETVAL:
        return _set_value(task, ids, id, number, (argument & 0xFFFFFFFF ^ 1 << 31) - (1 << 31))
    if command in (GETALL, SETALL):
        return _all(task, ids, id, command, argument)
    if command in (GETVAL, GETPID, GETNCNT, GETZCNT):
        return _get(task, ids, id, number, command)
    raise Errno(errno.EINVAL)


def _stat(task: "Task", ids: "SemaphoreIds", id: int, command: int, buffer: int) -> int:
    semaphores: SemaphoreSet = ids.get(id) if command == IPC_STAT else ids.at(id)
    if command != SEM_STAT_ANY:
        ids.check_access(task, semaphores, 0o444)
    task.copy_out(buffer, semaphores.pack(task))
    return 0 if command == IPC_STAT else semaphores.id


def _change(task: "Task", ids: "SemaphoreIds", id: int, command: int, buffer: int) -> int:
    wanted = task.copy_in(buffer, PERM.size + SEMID_DS.size) if command == IPC_SET else b""
    semaphores: SemaphoreSet = ids.get(id)
    ids.check_owner(task, semaphores)
    if command == IPC_SET:
        ids.set_perm(task, semaphores, wanted)
    else:
        ids.destroy(semaphores)
    return 0


def _set_value(task: "Task", ids: "SemaphoreIds", id: int, number: int, value: int) -> int:
    if not 0 <= value <= SEMVMX:
        raise Errno(errno.ERANGE)
    semaphores: SemaphoreSet = ids.get(id)
    if not 0 <= number < len(semaphores.values):
        raise Errno(errno.EINVAL)
    ids.check_access(task, semaphores, 0o222)
    semaphores.assign(number, value, task.group.tgid)
    semaphores.ctime = seconds()
    semaphores.changed()
    return 0


def _all(task: "Task", ids: "SemaphoreIds", id: int, command: int, array: int) -> int:
    semaphores: SemaphoreSet = ids.get(id)
    count = len(semaphores.values)
    if command == GETALL:
        ids.check_access(task, semaphores, 0o444)
        task.copy_out(array, pack(f"<{count}H", *semaphores.values))
        return 0
    ids.check_access(task, semaphores, 0o222)
    values = unpack(f"<{count}H", task.copy_in(array, 2 * count))
    if max(values) > SEMVMX:
        raise Errno(errno.ERANGE)
    for number, value in enumerate(values):
        semaphores.assign(number, value, task.group.tgid)
    semaphores.ctime = seconds()
    semaphores.changed()
    return 0


def _get(task: "Task", ids: "SemaphoreIds", id: int, number: int, command: int) -> int:
    semaphores: SemaphoreSet = ids.get(id)
    ids.check_access(task, semaphores, 0o444)
    if not 0 <= number < len(semaphores.values):
        raise Errno(errno.EINVAL)
    if command == GETVAL:
        return semaphores.values[number]
    if command == GETPID:
        return task.number(semaphores.pids[number])
    return semaphores.waiting(number, for_zero=command == GETZCNT)
