"""The file systems that can be mounted, by the names of /proc/filesystems."""

from __future__ import annotations

from _weakref import ref
from errno import EINVAL, ENODEV, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.mount import (
    MS_DIRSYNC,
    MS_LAZYTIME,
    MS_MANDLOCK,
    MS_NODEV,
    MS_RDONLY,
    MS_SYNCHRONOUS,
)
from sentry.errors import Errno
from sentry.fs import cgroup, dev, devpts, layered, proc, proc_options, sysfs, tmpfs
from sentry.ipc import namespace
from sentry.kernel.namespaces.namespaces import INITIAL_INUMS
from sentry.vfs.mounts.options import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.mounts.options import Parameters

    Make = Callable[[Kernel, list[str]], FileSystem]

# Options that every file system takes: (flags that they set, flags that they clear).
GENERIC_OPTIONS = {
    "ro": (MS_RDONLY, 0),
    "rw": (0, MS_RDONLY),
    "sync": (MS_SYNCHRONOUS, 0),
    "async": (0, MS_SYNCHRONOUS),
    "dirsync": (MS_DIRSYNC, 0),
    "mand": (MS_MANDLOCK, 0),
    "nomand": (0, MS_MANDLOCK),
    "lazytime": (MS_LAZYTIME, 0),
    "nolazytime": (0, MS_LAZYTIME),
}


