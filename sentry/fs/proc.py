"""proc(5): the file system, its root directory, and the directory of each task.

The texts are made elsewhere: proc_system (of the whole sandbox), proc_sys (/proc/sys), proc_pid (the table of
a task's files).  What must hold: everything about a task is looked up live, and a file that was opened while
the task lived answers ESRCH once it is reaped.
"""

from __future__ import annotations

from errno import ENOENT

from sentry.abi.mount import MS_NODEV, MS_NOEXEC
from sentry.abi.stat import DT_DIR, S_IFDIR, S_IFLNK
from sentry.errors import Errno
from sentry.fs.proc_access import check_alive, owner
from sentry.fs.proc_fd import DescriptorDirectory, DescriptorInfoDirectory
from sentry.fs.proc_id_map import MAPS, MapInode
from sentry.fs.proc_map_files import MapFilesDirectory
from sentry.fs.proc_mem import MemoryFile, MemoryInode, PagemapFile
from sentry.fs.proc_pid import PROCESS_FILES, THREAD_FILES, Entry, TaskLink, TaskText
from sentry.fs.proc_sys import system_controls
from sentry.fs.proc_system import SystemView, system_files
from sentry.fs.pseudo import DirectoryInode, LinkInode, PseudoInode
from sentry.kernel.pid_namespace import INITIAL, PidNamespace
from sentry.vfs.inode import Inode
from sentry.vfs.mount import FileSystem
from sentry.vfs.options import number, parse, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Tree
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces import Namespace
    from sentry.kernel.task import Task

PROC_SUPER_MAGIC = 0x9FA0
ROOT_INO = 1
_TASK_INO_SHIFT = 20  # inode numbers of a task's files: its id, then a number below 2**20
_THREAD_BIT = 1 << 19  # ... under /proc/PID/task/TID


class ProcFs(FileSystem):
    """One proc: the tasks of a PID namespace, by the numbers they have there."""

    volatile = True
    imposed = MS_NOEXEC | MS_NODEV

    def __init__(self, kernel: Kernel, pid_ns: PidNamespace) -> None:
        super().__init__(b"proc", PROC_SUPER_MAGIC)
        self.kernel = kernel
        self.pid_ns = pid_ns
        self._last_ino = ROOT_INO
        self._directories: dict[tuple[int, bool], TaskDirectory] = {}
        self.set_root(ProcRoot(self))

    def find(self, number: int) -> Task | None:
        """The task called `number` here."""
        return self.kernel.tasks.get(self.pid_ns.pid(number))

    def task_directory(self, task: Task, thread: bool) -> TaskDirectory:
        """The directory of a task, the same object as long as it lives."""
        key = (task.tid, thread)
        directory = self._directories.get(key)
        if directory is None or directory.task is not task:
            directory = self._directories[key] = TaskDirectory(self, task, thread)
            if len(self._directories) > 2 * len(self.kernel.tasks) + 64:
                self._forget_the_dead()
        return directory

    def _forget_the_dead(self) -> None:
        tasks = self.kernel.tasks
        for key, directory in list(self._directories.items()):
            if tasks.get(key[0]) is not directory.task:
                del self._directories[key]
        for dentry in list((self.root.children or {}).values()):
            inode = dentry.inode
            if isinstance(inode, TaskDirectory) and tasks.get(inode.task.tid) is not inode.task:
                dentry.detach(absent=False)  # names that were walked would keep the dead in memory


MEMORY_FILES = {b"mem": MemoryFile, b"pagemap": PagemapFile}


def task_ino(tid: int, thread: bool, number: int) -> int:
    """A stable inode number for file `number` (below 2**19) of a task."""
    return tid + 1 << _TASK_INO_SHIFT | (_THREAD_BIT if thread else 0) | number


