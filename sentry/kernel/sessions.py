"""Sessions and process groups (credentials(7), setsid(2), setpgid(2)).

What must hold: group.process_group.members contains group until it is reaped, and group.pgid / group.sid
(which the C answers read) repeat process_group.pgid and process_group.session.sid.
"""

from __future__ import annotations

import errno

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


class Session:
    """One session; `tty` is its controlling terminal (sentry.tty), None without one."""

    __slots__ = ("leader", "sid", "tty")

    def __init__(self, leader: ThreadGroup) -> None:
        self.sid = leader.tgid
        self.leader: ThreadGroup | None = leader  # None once it has exited
        self.tty: Any = None


class ProcessGroup:
    """One process group: what job control addresses."""

    __slots__ = ("members", "pgid", "session")

    def __init__(self, pgid: int, session: Session) -> None:
        self.pgid = pgid
        self.session = session
        self.members: list[ThreadGroup] = []

    def is_orphaned(self, without: ThreadGroup | None = None) -> bool:
        """Whether no live member (but `without`) has a parent in another group of the same session (POSIX
        3.269).
        """
        for member in self.members:
            if member is without or member.dead:
                continue
            parent = member.parent
            if parent is None:  # the sandbox's init counts as a parent: it may be an interactive shell
                continue
            if parent.process_group is not self and parent.process_group.session is self.session:
                return False
        return True

    def has_stopped(self) -> bool:
        return any(member.stopped for member in self.members)


def found_session(kernel: Kernel, group: ThreadGroup) -> Session:
    """Make `group` the leader of a new session and process group."""
    session = Session(group)
    _join(kernel, group, ProcessGroup(group.tgid, session))
    return session


def join(kernel: Kernel, group: ThreadGroup, process_group: ProcessGroup) -> None:
    """Move `group` into `process_group`."""
    _join(kernel, group, process_group)


def _join(kernel: Kernel, group: ThreadGroup, process_group: ProcessGroup) -> None:
    leave(kernel, group)
    group.process_group = process_group
    group.pgid = process_group.pgid
    group.sid = process_group.session.sid
    process_group.members.append(group)
    kernel.process_groups[process_group.pgid] = process_group


def leave(kernel: Kernel, group: ThreadGroup) -> None:
    """Take `group` out of its process group; an empty one is gone."""
    old: ProcessGroup | None = getattr(group, "process_group", None)
    if old is None or group not in old.members:
        return
    old.members.remove(group)
    if not old.members:
        del kernel.process_groups[old.pgid]
        kernel.pids.release(old.pgid)
        kernel.pids.release(old.session.sid)


def setsid(task: Task) -> int:
    """setsid(2); EPERM for a process group leader."""
    kernel, group = task.kernel, task.group
    if group.tgid in kernel.process_groups or group.session.leader is group:
        raise Errno(errno.EPERM)
    return task.number(found_session(kernel, group).sid)


def setpgid(task: Task, pid: int, pgid: int) -> int:
    """setpgid(2): EINVAL, ESRCH, EACCES (child has execed), EPERM (session leader, other session)."""
    kernel = task.kernel
    if pgid < 0 or (pid < 0 and not pgid):
        raise Errno(errno.EINVAL)
    group = task.find_group(pid) if pid else task.group
    if group is None:
        raise Errno(errno.ESRCH)
    if group is not task.group:
        if group.parent is not task.group:
            raise Errno(errno.ESRCH)
        if group.session is not task.group.session:
            raise Errno(errno.EPERM)
        if group.has_execed:
            raise Errno(errno.EACCES)
    if group.session.leader is group:
        raise Errno(errno.EPERM)
    pgid = task.group.pid_ns.pid(pgid) if pgid else group.tgid
    if pgid == group.pgid:
        return 0
    target = kernel.process_groups.get(pgid)
    if pgid == group.tgid and target is None:
        target = ProcessGroup(pgid, group.session)
    elif target is None or target.session is not task.group.session:
        raise Errno(errno.EPERM)
    _join(kernel, group, target)
    return 0
