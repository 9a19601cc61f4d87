"""The death of a thread and of a process (exit(2), exit_group(2)).

`exit_task` is the one place where a task ends; its context is stopped then.  What it leaves behind: the
group's leader stays in kernel.tasks until the group is reaped (kernel.reap); other threads are gone at once.
"""

from __future__ import annotations

from sentry._core import WORK_EXIT
from sentry.abi.core import CORE_DUMPED
from sentry.abi.signal import (
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    NSIG,
    SA_NOCLDWAIT,
    SIG_IGN,
    SIGCHLD,
    SIGKILL,
)
from sentry.abi.wait import exited
from sentry.errors import Errno
from sentry.ipc import aio, sem_undo, shm
from sentry.kernel import acct, membarrier, reap, robust
from sentry.kernel.signals import job_control, signals
from sentry.kernel.signals.permission import may_signal
from sentry.kernel.signals.siginfo import from_task
from sentry.kernel.tracing import seccomp, trace_stops, tracing
from sentry.keys.process import TaskKeyrings
from sentry.vfs import locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import FdTable
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

_POLLIN = 1


def exit_thread(task: Task, code: int) -> int | None:
    """_exit(2) of one thread; the last one's code is the process's.  None, or 0: it dies on the way back."""
    return _end_thread(task, exited(code))


def exit_group(task: Task, code: int) -> int | None:
    """exit_group(2); returns as exit_thread does."""
    task.exit_code = exited(code)
    task.group.begin_exit(task.exit_code)
    if trace_stops.wants_exit(task):
        return 0
    exit_task(task)
    return None


def kill_thread(task: Task, signo: int) -> int | None:
    """End one thread as if by a signal (seccomp(2)); the last one's is what has killed the process.  Returns
    as exit_thread does.
    """
    return _end_thread(task, signo)


def _end_thread(task: Task, status: int) -> int | None:
    task.exit_code = status
    if trace_stops.wants_exit(task):
        group = task.group
        if not group.exiting and all(other is task or _is_ending(other) for other in group.tasks):
            group.exiting = True  # no signal changes that any more
            group.exit_code = status
        task.dying = True
        task.work |= WORK_EXIT
        return 0
    exit_task(task)
    return None


def _is_ending(task: Task) -> bool:
    """Whether a thread is on its way out, though its tracer may hold it there."""
    return task.dying or (task.trace is not None and task.trace.told_exit)


def status_of(task: Task) -> int:
    """The wait status that a task is about to end with."""
    return task.group.exit_code if task.group.exiting or task.exit_code is None else task.exit_code


def exit_task(task: Task) -> None:
    """End a task: release what it holds, and the process with the last one."""
    group, kernel = task.group, task.kernel
    if len(group.tasks) == 1 and not group.exiting:
        group.exiting = True
        group.exit_code = task.exit_code or 0
    if kernel.strace is not None:
        kernel.strace.exited(task, group.exit_code)
    task.dying = True
    group.account.collect(task, status_of(task))
    task.coroutine = None
    task.signal.restart_block = None  # it knows the task
    task.state = "dead"
    release_mm(task)
    sem_undo.leave(task)
    task.keyrings = TaskKeyrings()
    if len(group.tasks) == 1:
        task.ns.ipc.creator_exited(group)
    release_files(task)
    task.fs = None  # type: ignore[assignment]  # dead
    task.ns = None  # type: ignore[assignment]  # its namespaces may end with it
    seccomp.drop(task)
    membarrier.passed(task)
    last = len(group.tasks) == 1
    if last:
        group.usage.leave(task)
        group.itimers.cancel_all()
        group.cpu_limit.cancel()
        for timer in group.posix_timers.values():
            timer.cancel()
        group.posix_timers.clear()
        acct.process_ended(task)
    group.usage.end_thread(task)
    group.tasks.remove(task)
    if last and group.nested and group.pid_ns.init is group:
        _end_namespace(group)
    task.ctx.end()
    task.ctx = None  # type: ignore[assignment]  # dead
    if not last:
        signals.retarget(group, ~task.sigmask)
    _reparent_children(task)
    if task is not group.leader and task.trace is None:
        del kernel.tasks[task.tid]
        kernel.pids.release(task.tid)
    kernel.futexes.owner_exits(task)
    group.exit_queue.wake(_POLLIN)  # a pidfd may be of this thread alone
    tracing.leave(task)
    if group.execing is not None:
        group.execing.wake()
    if group.stopping and group.tasks:
        job_control.settle(group)
    if last:
        _end_group(kernel, group)


def release_mm(task: Task) -> None:
    """Leave the address space (exit, execve): robust futexes, clear_child_tid, the vfork parent."""
    robust.leave(task)
    task.end_rseq(task.mm.users > 1)  # before anybody is told that the thread's memory is free
    if task.clear_child_tid:
        address, task.clear_child_tid = task.clear_child_tid, 0
        if task.mm.users > 1:
            try:
                task.write_u32(address, 0)
                task.kernel.futexes.wake(task.kernel.futexes.key(task, address, True), 1)
            except Errno:
                pass  # as Linux: nobody is told
    release_vfork(task)
    task.group.usage.note_size(task.mm)
    if task.mm.attached and task.mm.users == 1:
        shm.leave_space(task)
    if aio.contexts and task.mm.users == 1:
        aio.leave_space(task.mm)
    task.mm.users -= 1
    task.mm = None  # type: ignore[assignment]  # dead, or about to get another


