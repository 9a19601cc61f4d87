"""/proc/sysvipc, and the limits of IPC namespaces in /proc/sys/kernel (proc(5), sysvipc(7)).

All of them tell about the namespace of whoever reads or writes.
"""

from __future__ import annotations

from errno import ERANGE

from sentry.abi.ipc import MNI_MAX
from sentry.abi.mman import PAGE_SIZE
from sentry.abi.mqueue import HARD_MSG_MAX, HARD_MSGSIZE_MAX, MIN_MSGSIZE_MAX
from sentry.errors import Errno
from sentry.fs.pseudo import Unspliced, fixed, parse_word
from sentry.ipc.shm import count_attachments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.fs.pseudo import Show, Store, Tree
    from sentry.ipc.ids import IpcIds, IpcObject
    from sentry.ipc.namespace import IpcNamespace
    from sentry.kernel.task import Task

_INT_MAX = 2**31 - 1
_ULONG_MAX = 2**64 - 1
_MSG = (
    b"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
    b"      stime      rtime      ctime\n"
)
_SEM = b"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
_SHM = (
    b"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
    b"      atime      dtime      ctime                   rss                  swap\n"
)


def _segments(task: Task) -> bytes:
    counts = count_attachments(task.kernel)
    lines = [_SHM]
    for _, s in sorted(task.ns.ipc.shm.objects.items()):
        lines.append(
            b"%10d %10d  %4o %21d %5d %5d  %5d %5d %5d %5d %5d %10d %10d %10d %21d %21d\n"
            % (
                s.key, s.id, s.mode, s.size, task.number(s.cpid), task.number(s.lpid), counts.get(s, 0),
                *_owners(task, s), s.atime, s.dtime, s.ctime, s.resident() * PAGE_SIZE, 0,
            )
        )  # fmt: skip
    return b"".join(lines)


def _semaphores(task: Task) -> bytes:
    lines = [_SEM]
    for _, s in sorted(task.ns.ipc.sem.objects.items()):
        lines.append(
            b"%10d %10d  %4o %10d %5d %5d %5d %5d %10d %10d\n"
            % (s.key, s.id, s.mode, len(s.values), *_owners(task, s), s.otime, s.ctime)
        )
    return b"".join(lines)


def _queues(task: Task) -> bytes:
    lines = [_MSG]
    for _, q in sorted(task.ns.ipc.msg.objects.items()):
        lines.append(
            b"%10d %10d  %4o  %10d %10d %5d %5d %5d %5d %5d %5d %10d %10d %10d\n"
            % (
                q.key, q.id, q.mode, q.cbytes, len(q.messages), task.number(q.lspid), task.number(q.lrpid),
                *_owners(task, q), q.stime, q.rtime, q.ctime,
            )
        )  # fmt: skip
    return b"".join(lines)


def _owners(task: Task, object: IpcObject) -> tuple[int, int, int, int]:
    """uid, gid, cuid, cgid, as the reader sees them."""
    uid, gid = task.creds.user_ns.show_uid, task.creds.user_ns.show_gid
    return uid(object.uid), gid(object.gid), uid(object.cuid), gid(object.cgid)


SYSVIPC: Tree = {b"msg": Unspliced(_queues), b"sem": Unspliced(_semaphores), b"shm": Unspliced(_segments)}


def parse_numbers(data: bytes, count: int, low: int, high: int) -> list[int]:
    """What a settings file of at most `count` numbers was written; EINVAL."""
    return [parse_word(word, low, high) for word in data.split()[:count]]


def limit(
    holder: Callable[[IpcNamespace], object], name: str, high: int,
    then: Callable[[Task], None] | None = None, low: int = 0,
) -> tuple[Show, Store]:  # fmt: skip
    """A file that tells and sets one limit of the namespace: an attribute of what `holder` gives."""

    def show(task: Task) -> bytes:
        value: int = getattr(holder(task.ns.ipc), name)
        return b"%d\n" % value

    def store(task: Task, data: bytes) -> None:
        for number in parse_numbers(data, 1, low, high):
            setattr(holder(task.ns.ipc), name, number)
            if then is not None:
                then(task)

    return show, store


def _show_sem(task: Task) -> bytes:
    sem = task.ns.ipc.sem
    return b"%d\t%d\t%d\t%d\n" % (sem.set_limit, sem.total_limit, sem.operations_limit, sem.limit)


def _store_sem(task: Task, data: bytes) -> None:
    sem = task.ns.ipc.sem
    old = [sem.set_limit, sem.total_limit, sem.operations_limit, sem.limit]
    new = parse_numbers(data, 4, 0, _INT_MAX)
    new += old[len(new) :]
    if new[3] > MNI_MAX:
        raise Errno(ERANGE)
    sem.set_limit, sem.total_limit, sem.operations_limit, sem.limit = new


def _forced(task: Task) -> None:
    shm = task.ns.ipc.shm
    if shm.rmid_forced:
        shm.destroy_orphans()


def ipc_controls() -> dict[bytes, Show | tuple[Show, Store]]:
    """The files of /proc/sys/kernel about System V IPC."""

    def shm(namespace: IpcNamespace) -> IpcIds:
        return namespace.shm

    def msg(namespace: IpcNamespace) -> IpcIds:
        return namespace.msg

    return {
        b"auto_msgmni": fixed(b"0\n"),
        b"msg_next_id": fixed(b"-1\n"),
        b"msgmax": limit(msg, "size_limit", _INT_MAX),
        b"msgmnb": limit(msg, "queue_limit", _INT_MAX),
        b"msgmni": limit(msg, "limit", MNI_MAX),
        b"sem": (_show_sem, _store_sem),
        b"sem_next_id": fixed(b"-1\n"),
        b"shm_next_id": fixed(b"-1\n"),
        b"shm_rmid_forced": limit(shm, "rmid_forced", 1, _forced),
        b"shmall": limit(shm, "all_limit", _ULONG_MAX),
        b"shmmax": limit(shm, "size_limit", _ULONG_MAX),
        b"shmmni": limit(shm, "limit", MNI_MAX),
    }


def mqueue_controls() -> Tree:
    """The files of /proc/sys/fs/mqueue (mq_overview(7))."""

    def queues(namespace: IpcNamespace) -> object:
        return namespace.queues

    return {
        b"msg_default": limit(queues, "msg_default", HARD_MSG_MAX, low=1),
        b"msg_max": limit(queues, "msg_max", HARD_MSG_MAX, low=1),
        b"msgsize_default": limit(queues, "msgsize_default", HARD_MSGSIZE_MAX, low=MIN_MSGSIZE_MAX),
        b"msgsize_max": limit(queues, "msgsize_max", HARD_MSGSIZE_MAX, low=MIN_MSGSIZE_MAX),
        b"queues_max": limit(queues, "queues_max", _INT_MAX),
    }
