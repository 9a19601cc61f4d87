"""signalfd(2): pending signals as something to read.

Whose signals: those of the task that reads.  poll(2) and epoll(7) have no reader, so the file remembers the
task that used it last (`adopt`), which is its maker until a forked child takes it over.
"""

from __future__ import annotations

import errno

from sentry.abi.poll import POLLIN, SIGNALFD_SIGINFO, SIGNALFD_SIGINFO_SIZE
from sentry.abi.signal import UNBLOCKABLE
from sentry.errors import Errno
from sentry.kernel.signals.signals import dequeue
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker


class SignalFile(AnonymousFile):
    """An open signalfd."""

    __slots__ = ("mask", "task")

    can_write = False

    def __init__(self, task: Task, mask: int, flags: int) -> None:
        super().__init__(flags, b"[signalfd]")
        self.mask = mask & ~UNBLOCKABLE
        self.adopt(task)

    def adopt(self, task: Task) -> None:
        """`task` is about to wait for its signals here."""
        self.task = task
        self.queue = task.group.sighand.queue

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if count < SIGNALFD_SIGINFO_SIZE:
            raise Errno(errno.EINVAL)
        self.adopt(task)
        records = []
        for _ in range(count // SIGNALFD_SIGINFO_SIZE):
            info = dequeue(task, self.mask)
            if info is None:
                break
            records.append(pack(info))
        return b"".join(records) if records else WOULD_BLOCK

    def fdinfo(self, reader: Task) -> bytes:
        return b"sigmask:\t%016x\n" % self.mask

    def poll(self) -> int:
        task = self.task
        return POLLIN if (task.pending | task.group.pending) & self.mask else 0


def pack(info: SigInfo) -> bytes:
    """struct signalfd_siginfo."""
    value = info.value & 0xFFFFFFFFFFFFFFFF
    fields = SIGNALFD_SIGINFO.pack(
        info.signo, info.errno, info.code, info.pid & 0xFFFFFFFF, info.uid & 0xFFFFFFFF, max(info.fd, 0),
        info.timer_id & 0xFFFFFFFF, info.band & 0xFFFFFFFF, info.overrun & 0xFFFFFFFF, 0,
        info.status, value & 0xFFFFFFFF, value, info.utime, info.stime, info.addr,
    )  # fmt: skip
    return fields.ljust(SIGNALFD_SIGINFO_SIZE, b"\0")
