"""proc(5): /proc/PID, the directory of a task, and /proc/PID/task."""

from __future__ import annotations

from errno import ENOENT

from sentry.abi.stat import DT_DIR, S_IFDIR
from sentry.errors import Errno
from sentry.fs.proc_access import owner
from sentry.fs.proc_fd import DescriptorDirectory, DescriptorInfoDirectory
from sentry.fs.proc_id_map import MAPS, MapInode
from sentry.fs.proc_listing import ProcessDirectory
from sentry.fs.proc_map_files import MapFilesDirectory
from sentry.fs.proc_mem import MemoryFile, MemoryInode, PagemapFile
from sentry.fs.proc_pid import PROCESS_FILES, THREAD_FILES, Entry, TaskLink, TaskText
from sentry.fs.proc_root import task_ino
from sentry.fs.pseudo import DirectoryInode, parse_name
from sentry.vfs.inode import Inode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.proc import ProcFs
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.inode import DirEntry

MEMORY_FILES = {b"mem": MemoryFile, b"pagemap": PagemapFile}


class _TaskOwned(ProcessDirectory):
    """A directory that belongs to the task's owner."""

    __slots__ = ()

    fs: ProcFs

    def __init__(self, fs: ProcFs, task: Task, mode: int, ino: int) -> None:
        super().__init__(fs, task, S_IFDIR | mode, ino)

    def getattr(self) -> None:
        # Who may read and enter it isn't decided by its owner, who tells the effective ids: dumpable or not.
        creds = self.task.creds
        self.uid, self.gid = creds.euid, creds.egid


class TaskDirectory(_TaskOwned):
    """/proc/PID, or /proc/PID/task/TID with `thread`."""

    __slots__ = ("_files", "_inodes", "thread")

    def __init__(self, fs: ProcFs, task: Task, thread: bool) -> None:
        super().__init__(fs, task, 0o555, task_ino(task.tid, thread, 0))
        self.thread = thread
        self._files = THREAD_FILES if thread else PROCESS_FILES
        self._inodes: dict[bytes, Inode] = {}
        self.nlink = 9

    def permission(self, creds: Creds) -> bool | None:
        self.fs.given.check(creds, self.task)
        return None

    def lookup(self, name: bytes) -> Inode:
        if self.fs.kernel.tasks.get(self.task.tid) is not self.task:
            raise Errno(ENOENT)
        inode = self._inodes.get(name)
        if inode is None:
            entry = self._files.get(name)
            if entry is None:
                raise Errno(ENOENT)
            inode = self._inodes[name] = self._make(entry)
        inode.uid, inode.gid = owner(self.task)
        return inode

    def _make(self, entry: Entry) -> Inode:
        fs, task = self.fs, self.task
        ino = task_ino(task.tid, self.thread, entry.number)
        if entry.name == b"task":
            return ThreadsDirectory(fs, task, 0o555, ino)
        if entry.name == b"fd":
            return DescriptorDirectory(fs, task, ino)
        if entry.name == b"fdinfo":
            return DescriptorInfoDirectory(fs, task, ino)
        if entry.names is not None:
            names = entry.names
            directory = DirectoryInode(
                fs, lambda: {child.name: self._make(child) for child in names}, entry.mode
            )
            directory.ino = ino
            return directory
        if entry.name in MAPS:
            return MapInode(fs, task, MAPS[entry.name], ino)
        if entry.name == b"map_files":
            return MapFilesDirectory(fs, task, ino)
        if entry.name in MEMORY_FILES:
            return MemoryInode(fs, task, entry.mode, ino, MEMORY_FILES[entry.name])
        if entry.follow is not None:
            return TaskLink(fs, task, entry, ino)
        return TaskText(fs, task, entry, ino)

    def listing(self) -> list[DirEntry]:
        return [
            (entry.name, task_ino(self.task.tid, self.thread, entry.number), entry.dtype)
            for entry in self._files.values()
        ]


class ThreadsDirectory(_TaskOwned):
    """/proc/PID/task."""

    __slots__ = ()

    def getattr(self) -> None:
        super().getattr()
        self.nlink = 2 + len(self._ids())

    def lookup(self, name: bytes) -> Inode:
        task = self.fs.find(parse_name(name))
        if task is None or task.group is not self.task.group:
            raise Errno(ENOENT)
        return self.fs.task_directory(task, thread=True)

    def listing(self) -> list[DirEntry]:
        number = self.fs.pid_ns.number
        return [(b"%d" % number(tid), task_ino(tid, True, 0), DT_DIR) for tid in self._ids()]

    def _ids(self) -> list[int]:
        """The leader's stays for as long as the process does, dead or not."""
        group = self.task.group
        return sorted({group.tgid, *(task.tid for task in group.tasks)})
