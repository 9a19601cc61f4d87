"""/proc/sys/kernel/hostname and domainname (proc(5))."""

from __future__ import annotations

from errno import EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.fcntl import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from sentry.errors import Errno
from sentry.fs.pseudo import TextFile, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.uts_names import UtsName
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

NAME_MAX = 64  # sethostname(2)


class NameInode(TextInode):
    """One name, of the reader's UTS namespace."""

    __slots__ = ("name",)

    def __init__(self, fs: FileSystem, name: UtsName) -> None:
        super().__init__(fs, lambda task: name.of(task) + b"\n", self._store)
        self.name = name

    def _store(self, task: Task, data: bytes) -> None:
        if not task.creds.has_cap(CAP_SYS_ADMIN, task.ns.uts.owner):
            raise Errno(EPERM)
        name = data.split(b"\n")[0].split(b"\0")[0]
        if len(name) > NAME_MAX:
            raise Errno(EINVAL)
        self.name.set(task, name)

    def open(self, task: Task, path: Path, flags: int) -> File:
        return _NameFile(flags, path, self)


class _NameFile(TextFile):
    """poll(2) tells, once, that the name was set since it last told."""

    __slots__ = ("_told",)

    inode: NameInode

    def __init__(self, flags: int, path: Path, inode: NameInode) -> None:
        super().__init__(flags, path, inode)
        self._told = inode.name.changes
        self.queue = inode.name.queue

    def poll(self) -> int:
        changes = self.inode.name.changes
        if self._told == changes:
            return super().poll()
        self._told = changes
        return POLLIN | POLLRDNORM | POLLERR | POLLPRI
