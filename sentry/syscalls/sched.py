"""Scheduling: policies, priorities, affinity.  They are kept and told; the host's scheduler decides what
runs.
"""

import errno

from sentry.abi.capability import CAP_SYS_NICE
from sentry.abi.resource import PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE, RLIMIT_RTPRIO
from sentry.abi.sched import (
    SCHED_ATTR,
    SCHED_ATTR_SIZE_VER0,
    SCHED_BATCH,
    SCHED_DEADLINE,
    SCHED_FIFO,
    SCHED_IDLE,
    SCHED_OTHER,
    SCHED_PARAM,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from sentry.abi.time import TIMESPEC
from sentry.errors import Errno
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_REALTIME = (SCHED_FIFO, SCHED_RR)
_POLICIES = (SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE)
_RR_INTERVAL = 100_000_000  # ns
_OTHER_INTERVAL = 4_000_000
_WORD = 8  # affinity masks are told in whole words
_FLAG_RESET_ON_FORK = 1


def sched_yield(task: "Task") -> int:
    return 0


def _target(task: "Task", pid: int) -> "Task":
    if pid < 0:
        raise Errno(errno.EINVAL)
    return _task_of(task, pid)


def _task_of(task: "Task", pid: int) -> "Task":
    other = task.kernel.tasks.get(pid) if pid else task
    if other is None:
        raise Errno(errno.ESRCH)
    return other


def _check_owner(task: "Task", other: "Task") -> None:
    if task.creds.euid not in (other.creds.uid, other.creds.euid) and not task.creds.has_cap(CAP_SYS_NICE):
        raise Errno(errno.EPERM)


# Nice values


def _by_which(task: "Task", which: int, who: int) -> list["Task"]:
    kernel = task.kernel
    if which == PRIO_PROCESS:
        other = kernel.tasks.get(who) if who else task
        found = [other] if other is not None else []
    elif which == PRIO_PGRP:
        process_group = kernel.process_groups.get(who) if who else task.group.process_group
        members = process_group.members if process_group is not None else []
        found = [thread for group in members for thread in group.tasks]
    elif which == PRIO_USER:
        uid = who & 0xFFFFFFFF if who else task.creds.uid
        found = [other for other in kernel.tasks.values() if other.creds.uid == uid]
    else:
        raise Errno(errno.EINVAL)
    if not found:
        raise Errno(errno.ESRCH)
    return found


def getpriority(task: "Task", which: Int, who: Int) -> int:
    return max(20 - other.sched.nice for other in _by_which(task, which, who))


def setpriority(task: "Task", which: Int, who: Int, nice: Int) -> int:
    nice = max(-20, min(19, nice))
    failure = 0
    for other in _by_which(task, which, who):
        creds = task.creds
        if creds.euid not in (other.creds.uid, other.creds.euid) and not creds.has_cap(CAP_SYS_NICE):
            failure = errno.EPERM
        elif nice < other.sched.nice and not _may_lower(task, other, nice):
            failure = errno.EACCES
        else:
            other.sched.nice = nice
    if failure:
        raise Errno(failure)
    return 0


def _may_lower(task: "Task", other: "Task", nice: int) -> bool:
    return 20 - nice <= other.group.rlimit(RLIMIT_NICE) or task.creds.has_cap(CAP_SYS_NICE)


# Policies


def _change(task: "Task", other: "Task", policy: int, priority: int, nice: int | None) -> None:
    reset = bool(policy & SCHED_RESET_ON_FORK)
    policy &= ~SCHED_RESET_ON_FORK
    if policy not in _POLICIES:
        raise Errno(errno.EPERM if policy == SCHED_DEADLINE else errno.EINVAL)
    if not (1 <= priority <= 99 if policy in _REALTIME else priority == 0):
        raise Errno(errno.EINVAL)
    _check_owner(task, other)
    sched = other.sched
    if not task.creds.has_cap(CAP_SYS_NICE):
        if policy in _REALTIME and priority > max(other.group.rlimit(RLIMIT_RTPRIO), sched.priority):
            raise Errno(errno.EPERM)
        if nice is not None and nice < sched.nice and not _may_lower(task, other, nice):
            raise Errno(errno.EPERM)
        if sched.reset_on_fork and not reset:
            raise Errno(errno.EPERM)
    sched.policy, sched.priority, sched.reset_on_fork = policy, priority, reset
    if nice is not None and policy not in _REALTIME:
        sched.nice = nice


def _read_priority(task: "Task", address: int) -> int:
    if not address:
        raise Errno(errno.EINVAL)
    priority: int
    (priority,) = SCHED_PARAM.unpack(task.copy_in(address, SCHED_PARAM.size))
    return priority


def sched_setscheduler(task: "Task", pid: Int, policy: Int, param: Ptr) -> int:
    if policy < 0:
        raise Errno(errno.EINVAL)
    priority = _read_priority(task, param)
    _change(task, _target(task, pid), policy, priority, None)
    return 0


def sched_getscheduler(task: "Task", pid: Int) -> int:
    sched = _target(task, pid).sched
    return sched.policy | (SCHED_RESET_ON_FORK if sched.reset_on_fork else 0)


def sched_setparam(task: "Task", pid: Int, param: Ptr) -> int:
    priority = _read_priority(task, param)
    other = _target(task, pid)
    kept = SCHED_RESET_ON_FORK if other.sched.reset_on_fork else 0
    _change(task, other, other.sched.policy | kept, priority, None)
    return 0


def sched_getparam(task: "Task", pid: Int, param: Ptr) -> int:
    if not param:
        raise Errno(errno.EINVAL)
    task.copy_out(param, SCHED_PARAM.pack(_target(task, pid).sched.priority))
    return 0


def sched_setattr(task: "Task", pid: Int, address: Ptr, flags: UInt) -> int:
    if not address or pid < 0 or flags:
        raise Errno(errno.EINVAL)
    size = task.read_u32(address) or SCHED_ATTR_SIZE_VER0
    if not SCHED_ATTR_SIZE_VER0 <= size <= 4096:
        task.write_u32(address, SCHED_ATTR.size)
        raise Errno(errno.E2BIG)
    data = task.copy_in(address, size)
    if any(data[SCHED_ATTR.size :]):
        task.write_u32(address, SCHED_ATTR.size)
        raise Errno(errno.E2BIG)
    fields = SCHED_ATTR.unpack(data[: SCHED_ATTR.size].ljust(SCHED_ATTR.size, b"\0"))
    _, policy, attributes, nice, priority = fields[:5]
    if attributes & ~_FLAG_RESET_ON_FORK or policy >= 1 << 31 or not -20 <= nice <= 19:
        raise Errno(errno.EINVAL)
    reset = SCHED_RESET_ON_FORK if attributes & _FLAG_RESET_ON_FORK else 0
    _change(task, _target(task, pid), policy | reset, priority, nice)
    return 0


def sched_getattr(task: "Task", pid: Int, address: Ptr, size: UInt, flags: UInt) -> int:
    if not address or pid < 0 or flags or not SCHED_ATTR_SIZE_VER0 <= size <= 4096:
        raise Errno(errno.EINVAL)
    sched = _target(task, pid).sched
    used = min(size, SCHED_ATTR.size)
    attributes = _FLAG_RESET_ON_FORK if sched.reset_on_fork else 0
    data = SCHED_ATTR.pack(used, sched.policy, attributes, sched.nice, sched.priority, 0, 0, 0, 0, 1024)
    task.copy_out(address, data[:used])
    return 0


def sched_get_priority_max(task: "Task", policy: Int) -> int:
    return _bound(policy, 99)


def sched_get_priority_min(task: "Task", policy: Int) -> int:
    return _bound(policy, 1)


def _bound(policy: int, realtime: int) -> int:
    if policy in _REALTIME:
        return realtime
    if policy not in (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE):
        raise Errno(errno.EINVAL)
    return 0


def sched_rr_get_interval(task: "Task", pid: Int, address: Ptr) -> int:
    policy = _target(task, pid).sched.policy
    interval = {SCHED_RR: _RR_INTERVAL, SCHED_FIFO: 0}.get(policy, _OTHER_INTERVAL)
    task.copy_out(address, TIMESPEC.pack(0, interval))
    return 0


# Affinity


def sched_getaffinity(task: "Task", pid: Int, size: UInt, address: Ptr) -> int:
    cpus = task.kernel.cpus
    mask = _task_of(task, pid).sched.affinity or cpus
    if size * 8 < cpus.bit_length() or size % _WORD:
        raise Errno(errno.EINVAL)
    length = (cpus.bit_length() + 8 * _WORD - 1) // (8 * _WORD) * _WORD
    task.copy_out(address, mask.to_bytes(length, "little"))
    return length


def sched_setaffinity(task: "Task", pid: Int, size: UInt, address: Ptr) -> int:
    data = task.copy_in(address, min(size, 1024)) if size else b""
    other = _task_of(task, pid)
    _check_owner(task, other)
    mask = int.from_bytes(data, "little") & task.kernel.cpus
    if not mask:
        raise Errno(errno.EINVAL)
    other.sched.affinity = mask
    return 0