class FileSystemType:
    """One type.

    Args:
        make: makes an instance by its own mount options; Errno.
        user: CAP_SYS_ADMIN in a user namespace of one's own is enough to mount it.
        shows: the namespace that an instance shows (None for the initial one, too); all mounts for the same
            are of one instance if it is `shared`.  Absent: each mount makes an instance, that shows itself.
        view: makes an instance for a namespace that is not the initial one, where that differs.
        parameters: its own mount options.
        stack: makes an instance out of directories that its options name, and a task finds.
        revealing: one who is less privileged may mount it only where it can be seen in full already.
    """

    __slots__ = (
        "_instances", "make", "name", "parameters", "revealing", "shared", "shows", "stack", "user", "view",
    )  # fmt: skip

    def __init__(
        self, name: str, make: Make, user: bool = False,
        shows: Callable[[Task | None], Namespace | None] | None = None, revealing: bool = False,
        view: Callable[[Namespace], FileSystem] | None = None, parameters: Parameters | None = None,
        shared: bool = True, stack: Callable[[Task, list[str]], FileSystem] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.make = make
        self.user = user
        self.shows = shows
        self.view = view
        self.shared = shared
        self.stack = stack
        self.revealing = revealing
        self.parameters = parameters or {}
        self._instances: set[ref[FileSystem]] = set()

    def instance(self, kernel: Kernel, options: list[str], task: Task | None) -> FileSystem:
        """An instance for a task (None: for the sandbox itself), maybe a known one."""
        if self.shows is None:
            if self.stack is not None and task is not None:
                fs = self.stack(task, options)
            else:
                fs = self.make(kernel, options)
            owner = task.creds.user_ns if task is not None else None
        else:
            shown = self.shows(task)
            for known in self._instances if self.shared else ():
                old = known()
                if old is not None and old.shows == (kernel, shown):
                    return old
            if shown is not None and self.view is not None:
                fs = self.view(shown)
            else:
                fs = self.make(kernel, options)
            fs.shows = (kernel, shown)
            if self.shared:
                self._instances.add(ref(fs, self._instances.discard))
            else:
                fs.reconfigure(options)
            owner = shown.owner if shown is not None else None
        fs.revealing = self.revealing
        fs.parameters = self.parameters
        if task is not None:
            fs.mounted_by(task.creds)
        if owner is not None and owner.parent is not None:
            fs.owner = owner
            fs.imposed |= MS_NODEV
        return fs


def _pid(task: Task | None) -> Namespace | None:
    return task.group.pid_ns if task is not None and task.group.nested else None


def _net(task: Task | None) -> Namespace | None:
    return task.ns.net if task is not None and task.ns.net.inum not in INITIAL_INUMS.values() else None


def _cgroup(task: Task | None) -> Namespace | None:
    return task.ns.cgroup if task is not None and task.ns.cgroup.inum not in INITIAL_INUMS.values() else None


def _ipc(task: Task | None) -> Namespace | None:
    return task.ns.ipc if task is not None and task.ns.ipc is not namespace.INITIAL else None


def _queues(ipc: Namespace) -> FileSystem:
    assert isinstance(ipc, namespace.IpcNamespace)
    return ipc.queues


def _sandbox(task: Task | None) -> None:
    return None


def _unnamed(kernel: Kernel, options: list[str]) -> FileSystem:
    raise Errno(EINVAL)  # nobody to find the directories


_CGROUP_PARAMETERS = dict.fromkeys(
    ("favordynmods", "memory_hugetlb_accounting", "memory_localevents", "memory_recursiveprot", "nsdelegate",
     "pids_localevents"), flag,
)  # fmt: skip

TYPES = {
    kind.name: kind
    for kind in (
        FileSystemType("sysfs", sysfs.mount, user=True, shows=_net, revealing=True),
        FileSystemType("tmpfs", tmpfs.mount, user=True, parameters=tmpfs.PARAMETERS),
        FileSystemType(
            "proc",
            proc.mount,
            user=True,
            shows=_pid,
            view=proc.view,
            shared=False,
            revealing=True,
            parameters=proc_options.PARAMETERS,
        ),
        FileSystemType("devtmpfs", dev.mount, shows=_sandbox, parameters=tmpfs.PARAMETERS),
        FileSystemType("ramfs", tmpfs.mount_ramfs, user=True, parameters=tmpfs.RAMFS_PARAMETERS),
        FileSystemType(
            "mqueue",
            lambda kernel, options: _queues(namespace.INITIAL),
            user=True,
            shows=_ipc,
            view=_queues,
        ),
        FileSystemType("devpts", devpts.mount, user=True, parameters=devpts.PARAMETERS),
        FileSystemType(
            "cgroup2",
            cgroup.mount,
            user=True,
            shows=_cgroup,
            view=cgroup.view,
            revealing=True,
            parameters=_CGROUP_PARAMETERS,
        ),
        FileSystemType("overlay", _unnamed, user=True, parameters=layered.PARAMETERS, stack=layered.mount),
    )
}


def find_type(name: bytes) -> FileSystemType:
    """The type called `name`; ENODEV."""
    kind = TYPES.get(name.decode("latin-1"))
    if kind is None:
        raise Errno(ENODEV)
    return kind


def check_type(task: Task, kind: FileSystemType) -> None:
    """EPERM unless the task may mount file systems of this type."""
    owner = task.creds.user_ns if kind.user else None
    if kind.shows is not None:
        shown = kind.shows(task)
        owner = shown.owner if shown is not None and kind.user else None
    if not task.creds.has_cap(CAP_SYS_ADMIN, owner):
        raise Errno(EPERM)


def split_options(options: list[str]) -> tuple[list[str], int, int]:
    """The options that are a file system's own, and the flags that the others set and clear."""
    own, on, off = [], 0, 0
    for option in options:
        change = GENERIC_OPTIONS.get(option)
        if change is None:
            own.append(option)
        else:
            on, off = on & ~change[1] | change[0], off & ~change[0] | change[1]
    return own, on, off


def open_type(task: Task, name: bytes, options: list[str], flags: int) -> FileSystem:
    """What mount(2) mounts: an instance of the type called `name`, with MS_OF_FILE_SYSTEM `flags`.

    Raises Errno: ENODEV, EPERM, EINVAL and whatever the type finds wrong with its options.
    """
    kind = find_type(name)
    own, on, off = split_options(options)
    check_type(task, kind)
    fs = kind.instance(task.kernel, own, task)
    if not fs.mounts():
        fs.set_flags((flags | on) & ~off)
    return fs
