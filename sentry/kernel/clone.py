"""Making tasks (clone(2), clone3(2), fork(2), vfork(2))."""

from __future__ import annotations

import errno

from sentry._core import WORK_OTHER, WORK_STOP
from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from sentry.abi.clone import (
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_CLEAR_SIGHAND,
    CLONE_DETACHED,
    CLONE_FILES,
    CLONE_FS,
    CLONE_IO,
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_PARENT,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_PTRACE,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_UNTRACED,
    CLONE_VFORK,
    CLONE_VM,
    CSIGNAL,
    NAMESPACES,
)
from sentry.abi.mman import TASK_SIZE
from sentry.abi.ptrace import (
    PTRACE_EVENT_CLONE,
    PTRACE_EVENT_FORK,
    PTRACE_EVENT_VFORK,
    PTRACE_EVENT_VFORK_DONE,
)
from sentry.abi.resource import RLIMIT_NPROC
from sentry.abi.restart import ERESTARTNOINTR
from sentry.abi.signal import SIGCHLD, SIGSTOP
from sentry.errors import Errno
from sentry.ipc import shm
from sentry.kernel import pidfd, sessions
from sentry.kernel.cgroups import cpuset, freezer
from sentry.kernel.cgroups.cgroup import charge_fork
from sentry.kernel.namespaces import unshare
from sentry.kernel.namespaces.namespaces import enter_time
from sentry.kernel.pids import check_wanted
from sentry.kernel.sched import confine
from sentry.kernel.signals import altstack, signals
from sentry.kernel.task import Task
from sentry.kernel.thread_group import ThreadGroup
from sentry.kernel.tracing import seccomp, trace_stops, tracing
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.mm.vdso import set_clocks
from sentry.mm.vma import VM_DONTFORK, VM_SHARED, VM_WIPEONFORK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry._core import Context
    from sentry.kernel.cgroups.cgroup import Cgroup
    from sentry.kernel.creds import Creds
    from sentry.kernel.fs_context import FsContext
    from sentry.kernel.namespaces.namespaces import Namespaces

_MASK64 = 2**64 - 1


class CloneArgs:
    """What clone(2) or clone3(2) was asked for."""

    __slots__ = (
        "cgroup",
        "child_tid",
        "exit_signal",
        "flags",
        "parent_tid",
        "pidfd",
        "set_tid",
        "stack",
        "tls",
    )

    def __init__(self, flags: int, exit_signal: int) -> None:
        self.flags = flags & ~CSIGNAL
        self.exit_signal = exit_signal
        self.stack = 0  # the child's stack pointer, 0: as the parent's
        self.tls = 0
        self.parent_tid = 0
        self.child_tid = 0
        self.pidfd = 0
        self.cgroup: Cgroup | None = None  # that the child is put into (CLONE_INTO_CGROUP)
        self.set_tid: list[int] = []  # the ids that the child must get, its own PID namespace's first

    def check(self, task: Task) -> None:
        """EINVAL for the combinations that Linux refuses."""
        flags = self.flags
        invalid = (
            (flags & CLONE_SIGHAND and not flags & CLONE_VM)
            or (flags & CLONE_THREAD and not flags & CLONE_SIGHAND)
            or (flags & CLONE_FS and flags & (CLONE_NEWNS | CLONE_NEWUSER))
            or (flags & CLONE_THREAD and flags & (CLONE_NEWUSER | CLONE_NEWPID))
            or (flags & CLONE_THREAD and task.ns.pid_for_children is not task.group.pid_ns)
            or (flags & CLONE_NEWIPC and flags & CLONE_SYSVSEM)
            or (flags & CLONE_PARENT and task.group.unkillable)
            or (flags & CLONE_SIGHAND and flags & CLONE_CLEAR_SIGHAND)
            or (flags & CLONE_PIDFD and flags & CLONE_DETACHED)
            or (flags & CLONE_PIDFD and flags & CLONE_PARENT_SETTID and self.pidfd == self.parent_tid)
        )
        if invalid:
            raise Errno(errno.EINVAL)
        if flags & CLONE_SETTLS and self.tls >= TASK_SIZE:
            raise Errno(errno.EPERM)


