"""Descriptors that refer to processes or threads (pidfd_open(2), CLONE_PIDFD), and their file system, pidfs.

What is known of a process's file outlives its descriptors: it hangs on the process (`PidIdentity`).  What
can be asked of one is in kernel.pidfd_info.
"""

from __future__ import annotations

import errno

from sentry._core import now
from sentry.abi.fcntl import O_EXCL, O_NONBLOCK, O_RDWR, O_TRUNC
from sentry.abi.pidfd import PIDFS_MAGIC
from sentry.abi.poll import POLLHUP, POLLIN, POLLRDNORM
from sentry.errors import Errno
from sentry.kernel import pidfd_info
from sentry.vfs.anon import AnonymousFs
from sentry.vfs.file import File
from sentry.vfs.inode import Inode
from sentry.vfs.path import Dentry, Path
from sentry.vfs.xattr import get_attribute, set_attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import WaitQueue
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


PIDFD_THREAD = O_EXCL
_XATTRS = b"trusted."  # the only ones there are

pidfs = AnonymousFs(b"pidfs", PIDFS_MAGIC)


class PidIdentity:
    """What all pidfds of one process, or of one thread that isn't its first, have in common."""

    __slots__ = ("ino", "time", "xattrs")

    def __init__(self) -> None:
        self.ino = pidfs.next_ino()
        self.time = now()
        self.xattrs: dict[bytes, bytes] | None = None


def identity_of(group: ThreadGroup, thread: Task | None) -> PidIdentity:
    """The identity of a process (`thread` None) or of one of its threads."""
    holder = group if thread is None or thread is group.leader else thread
    if holder.identity is None:
        holder.identity = PidIdentity()
    return holder.identity


class PidInode(Inode):
    """The file of a process or thread; another object for each pidfd.  It has no type, and nothing of it can
    be changed but its extended attributes.
    """

    __slots__ = ("group", "identity", "thread")

    unchangeable = errno.EOPNOTSUPP

    def __init__(self, group: ThreadGroup, thread: Task | None) -> None:
        identity = identity_of(group, thread)
        super().__init__(pidfs, 0o700, ino=identity.ino)
        self.atime = self.mtime = self.ctime = identity.time
        self.btime = 0
        self.group = group
        self.thread = thread
        self.identity = identity

    def open(self, task: Task, path: Path, flags: int) -> File:
        """Another pidfd of the same (by /proc/PID/fd)."""
        if flags & O_TRUNC:
            raise Errno(errno.EOPNOTSUPP)
        return PidFile(self.group, flags, self.thread, path)

    def getxattr(self, name: bytes) -> bytes:
        if not name.startswith(_XATTRS):
            raise Errno(errno.EOPNOTSUPP)
        if self.identity.xattrs is None:
            return b""  # as Linux, before there has been any
        return get_attribute(self.identity.xattrs, name)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        if not name.startswith(_XATTRS):
            raise Errno(errno.EOPNOTSUPP)
        self.identity.xattrs = set_attribute(self.identity.xattrs, name, value, flags)

    def listxattr(self) -> list[bytes]:
        return list(self.identity.xattrs or ())

    def removexattr(self, name: bytes) -> None:
        attributes = self.identity.xattrs
        get_attribute(attributes, name)
        if attributes is not None:
            del attributes[name]


def place(group: ThreadGroup, thread: Task | None) -> Path:
    """Where the file of a process or thread is: nowhere, but it has a name."""
    return Path(pidfs.mount, Dentry(b"anon_inode:[pidfd]", None, PidInode(group, thread)))


class PidFile(File):
    """Readable once the process, or with PIDFD_THREAD the thread, is dead; hung up once it is waited for."""

    __slots__ = ("group", "thread")

    seekable = True  # as pread(2) sees it
    can_read = can_write = False

    def __init__(
        self, group: ThreadGroup, flags: int = 0, thread: Task | None = None, path: Path | None = None
    ) -> None:
        """`thread`: whom it refers to, None for the process; `path`: where it was opened again, else it is
        for reading and writing."""
        if path is None:
            path = place(group, thread)
            flags = O_RDWR | flags & O_NONBLOCK
        super().__init__(flags, path)
        if thread is not None:
            self.flags |= PIDFD_THREAD
        self.group = group
        self.thread = thread
        self.queue: WaitQueue = group.exit_queue

    @property
    def pid(self) -> int:
        """The number of the process or thread, by which wait4(2) would know it."""
        return self.group.tgid if self.thread is None else self.thread.tid

    @property
    def gone(self) -> bool:
        """Whether it has been waited for: no process has this identity any more."""
        kernel = self.group.kernel
        if self.thread is None:
            return kernel.groups.get(self.group.tgid) is not self.group
        return kernel.tasks.get(self.thread.tid) is not self.thread

    def poll(self) -> int:
        thread = self.thread  # the first one is dead for others once all are
        dead = self.group.dead if thread in (None, self.group.leader) else thread.state == "dead"
        return (POLLIN | POLLRDNORM if dead else 0) | (POLLHUP if self.gone else 0)

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        return pidfd_info.ioctl(task, self, request, arg)

    def fdinfo(self, reader: Task) -> bytes:
        """The process's number for the reader and in the PID namespaces below; -1 once it is reaped."""
        if self.gone:
            return b"Pid:\t-1\nNSpid:\t-1\n"
        group, pid = self.group, self.pid
        seen_from = reader.group.pid_ns
        number = seen_from.number(pid)
        numbers = [number]
        ns: PidNamespace | None = group.pid_ns
        while number and ns is not None and ns is not seen_from:
            numbers.insert(1, ns.number(pid))
            ns = ns.parent
        return b"Pid:\t%d\nNSpid:%s\n" % (number, b"".join([b"\t%d" % n for n in numbers]))


def of(task: Task, fd: int) -> PidFile:
    """The open pidfd; EBADF when `fd` is something else."""
    file = task.files.get(fd)
    if not isinstance(file, PidFile):
        raise Errno(errno.EBADF)
    return file


def group_of(task: Task, fd: int) -> ThreadGroup:
    """The process behind a pidfd: EBADF when `fd` is something else."""
    return of(task, fd).group
