"""proc(5): the file system.

Made elsewhere are the root (proc_root), the directory of each task (proc_directory), and the texts:
proc_system (of the whole sandbox), proc_sys (/proc/sys), proc_pid (the table of a task's files).  What must
hold: everything about a task is looked up live, and a file that was opened while the task lived answers ESRCH
once it is reaped.
"""

from __future__ import annotations

from sentry.abi.mount import MS_NODEV, MS_NOEXEC
from sentry.fs import proc_directory
from sentry.fs.proc_options import ProcOptions
from sentry.fs.proc_root import ROOT_INO, ProcRoot
from sentry.kernel.namespaces.pid_namespace import INITIAL, PidNamespace
from sentry.vfs.mounts.mount import FileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.proc_directory import TaskDirectory
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task

PROC_SUPER_MAGIC = 0x9FA0


class ProcFs(FileSystem):
    """One proc: the tasks of a PID namespace, by the numbers they have there."""

    volatile = True
    imposed = MS_NOEXEC | MS_NODEV

    def __init__(self, kernel: Kernel, pid_ns: PidNamespace) -> None:
        super().__init__(b"proc", PROC_SUPER_MAGIC)
        self.kernel = kernel
        self.pid_ns = pid_ns
        self.given = ProcOptions()
        self._last_ino = ROOT_INO
        self._directories: dict[tuple[int, bool], TaskDirectory] = {}
        self.set_root(ProcRoot(self))

    def options(self) -> bytes:
        return self.given.show()

    def reconfigure(self, options: list[str]) -> None:
        self.given.take(options)
        for inode in (self.root.inode, *self._directories.values()):
            assert inode is not None
            inode.guarded = self.given.level > 0

    def find(self, number: int) -> Task | None:
        """The task called `number` here."""
        return self.kernel.tasks.get(self.pid_ns.pid(number))

    def task_directory(self, task: Task, thread: bool) -> TaskDirectory:
        """The directory of a task, the same object as long as it lives."""
        key = (task.tid, thread)
        directory = self._directories.get(key)
        if directory is None or directory.task is not task:
            directory = self._directories[key] = proc_directory.TaskDirectory(self, task, thread)
            directory.guarded = self.given.level > 0
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
            if (
                isinstance(inode, proc_directory.TaskDirectory)
                and tasks.get(inode.task.tid) is not inode.task
            ):
                dentry.detach(absent=False)  # names that were walked would keep the dead in memory


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """The proc of the whole sandbox; its options are taken by `reconfigure`."""
    return ProcFs(kernel, INITIAL)


def view(namespace: Namespace) -> FileSystem:
    """The proc of a PID namespace that has an init."""
    assert isinstance(namespace, PidNamespace)
    assert namespace.init is not None
    return ProcFs(namespace.init.kernel, namespace)
