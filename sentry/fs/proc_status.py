"""/proc/PID/stat and /proc/PID/status: a task in figures; formats as in proc(5), which ps and top parse."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime_ns

from sentry import _core
from sentry.abi.resource import RLIM_INFINITY, RLIMIT_RSS, RLIMIT_SIGPENDING
from sentry.abi.sched import SCHED_FIFO, SCHED_RR
from sentry.abi.time import NSEC_PER_TICK
from sentry.fs import proc_maps
from sentry.fs.proc_access import may_inspect
from sentry.kernel import cpus
from sentry.kernel.tracing import seccomp
from sentry.kernel.usage import Total, last_cpu, thread_total
from sentry.mm import maps as mm_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.task import Task

PAGE = 4096
_PF_FORKNOEXEC = 0x40
_PF_RANDOMIZE = 0x400000
_STATES = {
    "R": b"running",
    "S": b"sleeping",
    "D": b"disk sleep",
    "T": b"stopped",
    "t": b"tracing stop",
    "Z": b"zombie",
}


def state_letter(task: Task) -> str:
    """R running, S waiting, D waiting for what no signal interrupts, T stopped, Z dead and not waited for."""
    if task.trace is not None and task.trace.stopped:
        return "t"
    if task.state == "waiting":
        return "S" if task.interruptible else "D"
    if task.state == "stopped" and not task.group.stopping:
        return "S"  # held by its control group
    return {"stopped": "T", "dead": "Z"}.get(task.state, "R")


def since_boot(monotonic: int) -> int:
    """A CLOCK_MONOTONIC time in ns as time since boot, sleeps of the machine counted."""
    return monotonic + clock_gettime_ns(CLOCK_BOOTTIME) - _core.monotonic()


def _parent_id(task: Task, pid_ns: PidNamespace) -> int:
    parent = task.group.parent
    return pid_ns.number(parent.tgid) if parent is not None else 0


def _numbers(pid: int, own: PidNamespace, pid_ns: PidNamespace) -> bytes:
    """What `pid` is called from `pid_ns` down to `own`, the task's namespace."""
    numbers: list[bytes] = []
    ns: PidNamespace | None = own
    while ns is not None and ns.level >= pid_ns.level:
        numbers.insert(0, b"\t%d" % ns.number(pid))
        ns = ns.parent
    return b"".join(numbers)


