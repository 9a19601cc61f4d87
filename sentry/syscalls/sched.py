"""Scheduling: policies, priorities, affinity.

Policies and priorities are kept and told; of what may run, the host's scheduler decides what does.
"""

import errno

from sentry.abi.capability import CAP_SYS_NICE
from sentry.abi.resource import RLIMIT_NICE, RLIMIT_RTPRIO
from sentry.abi.sched import (
    SCHED_ATTR,
    SCHED_ATTR_SIZE_VER0,
    SCHED_BATCH,
    SCHED_DEADLINE,
    SCHED_EXT,
    SCHED_FIFO,
    SCHED_FLAG_ALL,
    SCHED_FLAG_DL_OVERRUN,
    SCHED_FLAG_KEEP_PARAMS,
    SCHED_FLAG_KEEP_POLICY,
    SCHED_FLAG_RECLAIM,
    SCHED_FLAG_RESET_ON_FORK,
    SCHED_FLAG_UTIL_CLAMP,
    SCHED_IDLE,
    SCHED_OTHER,
    SCHED_PARAM,
    SCHED_RESET_ON_FORK,
    SCHED_RR,
)
from sentry.abi.time import NSEC, TIMESPEC
from sentry.errors import Errno
from sentry.kernel import settings
from sentry.kernel.cgroups import cpuset
from sentry.kernel.sched import confine
from sentry.kernel.targets import by_which
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.sched import SchedPolicy
    from sentry.kernel.task import Task

_REALTIME = (SCHED_FIFO, SCHED_RR)
_POLICIES = (SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE)
_FAIR = (SCHED_OTHER, SCHED_BATCH)
_TICK = 4_000_000
_SLICE = 700_000  # of fair policies on one CPU
_SLICE_MIN, _SLICE_MAX = 100_000, 100_000_000
_DL_RUNTIME_MIN = 1024  # ns
_DL_PERIODS = (100_000, 1 << 22)  # least (ns) and longest (us)
_DL_SHARE = 95  # percent of all CPUs that deadlines may reserve (sched_rt_runtime_us)
_WORD = 8  # affinity masks are told in whole words


def sched_yield(task: "Task") -> int:
    return 0


def _target(task: "Task", pid: int) -> "Task":
    if pid < 0:
        raise Errno(errno.EINVAL)
    return _task_of(task, pid)


def _task_of(task: "Task", pid: int) -> "Task":
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(errno.ESRCH)
    return other


def _check_owner(task: "Task", other: "Task") -> None:
    if task.creds.euid not in (other.creds.uid, other.creds.euid) and not task.creds.has_cap(
        CAP_SYS_NICE, other.creds.user_ns
    ):
        raise Errno(errno.EPERM)


# Nice values


def getpriority(task: "Task", which: Int, who: Int) -> int:
    return max(20 - other.sched.nice for other in by_which(task, which, who))


def setpriority(task: "Task", which: Int, who: Int, nice: Int) -> int:
    nice = max(-20, min(19, nice))
    failure = 0
    for other in by_which(task, which, who):
        creds = task.creds
        if creds.euid not in (other.creds.uid, other.creds.euid) and not creds.has_cap(
            CAP_SYS_NICE, other.creds.user_ns
        ):
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


class _Wanted:
    """What a thread's scheduling is to become."""

    __slots__ = ("deadline", "keep", "nice", "policy", "priority", "reset", "slice")

    def __init__(self, policy: int, priority: int, reset: bool, nice: int | None = None) -> None:
        self.policy = policy
        self.priority = priority
        self.reset = reset
        self.nice = nice  # None: as it is
        self.slice: int | None = None
        self.keep = False  # all but `reset` (SCHED_FLAG_KEEP_PARAMS)
        self.deadline: tuple[int, int, int, int] | None = None


