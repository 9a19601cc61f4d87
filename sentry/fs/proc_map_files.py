"""/proc/PID/map_files: a link to the file of each mapping that has one, named by its range (proc(5))."""

from __future__ import annotations

from errno import ENOENT, EPERM

from sentry.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN
from sentry.abi.stat import DT_LNK, S_IFDIR, S_IFLNK
from sentry.errors import Errno
from sentry.fs.proc_access import check_alive, check_inspect, may_inspect_as, owner
from sentry.fs.proc_listing import ProcessDirectory
from sentry.fs.pseudo import PseudoInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.mm.vma import Vma
    from sentry.vfs.inode import DirEntry, Inode
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

_INO = 3 << 40  # apart from the numbers of a task's other files


def _name(vma: Vma) -> bytes:
    return b"%x-%x" % (vma.start, vma.end)


class MapFilesDirectory(ProcessDirectory):
    __slots__ = ()

    def __init__(self, fs: FileSystem, task: Task, ino: int) -> None:
        super().__init__(fs, task, S_IFDIR | 0o500, ino)
        self.guarded = True  # see permission()

    def getattr(self) -> None:
        self.uid, self.gid = owner(self.task)

    def permission(self, creds: Creds) -> bool | None:
        """Closed to who may not inspect the process."""
        self.getattr()
        return None if may_inspect_as(creds, self.task) else False

    def _mappings(self) -> list[Vma]:
        mm = self.task.mm
        if mm is None:
            return []
        return [vma for vma in mm.vmas if vma.file is not None and vma.file.path is not None]

    def listing(self) -> list[DirEntry]:
        return [(_name(vma), self._ino(vma.start), DT_LNK) for vma in self._mappings()]

    def _ino(self, start: int) -> int:
        return _INO | self.task.tid << 42 | start >> 12

    def lookup(self, name: bytes) -> Inode:
        mm = self.task.mm
        try:
            start = int(name.partition(b"-")[0][:16], 16)
        except ValueError:
            raise Errno(ENOENT) from None
        vma = mm.find(start) if mm is not None and start < 1 << 63 else None
        if vma is None or vma.file is None or vma.file.path is None or _name(vma) != name:
            raise Errno(ENOENT)
        return MapFileLink(self.fs, self.task, vma, self._ino(start))


class MapFileLink(PseudoInode):
    """Its mode tells how the mapped file is open."""

    __slots__ = ("end", "start", "task")

    def __init__(self, fs: FileSystem, task: Task, vma: Vma, ino: int) -> None:
        file = vma.file
        access = (0o400 if file.readable else 0) | (0o200 if file.writable else 0)
        super().__init__(fs, S_IFLNK | access, *owner(task), ino)
        self.task = task
        self.start, self.end = vma.start, vma.end
        self.size = 64  # as Linux says of all of them

    def lead(self, task: Task) -> Path | bytes:
        check_alive(self.task)
        check_inspect(task, self.task)
        mm = self.task.mm
        vma = mm.find(self.start) if mm is not None else None
        if vma is None or vma.end != self.end or vma.file is None or vma.file.path is None:
            raise Errno(ENOENT)
        path: Path = vma.file.path
        return path

    def follow(self, task: Task) -> Path | bytes:
        """Opens the file by another way than its name: not for everybody."""
        if not task.creds.has_cap(CAP_CHECKPOINT_RESTORE) and not task.creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(EPERM)
        return self.lead(task)