def _escaped(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


# stat


def process_stat(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    return _stat(target, reader, pid_ns, whole=True)


def thread_stat(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    return _stat(target, reader, pid_ns, whole=False)


def _stat(task: Task, reader: Task, pid_ns: PidNamespace, whole: bool) -> bytes:
    group, mm, policy = task.group, task.mm, task.sched
    terminal = group.session.tty
    foreground = terminal.foreground if terminal is not None else None
    used = group.usage.total() if whole or task.ctx is None else thread_total(task)
    user, system = used.ticks()
    past = group.usage.children if whole else Total()
    real_time = policy.policy in (SCHED_FIFO, SCHED_RR)
    open_to = may_inspect(reader, task)
    size = resident = 0
    code = data = args = env = (0, 0)
    stack = brk = 0
    if mm is not None:
        size, resident = mm.areas.total, proc_maps.sizes(task)[1]
        code = (1, 1)
        if open_to:
            code, data = (mm.code_start, mm.code_end), (mm.data_start, mm.data_end)
            args, env = (mm.arg_start, mm.arg_end), (mm.env_start, mm.env_end)
            stack, brk = mm.stack_start, mm.brk_start
    low = 0x7FFFFFFF
    pending = task.pending & low
    values = (
        _parent_id(task, pid_ns), pid_ns.number(group.pgid), pid_ns.number(group.sid),
        terminal.number if terminal is not None else 0,
        pid_ns.number(foreground.pgid) if foreground is not None else -1,
        _PF_RANDOMIZE | (0 if group.has_execed else _PF_FORKNOEXEC),
        used.minor_faults, past.minor_faults, used.major_faults, past.major_faults,
        user, system, *past.ticks(),
        -1 - policy.priority if real_time else 20 + policy.nice, policy.nice,
        len(group.tasks), 0, (since_boot(task.start_time) + reader.ns.time.boottime) // NSEC_PER_TICK,
        size, resident, group.rlimit(RLIMIT_RSS), *code, stack, 0, 0,
        pending, task.sigmask & low, group.sighand.ignored() & low, group.sighand.caught() & low,
        0, 0, 0, group.exit_signal if whole else -1, last_cpu(task),
        policy.priority, policy.policy, 0, 0, 0, *data, brk, *args, *env, group.exit_code if open_to else 0,
    )  # fmt: skip
    head = b"%d (%b) %c " % (pid_ns.number(task.tid), _escaped(task.comm), ord(state_letter(task)))
    return head + b" ".join([b"%d" % value for value in values]) + b"\n"


# status


def status(target: Task, reader: Task, pid_ns: PidNamespace) -> bytes:
    group, creds = target.group, target.creds
    own, number = group.pid_ns, pid_ns.number
    uid, gid = reader.creds.user_ns.show_uid, reader.creds.user_ns.show_gid
    letter = state_letter(target)
    lines = [b"Name:\t" + _escaped(target.comm)]
    if target.files is not None:
        lines.append(b"Umask:\t%04o" % target.fs.umask)
    lines += [
        b"State:\t%b (%b)" % (letter.encode(), _STATES[letter]),
        b"Tgid:\t%d" % number(group.tgid),
        b"Ngid:\t0",
        b"Pid:\t%d" % number(target.tid),
        b"PPid:\t%d" % _parent_id(target, pid_ns),
        b"TracerPid:\t%d" % (number(target.trace.tracer.tid) if target.trace is not None else 0),
        b"Uid:\t%d\t%d\t%d\t%d" % tuple(map(uid, (creds.uid, creds.euid, creds.suid, creds.fsuid))),
        b"Gid:\t%d\t%d\t%d\t%d" % tuple(map(gid, (creds.gid, creds.egid, creds.sgid, creds.fsgid))),
        b"FDSize:\t%d" % _table_size(target),
        b"Groups:\t" + b"".join([b"%d " % gid(group_id) for group_id in creds.groups]),
        b"NStgid:" + _numbers(group.tgid, own, pid_ns),
        b"NSpid:" + _numbers(target.tid, own, pid_ns),
        b"NSpgid:" + _numbers(group.pgid, own, pid_ns),
        b"NSsid:" + _numbers(group.sid, own, pid_ns),
        b"Kthread:\t0",
    ]
    told = _told(target)
    lines += _memory_lines(target, told)
    lines += [
        b"Threads:\t%d" % max(len(group.tasks), 1),
        b"SigQ:\t%d/%d"
        % (target.kernel.queued_signals.of(target.creds.uid), _bounded(group.rlimit(RLIMIT_SIGPENDING))),
    ]
    sets = (
        (b"SigPnd", target.pending),
        (b"ShdPnd", group.pending),
        (b"SigBlk", target.sigmask),
        (b"SigIgn", group.sighand.ignored()),
        (b"SigCgt", group.sighand.caught()),
        (b"CapInh", creds.inheritable),
        (b"CapPrm", creds.permitted),
        (b"CapEff", creds.effective),
        (b"CapBnd", creds.bounding),
        (b"CapAmb", creds.ambient),
    )
    lines += [b"%b:\t%016x" % pair for pair in sets]
    every = target.kernel.cpus
    allowed = target.sched.affinity or every
    lines += [
        b"NoNewPrivs:\t%d" % creds.no_new_privs,
        b"Seccomp:\t%d" % seccomp.mode(target),
        b"Seccomp_filters:\t%d" % seccomp.count(target),
        b"Speculation_Store_Bypass:\tunknown",
        b"SpeculationIndirectBranch:\tunknown",
        b"Cpus_allowed:\t" + cpus.mask_text(allowed, every),
        b"Cpus_allowed_list:\t" + cpus.list_text(allowed),
        b"Mems_allowed:\t1",
        b"Mems_allowed_list:\t0",
        b"voluntary_ctxt_switches:\t%d" % target.waits,
        b"nonvoluntary_ctxt_switches:\t%d" % (target.preempted + told.get(b"nonvoluntary_ctxt_switches", 0)),
    ]
    return b"\n".join(lines) + b"\n"


def _bounded(limit: int) -> int:
    return -1 if limit == RLIM_INFINITY else limit


def _table_size(task: Task) -> int:
    """Slots of the descriptor table as Linux sizes it: a power of two, 64 or more."""
    if task.files is None:
        return 0
    highest = max((fd for fd, _ in task.files.items()), default=0)
    return max(64, 1 << highest.bit_length())


def _told(task: Task) -> dict[bytes, int]:
    """What the host says of the thread and its memory, in KiB."""
    if task.ctx is None:
        return {}
    return task.kernel.host_proc.status(task.group.usage.host_pid, task.ctx.host_tid)


def _memory_lines(task: Task, told: dict[bytes, int]) -> list[bytes]:
    mm = task.mm
    if mm is None:
        return []
    totals = mm_maps.Totals(mm)
    shared = mm_maps.statm(mm)[2] * PAGE
    anonymous, file, shmem = totals.resident - shared, shared, 0
    peak = totals.resident
    if b"VmHWM" in told:
        anonymous, file, shmem, peak = (
            told[name] * 1024 for name in (b"RssAnon", b"RssFile", b"RssShmem", b"VmHWM")
        )
    sizes = (
        (b"VmPeak", totals.size), (b"VmSize", totals.size), (b"VmLck", totals.locked), (b"VmPin", 0),
        (b"VmHWM", peak), (b"VmRSS", anonymous + file + shmem), (b"RssAnon", anonymous), (b"RssFile", file),
        (b"RssShmem", shmem), (b"VmData", totals.data), (b"VmStk", totals.stack),
        (b"VmExe", totals.executable), (b"VmLib", totals.library), (b"VmPTE", told.get(b"VmPTE", 0) * 1024),
        (b"VmSwap", 0), (b"HugetlbPages", 0),
    )  # fmt: skip
    lines = [b"%b:\t%8d kB" % (name, size // 1024) for name, size in sizes]
    return [*lines, b"CoreDumping:\t0", b"THP_enabled:\t1", b"untag_mask:\t0xffffffffffffffff"]
