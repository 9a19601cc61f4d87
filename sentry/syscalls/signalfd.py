"""signalfd, signalfd4."""

import errno

from sentry.abi.fcntl import O_CLOEXEC, O_NONBLOCK
from sentry.abi.signal import SIGSET_SIZE, UNBLOCKABLE
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int, Ptr, Size
from sentry.vfs.file import wrong_kind
from sentry.vfs.signalfd import SignalFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def signalfd(task: "Task", fd: Fd, mask: Ptr, size: Size) -> int:
    return signalfd4(task, fd, mask, size, 0)


def signalfd4(task: "Task", fd: Fd, mask: Ptr, size: Size, flags: Int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK) or size != SIGSET_SIZE:
        raise Errno(errno.EINVAL)
    signals = task.read_u64(mask)
    if fd == -1:
        return task.files.install(SignalFile(task, signals, flags & O_NONBLOCK), bool(flags & O_CLOEXEC))
    file = task.files.get(fd)
    if not isinstance(file, SignalFile):
        raise wrong_kind(file)
    file.mask = signals & ~UNBLOCKABLE
    file.queue.wake(1)
    return fd
