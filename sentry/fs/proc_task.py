"""The texts of /proc/PID that tell what a task is and does; formats as in proc(5), which ps and top parse.

Each function takes (about whom, who reads).  A zombie has no memory, no descriptors and no context.
"""

from __future__ import annotations

from errno import EINVAL
from time import CLOCK_BOOTTIME, clock_gettime_ns

from sentry import _core
from sentry.abi.resource import RLIM_INFINITY, RLIMIT_RSS, RLIMIT_SIGPENDING
from sentry.abi.sched import SCHED_FIFO, SCHED_RR
from sentry.abi.time import NSEC_PER_TICK
from sentry.errors import Errno
from sentry.fs.proc_access import may_inspect
from sentry.kernel import cpus
from sentry.mm import maps as mm_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

PAGE = 4096
TEXT_MAX = 1 << 21  # of the argument and environment areas: execve(2) allows no more than 2 MiB
_PF_FORKNOEXEC = 0x40
_PF_RANDOMIZE = 0x400000
_STATES = {"R": b"running", "S": b"sleeping", "D": b"disk sleep", "T": b"stopped", "Z": b"zombie"}
_UNSET_ID = 0xFFFFFFFF


def state_letter(task: Task) -> str:
    """R running, S waiting, D waiting for what no signal interrupts, T stopped, Z dead and not waited for."""
    if task.state == "waiting":
        return "S" if task.interruptible else "D"
    return {"stopped": "T", "dead": "Z"}.get(task.state, "R")


def since_boot(monotonic: int) -> int:
    """A CLOCK_MONOTONIC time in ns as time since boot, sleeps of the machine counted."""
    return monotonic + clock_gettime_ns(CLOCK_BOOTTIME) - _core.monotonic()


def _parent_id(task: Task) -> int:
    parent = task.group.parent
    return parent.tgid if parent is not None else 0