def release_vfork(task: Task) -> None:
    """Let the parent that waits in vfork(2) go on."""
    parent, task.vfork_parent = task.vfork_parent, None
    if parent is not None:
        parent.wake()


def release_files(task: Task) -> None:
    """Leave the descriptor table; its last user closes the files, each of which is flushed."""
    files: FdTable = task.files
    task.files = None  # type: ignore[assignment]  # dead, or about to get another
    files.users -= 1
    if not files.users:
        locks.drop_process(files)


def _reparent_children(task: Task) -> None:
    """Give a thread's children another thread of the group, or with the last thread another process."""
    group = task.group
    heir = group.tasks[0] if group.tasks else None
    for child in group.children.copy():
        if child.parent_task is not task:
            continue
        for thread in child.tasks:
            signo = thread.parent_death_signal
            if signo and may_signal(task, child, signo):
                signals.send_group(child, signo, from_task(signo, task))
        if heir is not None:
            child.parent_task = heir
        elif not (group.nested and group.pid_ns.init is group):  # whose children stay, to be killed
            _adopt(group, child)


def _adopt(group: ThreadGroup, child: ThreadGroup) -> None:
    """Give an orphan to the nearest subreaper, or to init (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    reaper = group.parent
    while reaper is not None and (not reaper.is_subreaper or not reaper.tasks):
        reaper = reaper.parent
        if reaper is not None and reaper.pid_ns is not group.pid_ns:
            reaper = None
    if reaper is None:
        reaper = group.pid_ns.init if group.nested else group.kernel.init
    group.children.remove(child)
    if reaper is None or not reaper.tasks or reaper is group:
        child.parent = child.parent_task = None  # the sandbox, or its PID namespace, is about to end
        if child.dead:
            reap.release(child)  # the namespace's end waits for every number of it
        return
    job_control_affected = child.process_group is not group.process_group and child.session is group.session
    child.parent = reaper
    for task in child.tasks:
        group.kernel.machine.publish(task)  # getppid(2) may be answered without us
    child.parent_task = reaper.tasks[0]
    reaper.children.append(child)
    child.exit_signal = SIGCHLD
    if child.dead:
        _tell_parent(child)
    elif job_control_affected:
        job_control.orphan_check(child.process_group, None)


def _end_namespace(init: ThreadGroup) -> None:
    """The init of a PID namespace dies: everything in it is killed, and nothing starts there any more
    (pid_namespaces(7)).
    """
    ns = init.pid_ns
    ns.dead = True  # from now on its children are reaped as they die, whatever signal they send
    for child in init.children.copy():
        if child.dead:
            reap.release(child)
    for group in init.kernel.groups.copy().values():
        if group is not init and group.tasks and ns.number(group.tgid):
            signals.send_group(group, SIGKILL, force=True)


def _end_group(kernel: Kernel, group: ThreadGroup) -> None:
    """The last thread is gone: tell the parent, or end the sandbox."""
    if group.nested and group.pid_ns.init is group and len(group.pid_ns.pids) > 1:
        group.pid_ns.on_empty = lambda: _end_group(kernel, group)  # the parent hears of it once all are gone
        return
    if group.nested and group.pid_ns.init is group:
        acct.turn_off(group.leader)
    group.dead = True
    group.cgroup.changed()
    group.pending = 0
    group.queue.infos.clear()
    _leave_session(group)
    group.exit_queue.wake(_POLLIN)
    if group is kernel.init:
        kernel.exit_status = group.exit_code
        kernel.machine.stop = True
        return
    if tracing.hides(group.leader):
        tracing.notify_death(group.leader)
    else:
        tell_family(group)


def tell_family(group: ThreadGroup) -> None:
    """A process is dead for all to see: tell its parent, or forget it."""
    parent = group.parent
    if parent is not None:
        if parent.process_group is not group.process_group and parent.session is group.session:
            job_control.orphan_check(group.process_group, group)
        _tell_parent(group)
    else:
        reap.release(group)


def _leave_session(group: ThreadGroup) -> None:
    """A session leader's exit frees the terminal and hangs up its foreground (credentials(7), termios)."""
    session = group.session
    if session.leader is not group:
        return
    if session.tty is not None:
        session.tty.leader_exited()
    session.leader = None


def _tell_parent(group: ThreadGroup) -> None:
    """Send the exit signal and wake the parent's waits; a parent that does not want zombies gets none."""
    parent = group.parent
    assert parent is not None
    code, signo = group.exit_code, group.exit_signal
    auto_reap = parent.nested and parent.pid_ns.dead and parent.pid_ns.init is parent
    if signo == SIGCHLD and not auto_reap:
        action = parent.sighand[SIGCHLD]
        auto_reap = action.handler == SIG_IGN or bool(action.flags & SA_NOCLDWAIT)
    if 0 < signo <= NSIG:
        if code & 0x7F:
            why = CLD_DUMPED if code & CORE_DUMPED else CLD_KILLED
            info = job_control.child_info(group, why, code & 0x7F)
        else:
            info = job_control.child_info(group, CLD_EXITED, code >> 8)
        info.signo = signo
        signals.send_group(parent, signo, info)
    if auto_reap:
        reap.release(group)
    parent.child_queue.wake(_POLLIN)
