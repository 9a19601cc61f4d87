"""Whom a call means that names a thread, a process group or a user: getpriority(2), ioprio_get(2)."""

from __future__ import annotations

import errno

from sentry.abi.resource import PRIO_PGRP, PRIO_PROCESS, PRIO_USER
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def by_which(task: Task, which: int, who: int, threads: bool = True) -> list[Task]:
    """The threads that `task` means, at least one: EINVAL, ESRCH.

    Args:
        which: PRIO_PROCESS, PRIO_PGRP or PRIO_USER.
        who: a thread's or group's number, or a user id; 0: the caller's.
        threads: all threads of a process group's processes, not their first ones alone.
    """
    found: list[Task]
    if which == PRIO_PROCESS:
        other = task.find(who) if who else task
        found = [other] if other is not None else []
    elif which == PRIO_PGRP:
        process_group = task.find_process_group(who) if who else task.group.process_group
        members = process_group.members if process_group is not None else []
        found = [thread for group in members for thread in (group.tasks if threads else [group.leader])]
    elif which == PRIO_USER:
        uid = task.creds.user_ns.kuid(who & 0xFFFFFFFF) if who else task.creds.uid
        everyone = task.kernel.tasks.values()
        found = [other for other in everyone if other.creds.uid == uid and task.number(other.tid)]
    else:
        raise Errno(errno.EINVAL)
    if not found:
        raise Errno(errno.ESRCH)
    return found
