"""The resource files of a control group: cpu, cpuset, io, memory and pids (Linux, admin-guide/cgroup-v2).

What a file was written is kept in Cgroup.values by the file's name.
"""

from __future__ import annotations

from errno import EAGAIN, EINVAL, ERANGE

from sentry.errors import Errno
from sentry.kernel import cpus
from sentry.kernel.cgroups import cpu_quota, cpuset, oom
from sentry.kernel.cgroups.cgroup import MAX
from sentry.kernel.cgroups.cpu_quota import CpuQuota
from sentry.kernel.settings import TASKS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.task import Task

    Show = Callable[[Cgroup, Task], bytes]
    Store = Callable[[Cgroup, Task, bytes], None]

_PAGE = 4096
_USEC = 1000
_UNITS = {b"k": 10, b"m": 20, b"g": 30, b"t": 40}
# The weights of nice levels -20 to 19, of which 0 is 1024 (sched(7)).
_NICE_WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
)  # fmt: skip


def integer(data: bytes) -> int:
    """A decimal number; EINVAL."""
    word = data.strip()
    if not word.removeprefix(b"-").isdigit() or len(word) > 20:
        raise Errno(EINVAL)
    return int(word)


def _between(name: bytes, default: int, low: int, high: int) -> tuple[Show, Store]:
    """A number within bounds: ERANGE."""

    def show(group: Cgroup, task: Task) -> bytes:
        return b"%d\n" % group.values.get(name, default)

    def store(group: Cgroup, task: Task, data: bytes) -> None:
        value = integer(data)
        if not low <= value <= high:
            raise Errno(ERANGE)
        group.values[name] = value

    return show, store


# cpu


def cpu_stat(group: Cgroup, task: Task) -> bytes:
    """How much CPU time was used; with the controller also how often cpu.max has held the group."""
    used = group.cpu() // _USEC
    text = b"usage_usec %d\nuser_usec %d\nsystem_usec 0\nnice_usec 0\ncore_sched.force_idle_usec 0\n"
    text %= used, used
    if b"cpu" in group.available():
        periods, stops, stopped = group.throttle
        text += b"nr_periods %d\nnr_throttled %d\nthrottled_usec %d\nnr_bursts 0\nburst_usec 0\n" % (
            periods,
            stops,
            stopped // _USEC,
        )
    return text


