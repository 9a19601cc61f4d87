"""IPC namespaces (ipc_namespaces(7)): System V objects, POSIX message queues, and their limits."""

from __future__ import annotations

from sentry.ipc.msg import QueueIds
from sentry.ipc.sem import SemaphoreIds
from sentry.ipc.shm import SegmentIds
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

    def capable(self, task: Task, capability: int) -> bool:
        """Whether the task has the capability over this namespace."""
        return task.creds.has_cap(capability, self.owner)
