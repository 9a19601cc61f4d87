"""pipe, pipe2."""

import errno

from sentry.abi.fcntl import O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK
from sentry.errors import Errno
from sentry.syscalls.args import Int, Ptr
from sentry.vfs.pipe import make_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


_O_NOTIFICATION_PIPE = O_EXCL
_ENOPKG = 65


def pipe(task: "Task", ends: Ptr) -> int:
    return pipe2(task, ends, 0)


def pipe2(task: "Task", ends: Ptr, flags: Int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | _O_NOTIFICATION_PIPE):
        raise Errno(errno.EINVAL)
    if flags & _O_NOTIFICATION_PIPE:
        raise Errno(_ENOPKG)  # a kernel without CONFIG_WATCH_QUEUE
    reader, writer = make_pipe(task, flags & ~O_CLOEXEC)
    cloexec = bool(flags & O_CLOEXEC)
    files = task.files
    first = files.install(reader, cloexec)
    try:
        second = files.install(writer, cloexec)
    except Errno:
        files.remove(first)
        raise
    try:
        task.copy_out(ends, first.to_bytes(4, "little") + second.to_bytes(4, "little"))
    except Errno:
        files.remove(first)
        files.remove(second)
        raise
    return 0
