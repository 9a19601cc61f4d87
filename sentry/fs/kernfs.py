"""What the files of sysfs and cgroup2 have in common (Linux: kernfs): they can be gone while they are open,
and poll(2) tells by POLLERR and POLLPRI that one has changed since it was read (Linux, filesystems/sysfs).
"""

from __future__ import annotations

from errno import ENODEV

from sentry.abi.fcntl import POLLERR, POLLPRI
from sentry.errors import Errno
from sentry.fs.pseudo import DirectoryInode, TextFile, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Tree
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


class KernfsInode(TextInode):
    __slots__ = ()

    def changes(self) -> int:
        """How often it has changed, and once more."""
        return 1

    def is_gone(self) -> bool:
        """Whether what it tells of is no more."""
        return False

    def open(self, task: Task, path: Path, flags: int) -> File:
        if self.is_gone():
            raise Errno(ENODEV)
        return KernfsFile(flags, path, self)


class KernfsFile(TextFile):
    """One that was never read has changed, too."""

    __slots__ = ("_seen",)

    inode: KernfsInode

    def __init__(self, flags: int, path: Path, inode: KernfsInode) -> None:
        super().__init__(flags, path, inode)
        self._seen = 0

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        if not count:
            return b""
        self._check()
        return super().read(task, count, pos)

    def make(self, task: Task) -> bytes:
        changes = self.inode.changes()
        text = super().make(task)
        if text:  # Linux notes it while it prints
            self._seen = changes
        return text

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        self._check()
        return super().write(task, data, pos)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        self._check()
        return super().seek(task, offset, whence)

    def poll(self) -> int:
        changed = self.inode.is_gone() or self._seen != self.inode.changes()
        return super().poll() | (POLLERR | POLLPRI if changed else 0)

    def _check(self) -> None:
        if self.inode.is_gone():
            raise Errno(ENODEV)


class KernfsDirectory(DirectoryInode):
    __slots__ = ()

    text = KernfsInode

    def below(self, tree: Tree) -> Inode:
        return KernfsDirectory(self.fs, lambda: tree)
