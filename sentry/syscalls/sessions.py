"""Process groups and sessions."""

import errno

from sentry.errors import Errno
from sentry.kernel import sessions
from sentry.syscalls.args import Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


def _group(task: "Task", pid: int) -> "ThreadGroup":
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(errno.ESRCH)
    return other.group


def getpgid(task: "Task", pid: Int) -> int:
    return task.number(_group(task, pid).pgid)


def getpgrp(task: "Task") -> int:
    return task.number(task.group.pgid)


def getsid(task: "Task", pid: Int) -> int:
    return task.number(_group(task, pid).sid)


def setpgid(task: "Task", pid: Int, pgid: Int) -> int:
    return sessions.setpgid(task, pid, pgid)


def setsid(task: "Task") -> int:
    return sessions.setsid(task)
