"""/proc/PID/mem and pagemap: a process's memory, and what is there of it, as files whose offset is the
address, or the page's place among the entries (proc(5))."""

from __future__ import annotations

import struct
from errno import EINVAL, EIO

from sentry.abi.fcntl import SEEK_CUR, SEEK_SET
from sentry.abi.mman import PAGE_SIZE, TASK_SIZE
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
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

_STEP = 1 << 20  # bytes of one read or write

_ENTRY = 8  # bytes of an entry of pagemap
_PRESENT, _SWAPPED, _FILE = 1 << 63, 1 << 62, 1 << 61
_EXCLUSIVE, _SOFT_DIRTY = 1 << 56, 1 << 55
# Where the page lies is told to nobody, as Linux tells it to nobody without CAP_SYS_ADMIN.
_TOLD = _PRESENT | _SWAPPED | _FILE | _EXCLUSIVE | _SOFT_DIRTY


class MemoryInode(PseudoInode):
    __slots__ = ("kind", "task")

    def __init__(self, fs: FileSystem, task: Task, mode: int, ino: int, kind: type[_OfMemory]) -> None:
        super().__init__(fs, S_IFREG | mode, *owner(task), ino)
        self.task = task
        self.kind = kind

    def open(self, task: Task, path: Path, flags: int) -> File:
        check_alive(self.task)
        check_inspect(task, self.task)
        return self.kind(flags, path, self)


class _OfMemory(File):
    """Open for the address space that the process had then: another program's is not to be seen by it."""

    __slots__ = ("_mm", "_task")

    inode: MemoryInode
    seekable = True
    whole = True
    reads_iter = writes_iter = can_nowait = False

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

    def seek(self, task: Task, offset: int, whence: int) -> int:
        if whence not in (SEEK_SET, SEEK_CUR):
            raise Errno(EINVAL)
        return self.move(offset, whence)


class MemoryFile(_OfMemory):
    __slots__ = ()

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


class PagemapFile(_OfMemory):
    """The entries of the guest's own mappings, as the host tells them; all else is empty."""

    __slots__ = ()

    can_write = False

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        if at % _ENTRY or count % _ENTRY:
            raise Errno(EINVAL)
        user = self._user()
        start = at // _ENTRY * PAGE_SIZE
        end = min(start + min(count, _STEP) // _ENTRY * PAGE_SIZE, TASK_SIZE)
        if user is None or start >= end:
            return b""
        data = self._entries(user, start, end)
        if pos is None:
            self.pos = at + len(data)
        return data

    def _entries(self, user: Task, start: int, end: int) -> bytes:
        result = bytearray((end - start) // PAGE_SIZE * _ENTRY)
        host, pid = user.kernel.host_proc, user.group.usage.host_pid
        for vma in user.mm.areas.overlapping(start, end):
            low, high = max(vma.start, start), min(vma.end, end)
            entries = host.pagemap(pid, low, high)
            if entries is None:
                continue
            told = _TOLD if vma.source is not None else _TOLD & ~_FILE
            words = struct.unpack(f"={len(entries) // _ENTRY}Q", entries)
            at = (low - start) // PAGE_SIZE * _ENTRY
            result[at : at + len(entries)] = struct.pack(f"={len(words)}Q", *[word & told for word in words])
        return bytes(result)
