"""IPC namespaces (ipc_namespaces(7)): System V objects, POSIX message queues, and their limits."""

from __future__ import annotations

from sentry.ipc import mqueue_fs, msg, sem, shm
from sentry.kernel.namespaces import user_namespace
from sentry.kernel.namespaces.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.ipc.mqueue_fs import MqueueFs
    from sentry.ipc.msg import QueueIds
    from sentry.ipc.sem import SemaphoreIds
    from sentry.ipc.shm import SegmentIds
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


class IpcNamespace(Namespace):
    """What the tasks of one IPC namespace share.  All of it is made when first asked for: most never are."""

    def __init__(self, owner: UserNamespace, initial: bool = False) -> None:
        super().__init__(b"ipc", owner, initial)
        self._shm: SegmentIds | None = None
        self._sem: SemaphoreIds | None = None
        self._msg: QueueIds | None = None
        self._queues: MqueueFs | None = None

    @property
    def shm(self) -> SegmentIds:
        if self._shm is None:
            self._shm = shm.SegmentIds(self)
        return self._shm

    @property
    def sem(self) -> SemaphoreIds:
        if self._sem is None:
            self._sem = sem.SemaphoreIds(self)
        return self._sem

    @property
    def msg(self) -> QueueIds:
        if self._msg is None:
            self._msg = msg.QueueIds(self)
        return self._msg

    @property
    def queues(self) -> MqueueFs:
        """The POSIX message queues."""
        if self._queues is None:
            self._queues = mqueue_fs.MqueueFs()
        return self._queues

    def creator_exited(self, group: ThreadGroup) -> None:
        """A process has ended that may have made segments."""
        if self._shm is not None:
            self._shm.creator_exited(group)

    def capable(self, task: Task, capability: int) -> bool:
        """Whether the task has the capability over this namespace."""
        return task.creds.has_cap(capability, self.owner)


INITIAL = IpcNamespace(user_namespace.INITIAL, initial=True)
