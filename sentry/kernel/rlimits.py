"""Resource limits of a process (getrlimit(2))."""

from __future__ import annotations

import errno

from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.resource import (
    RLIM_INFINITY,
    RLIM_NLIMITS,
    RLIMIT_CORE,
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_MEMLOCK,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_NOFILE,
    RLIMIT_NPROC,
    RLIMIT_RTPRIO,
    RLIMIT_SIGPENDING,
    RLIMIT_STACK,
)
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

NOFILE_MAX = 1 << 20  # fs.nr_open
_DEFAULTS = {
    RLIMIT_STACK: (8 << 20, RLIM_INFINITY),
    RLIMIT_CORE: (0, RLIM_INFINITY),
    RLIMIT_NPROC: (4096, 4096),
    RLIMIT_NOFILE: (1024, NOFILE_MAX),
    RLIMIT_MEMLOCK: (8 << 20, 8 << 20),
    RLIMIT_SIGPENDING: (4096, 4096),
    RLIMIT_MSGQUEUE: (819200, 819200),
    RLIMIT_NICE: (0, 0),
    RLIMIT_RTPRIO: (0, 0),
}


def initial(configured: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """The first process's limits: Linux's usual ones, and what the bundle asks for as (resource, soft,
    hard).
    """
    limits = [_DEFAULTS.get(resource, (RLIM_INFINITY, RLIM_INFINITY)) for resource in range(RLIM_NLIMITS)]
    for resource, soft, hard in configured:
        limits[resource] = (soft, hard)
    return limits


def change(task: Task, group: ThreadGroup, resource: int, soft: int, hard: int) -> None:
    """Set a limit of `group` on behalf of `task`: EINVAL, EPERM (raising a hard limit)."""
    if soft > hard:
        raise Errno(errno.EINVAL)
    if resource == RLIMIT_NOFILE and hard > NOFILE_MAX:
        raise Errno(errno.EPERM)
    if hard > group.rlimits[resource][1] and not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    group.rlimits[resource] = (soft, hard)
    apply(group, resource)


def apply(group: ThreadGroup, resource: int) -> None:
    """Tell those who act upon the limit of its new value."""
    soft = group.rlimits[resource][0]
    if resource == RLIMIT_FSIZE:
        group.fsize_limit = soft
    elif resource == RLIMIT_CPU:
        group.cpu_limit.update()
    elif resource == RLIMIT_NOFILE:
        for task in group.tasks:
            task.files.limit = min(soft, NOFILE_MAX)
