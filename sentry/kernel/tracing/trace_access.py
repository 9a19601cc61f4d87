"""Who may look into, or get hold of, another task (ptrace(2), "Ptrace access mode checking")."""

from __future__ import annotations

from errno import EPERM, ESRCH

from sentry.abi.capability import CAP_SYS_PTRACE
from sentry.errors import Errno
from sentry.vfs import landlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task


def may_access(task: Task, target: Task, real: bool = True) -> bool:
    """PTRACE_MODE_REALCREDS, or with `real` false PTRACE_MODE_FSCREDS; reading and attaching ask the same."""
    return task.group is target.group or may_access_as(task.creds, target, real)


def may_access_as(mine: Creds, target: Task, real: bool = True) -> bool:
    """The same for whoever has these credentials and is of another process."""
    theirs = target.creds
    group = target.group
    if group.dumpable != 1 and not mine.has_cap(CAP_SYS_PTRACE, group.program_ns):
        return False
    uid, gid = (mine.uid, mine.gid) if real else (mine.fsuid, mine.fsgid)
    same = uid == theirs.uid == theirs.euid == theirs.suid and gid == theirs.gid == theirs.egid == theirs.sgid
    if not same and not mine.has_cap(CAP_SYS_PTRACE, theirs.user_ns):
        return False
    return may_be_traced(mine, theirs, real)


def may_be_traced(mine: Creds, theirs: Creds, real: bool = True) -> bool:
    """What is asked for PTRACE_TRACEME too: that the tracer is restricted no more than the tracee."""
    if not landlock.may_trace(mine, theirs):
        return False
    held = mine.permitted if real else mine.effective
    if mine.user_ns is theirs.user_ns and not theirs.permitted & ~held:
        return True
    return mine.has_cap(CAP_SYS_PTRACE, theirs.user_ns)


def check_access(task: Task, target: Task) -> None:
    """EPERM unless `may_access`."""
    if not may_access(task, target):
        raise Errno(EPERM)


def accessible(task: Task, pid: int) -> Task:
    """The live thread that the caller calls `pid` and may access: ESRCH, EPERM."""
    target = task.find(pid)
    if target is None or target.state == "dead":
        raise Errno(ESRCH)
    check_access(task, target)
    return target