def _change(task: "Task", other: "Task", wanted: _Wanted) -> None:
    """EINVAL, EPERM, EBUSY (no CPU time left for a deadline)."""
    policy, priority = wanted.policy, wanted.priority
    if policy not in _POLICIES or not 0 <= priority <= 99 or (policy in _REALTIME) != bool(priority):
        raise Errno(errno.EINVAL)
    if policy == SCHED_DEADLINE:
        _check_deadline(wanted.deadline)
    sched = other.sched
    if not task.creds.has_cap(CAP_SYS_NICE) and _needs_privilege(task, other, wanted):
        raise Errno(errno.EPERM)
    if policy == SCHED_DEADLINE:
        _admit(task, other, wanted)
    sched.reset_on_fork = wanted.reset
    if wanted.keep:
        return
    sched.policy, sched.priority = policy, priority
    sched.deadline = wanted.deadline if policy == SCHED_DEADLINE else None
    if sched.is_realtime():
        other.timer_slack = 0
    elif not other.timer_slack:
        other.timer_slack = other.default_timer_slack
    if policy in _FAIR:
        if wanted.nice is not None:
            sched.nice = wanted.nice
        if wanted.slice is not None:
            sched.slice = wanted.slice


def _needs_privilege(task: "Task", other: "Task", wanted: _Wanted) -> bool:
    sched, policy = other.sched, wanted.policy
    lowers = wanted.nice is not None and wanted.nice < sched.nice
    if policy == SCHED_DEADLINE:
        return True
    if policy in _FAIR and lowers and wanted.nice is not None and not _may_lower(task, other, wanted.nice):
        return True
    if policy in _REALTIME:
        limit = other.group.rlimit(RLIMIT_RTPRIO)
        if policy != sched.policy and not limit:
            return True
        if wanted.priority > sched.priority and wanted.priority > limit:
            return True
    if sched.policy == SCHED_IDLE and policy != SCHED_IDLE and not _may_lower(task, other, sched.nice):
        return True
    if task.creds.euid not in (other.creds.uid, other.creds.euid):
        return True
    return sched.reset_on_fork and not wanted.reset


def _check_deadline(deadline: tuple[int, int, int, int] | None) -> None:
    if deadline is None:
        raise Errno(errno.EINVAL)
    runtime, due, period, _ = deadline
    period = period or due
    if not due or due >> 63 or period >> 63 or not _DL_RUNTIME_MIN <= runtime <= due <= period:
        raise Errno(errno.EINVAL)
    if not _DL_PERIODS[0] <= period <= _DL_PERIODS[1] * 1000:
        raise Errno(errno.EINVAL)


