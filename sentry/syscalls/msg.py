"""System V message queues: msgget, msgsnd, msgrcv, msgctl."""

import errno

from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.ipc import (
    IPC_INFO,
    IPC_NOWAIT,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MSG_COPY,
    MSG_EXCEPT,
    MSG_INFO,
    MSG_STAT,
    MSG_STAT_ANY,
    MSGINFO,
    MSGMNB,
    MSGPOOL,
    MSGSEG_MAX,
    MSGSSZ,
    MSQID_DS,
    PERM,
)
from sentry.errors import Errno
from sentry.ipc.msg import Wanted
from sentry.syscalls.args import Int, Long, Ptr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.ipc.msg import Message, Queue, QueueIds
    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]

_TYPE_SIZE = 8  # struct msgbuf: a long, then the text


def msgget(task: "Task", key: Int, flags: Int) -> int:
    return task.ns.ipc.msg.obtain(task, key, flags)


def msgsnd(task: "Task", id: Int, message: Ptr, size: Long, flags: Int) -> "Answer":
    ids = task.ns.ipc.msg
    kind = int.from_bytes(task.copy_in(message, _TYPE_SIZE), "little", signed=True)
    if not 0 <= size <= ids.size_limit or id < 0 or kind < 1:
        raise Errno(errno.EINVAL)
    text = task.copy_in(message + _TYPE_SIZE, size) if size else b""
    return ids.send(task, id, (kind, text), flags)


def msgrcv(task: "Task", id: Int, buffer: Ptr, size: Long, kind: Long, flags: Int) -> "Answer":
    if id < 0 or size < 0:
        raise Errno(errno.EINVAL)
    if flags & MSG_COPY and (flags & MSG_EXCEPT or not flags & IPC_NOWAIT):
        raise Errno(errno.EINVAL)
    got = task.ns.ipc.msg.receive(task, id, Wanted(size, kind, flags))
    if isinstance(got, tuple):
        return _deliver(task, buffer, size, got)
    return _deliver_later(task, buffer, size, got)


def _deliver(task: "Task", buffer: int, size: int, message: "Message") -> int:
    kind, text = message
    text = text[:size]
    task.copy_out(buffer, kind.to_bytes(_TYPE_SIZE, "little", signed=True) + text)
    return len(text)


async def _deliver_later(
    task: "Task", buffer: int, size: int, arrival: "Coroutine[None, None, Message]"
) -> int:
    return _deliver(task, buffer, size, await arrival)


def msgctl(task: "Task", id: Int, command: Int, buffer: Ptr) -> int:
    ids = task.ns.ipc.msg
    if id < 0 or command < 0:
        raise Errno(errno.EINVAL)
    if command in (IPC_INFO, MSG_INFO):
        return _info(task, ids, command, buffer)
    if command in (IPC_STAT, MSG_STAT, MSG_STAT_ANY):
        queue: Queue = ids.get(id) if command == IPC_STAT else ids.at(id)
        if command != MSG_STAT_ANY:
            ids.check_access(task, queue, 0o444)
        task.copy_out(buffer, queue.pack(task))
        return 0 if command == IPC_STAT else queue.id
    if command == IPC_SET:
        wanted = task.copy_in(buffer, PERM.size + MSQID_DS.size)
        queue = ids.get(id)
        ids.check_owner(task, queue)
        _set(task, ids, queue, wanted)
        return 0
    if command == IPC_RMID:
        queue = ids.get(id)
        ids.check_owner(task, queue)
        ids.destroy(queue)
        return 0
    raise Errno(errno.EINVAL)


def _set(task: "Task", ids: "QueueIds", queue: "Queue", wanted: bytes) -> None:
    _, _, _, _, _, qbytes, _, _ = MSQID_DS.unpack_from(wanted, PERM.size)
    if qbytes > ids.queue_limit and not ids.namespace.capable(task, CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    ids.set_perm(task, queue, wanted)
    queue.qbytes = qbytes
    queue.expel_receivers(errno.EAGAIN)  # they may no longer have the permission: they look again
    queue.wake_senders()


def _info(task: "Task", ids: "QueueIds", command: int, buffer: int) -> int:
    if command == MSG_INFO:
        pool, entries, total = len(ids.objects), ids.count, ids.total
    else:
        pool, entries, total = MSGPOOL, MSGMNB, MSGMNB
    limits = MSGINFO.pack(
        pool, entries, ids.size_limit, ids.queue_limit, ids.limit, MSGSSZ, total, MSGSEG_MAX
    )
    task.copy_out(buffer, limits)
    return ids.highest()
