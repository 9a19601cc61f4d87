"""System V shared memory: shmget, shmat, shmdt, shmctl."""

import errno

from sentry.abi.ipc import (
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    PERM,
    SHM_INFO,
    SHM_INFO_STRUCT,
    SHM_LOCK,
    SHM_STAT,
    SHM_STAT_ANY,
    SHM_UNLOCK,
    SHMID_DS,
    SHMINFO,
)
from sentry.errors import Errno
from sentry.ipc import shm
from sentry.syscalls.args import Int, Ptr, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.ipc.shm import Segment, SegmentIds
    from sentry.kernel.task import Task


def shmget(task: "Task", key: Int, size: Size, flags: Int) -> int:
    return task.ns.ipc.shm.obtain(task, key, size, flags)


def shmat(task: "Task", id: Int, address: Ptr, flags: Int) -> int:
    return shm.attach(task, task.ns.ipc.shm, id, address, flags)


def shmdt(task: "Task", address: Ptr) -> int:
    shm.detach(task, address)
    return 0


def shmctl(task: "Task", id: Int, command: Int, buffer: Ptr) -> int:
    ids = task.ns.ipc.shm
    if id < 0 or command < 0:
        raise Errno(errno.EINVAL)
    if command == IPC_INFO:
        limits = SHMINFO.pack(ids.size_limit, 1, ids.limit, ids.limit, ids.all_limit)
        task.copy_out(buffer, limits)
        return ids.highest()
    if command == SHM_INFO:
        resident = sum(segment.resident() for segment in ids.objects.values())
        task.copy_out(buffer, SHM_INFO_STRUCT.pack(len(ids.objects), ids.total, resident, 0, 0, 0))
        return ids.highest()
    if command in (IPC_STAT, SHM_STAT, SHM_STAT_ANY):
        return _stat(task, ids, id, command, buffer)
    if command not in (IPC_SET, IPC_RMID, SHM_LOCK, SHM_UNLOCK):
        raise Errno(errno.EINVAL)
    wanted = task.copy_in(buffer, PERM.size + SHMID_DS.size) if command == IPC_SET else b""
    segment: Segment = ids.get(id)
    if command in (SHM_LOCK, SHM_UNLOCK):
        ids.lock(task, segment, command == SHM_LOCK)
        return 0
    ids.check_owner(task, segment)
    if command == IPC_SET:
        ids.set_perm(task, segment, wanted)
    else:
        ids.doom(segment)
    return 0


def _stat(task: "Task", ids: "SegmentIds", id: int, command: int, buffer: int) -> int:
    segment: Segment = ids.get(id) if command == IPC_STAT else ids.at(id)
    if command != SHM_STAT_ANY:
        ids.check_access(task, segment, 0o444)
    task.copy_out(buffer, segment.pack(task, shm.count_attachments(task.kernel).get(segment, 0)))
    return 0 if command == IPC_STAT else segment.id
