"""Directories of a process: what they list ends with it."""

from __future__ import annotations

from errno import ENOENT

from sentry.errors import Errno
from sentry.fs.pseudo import PseudoInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.inode import DirEntry
    from sentry.vfs.mounts.mount import FileSystem


class ProcessDirectory(PseudoInode):
    """A directory under /proc/PID; `task` is whose it is."""

    __slots__ = ("task",)

    def __init__(self, fs: FileSystem, task: Task, mode: int, ino: int) -> None:
        super().__init__(fs, mode, ino=ino)
        self.task = task
        self.volatile = True
        self.getattr()

    def listing(self) -> list[DirEntry]:
        """The names, while the task is there."""
        raise NotImplementedError

    def entries(self) -> list[DirEntry]:
        self._check()
        return self.listing()

    def relist(self, listed: list[DirEntry | None]) -> list[DirEntry | None]:
        self._check()
        return super().relist(listed)

    def _check(self) -> None:
        if self.task.kernel.tasks.get(self.task.tid) is not self.task:
            raise Errno(ENOENT)  # it has been reaped
