"""cpuset.cpus: on which CPUs the threads of a control group run (cpuset(7); Linux, admin-guide/cgroup-v2).

A thread's own wish (sched_setaffinity(2)) holds as far as its group allows it; where the two have nothing in
common, the group decides.
"""

from __future__ import annotations

from sentry.kernel.sched import confine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.task import Task

FILE = b"cpuset.cpus"


def effective(group: Cgroup) -> int:
    """The CPUs that the group's threads may use, as a mask."""
    mask = group.kernel.cpus
    for each in reversed(group.lineage()):
        mask = mask & each.values.get(FILE, mask) or mask
    return mask


def refit(task: Task) -> None:
    """The thread is in another group, or its group has other CPUs."""
    sched, every, allowed = task.sched, task.kernel.cpus, effective(task.group.cgroup)
    mask = (sched.wanted or allowed) & allowed or allowed
    if mask == every and not sched.wanted:
        mask = 0
    if mask != sched.affinity:
        sched.affinity = mask
        confine(task)


def set_cpus(group: Cgroup, mask: int) -> None:
    """Set cpuset.cpus; 0: as the group above."""
    if mask:
        group.values[FILE] = mask
    else:
        group.values.pop(FILE, None)
    for process in group.below():
        for task in process.tasks:
            refit(task)
