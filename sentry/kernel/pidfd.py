"""Descriptors that refer to processes or threads (pidfd_open(2), CLONE_PIDFD)."""

from __future__ import annotations

import errno

from sentry.abi.fcntl import O_EXCL, O_NONBLOCK, O_RDWR
from sentry.abi.poll import POLLHUP, POLLIN, POLLRDNORM
from sentry.errors import Errno
from sentry.vfs.anon import anon_path
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import WaitQueue
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


PIDFD_THREAD = O_EXCL


class PidFile(File):
    """Readable once the process, or with PIDFD_THREAD the thread, is dead; hung up once it is waited for."""

    __slots__ = ("group", "thread")

    def __init__(self, group: ThreadGroup, flags: int = 0, thread: Task | None = None) -> None:
        """`thread`: whom it refers to, None for the process."""
        kept = O_NONBLOCK if thread is None else O_NONBLOCK | PIDFD_THREAD
        super().__init__(O_RDWR | flags & kept, anon_path(b"[pidfd]"))
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
