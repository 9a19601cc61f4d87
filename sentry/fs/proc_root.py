"""proc's root directory: the files about the system, and the processes that may be seen."""

from __future__ import annotations

from errno import ENOENT

from sentry.abi.stat import DT_DIR, S_IFLNK
from sentry.errors import Errno
from sentry.fs.proc_options import INVISIBLE
from sentry.fs.proc_sys import system_controls
from sentry.fs.proc_system import SystemView, system_files
from sentry.fs.pseudo import DirectoryInode, LinkInode, PseudoInode, parse_name
from sentry.vfs.file import DirectoryFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.proc import ProcFs
    from sentry.fs.pseudo import Tree
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import DirEntry, Inode
    from sentry.vfs.path import Path

ROOT_INO = 1
_TASK_INO_SHIFT = 20  # inode numbers of a task's files: its id, then a number below 2**20
_THREAD_BIT = 1 << 19  # ... under /proc/PID/task/TID
_LINKS = (b"self", b"thread-self")


def task_ino(tid: int, thread: bool, number: int) -> int:
    """A stable inode number for file `number` (below 2**19) of a task."""
    return tid + 1 << _TASK_INO_SHIFT | (_THREAD_BIT if thread else 0) | number


class SelfLink(PseudoInode):
    """/proc/self and /proc/thread-self: who asks decides."""

    __slots__ = ("_thread",)

    fs: ProcFs

    def __init__(self, fs: ProcFs, thread: bool) -> None:
        super().__init__(fs, S_IFLNK | 0o777)
        self._thread = thread

    def follow(self, task: Task) -> bytes:
        if self._thread:
            return b"%d/task/%d" % (self._number(task.group.tgid), self._number(task.tid))
        return b"%d" % self._number(task.group.tgid)

    def _number(self, pid: int) -> int:
        number = self.fs.pid_ns.number(pid)
        if not number:
            raise Errno(ENOENT)
        return number


class ProcRoot(DirectoryInode):
    """/proc: the files about the system, then one directory a process.

    Where processes are hidden it is `guarded`, so that whoever looks a name up was asked for just before.
    """

    __slots__ = ("_reader",)

    fs: ProcFs

    def __init__(self, fs: ProcFs) -> None:
        view = SystemView(fs.kernel)
        super().__init__(fs, lambda: self._tree(view))
        self._reader: Creds | None = None
        self.ino = ROOT_INO

    def _tree(self, view: SystemView) -> Tree:
        fs = self.fs
        return {
            **system_files(view),
            b"mounts": LinkInode(fs, b"self/mounts"),
            b"net": LinkInode(fs, b"self/net"),
            b"sys": system_controls(fs.kernel, fs),
            **dict(zip(_LINKS, (SelfLink(fs, thread=False), SelfLink(fs, thread=True)), strict=True)),
        }

    def getattr(self) -> None:
        self.nlink = 2 + len(self._processes())

    def lookup(self, name: bytes) -> Inode:
        inode = self.names.get(name)
        if inode is not None and (name in _LINKS or not self.fs.given.pids_only):
            return inode
        task = self.fs.find(parse_name(name))
        if task is None or not self._shows(task):
            raise Errno(ENOENT)
        return self.fs.task_directory(task, thread=False)

    def permission(self, creds: Creds) -> bool | None:
        self.asked_by(creds)
        return None

    def open(self, task: Task, path: Path, flags: int) -> File:
        return ProcListing(flags, path, task.creds) if self.guarded else DirectoryFile(flags, path)

    def asked_by(self, creds: Creds) -> None:
        """Who asks for names next."""
        self._reader = creds

    def entries(self) -> list[tuple[bytes, int, int]]:
        tasks = self.fs.kernel.tasks
        made = [
            (b"%d" % number, task_ino(tgid, False, 0), DT_DIR)
            for number, tgid in self._processes()
            if self._shows(tasks[tgid])
        ]
        listing = super().entries()
        if self.fs.given.pids_only:
            listing = [entry for entry in listing if entry[0] in _LINKS]
        return listing + made

    def _shows(self, task: Task) -> bool:
        given = self.fs.given
        if given.level < INVISIBLE or self._reader is None:
            return True
        return given.reveals(self._reader, task, INVISIBLE)

    def _processes(self) -> list[tuple[int, int]]:
        """(number in this proc's PID namespace, tgid) of those that have one."""
        number = self.fs.pid_ns.number
        return sorted([(number(tgid), tgid) for tgid in self.fs.kernel.groups if number(tgid)])


class ProcListing(DirectoryFile):
    """/proc, opened by `reader`."""

    __slots__ = ("_reader",)

    inode: ProcRoot

    def __init__(self, flags: int, path: Path, reader: Creds) -> None:
        super().__init__(flags, path)
        self._reader = reader

    def readdir(self, most: int) -> list[DirEntry | None]:
        self.inode.asked_by(self._reader)
        return super().readdir(most)
