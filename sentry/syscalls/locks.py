"""flock.  fcntl's locks go through sentry.vfs.locks directly."""

import errno

from sentry.abi.fcntl import O_PATH
from sentry.errors import Errno
from sentry.syscalls.args import File, Int
from sentry.vfs import locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task


def flock(task: "Task", file: File, operation: Int) -> "int | Coroutine[None, None, Any]":
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    return locks.flock(task, file, operation)
