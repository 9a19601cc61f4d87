"""I/O priorities.  They are kept and told; the host's disks decide what comes first."""

from errno import EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_NICE
from sentry.abi.ioprio import (
    IOPRIO_CLASS_BE,
    IOPRIO_CLASS_IDLE,
    IOPRIO_CLASS_MASK,
    IOPRIO_CLASS_NONE,
    IOPRIO_CLASS_RT,
    IOPRIO_CLASS_SHIFT,
    IOPRIO_LEVEL_MASK,
    IOPRIO_WHO_PROCESS,
)
from sentry.abi.resource import PRIO_PROCESS
from sentry.abi.sched import SCHED_FIFO, SCHED_IDLE, SCHED_RR
from sentry.errors import Errno
from sentry.kernel.targets import by_which
from sentry.syscalls.args import Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def _whom(task: "Task", which: int, who: int) -> list["Task"]:
    """The tasks that are meant, of process groups only the leaders: EINVAL, ESRCH."""
    return by_which(task, which - IOPRIO_WHO_PROCESS + PRIO_PROCESS, who, threads=False)


def check_ioprio(task: "Task", ioprio: int) -> None:
    """EINVAL for what is no priority, EPERM for one that the task may not give (ioprio_set(2))."""
    kind = ioprio >> IOPRIO_CLASS_SHIFT & IOPRIO_CLASS_MASK
    if kind == IOPRIO_CLASS_RT:
        if not (task.creds.has_cap(CAP_SYS_ADMIN) or task.creds.has_cap(CAP_SYS_NICE)):
            raise Errno(EPERM)
    elif kind == IOPRIO_CLASS_NONE:
        if ioprio & IOPRIO_LEVEL_MASK:
            raise Errno(EINVAL)
    elif kind not in (IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE):
        raise Errno(EINVAL)


def ioprio_set(task: "Task", which: Int, who: Int, ioprio: Int) -> int:
    check_ioprio(task, ioprio)
    creds = task.creds
    for other in _whom(task, which, who):
        if other.creds.uid not in (creds.euid, creds.uid) and not creds.has_cap(CAP_SYS_NICE):
            raise Errno(EPERM)
        other.sched.ioprio = ioprio & 0xFFFF
    return 0


def ioprio_get(task: "Task", which: Int, who: Int) -> int:
    found = _whom(task, which, who)
    if which == IOPRIO_WHO_PROCESS:
        return found[0].sched.ioprio
    return min(_effective(other) for other in found)


def _effective(task: "Task") -> int:
    """The priority of a thread, derived from its CPU priority when it has set none."""
    sched = task.sched
    if sched.ioprio >> IOPRIO_CLASS_SHIFT:
        return sched.ioprio
    kind = IOPRIO_CLASS_BE
    if sched.policy == SCHED_IDLE:
        kind = IOPRIO_CLASS_IDLE
    elif sched.policy in (SCHED_FIFO, SCHED_RR):
        kind = IOPRIO_CLASS_RT
    return kind << IOPRIO_CLASS_SHIFT | (sched.nice + 20) // 5
