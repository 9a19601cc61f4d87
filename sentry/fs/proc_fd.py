"""/proc/PID/fd and /proc/PID/fdinfo: a task's descriptors (proc(5))."""

from __future__ import annotations

from errno import ENOENT

from sentry.abi.fcntl import O_CLOEXEC
from sentry.abi.stat import DT_LNK, DT_REG, S_IFDIR, S_IFLNK
from sentry.errors import Errno
from sentry.fs.proc_access import are_of_process, check_alive, check_inspect, may_inspect_as, owner
from sentry.fs.proc_listing import ProcessDirectory
from sentry.fs.pseudo import PseudoInode, TextInode, UnwatchedFile, parse_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import DirEntry, Inode
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

_FD_INO, _FDINFO_INO = 1 << 40, 1 << 41  # apart from the numbers of a task's other files


def parse_fd(name: bytes) -> int:
    """The descriptor that a name is; ENOENT when it is none."""
    fd = parse_name(name)
    if fd < 0:
        raise Errno(ENOENT)
    return fd


def file_of(task: Task, fd: int) -> File:
    """ENOENT when the task has no such descriptor (any more)."""
    check_alive(task)
    try:
        file: File = task.files.get(fd)
    except (Errno, AttributeError):  # a task that has exited has no table
        raise Errno(ENOENT) from None
    return file


class _DescriptorsOf(ProcessDirectory):
    """A directory with one name a descriptor."""

    __slots__ = ("base", "dtype")

    def __init__(self, fs: FileSystem, task: Task, mode: int, ino: int, base: int, dtype: int) -> None:
        super().__init__(fs, task, S_IFDIR | mode, ino)
        self.base = base | (task.tid << 42)
        self.dtype = dtype
        self.guarded = True  # see permission()

    def getattr(self) -> None:
        self.uid, self.gid = owner(self.task)
        self.size = len(self.task.files) if self.task.files is not None else 0

    def listing(self) -> list[DirEntry]:
        if self.task.files is None:
            return []
        return [(b"%d" % fd, self.base + fd, self.dtype) for fd, _ in self.task.files.items()]


class DescriptorDirectory(_DescriptorsOf):
    """/proc/PID/fd: magic links to the open files."""

    __slots__ = ()

    def __init__(self, fs: FileSystem, task: Task, ino: int) -> None:
        super().__init__(fs, task, 0o500, ino, _FD_INO, DT_LNK)

    def permission(self, creds: Creds) -> bool | None:
        """A process may use its own, whoever the owner is: it is root where the process isn't dumpable."""
        self.getattr()
        return True if are_of_process(creds, self.task) else None

    def lookup(self, name: bytes) -> Inode:
        fd = parse_fd(name)
        return DescriptorLink(self.fs, self.task, fd, file_of(self.task, fd), self.base + fd)


class DescriptorLink(PseudoInode):
    """/proc/PID/fd/N; its mode tells how the file is open (proc(5))."""

    __slots__ = ("fd", "task")

    def __init__(self, fs: FileSystem, task: Task, fd: int, file: File, ino: int) -> None:
        access = (0o500 if file.readable else 0) | (0o300 if file.writable else 0)
        uid, gid = owner(task)
        super().__init__(fs, S_IFLNK | access, uid, gid, ino)
        self.task = task
        self.fd = fd
        self.size = 64  # as Linux says of all of them

    def follow(self, task: Task) -> Path | bytes:
        check_inspect(task, self.task)
        path = file_of(self.task, self.fd).path
        if path is None:
            raise Errno(ENOENT)
        return path


class DescriptorInfo(TextInode):
    __slots__ = ()

    spliceable = False

    def open(self, task: Task, path: Path, flags: int) -> File:
        return UnwatchedFile(flags, path, self)


class DescriptorInfoDirectory(_DescriptorsOf):
    """/proc/PID/fdinfo: position, flags and more of each descriptor."""

    __slots__ = ()

    def __init__(self, fs: FileSystem, task: Task, ino: int) -> None:
        super().__init__(fs, task, 0o555, ino, _FDINFO_INO, DT_REG)

    def permission(self, creds: Creds) -> bool | None:
        """Closed to who may not inspect the process, though its mode says otherwise."""
        self.getattr()
        allowed = are_of_process(creds, self.task) or may_inspect_as(creds, self.task)
        return None if allowed else False

    def lookup(self, name: bytes) -> Inode:
        fd = parse_fd(name)
        target = self.task
        file_of(target, fd)

        def show(reader: Task) -> bytes:
            check_inspect(reader, target)
            return info(reader, target, fd)

        uid, gid = owner(target)
        return DescriptorInfo(self.fs, show, None, 0o444, self.base + fd, uid, gid)


def info(reader: Task, target: Task, fd: int) -> bytes:
    """The text of fdinfo/N: what all files have, then what the kind of file adds (its `fdinfo`, if any)."""
    file = file_of(target, fd)
    flags = file.flags | (O_CLOEXEC if target.files.cloexec(fd) else 0)
    path = file.path
    inode = file.inode
    text = b"pos:\t%d\nflags:\t0%o\nmnt_id:\t%d\nino:\t%d\n" % (
        file.pos,
        flags,
        path.mount.id if path is not None else 0,
        inode.ino if inode is not None else 0,
    )
    more = getattr(file, "fdinfo", None)
    return text + more(reader) if more is not None else text