def parse_id(name: bytes) -> int:
    """The number that a directory name is; -1 when it is none (leading zeros are no number)."""
    if name.isdigit() and len(name) <= 10 and (name[:1] != b"0" or name == b"0"):
        return int(name)
    return -1


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
    """/proc: the files about the system, then one directory a process."""

    __slots__ = ()

    fs: ProcFs

    def __init__(self, fs: ProcFs) -> None:
        view = SystemView(fs.kernel)
        super().__init__(fs, lambda: self._tree(view))
        self.ino = ROOT_INO

    def _tree(self, view: SystemView) -> Tree:
        fs = self.fs
        return {
            **system_files(view),
            b"mounts": LinkInode(fs, b"self/mounts"),
            b"net": LinkInode(fs, b"self/net"),
            b"self": SelfLink(fs, thread=False),
            b"sys": system_controls(fs.kernel),
            b"thread-self": SelfLink(fs, thread=True),
        }

    def getattr(self) -> None:
        self.nlink = 2 + len(self._processes())

    def lookup(self, name: bytes) -> Inode:
        inode = self.names.get(name)
        if inode is not None:
            return inode
        task = self.fs.find(parse_id(name))
        if task is None:
            raise Errno(ENOENT)
        return self.fs.task_directory(task, thread=False)

    def entries(self) -> list[tuple[bytes, int, int]]:
        made = [(b"%d" % number, task_ino(tgid, False, 0), DT_DIR) for number, tgid in self._processes()]
        return super().entries() + made

    def _processes(self) -> list[tuple[int, int]]:
        """(number in this proc's PID namespace, tgid) of those that have one."""
        number = self.fs.pid_ns.number
        return sorted([(number(tgid), tgid) for tgid in self.fs.kernel.groups if number(tgid)])


class _TaskOwned(PseudoInode):
    """A directory that belongs to the task's owner."""

    __slots__ = ("task",)

    fs: ProcFs

    def __init__(self, fs: ProcFs, task: Task, mode: int, ino: int) -> None:
        super().__init__(fs, S_IFDIR | mode, ino=ino)
        self.task = task
        self.volatile = True
        self.getattr()

    def getattr(self) -> None:
        self.uid, self.gid = owner(self.task)


class TaskDirectory(_TaskOwned):
    """/proc/PID, or /proc/PID/task/TID with `thread`."""

    __slots__ = ("_files", "_inodes", "thread")

    def __init__(self, fs: ProcFs, task: Task, thread: bool) -> None:
        super().__init__(fs, task, 0o555, task_ino(task.tid, thread, 0))
        self.thread = thread
        self._files = THREAD_FILES if thread else PROCESS_FILES
        self._inodes: dict[bytes, Inode] = {}
        self.nlink = 9

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

    def entries(self) -> list[tuple[bytes, int, int]]:
        check_alive(self.task)
        return [
            (entry.name, task_ino(self.task.tid, self.thread, entry.number), entry.dtype)
            for entry in self._files.values()
        ]


class ThreadsDirectory(_TaskOwned):
    """/proc/PID/task."""

    __slots__ = ()

    def getattr(self) -> None:
        super().getattr()
        self.nlink = 2 + len(self.task.group.tasks)

    def lookup(self, name: bytes) -> Inode:
        task = self.fs.find(parse_id(name))
        if task is None or task.group is not self.task.group:
            raise Errno(ENOENT)
        return self.fs.task_directory(task, thread=True)

    def entries(self) -> list[tuple[bytes, int, int]]:
        check_alive(self.task)
        group = self.task.group
        tids = sorted(task.tid for task in group.tasks) or [group.tgid]
        number = self.fs.pid_ns.number
        return [(b"%d" % number(tid), task_ino(tid, True, 0), DT_DIR) for tid in tids]


PARAMETERS = {
    "gid": number,
    "hidepid": word("0", "off"),  # who asks for less to be seen must not get more in silence
}


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A proc, in which everybody sees all processes: EINVAL where the options ask for something else."""
    parse(options, PARAMETERS)
    return ProcFs(kernel, INITIAL)


def view(namespace: Namespace) -> FileSystem:
    """The proc of a PID namespace that has an init."""
    assert isinstance(namespace, PidNamespace)
    assert namespace.init is not None
    return ProcFs(namespace.init.kernel, namespace)
