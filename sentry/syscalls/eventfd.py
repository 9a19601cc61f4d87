"""eventfd, eventfd2."""

import errno

from sentry.abi.fcntl import O_CLOEXEC, O_NONBLOCK
from sentry.abi.poll import EFD_SEMAPHORE
from sentry.errors import Errno
from sentry.syscalls.args import Int, UInt
from sentry.vfs.eventfd import EventFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def eventfd(task: "Task", initial: UInt) -> int:
    return eventfd2(task, initial, 0)


def eventfd2(task: "Task", initial: UInt, flags: Int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE):
        raise Errno(errno.EINVAL)
    file = EventFile(initial, bool(flags & EFD_SEMAPHORE), flags & O_NONBLOCK)
    return task.files.install(file, bool(flags & O_CLOEXEC))