def _admit(task: "Task", other: "Task", wanted: _Wanted) -> None:
    """All deadlines together may have a share of the CPUs, none of which a thread may be kept from."""
    if other.sched.affinity not in (0, task.kernel.cpus):
        raise Errno(errno.EPERM)
    reserved = [wanted.deadline]
    reserved += [thread.sched.deadline for thread in task.kernel.tasks.values() if thread is not other]
    share = sum((each[0] << 20) // (each[2] or each[1]) for each in reserved if each is not None)
    if share > (task.kernel.cpus.bit_count() << 20) * _DL_SHARE // 100:
        raise Errno(errno.EBUSY)


def _read_priority(task: "Task", address: int) -> int:
    if not address:
        raise Errno(errno.EINVAL)
    priority: int
    (priority,) = SCHED_PARAM.unpack(task.copy_in(address, SCHED_PARAM.size))
    return priority


def sched_setscheduler(task: "Task", pid: Int, policy: Int, param: Ptr) -> int:
    if policy < 0:
        raise Errno(errno.EINVAL)
    if pid < 0:
        raise Errno(errno.EINVAL)
    priority = _read_priority(task, param)
    reset = bool(policy & SCHED_RESET_ON_FORK)
    _change(task, _target(task, pid), _Wanted(policy & ~SCHED_RESET_ON_FORK, priority, reset))
    return 0


def sched_getscheduler(task: "Task", pid: Int) -> int:
    sched = _target(task, pid).sched
    return sched.policy | (SCHED_RESET_ON_FORK if sched.reset_on_fork else 0)


def sched_setparam(task: "Task", pid: Int, param: Ptr) -> int:
    if pid < 0:
        raise Errno(errno.EINVAL)
    priority = _read_priority(task, param)
    other = _target(task, pid)
    _change(task, other, _Wanted(other.sched.policy, priority, other.sched.reset_on_fork))
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
    _, policy, flags_wanted, nice, priority, runtime, due, period = fields[:8]
    if flags_wanted & SCHED_FLAG_UTIL_CLAMP and size < SCHED_ATTR.size:
        raise Errno(errno.EINVAL)
    if policy >= 1 << 31:
        raise Errno(errno.EINVAL)
    other = _target(task, pid)
    sched = other.sched
    if flags_wanted & SCHED_FLAG_KEEP_POLICY:
        policy = sched.policy
    if flags_wanted & SCHED_FLAG_KEEP_PARAMS:
        nice, priority = sched.nice, sched.priority
        runtime, due, period, _ = sched.deadline or (sched.slice, 0, 0, 0)
    if flags_wanted & ~SCHED_FLAG_ALL:
        raise Errno(errno.EINVAL)
    if flags_wanted & SCHED_FLAG_UTIL_CLAMP:
        raise Errno(errno.EOPNOTSUPP)  # as a kernel without utilisation clamping
    reset = bool(flags_wanted & SCHED_FLAG_RESET_ON_FORK)
    wanted = _Wanted(policy, priority, reset, max(-20, min(19, nice)))
    wanted.keep = bool(flags_wanted & SCHED_FLAG_KEEP_PARAMS)
    if policy == SCHED_DEADLINE:
        wanted.deadline = runtime, due, period, flags_wanted & (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN)
    else:
        wanted.slice = max(_SLICE_MIN, min(_SLICE_MAX, runtime)) if runtime else 0
    _change(task, other, wanted)
    return 0


def sched_getattr(task: "Task", pid: Int, address: Ptr, size: UInt, flags: UInt) -> int:
    if not address or pid < 0 or flags or not SCHED_ATTR_SIZE_VER0 <= size <= 4096:
        raise Errno(errno.EINVAL)
    sched = _target(task, pid).sched
    used = min(size, SCHED_ATTR.size)
    nice = runtime = due = period = 0
    attributes = SCHED_FLAG_RESET_ON_FORK if sched.reset_on_fork else 0
    if sched.deadline is not None:
        runtime, due, period, more = sched.deadline
        period = period or due
        attributes |= more
    elif sched.policy not in _REALTIME:
        nice = sched.nice
        runtime = _slice(task, sched)
    data = SCHED_ATTR.pack(
        used, sched.policy, attributes, nice, sched.priority, runtime, due, period, 0, 0
    )  # fmt: skip
    task.copy_out(address, data[:used])
    return 0


def _slice(task: "Task", sched: "SchedPolicy") -> int:
    """How long a fair thread may run before others, in ns."""
    return sched.slice or _SLICE * (1 + min(task.kernel.cpus.bit_count().bit_length() - 1, 3))


def sched_get_priority_max(task: "Task", policy: Int) -> int:
    return _bound(policy, 99)


def sched_get_priority_min(task: "Task", policy: Int) -> int:
    return _bound(policy, 1)


def _bound(policy: int, realtime: int) -> int:
    if policy in _REALTIME:
        return realtime
    if policy not in (SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE, SCHED_EXT):
        raise Errno(errno.EINVAL)
    return 0


def sched_rr_get_interval(task: "Task", pid: Int, address: Ptr) -> int:
    sched = _target(task, pid).sched
    interval = settings.values["sched_rr_timeslice_ms"] * 1_000_000 if sched.policy == SCHED_RR else 0
    if sched.policy in (*_FAIR, SCHED_IDLE):
        interval = _slice(task, sched) // _TICK * _TICK  # as Linux: in whole ticks
    task.copy_out(address, TIMESPEC.pack(*divmod(interval, NSEC)))
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
    wanted = int.from_bytes(data, "little") & task.kernel.cpus
    mask = wanted & cpuset.effective(other.group.cgroup)
    if not mask:
        raise Errno(errno.EINVAL)
    other.sched.affinity, other.sched.wanted = mask, wanted
    confine(other)
    return 0
