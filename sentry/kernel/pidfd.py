"""Descriptors that refer to processes (pidfd_open(2), CLONE_PIDFD)."""

from __future__ import annotations

import errno

from sentry.abi.fcntl import O_NONBLOCK, O_RDWR, POLLIN, POLLRDNORM
from sentry.errors import Errno
from sentry.vfs.anon import anon_path
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import WaitQueue
    from sentry.kernel.pid_namespace import PidNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


class PidFile(File):
    """Readable once the process is dead."""

    __slots__ = ("group",)

    def __init__(self, group: ThreadGroup, flags: int = 0) -> None:
        super().__init__(O_RDWR | flags & O_NONBLOCK, anon_path(b"[pidfd]"))
        self.group = group
        self.queue: WaitQueue = group.exit_queue

    def poll(self) -> int:
        return POLLIN | POLLRDNORM if self.group.dead else 0

    def fdinfo(self, reader: Task) -> bytes:
        """The process's number for the reader and in the PID namespaces below; -1 once it is reaped."""
        group = self.group
        if group.kernel.groups.get(group.tgid) is not group:
            return b"Pid:\t-1\nNSpid:\t-1\n"
        seen_from = reader.group.pid_ns
        number = seen_from.number(group.tgid)
        numbers = [number]
        ns: PidNamespace | None = group.pid_ns
        while number and ns is not None and ns is not seen_from:
            numbers.insert(1, ns.number(group.tgid))
            ns = ns.parent
        return b"Pid:\t%d\nNSpid:%s\n" % (number, b"".join([b"\t%d" % n for n in numbers]))


def group_of(task: Task, fd: int) -> ThreadGroup:
    """The process behind a pidfd: EBADF when `fd` is something else."""
    file = task.files.get(fd)
    if not isinstance(file, PidFile):
        raise Errno(errno.EBADF)
    return file.group