def _escaped(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


# stat


def process_stat(target: Task, reader: Task) -> bytes:
    return _stat(target, reader, whole=True)


def thread_stat(target: Task, reader: Task) -> bytes:
    return _stat(target, reader, whole=False)


def _stat(task: Task, reader: Task, whole: bool) -> bytes:
    group, mm, policy = task.group, task.mm, task.sched
    terminal = group.session.tty
    foreground = terminal.foreground if terminal is not None else None
    user, system = group.usage.ticks()
    children = group.usage.children // NSEC_PER_TICK if whole else 0
    real_time = policy.policy in (SCHED_FIFO, SCHED_RR)
    open_to = may_inspect(reader, task)
    size = resident = 0
    code = data = args = env = (0, 0)
    stack = brk = 0
    if mm is not None:
        size, resident = mm.areas.total, mm_maps.statm(mm)[1]
        code = (1, 1)
        if open_to:
            code, data = (mm.code_start, mm.code_end), (mm.data_start, mm.data_end)
            args, env = (mm.arg_start, mm.arg_end), (mm.env_start, mm.env_end)
            stack, brk = mm.stack_start, mm.brk_start
    low = 0x7FFFFFFF
    pending = task.pending & low
    values = (
        _parent_id(task), group.pgid, group.sid,
        terminal.number if terminal is not None else 0, foreground.pgid if foreground is not None else -1,
        _PF_RANDOMIZE | (0 if group.has_execed else _PF_FORKNOEXEC),
        0, 0, 0, 0,  # page faults are the host's
        user, system, children, 0,
        -1 - policy.priority if real_time else 20 + policy.nice, policy.nice,
        len(group.tasks), 0, since_boot(task.start_time) // NSEC_PER_TICK,
        size, resident, group.rlimit(RLIMIT_RSS), *code, stack, 0, 0,
        pending, task.sigmask & low, group.sighand.ignored() & low, group.sighand.caught() & low,
        0, 0, 0, group.exit_signal if whole else -1, 0,
        policy.priority, policy.policy, 0, 0, 0, *data, brk, *args, *env, group.exit_code if open_to else 0,
    )  # fmt: skip
    head = b"%d (%b) %c " % (task.tid, _escaped(task.comm), ord(state_letter(task)))
    return head + b" ".join([b"%d" % value for value in values]) + b"\n"


# status


def status(target: Task, reader: Task) -> bytes:
    group, creds = target.group, target.creds
    letter = state_letter(target)
    lines = [b"Name:\t" + _escaped(target.comm)]
    if target.files is not None:
        lines.append(b"Umask:\t%04o" % target.fs.umask)
    lines += [
        b"State:\t%b (%b)" % (letter.encode(), _STATES[letter]),
        b"Tgid:\t%d" % group.tgid,
        b"Ngid:\t0",
        b"Pid:\t%d" % target.tid,
        b"PPid:\t%d" % _parent_id(target),
        b"TracerPid:\t0",
        b"Uid:\t%d\t%d\t%d\t%d" % (creds.uid, creds.euid, creds.suid, creds.fsuid),
        b"Gid:\t%d\t%d\t%d\t%d" % (creds.gid, creds.egid, creds.sgid, creds.fsgid),
        b"FDSize:\t%d" % _table_size(target),
        b"Groups:\t" + b"".join([b"%d " % gid for gid in creds.groups]),
        b"NStgid:\t%d" % group.tgid,
        b"NSpid:\t%d" % target.tid,
        b"NSpgid:\t%d" % group.pgid,
        b"NSsid:\t%d" % group.sid,
        b"Kthread:\t0",
    ]
    lines += _memory_lines(target)
    lines += [
        b"Threads:\t%d" % max(len(group.tasks), 1),
        b"SigQ:\t%d/%d" % (len(target.signal.queue.infos) + len(group.queue.infos), _bounded(group.rlimit(RLIMIT_SIGPENDING))),
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
        b"Seccomp:\t0",
        b"Seccomp_filters:\t0",
        b"Speculation_Store_Bypass:\tunknown",
        b"SpeculationIndirectBranch:\tunknown",
        b"Cpus_allowed:\t" + cpus.mask_text(allowed, every),
        b"Cpus_allowed_list:\t" + cpus.list_text(allowed),
        b"Mems_allowed:\t1",
        b"Mems_allowed_list:\t0",
        b"voluntary_ctxt_switches:\t0",  # the host's scheduler does not tell
        b"nonvoluntary_ctxt_switches:\t0",
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


def _memory_lines(task: Task) -> list[bytes]:
    mm = task.mm
    if mm is None:
        return []
    totals = mm_maps.Totals(mm)
    shared = mm_maps.statm(mm)[2] * PAGE
    sizes = (
        (b"VmPeak", totals.size), (b"VmSize", totals.size), (b"VmLck", totals.locked), (b"VmPin", 0),
        (b"VmHWM", totals.resident), (b"VmRSS", totals.resident), (b"RssAnon", totals.resident - shared),
        (b"RssFile", shared), (b"RssShmem", 0), (b"VmData", totals.data), (b"VmStk", totals.stack),
        (b"VmExe", totals.executable), (b"VmLib", totals.library), (b"VmPTE", 0), (b"VmSwap", 0),
        (b"HugetlbPages", 0),
    )  # fmt: skip
    lines = [b"%b:\t%8d kB" % (name, size // 1024) for name, size in sizes]
    return [*lines, b"CoreDumping:\t0", b"THP_enabled:\t1"]


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
    """The arguments, each with its NUL.  A program that has overwritten the last NUL has set a title, which may run
    on into the environment (setproctitle; proc(5))."""
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


def sched(target: Task, reader: Task) -> bytes:
    """The few lines of the scheduler's own view that hold for us."""
    policy = target.sched
    title = b"%b (%d, #threads: %d)" % (target.comm, target.group.tgid, max(len(target.group.tasks), 1))
    used = target.group.usage.cpu()
    fields = (
        (b"se.exec_start", b"%d.%06d" % divmod(_core.monotonic(), 1_000_000)),
        (b"se.sum_exec_runtime", b"%d.%06d" % divmod(used, 1_000_000)),
        (b"policy", b"%d" % policy.policy),
        (b"prio", b"%d" % (99 - policy.priority if policy.priority else 120 + policy.nice)),
    )
    lines = [title, b"-" * 67] + [b"%-45b:%21b" % field for field in fields]
    return b"\n".join(lines) + b"\n"


def schedstat(target: Task, reader: Task) -> bytes:
    """CPU time in ns; how long it waited for a CPU, and how often it ran, the host does not tell."""
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
    return b"0::/\n"


def cpuset(target: Task, reader: Task) -> bytes:
    return b"/\n"


def autogroup(target: Task, reader: Task) -> bytes:
    return b"/autogroup-%d nice 0\n" % target.group.sid


def coredump_filter(target: Task, reader: Task) -> bytes:
    return b"00000033\n"


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
    """Nothing is counted."""
    names = (
        b"rchar", b"wchar", b"syscr", b"syscw", b"read_bytes", b"write_bytes", b"cancelled_write_bytes",
    )  # fmt: skip
    return b"".join([name + b": 0\n" for name in names])


def id_map(target: Task, reader: Task) -> bytes:
    return b"%10d %10d %10d\n" % (0, 0, _UNSET_ID)  # the initial user namespace's


def setgroups(target: Task, reader: Task) -> bytes:
    return b"allow\n"


def no_label(target: Task, reader: Task) -> bytes:
    raise Errno(EINVAL)  # there is no security module


_NOTIFICATIONS = {0: b"signal", 1: b"none", 2: b"thread"}


def timers(target: Task, reader: Task) -> bytes:
    """The POSIX timers (timer_create(2))."""
    lines = []
    for timer in target.group.posix_timers.values():
        kind, thread = _NOTIFICATIONS.get(timer.notify & 3, b"signal"), timer.notify & 4
        whom = b"tid.%d" % timer.target.tid if thread and timer.target is not None else b"pid.%d" % target.group.tgid
        lines.append(
            b"ID: %d\nsignal: %d/%016x\nnotify: %b/%b\nClockID: %d\n"
            % (timer.id, timer.signo, timer.value, kind, whom, timer.clock_id)
        )
    return b"".join(lines)


def timerslack(target: Task, reader: Task) -> bytes:
    return b"%d\n" % target.timer_slack


def children(target: Task, reader: Task) -> bytes:
    """The ids of the children that this thread has made."""
    made = [child for child in target.group.children if child.parent_task is target]
    return b"".join([b"%d " % child.tgid for child in made])
