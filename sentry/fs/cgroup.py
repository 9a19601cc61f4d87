"""cgroup2: the control groups as a file system (cgroups(7), "Cgroups version 2").

A directory is a group; which files it has follows from what its parent has enabled (fs.cgroup_files).
"""

from __future__ import annotations

from _weakref import ref
from errno import EACCES, EBADF, EINVAL, ENODEV, ENOENT, EPERM

from sentry.abi.stat import ACCESS_WRITE, DT_DIR, DT_REG, S_IFDIR
from sentry.errors import Errno
from sentry.fs import cgroup_files
from sentry.fs.cgroup_members import PROCS, MembersFile, check_move
from sentry.fs.kernfs import KernfsInode
from sentry.fs.pressure import CgroupFile
from sentry.fs.pseudo import PseudoInode
from sentry.kernel.cgroups.cgroup import Cgroup, CgroupNamespace, Events, check_entry, namespace_root
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem
from sentry.vfs.notify import notify
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.cgroup_files import ControlFile
    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Attributes
    from sentry.vfs.path import Path

CGROUP2_SUPER_MAGIC = 0x63677270
_EVENTS = (b"cgroup.events", b"memory.events", b"memory.events.local", b"pids.events")
_MEMBERS = (PROCS, b"cgroup.threads")
_NEVER = False, False


class CgroupFs(FileSystem):
    """The hierarchy, from one group downwards."""

    volatile = True

    def __init__(self, top: Cgroup) -> None:
        super().__init__(b"cgroup2", CGROUP2_SUPER_MAGIC)
        self.set_root(CgroupDirectory(self, top))

    def options(self) -> bytes:
        return b",nsdelegate"


class CgroupDirectory(PseudoInode):
    """One group."""

    __slots__ = ("_files", "_groups", "cgroup")

    settable = True

    def __init__(self, fs: FileSystem, cgroup: Cgroup) -> None:
        super().__init__(fs, S_IFDIR | cgroup.mode, cgroup.uid, cgroup.gid, cgroup.id)
        self.cgroup = cgroup
        self.volatile = True
        self._files: dict[bytes, Inode] = {}
        self._groups: dict[bytes, CgroupDirectory] = {}
        self.getattr()

    def getattr(self) -> None:
        self.nlink = 0 if self.cgroup.removed else 2 + len(self.cgroup.children)

    def set_fields(self, changes: Attributes) -> None:
        super().set_fields(changes)
        group = self.cgroup
        group.mode, group.uid, group.gid = self.mode & 0o7777, self.uid, self.gid

    def lookup(self, name: bytes) -> Inode:
        if self.cgroup.removed:
            raise Errno(ENOENT)
        child = self.cgroup.children.get(name)
        if child is not None:
            known = self._groups.get(name)
            if known is None or known.cgroup is not child:
                known = self._groups[name] = CgroupDirectory(self.fs, child)
            return known
        file = cgroup_files.present(self.cgroup).get(name)
        if file is None:
            raise Errno(ENOENT)
        inode = self._files.get(name)
        if inode is None:
            kind = _ControlInode
            if name in _MEMBERS:
                kind = MembersInode
            elif name in _EVENTS:
                kind = _EventsInode
            elif name.endswith(b".pressure"):
                kind = _PressureInode
            inode = self._files[name] = kind(self, self.cgroup, name, file)
        return inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        group = self.cgroup
        if group.removed:
            return []
        own = group.id
        files = [(name, own | file.number, DT_REG) for name, file in cgroup_files.present(group).items()]
        return files + [(c.name, c.id, DT_DIR) for c in group.children.values()]

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        if b"\n" in name:
            raise Errno(EINVAL)
        child = self.cgroup.make(name)
        child.mode, child.uid, child.gid = mode & 0o7777, creds.fsuid, creds.fsgid
        child.creator = creds.fsuid, creds.fsgid
        return self.lookup(name)

    def rmdir(self, name: bytes) -> None:
        self.cgroup.remove(name)
        self._groups.pop(name, None)

    # Only groups can be made; Linux has no name for what else was tried.

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        raise Errno(EACCES)

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        raise Errno(EPERM)

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        raise Errno(EPERM)

    def unlink(self, name: bytes) -> None:
        raise Errno(EPERM)


class _ControlInode(KernfsInode):
    """A file of a group; owner and mode can be changed: that is how a group is delegated."""

    __slots__ = ("_file", "_group")

    settable = True

    def __init__(self, directory: CgroupDirectory, group: Cgroup, name: bytes, file: ControlFile) -> None:
        show = file.show
        super().__init__(
            directory.fs,
            cgroup_files.refuse_read if show is None else lambda task: show(group, task),
            lambda task, data: cgroup_files.write(group, file, task, data),
            file.mode,
            group.id | file.number,
            *group.creator,
        )
        self._group = group
        self._file = file

    def is_gone(self) -> bool:
        controller = self._file.controller
        return self._group.removed or bool(controller and controller not in self._group.available())


class MembersInode(_ControlInode):
    __slots__ = ()

    @property
    def group(self) -> Cgroup:
        return self._group

    def open(self, task: Task, path: Path, flags: int) -> File:
        if self.is_gone():
            raise Errno(ENODEV)
        return MembersFile(flags, path, self, task)


class _PressureInode(_ControlInode):
    __slots__ = ()

    def open(self, task: Task, path: Path, flags: int) -> File:
        if self.is_gone():
            raise Errno(ENODEV)
        return CgroupFile(flags, path, self)


class _EventsInode(_ControlInode):
    """A file by which poll(2) and inotify(7) tell of events (Linux, admin-guide/cgroup-v2)."""

    __slots__ = ("_directory", "_events", "_name")

    def __init__(self, directory: CgroupDirectory, group: Cgroup, name: bytes, file: ControlFile) -> None:
        super().__init__(directory, group, name, file)
        known = group.events.get(name)
        if known is None:
            known = group.events[name] = Events(group.state() if name == b"cgroup.events" else _NEVER)
        known.watch(self)
        self._events = known
        self._directory = ref(directory)
        self._name = name

    def changes(self) -> int:
        return self._events.serial

    def changed(self) -> None:
        directory = self._directory()
        if directory is not None:
            notify.modified(directory, self._name, self)

    def open(self, task: Task, path: Path, flags: int) -> File:
        file = super().open(task, path, flags)
        file.queue = self._events.queue
        return file


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """The hierarchy; its options are passed over."""
    return CgroupFs(kernel.cgroups.root)


def view(namespace: Namespace) -> FileSystem:
    """The part of the hierarchy that a cgroup namespace shows."""
    assert isinstance(namespace, CgroupNamespace)
    return CgroupFs(namespace.root)


def cgroup_of(task: Task, fd: int) -> Cgroup:
    """The group whose directory a descriptor is of (CLONE_INTO_CGROUP): EBADF, EACCES, EBUSY, ENODEV."""
    inode = task.files.get(fd).inode
    if not isinstance(inode, CgroupDirectory):
        raise Errno(EBADF)
    group = inode.cgroup
    if group.removed:
        raise Errno(ENODEV)
    check(task.creds, inode.lookup(PROCS), ACCESS_WRITE)
    check_move(task.creds, namespace_root(task), inode.fs, task.group.cgroup, group)
    check_entry(group)
    return group
