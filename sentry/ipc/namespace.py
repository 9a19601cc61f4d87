"""IPC namespaces (ipc_namespaces(7)): System V objects, POSIX message queues, and their limits."""

from __future__ import annotations

from sentry.ipc.mqueue_fs import MqueueFs
from sentry.ipc.msg import QueueIds
from sentry.ipc.sem import SemaphoreIds
from sentry.ipc.shm import SegmentIds
from sentry.kernel import user_namespace
from sentry.kernel.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.user_namespace import UserNamespace


class IpcNamespace(Namespace):
    """What the tasks of one IPC namespace share; a new one is empty."""

    def __init__(self, owner: UserNamespace, initial: bool = False) -> None:
        super().__init__(b"ipc", owner, initial)
        self.shm = SegmentIds(self)
        self.sem = SemaphoreIds(self)
        self.msg = QueueIds(self)
        self._queues: MqueueFs | None = None

    @property
    def queues(self) -> MqueueFs:
        """The POSIX message queues; most namespaces never have one."""
        if self._queues is None:
            self._queues = MqueueFs()
        return self._queues

    def capable(self, task: Task, capability: int) -> bool:
        """Whether the task has the capability over this namespace."""
        return task.creds.has_cap(capability, self.owner)


INITIAL = IpcNamespace(user_namespace.INITIAL, initial=True)