def clone(task: Task, args: CloneArgs) -> int | Coroutine[None, None, int]:
    """Make a child; its tid (with CLONE_VFORK a coroutine that waits for its execve or exit).

    Raises EINVAL, EPERM, EAGAIN and ENOSPC (limits), EEXIST, ENOMEM (its PID namespace is dead), and
    ERESTARTNOINTR when a signal must be taken first.
    """
    kernel = task.kernel
    args.check(task)
    _check_limit(task)
    charge_fork(args.cgroup or task.group.cgroup)
    if args.flags & CLONE_PIDFD:
        task.write_u32(args.pidfd, task.read_u32(args.pidfd))  # EFAULT before there is a child
    if task.signal_pending():
        raise Errno(ERESTARTNOINTR)  # so that the signal reaches parent and child alike, or one of them
    if task.sched.deadline is not None and not task.sched.reset_on_fork:
        raise Errno(errno.EAGAIN)  # a reservation is not inherited (sched(7))
    fs = task.fs if args.flags & CLONE_FS else task.fs.copy()
    creds, ns = _namespaces(task, args.flags, fs)
    pid_ns = ns.pid_for_children
    if args.set_tid:
        check_wanted(creds, pid_ns, args.set_tid)
    if pid_ns.dead:
        raise Errno(errno.ENOMEM)
    tid = kernel.pids.allocate(pid_ns, args.set_tid)
    try:
        context = task.ctx.thread() if args.flags & CLONE_VM else _fork_into(task, args, ns, tid)
    except BaseException:
        kernel.pids.release(tid)
        raise
    flags = args.flags
    if flags & CLONE_THREAD:
        group = task.group
    else:
        group = ThreadGroup(kernel, tid, task.group.rlimits.copy())
        group.live_in(pid_ns)
    child = Task(kernel, tid, group)
    child.local_tid = pid_ns.number(tid)
    child.ctx = context
    child.creds, child.ns, child.fs = creds, ns, fs
    child.shifted = ns.time.shifted
    _copy(task, child, flags)
    if flags & CLONE_THREAD:
        child.cpu_before = group.usage.cpu()
    else:
        _found_family(task, child, args)
        if flags & CLONE_VM:
            group.usage.enter(task.group.usage.host_pid, shared=True)
        else:
            group.usage.enter(context.host_tid)
    context.rax = 0
    context.orig_rax = _MASK64
    if args.stack:
        context.rsp = args.stack
    if flags & CLONE_SETTLS:
        context.fs_base = args.tls
    group.tasks.append(child)
    kernel.tasks[tid] = child
    if group.held:
        freezer.hold(child)
    kernel.machine.attach(child)
    _write_ids(task, child, args)
    if flags & CLONE_VFORK:
        child.vfork_parent = task
    event = _trace_event(task, args)
    traced = task.trace is not None and bool(event or flags & CLONE_PTRACE)
    if traced:
        _trace_child(task, child)
    kernel.machine.start(child)
    number = task.number(tid)
    if event:
        return _tell_tracer(task, child, number, event)
    return _wait_vfork(task, child, number) if flags & CLONE_VFORK else number


def _namespaces(task: Task, flags: int, fs: FsContext) -> tuple[Creds, Namespaces]:
    """What the child is in."""
    creds, ns = task.creds, task.ns
    if flags & CLONE_NEWUSER:
        creds = unshare.new_user_namespace(task)
    if flags & NAMESPACES & ~CLONE_NEWUSER:
        ns = unshare.new_namespaces(task, flags, creds.user_ns, fs)
    if ns.time is not ns.time_for_children and not flags & CLONE_VM:
        ns = enter_time(ns)
    return creds if flags & CLONE_THREAD else creds.of_child(), ns


def _trace_event(task: Task, args: CloneArgs) -> int:
    """PTRACE_EVENT_* that the task's tracer is to hear of, 0: none."""
    if task.trace is None or args.flags & CLONE_UNTRACED:
        return 0
    if args.flags & CLONE_VFORK:
        event = PTRACE_EVENT_VFORK
    else:
        event = PTRACE_EVENT_FORK if args.exit_signal == SIGCHLD else PTRACE_EVENT_CLONE
    return event if task.trace.options >> event & 1 else 0


def _trace_child(task: Task, child: Task) -> None:
    """Have the parent's tracer trace the child, which begins with a stop."""
    old = task.trace
    assert old is not None
    trace = tracing.link(child, old.tracer, old.creds, old.seized, old.options)
    child.work |= WORK_OTHER
    if old.seized:
        trace.trap = True
        child.work |= WORK_STOP
    else:
        signals.send_task(child, SIGSTOP)


async def _tell_tracer(task: Task, child: Task, number: int, event: int) -> int:
    tid = child.tid
    if task.trace is not None:
        tid = task.trace.tracer.number(tid)
    await trace_stops.event(task, event, tid)
    if event == PTRACE_EVENT_VFORK:
        await _wait_vfork(task, child, number)
        await trace_stops.event(task, PTRACE_EVENT_VFORK_DONE, tid)
    return await trace_stops.end_call(task, number)


def _fork_into(task: Task, args: CloneArgs, ns: Namespaces, tid: int) -> Context:
    """Copy the address space for a child in these namespaces."""
    context = _fork(task, args, ns.pid_for_children.number(tid))
    if ns.time.shifted != task.shifted:
        try:
            set_clocks(context, task.mm, task.kernel.machine.vdso(), ns.time.shifted)
        except Errno:
            context.end()
            raise
    return context


