"""Resource limits."""

import errno

from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.resource import RLIM_NLIMITS, RLIMIT
from sentry.errors import Errno
from sentry.kernel import rlimits
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def _check(resource: int) -> None:
    if resource >= RLIM_NLIMITS:
        raise Errno(errno.EINVAL)


def getrlimit(task: "Task", resource: UInt, address: Ptr) -> int:
    _check(resource)
    task.copy_out(address, RLIMIT.pack(*task.group.rlimits[resource]))
    return 0


def setrlimit(task: "Task", resource: UInt, address: Ptr) -> int:
    soft, hard = RLIMIT.unpack(task.copy_in(address, RLIMIT.size))
    _check(resource)
    rlimits.change(task, task.group, resource, soft, hard)
    return 0


def prlimit64(task: "Task", pid: Int, resource: UInt, new: Ptr, old: Ptr) -> int:
    wanted = RLIMIT.unpack(task.copy_in(new, RLIMIT.size)) if new else None
    other = task.find(pid) if pid else task
    if other is None or pid < 0:
        raise Errno(errno.ESRCH)
    group = other.group
    if group is not task.group and not _may_change(task, other):
        raise Errno(errno.EPERM)
    _check(resource)
    before = group.rlimits[resource]
    if wanted is not None:
        rlimits.change(task, group, resource, *wanted)
    if old:
        task.copy_out(old, RLIMIT.pack(*before))
    return 0


def _may_change(task: "Task", other: "Task") -> bool:
    mine, theirs = task.creds, other.creds
    same_uid = {theirs.uid, theirs.euid, theirs.suid} == {mine.uid}
    same_gid = {theirs.gid, theirs.egid, theirs.sgid} == {mine.gid}
    return (same_uid and same_gid) or mine.has_cap(CAP_SYS_RESOURCE, theirs.user_ns)