def cpu_stat_local(group: Cgroup, task: Task) -> bytes:
    """How long cpu.max has held the group itself."""
    if group.parent is None or b"cpu" not in group.available():
        return b""
    return b"throttled_usec %d\n" % (group.throttle[2] // _USEC)


def _cpu_max(group: Cgroup, task: Task) -> bytes:
    quota = group.quota
    if quota is None:
        return b"max %d\n" % group.values.get(b"cpu.max.period", cpu_quota.PERIOD)
    return b"%d %d\n" % (quota.quota, quota.period)


def _set_cpu_max(group: Cgroup, task: Task, data: bytes) -> None:
    words = data.split()
    if not 1 <= len(words) <= 2:
        raise Errno(EINVAL)
    quota = MAX if words[0] == b"max" else integer(words[0])
    old = group.quota
    period = old.period if old is not None else group.values.get(b"cpu.max.period", cpu_quota.PERIOD)
    if len(words) == 2:
        period = integer(words[1])
    if quota < cpu_quota.QUOTA_MIN or not cpu_quota.PERIOD_MIN <= period <= cpu_quota.PERIOD_MAX:
        raise Errno(EINVAL)
    set_cpu_max(group, quota, period)


def set_cpu_max(group: Cgroup, quota: int, period: int) -> None:
    """Limit a group's CPU time to `quota` (MAX: no limit) of each `period`, in us."""
    if group.quota is not None:
        group.quota.cancel()
    group.values[b"cpu.max.period"] = period
    group.quota = CpuQuota(group, quota, period) if quota < MAX else None


def _weight(group: Cgroup, task: Task) -> bytes:
    return b"%d\n" % group.values.get(b"cpu.weight", 100)


def _weight_nice(group: Cgroup, task: Task) -> bytes:
    weight = group.values.get(b"cpu.weight", 100) * 1024 // 100
    nearest = min(range(40), key=lambda index: abs(_NICE_WEIGHTS[index] - weight))
    return b"%d\n" % (nearest - 20)


def _set_weight_nice(group: Cgroup, task: Task, data: bytes) -> None:
    nice = integer(data)
    if not -20 <= nice <= 19:
        raise Errno(ERANGE)
    group.values[b"cpu.weight"] = max(1, min(10000, (_NICE_WEIGHTS[nice + 20] * 100 + 512) // 1024))


# cpuset


def _cpuset(group: Cgroup, task: Task) -> bytes:
    return cpus.list_text(group.values.get(cpuset.FILE, 0)) + b"\n"


def _set_cpuset(group: Cgroup, task: Task, data: bytes) -> None:
    mask = cpus.parse_list(data.strip())
    if mask & ~task.kernel.cpus:
        raise Errno(EINVAL)
    cpuset.set_cpus(group, mask)


def _set_mems(group: Cgroup, task: Task, data: bytes) -> None:
    if cpus.parse_list(data.strip()) & ~1:
        raise Errno(EINVAL)
    group.values[b"cpuset.mems"] = cpus.parse_list(data.strip())


# memory


def _bytes(data: bytes) -> int:
    """A size with an optional unit, or "max"; EINVAL."""
    word = data.strip().lower()
    if word == b"max":
        return MAX
    shift = _UNITS.get(word[-1:], 0)
    value = integer(word[:-1] if shift else word) << shift
    if value < 0:
        raise Errno(EINVAL)
    return min(value, MAX) // _PAGE * _PAGE if value < MAX else MAX


def _memory_limit(name: bytes, default: int) -> tuple[Show, Store]:
    def show(group: Cgroup, task: Task) -> bytes:
        value = group.values.get(name, default)
        return b"max\n" if value == MAX else b"%d\n" % value

    def store(group: Cgroup, task: Task, data: bytes) -> None:
        set_memory_limit(group, name, _bytes(data))

    return show, store


def set_memory_limit(group: Cgroup, name: bytes, value: int) -> None:
    """Set one of memory.max, memory.high, ... in bytes; MAX: none."""
    if name in (b"memory.max", b"memory.high") and value == MAX:
        group.values.pop(name, None)
    else:
        group.values[name] = value
        group.kernel.oom_killer.watch()


def _memory_stat(group: Cgroup, task: Task) -> bytes:
    names = (
        b"file", b"kernel", b"kernel_stack", b"pagetables", b"sec_pagetables", b"percpu", b"sock", b"vmalloc",
        b"shmem", b"zswap", b"zswapped", b"file_mapped", b"file_dirty", b"file_writeback", b"swapcached",
        b"anon_thp", b"file_thp", b"shmem_thp", b"inactive_anon",
    )  # fmt: skip
    later = (
        b"inactive_file", b"active_file", b"unevictable", b"slab_reclaimable", b"slab_unreclaimable", b"slab",
        b"workingset_refault_anon", b"workingset_refault_file", b"pgscan", b"pgsteal", b"pgfault",
        b"pgmajfault",
    )  # fmt: skip
    used = oom.current(group)
    faults = [process.usage.total() for process in group.below()]
    counts = {
        b"pgfault": sum(each.minor_faults + each.major_faults for each in faults),
        b"pgmajfault": sum(each.major_faults for each in faults),
    }
    lines = [(b"anon", used), *((name, 0) for name in names), (b"active_anon", used)]
    lines += [(name, counts.get(name, 0)) for name in later]
    return b"".join([b"%b %d\n" % line for line in lines])


def _memory_peak(group: Cgroup, task: Task) -> bytes:
    oom.current(group)
    return b"%d\n" % group.peaks.get(b"memory", 0)


def _reclaim(group: Cgroup, task: Task, data: bytes) -> None:
    _bytes(data)
    raise Errno(EAGAIN)  # nothing can be given back: Linux's answer when it could free less than that


# pids


def _limit(name: bytes) -> Show:
    def show(group: Cgroup, task: Task) -> bytes:
        value = group.values.get(name, MAX)
        return b"max\n" if value == MAX else b"%d\n" % value

    return show


def _set_pids_max(group: Cgroup, task: Task, data: bytes) -> None:
    if data.strip() == b"max":
        group.values.pop(b"pids.max", None)
        return
    value = integer(data)
    if not 0 <= value <= 1 << 22:
        raise Errno(EINVAL)
    group.values[b"pids.max"] = value


def _pids_current(group: Cgroup, task: Task) -> bytes:
    return b"%d\n" % group.tasks()


def _pids_peak(group: Cgroup, task: Task) -> bytes:
    return b"%d\n" % _peak(group, b"pids", min(group.tasks(), TASKS_MAX))


def _peak(group: Cgroup, name: bytes, now: int) -> int:
    peak = group.peaks[name] = max(group.peaks.get(name, 0), now)
    return peak


def _counts(*names: bytes) -> Show:
    """Events by name; the count of `x` in file `memory.events` is Cgroup.counts[b"memory.x"]."""

    def show(group: Cgroup, task: Task) -> bytes:
        return b"".join([b"%b %d\n" % (name.split(b".")[1], group.counts.get(name, 0)) for name in names])

    return show


# io: the disks are the host's, and nothing is counted


def _nothing(group: Cgroup, task: Task) -> bytes:
    return b""


def _io_weight(group: Cgroup, task: Task) -> bytes:
    return b"default %d\n" % group.values.get(b"io.weight", 100)


def _set_io_weight(group: Cgroup, task: Task, data: bytes) -> None:
    weight = integer(data.strip().removeprefix(b"default "))
    if not 1 <= weight <= 10000:
        raise Errno(ERANGE)
    group.values[b"io.weight"] = weight


_MEMORY_EVENTS = (
    b"memory.low", b"memory.high", b"memory.max", b"memory.oom", b"memory.oom_kill", b"memory.oom_group_kill",
)  # fmt: skip

FILES: dict[bytes, tuple[Show | None, Store | None]] = {
    b"cpu.idle": _between(b"cpu.idle", 0, 0, 1),
    b"cpu.max": (_cpu_max, _set_cpu_max),
    b"cpu.weight": _between(b"cpu.weight", 100, 1, 10000),
    b"cpu.weight.nice": (_weight_nice, _set_weight_nice),
    cpuset.FILE: (_cpuset, _set_cpuset),
    b"cpuset.cpus.effective": (lambda group, task: cpus.list_text(cpuset.effective(group)) + b"\n", None),
    b"cpuset.mems": (lambda g, task: cpus.list_text(g.values.get(b"cpuset.mems", 0)) + b"\n", _set_mems),
    b"cpuset.mems.effective": (lambda group, task: b"0\n", None),
    b"io.stat": (_nothing, None),
    b"io.weight": (_io_weight, _set_io_weight),
    b"memory.current": (lambda group, task: b"%d\n" % oom.current(group), None),
    b"memory.events": (_counts(*_MEMORY_EVENTS), None),
    b"memory.events.local": (_counts(*_MEMORY_EVENTS), None),
    b"memory.high": _memory_limit(b"memory.high", MAX),
    b"memory.low": _memory_limit(b"memory.low", 0),
    b"memory.max": _memory_limit(b"memory.max", MAX),
    b"memory.min": _memory_limit(b"memory.min", 0),
    b"memory.oom.group": _between(b"memory.oom.group", 0, 0, 1),
    b"memory.peak": (_memory_peak, None),
    b"memory.reclaim": (None, _reclaim),
    b"memory.stat": (_memory_stat, None),
    b"memory.swap.current": (lambda group, task: b"0\n", None),
    b"memory.swap.events": (_counts(b"swap.high", b"swap.max", b"swap.fail"), None),
    b"memory.swap.high": _memory_limit(b"memory.swap.high", MAX),
    b"memory.swap.max": _memory_limit(b"memory.swap.max", MAX),
    b"pids.current": (_pids_current, None),
    b"pids.events": (_counts(b"pids.max"), None),
    b"pids.max": (_limit(b"pids.max"), _set_pids_max),
    b"pids.peak": (_pids_peak, None),
}