def _fork(task: Task, args: CloneArgs, tid: int) -> Context:
    """Copy the address space, with the child's tid where it is wanted.

    A write to the child would have to wait until the host has started it, so where nobody can see it, the
    parent's memory holds the tid while it is copied.
    """
    address = args.child_tid
    area = task.mm.find(address) if args.flags & CLONE_CHILD_SETTID and not address & 3 else None
    if area is None or area.flags & (VM_SHARED | VM_DONTFORK | VM_WIPEONFORK) or task.mm.users > 1:
        return task.ctx.fork()
    try:
        old = task.read_u32(address)
        task.write_u32(address, tid)
    except Errno:
        return task.ctx.fork()
    try:
        context = task.ctx.fork()
    finally:
        task.write_u32(address, old)
    args.flags &= ~CLONE_CHILD_SETTID
    return context


def _check_limit(task: Task) -> None:
    creds, kernel = task.creds, task.kernel
    limit = task.group.rlimit(RLIMIT_NPROC)
    if len(kernel.tasks) < limit or creds.uid == 0:
        return
    if creds.has_cap(CAP_SYS_RESOURCE) or creds.has_cap(CAP_SYS_ADMIN):
        return
    if sum(other.creds.uid == creds.uid for other in kernel.tasks.values()) >= limit:
        raise Errno(errno.EAGAIN)


def _copy(task: Task, child: Task, flags: int) -> None:
    """What a child has of its parent, shared or copied as `flags` say."""
    child.comm = task.comm
    seccomp.inherit(task, child)
    child.sigmask = task.sigmask
    child.set_personality(task.personality)
    child.timer_slack = child.default_timer_slack = task.timer_slack
    child.mce_policy = task.mce_policy
    child.io_flusher = task.io_flusher
    child.sched = task.sched.copy(share_io=bool(flags & CLONE_IO))
    if child.sched.affinity:
        confine(child)
    child.mempolicy = task.mempolicy
    if flags & CLONE_VM:
        child.mm = task.mm
        child.mm.users += 1
    else:
        child.mm = task.mm.fork(task, child)
        child.inherit_rseq(task)
        if child.mm.attached:
            shm.inherited(task, child.mm)
    child.keyrings = task.keyrings.inherit(task.creds, thread=bool(flags & CLONE_THREAD))
    if flags & CLONE_SYSVSEM:
        child.sem_undo = task.sem_undo.share()
    if flags & CLONE_FILES:
        child.files = task.files
        child.files.users += 1
    else:
        child.files = task.files.copy()
    if not flags & CLONE_VM or flags & CLONE_VFORK:
        child.altstack_sp = task.altstack_sp
        child.altstack_size = task.altstack_size
        child.altstack_flags = task.altstack_flags
    else:
        altstack.disarm(child)


def _found_family(task: Task, child: Task, args: CloneArgs) -> None:
    """Make the new process a member of its family, process group and session."""
    old, group = task.group, child.group
    group.leader = child
    if args.flags & CLONE_SIGHAND:
        group.sighand = old.sighand
    else:
        group.sighand = old.sighand.copy()
        if args.flags & CLONE_CLEAR_SIGHAND:
            group.sighand.reset_handlers()
    group.cgroup = args.cgroup or old.cgroup
    if args.cgroup is not None:
        cpuset.refit(child)
    if args.cgroup is not None and args.cgroup.is_frozen():
        freezer.set_hold(group, freezer.FROZEN, True)
    group.dumpable, group.program_ns = old.dumpable, old.program_ns
    group.thp_disabled = old.thp_disabled
    group.merges_memory = old.merges_memory
    group.oom_score_adj = old.oom_score_adj
    group.coredump_filter = old.coredump_filter
    if args.flags & CLONE_PARENT:
        group.parent, group.parent_task = old.parent, old.parent_task
        group.exit_signal = old.exit_signal
    else:
        group.parent, group.parent_task = old, task
        group.exit_signal = args.exit_signal
    if group.parent is not None:
        group.parent.children.append(group)
    sessions.join(task.kernel, group, old.process_group)
    task.kernel.groups[group.tgid] = group
    if args.cgroup is not None:
        args.cgroup.changed()


def _write_ids(task: Task, child: Task, args: CloneArgs) -> None:
    flags = args.flags
    if flags & CLONE_PIDFD:
        thread = child if flags & CLONE_THREAD else None
        file = pidfd.PidFile(child.group, pidfd.PIDFD_THREAD, thread)
        _write(task, args.pidfd, task.files.install(file, cloexec=True))
    if flags & CLONE_PARENT_SETTID:
        _write(task, args.parent_tid, task.number(child.tid))
    if flags & CLONE_CHILD_SETTID:
        _write(child, args.child_tid, child.local_tid)
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_child_tid = args.child_tid


def _write(task: Task, address: int, value: int) -> None:
    try:
        task.write_u32(address, value)
    except Errno:
        pass  # as Linux: the child exists by then, and stays


async def _wait_vfork(task: Task, child: Task, number: int) -> int:
    while child.vfork_parent is task:
        if await suspend(task, interruptible=False) == INTERRUPTED:
            break
    return number
