"""flock.  fcntl's locks go through sentry.vfs.locks directly."""

import errno
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN

from sentry.abi.fcntl import O_PATH
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int
from sentry.vfs import locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task

_LOCK_MAND = 32


def flock(task: "Task", fd: Fd, operation: Int) -> "int | Coroutine[None, None, Any]":
    if operation & _LOCK_MAND:
        return 0  # ignored since Linux 5.17, whatever else is said
    if operation & ~LOCK_NB not in (LOCK_SH, LOCK_EX, LOCK_UN):
        raise Errno(errno.EINVAL)
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    return locks.flock(task, file, operation)
