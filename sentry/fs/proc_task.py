"""The small texts of /proc/PID; formats as in proc(5).

Each function takes (about whom, who reads).  A zombie has no memory, no descriptors and no context.
"""

from __future__ import annotations

from errno import EINVAL, EPERM

from sentry import _core
from sentry.abi.capability import CAP_SYS_NICE
from sentry.abi.resource import RLIM_INFINITY
from sentry.errors import Errno
from sentry.kernel.cgroups.cgroup import namespace_root, relative
from sentry.kernel.usage import Io, thread_time
from sentry.kernel.usage import thread_io as io_of_thread
from sentry.mm.vma import VM_MERGEABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.task import Task

TEXT_MAX = 1 << 21  # of the argument and environment areas: execve(2) allows no more than 2 MiB
_UNSET_ID = 0xFFFFFFFF


# Memory of the process


def _area(target: Task, start: int, end: int) -> bytes:
    """What is readable of a range of the target's memory, from its start on."""
    length = min(end - start, TEXT_MAX)
    if target.mm is None or target.ctx is None or length <= 0:
        return b""
    try:
        return target.copy_in_some(start, length)
    except Errno:
        return b""


def environ(target: Task, reader: Task) -> bytes:
    """The environment that the program was started with, and what became of it."""
    mm = target.mm
    return _area(target, mm.env_start, mm.env_end) if mm is not None else b""


def cmdline(target: Task, reader: Task) -> bytes:
    """The arguments, each with its NUL.  A program that has overwritten the last NUL has set a title, which
    may run on into the environment (setproctitle; proc(5))."""
    mm = target.mm
    if mm is None:
        return b""
    text = _area(target, mm.arg_start, mm.arg_end)
    if text and text[-1]:
        text += _area(target, mm.env_start, mm.env_end)
        end = text.find(b"\0")
        return text if end < 0 else text[: end + 1]
    return text


def auxv(target: Task, reader: Task) -> bytes:
    return target.mm.auxv if target.mm is not None else b""


# Small ones


def comm(target: Task, reader: Task) -> bytes:
    return target.comm + b"\n"


def personality(target: Task, reader: Task) -> bytes:
    return b"%08x\n" % (target.personality & 0xFFFFFFFF)


_LIMITS = (
    (b"Max cpu time", b"seconds"),
    (b"Max file size", b"bytes"),
    (b"Max data size", b"bytes"),
    (b"Max stack size", b"bytes"),
    (b"Max core file size", b"bytes"),
    (b"Max resident set", b"bytes"),
    (b"Max processes", b"processes"),
    (b"Max open files", b"files"),
    (b"Max locked memory", b"bytes"),
    (b"Max address space", b"bytes"),
    (b"Max file locks", b"locks"),
    (b"Max pending signals", b"signals"),
    (b"Max msgqueue size", b"bytes"),
    (b"Max nice priority", b""),
    (b"Max realtime priority", b""),
    (b"Max realtime timeout", b"us"),
)


def limits(target: Task, reader: Task) -> bytes:
    lines = [b"%-25b %-20b %-20b %-10b\n" % (b"Limit", b"Soft Limit", b"Hard Limit", b"Units")]
    for (name, unit), pair in zip(_LIMITS, target.group.rlimits, strict=True):
        soft, hard = (b"unlimited" if value == RLIM_INFINITY else b"%d" % value for value in pair)
        lines.append(b"%-25b %-20b %-20b %-10b\n" % (name, soft, hard, unit))
    return b"".join(lines)


