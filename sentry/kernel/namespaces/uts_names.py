"""Setting a host or domain name (uts_namespaces(7)), and who waits for that."""

from __future__ import annotations

from sentry._core import WaitQueue
from sentry.abi.fcntl import POLLERR, POLLPRI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


class UtsName:
    """One of the two names.  As on Linux, those who wait are told of changes in every namespace."""

    __slots__ = ("_attribute", "changes", "queue")

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self.changes = 0
        self.queue = WaitQueue()

    def of(self, task: Task) -> bytes:
        """The name that the task sees."""
        name: bytes = getattr(task.ns.uts, self._attribute)
        return name

    def set(self, task: Task, name: bytes) -> None:
        """Change it in the task's namespace."""
        setattr(task.ns.uts, self._attribute, name)
        self.changes += 1
        self.queue.wake(POLLERR | POLLPRI)


HOST = UtsName("hostname")
DOMAIN = UtsName("domainname")
