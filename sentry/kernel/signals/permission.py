"""Who may send signals to whom (kill(2))."""

from __future__ import annotations

from sentry.abi.capability import CAP_KILL
from sentry.abi.landlock import SCOPE_SIGNAL
from sentry.abi.signal import SIGCONT
from sentry.vfs import landlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


def may_signal(task: Task, group: ThreadGroup, signo: int) -> bool:
    """Whether the task may send this signal to the process."""
    theirs = group.leader.creds
    if task.group is not group and not landlock.may_reach(task.creds, theirs.landlock, SCOPE_SIGNAL):
        return False
    if task.group is group or task.creds.may_signal(theirs) or task.creds.has_cap(CAP_KILL, theirs.user_ns):
        return True
    return signo == SIGCONT and group.session is task.group.session