def sched(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    """The few lines of the scheduler's own view that hold for us."""
    policy = target.sched
    title = b"%b (%d, #threads: %d)" % (
        target.comm,
        pid_ns.number(target.group.tgid),
        max(len(target.group.tasks), 1),
    )
    used = thread_time(target)
    fields = (
        (b"se.exec_start", b"%d.%06d" % divmod(_core.monotonic(), 1_000_000)),
        (b"se.sum_exec_runtime", b"%d.%06d" % divmod(used, 1_000_000)),
        (b"policy", b"%d" % policy.policy),
        (b"prio", b"%d" % (99 - policy.priority if policy.priority else 120 + policy.nice)),
    )
    lines = [title, b"-" * 67] + [b"%-45b:%21b" % field for field in fields]
    return b"\n".join(lines) + b"\n"


def schedstat(target: Task, reader: Task) -> bytes:
    """CPU time in ns, time spent waiting for a CPU, and how often it was given one."""
    if target.ctx is not None:
        times = target.kernel.host_proc.thread_times(target.group.usage.host_pid, target.ctx.host_tid)
        if times is not None:
            return b"%d %d %d\n" % times
    return b"%d 0 0\n" % target.group.usage.cpu()


def syscall(target: Task, reader: Task) -> bytes:
    """The call that a waiting task is in, with its arguments, stack pointer and program counter."""
    ctx = target.ctx
    if ctx is None or ctx.running or (target.state == "running" and target is not reader):
        return b"running\n"
    where = b"0x%x 0x%x\n" % (ctx.rsp, ctx.rip)
    if target.syscall_nr < 0:
        return b"-1 " + where
    arguments = (ctx.rdi, ctx.rsi, ctx.rdx, ctx.r10, ctx.r8, ctx.r9)
    return b"%d " % target.syscall_nr + b"".join([b"0x%x " % value for value in arguments]) + where


def wchan(target: Task, reader: Task) -> bytes:
    return b"0"  # as where kernel addresses are hidden


def stack(target: Task, reader: Task) -> bytes:
    return b""  # there is no kernel stack behind a task


def cgroup(target: Task, reader: Task) -> bytes:
    """The group as a path from the reader's root of the hierarchy (cgroups(7))."""
    group = target.group.cgroup
    return b"0::" + relative(namespace_root(reader), group) + b" (deleted)" * group.removed + b"\n"


def cpuset(target: Task, reader: Task) -> bytes:
    return b"/\n"


def autogroup(target: Task, reader: Task) -> bytes:
    return b"/autogroup-%d nice 0\n" % target.group.sid


def coredump_filter(target: Task, reader: Task) -> bytes:
    return b"%08x\n" % target.group.coredump_filter


def oom_score(target: Task, reader: Task) -> bytes:
    """How badly the process would be a victim, 0 to 2000 (the scale of Linux)."""
    adjustment = target.group.oom_score_adj
    if adjustment == -1000:
        return b"0\n"
    return b"%d\n" % max((1000 + adjustment) * 2 // 3, 0)


def oom_score_adj(target: Task, reader: Task) -> bytes:
    return b"%d\n" % target.group.oom_score_adj


def oom_adj(target: Task, reader: Task) -> bytes:
    value = target.group.oom_score_adj
    return b"%d\n" % (15 if value == 1000 else int(value * 17 / 1000))


def loginuid(target: Task, reader: Task) -> bytes:
    return b"%d" % _UNSET_ID  # nobody has logged in


def io(target: Task, reader: Task) -> bytes:
    """What a process has read and written, its children that were waited for included."""
    return _io(target.group.usage.io(target.group.tasks))


def thread_io(target: Task, reader: Task) -> bytes:
    return _io(io_of_thread(target))


def _io(counts: Io) -> bytes:
    # As in `usage.Total.pack`: nothing is moved to or from a disk.
    names = (b"rchar", b"wchar", b"syscr", b"syscw")
    lines = [b"%b: %d\n" % pair for pair in zip(names, counts, strict=True)]
    return b"".join(lines) + b"read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"


def ksm_stat(target: Task, reader: Task) -> bytes:
    """Equal pages are never merged, whatever the process has asked for."""
    mm = target.mm
    if mm is None:
        return b""
    wanted = target.group.merges_memory
    mergeable = wanted or any(vma.flags & VM_MERGEABLE for vma in mm.vmas)
    counts = (b"ksm_rmap_items", b"ksm_zero_pages", b"ksm_merging_pages", b"ksm_process_profit")
    words = (b"no", b"yes")
    return b"".join([name + b" 0\n" for name in counts]) + b"ksm_merge_any: %b\nksm_mergeable: %b\n" % (
        words[wanted],
        words[mergeable],
    )


def no_label(target: Task, reader: Task) -> bytes:
    raise Errno(EINVAL)  # there is no security module


_NOTIFICATIONS = {0: b"signal", 1: b"none", 2: b"thread"}


def timers(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    """The POSIX timers (timer_create(2))."""
    lines = []
    for timer in target.group.posix_timers.values():
        kind, thread = _NOTIFICATIONS.get(timer.notify & 3, b"signal"), timer.notify & 4
        whom = b"pid.%d" % pid_ns.number(target.group.tgid)
        if thread and timer.target is not None:
            whom = b"tid.%d" % pid_ns.number(timer.target.tid)
        lines.append(
            b"ID: %d\nsignal: %d/%016x\nnotify: %b/%b\nClockID: %d\n"
            % (timer.id, timer.signo, timer.value, kind, whom, timer.clock_id)
        )
    return b"".join(lines)


def timerslack(target: Task, reader: Task) -> bytes:
    if target is not reader and not reader.creds.has_cap(CAP_SYS_NICE, target.creds.user_ns):
        raise Errno(EPERM)
    return b"%d\n" % target.timer_slack


def children(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    """The ids of the children that this thread has made."""
    made = [child for child in target.group.children if child.parent_task is target]
    return b"".join([b"%d " % pid_ns.number(child.tgid) for child in made])
