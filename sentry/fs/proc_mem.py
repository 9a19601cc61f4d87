"""/proc/PID/mem: a process's memory as a file; the offset is the address (proc(5))."""

from __future__ import annotations

from errno import EINVAL, EIO

from sentry.abi.fcntl import SEEK_CUR, SEEK_SET
from sentry.abi.stat import S_IFREG
from sentry.errors import Errno
from sentry.fs.proc_access import check_alive, check_inspect, owner
from sentry.fs.pseudo import PseudoInode
from sentry.mm.access import peek, poke
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace
    from sentry.vfs.mount import FileSystem
    from sentry.vfs.path import Path

_STEP = 1 << 20  # bytes of one read or write


class MemoryInode(PseudoInode):
    __slots__ = ("task",)

    def __init__(self, fs: FileSystem, task: Task, ino: int) -> None:
        super().__init__(fs, S_IFREG | 0o600, *owner(task), ino)
        self.task = task

    def open(self, task: Task, path: Path, flags: int) -> File:
        check_alive(self.task)
        check_inspect(task, self.task)
        return MemoryFile(flags, path, self)


class MemoryFile(File):
    """Open for the address space that the process had then: another program's is not to be seen by it."""

    __slots__ = ("_mm", "_task")

    inode: MemoryInode
    seekable = True
    whole = True

    def __init__(self, flags: int, path: Path, inode: MemoryInode) -> None:
        super().__init__(flags, path, inode)
        self._task = inode.task
        self._mm: AddressSpace | None = inode.task.mm

    def _user(self) -> Task | None:
        """A live task that still has that address space."""
        for task in (self._task, *self._task.group.tasks):
            if task.mm is not None and task.mm is self._mm and task.ctx is not None:
                return task
        return None

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        user = self._user()
        if user is None or not count:
            return b""
        try:
            data = peek(user, at, min(count, _STEP))
        except Errno:
            raise Errno(EIO) from None
        if pos is None:
            self.pos = at + len(data)
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        at = self.pos if pos is None else pos
        user = self._user()
        if user is None:
            return 0
        try:
            done = poke(user, at, data[:_STEP])
        except Errno:
            raise Errno(EIO) from None
        if pos is None:
            self.pos = at + done
        return done

    def seek(self, task: Task, offset: int, whence: int) -> int:
        if whence not in (SEEK_SET, SEEK_CUR):
            raise Errno(EINVAL)
        return self.move(offset, whence)
