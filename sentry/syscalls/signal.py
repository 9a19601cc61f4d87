"""Signals: actions, masks, sending, waiting."""

import errno

from sentry._core import NO_RESULT, Action
from sentry.abi.fcntl import O_PATH
from sentry.abi.restart import ERESTARTNOHAND
from sentry.abi.signal import (
    NSIG,
    SA_KNOWN,
    SI_TKILL,
    SI_USER,
    SIG_BLOCK,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGACTION,
    SIGINFO_SIZE,
    SIGKILL,
    SIGSET_SIZE,
    SIGSTOP,
    STACK_T,
    UNBLOCKABLE,
)
from sentry.errors import Errno
from sentry.fs.proc_directory import TaskDirectory
from sentry.kernel import pidfd
from sentry.kernel.signals import altstack, sigframe, siginfo, signals
from sentry.kernel.signals.permission import may_signal
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend
from sentry.syscalls.args import Fd, Int, Ptr, Size, UInt
from sentry.syscalls.timespec import read_timespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup


# pidfd_send_signal(2): to whom, and numbers that stand for the caller's own pidfd.
_TO_THREAD = 1
_TO_GROUP = 2
_TO_PROCESS_GROUP = 4
_SELF_THREAD = -10000
_SELF_THREAD_GROUP = -10001


def _check_set_size(size: int) -> None:
    if size != SIGSET_SIZE:
        raise Errno(errno.EINVAL)


def rt_sigaction(task: "Task", signo: Int, new: Ptr, old: Ptr, size: Size) -> int:
    _check_set_size(size)
    given = task.copy_in(new, SIGACTION.size) if new else b""
    if not 1 <= signo <= NSIG:
        raise Errno(errno.EINVAL)
    known = task.group.sighand[signo]
    if new:
        handler, flags, restorer, mask = SIGACTION.unpack(given)
        if UNBLOCKABLE >> signo - 1 & 1:
            raise Errno(errno.EINVAL)
        # Flags that we don't know read back as 0: that is how programs probe for them.
        known = signals.set_action(task.group, signo, Action(handler, flags & SA_KNOWN, restorer, mask))
    if old:
        task.copy_out(old, SIGACTION.pack(known.handler, known.flags, known.restorer, known.mask))
    return 0


def rt_sigprocmask(task: "Task", how: Int, new: Ptr, old: Ptr, size: Size) -> int:
    _check_set_size(size)
    before = task.sigmask
    if new:
        mask = task.read_u64(new)
        if how == SIG_BLOCK:
            mask |= before
        elif how == SIG_UNBLOCK:
            mask = before & ~mask
        elif how != SIG_SETMASK:
            raise Errno(errno.EINVAL)
        signals.set_mask(task, mask)
    if old:
        task.write_u64(old, before)
    return 0


def rt_sigpending(task: "Task", address: Ptr, size: Size) -> int:
    if size > SIGSET_SIZE:
        raise Errno(errno.EINVAL)
    pending = signals.pending(task) & task.sigmask
    task.copy_out(address, pending.to_bytes(SIGSET_SIZE, "little")[:size])
    return 0


async def rt_sigsuspend(task: "Task", address: Ptr, size: Size) -> int:
    _check_set_size(size)
    mask = task.read_u64(address)
    task.signal.saved_mask = task.sigmask
    signals.set_mask(task, mask)
    while await suspend(task) != INTERRUPTED:
        pass
    raise Errno(ERESTARTNOHAND)


async def pause(task: "Task") -> int:
    while await suspend(task) != INTERRUPTED:
        pass
    raise Errno(ERESTARTNOHAND)


async def rt_sigtimedwait(task: "Task", address: Ptr, info: Ptr, timeout: Ptr, size: Size) -> int:
    _check_set_size(size)
    wanted = task.read_u64(address) & ~UNBLOCKABLE
    duration = read_timespec(task, timeout) if timeout else None
    found = signals.dequeue(task, wanted)
    if found is None and duration != 0:
        deadline = None if duration is None else task.kernel.clock.monotonic() + duration
        outcome = 0
        task.signal.wanted = wanted
        try:
            while found is None and outcome not in (TIMED_OUT_OUTCOME, INTERRUPTED):
                outcome = await suspend(task, deadline)
                found = signals.dequeue(task, wanted)
        finally:
            task.signal.wanted = 0
        if found is None and outcome == INTERRUPTED:
            raise Errno(errno.EINTR)
    if found is None:
        raise Errno(errno.EAGAIN)
    if info:
        task.copy_out(info, found.pack())
    return found.signo


def rt_sigreturn(task: "Task") -> object:
    sigframe.pop(task)
    return NO_RESULT


def sigaltstack(task: "Task", new: Ptr, old: Ptr) -> int:
    sp = task.ctx.rsp
    before = STACK_T.pack(task.altstack_sp, altstack.flags_at(task, sp), task.altstack_size)
    if new:
        address, flags, size = STACK_T.unpack(task.copy_in(new, STACK_T.size))
        altstack.set(task, address, flags, size, sp)
    if old:
        task.copy_out(old, before)
    return 0


# Sending


def kill(task: "Task", pid: Int, signo: Int) -> int:
    kernel = task.kernel
    if pid > 0:
        other = task.find(pid)
        targets = [other.group] if other is not None else []
    elif pid == -1:
        seen = task.group.pid_ns.number
        targets = [
            group for group in kernel.groups.values() if seen(group.tgid) > 1 and group is not task.group
        ]
    else:
        process_group = task.find_process_group(-pid) if pid else task.group.process_group
        targets = process_group.members.copy() if process_group is not None else []
    if not targets:
        raise Errno(errno.ESRCH)
    signals.check_signal(signo)
    allowed = [group for group in targets if may_signal(task, group, signo)]
    if not allowed and pid != -1:  # Linux does not tell whom kill(-1) has spared
        raise Errno(errno.EPERM)
    if signo:
        for group in allowed:
            # Linux spares init its own kill(2) too; a first program that wants to die is let go.
            itself = pid > 0 and group is task.group and not group.nested
            force = itself or _from_above(task, group, signo)
            signals.send_group(group, signo, siginfo.from_task(signo, task), force)
    return 0


def _from_above(task: "Task", group: "ThreadGroup", signo: int) -> bool:
    """Whether not even the init of a PID namespace is spared (pid_namespaces(7)): SIGKILL and SIGSTOP from
    outside.
    """
    return signo in (SIGKILL, SIGSTOP) and group.nested and not group.pid_ns.number(task.group.tgid)


def _thread(task: "Task", tgid: int | None, tid: int, signo: int) -> "Task":
    if tid <= 0 or (tgid is not None and tgid <= 0):
        raise Errno(errno.EINVAL)
    target = task.find(tid)
    if target is None or (tgid is not None and task.number(target.group.tgid) != tgid):
        raise Errno(errno.ESRCH)
    signals.check_signal(signo)
    if not may_signal(task, target.group, signo):
        raise Errno(errno.EPERM)
    return target


def _send_thread(task: "Task", target: "Task", signo: int) -> int:
    if signo and target.state != "dead":
        info = siginfo.from_task(signo, task, SI_TKILL)
        itself = target.group is task.group and not task.group.nested
        signals.send_task(target, signo, info, itself or _from_above(task, target.group, signo))
    return 0


def tkill(task: "Task", tid: Int, signo: Int) -> int:
    return _send_thread(task, _thread(task, None, tid, signo), signo)


def tgkill(task: "Task", tgid: Int, tid: Int, signo: Int) -> int:
    return _send_thread(task, _thread(task, tgid, tid, signo), signo)


def _read_info(task: "Task", pid: int, signo: int, address: int) -> siginfo.SigInfo:
    info = siginfo.from_user(signo, task.copy_in(address, SIGINFO_SIZE))
    # Nobody may pretend that the kernel or kill(2) sent a signal to someone else; a thread but the first one
    # is someone else to its process.
    if (info.code >= 0 or info.code == SI_TKILL) and pid != task.local_tid:
        raise Errno(errno.EPERM)
    return info


def rt_sigqueueinfo(task: "Task", pid: Int, signo: Int, address: Ptr) -> int:
    info = _read_info(task, pid, signo, address)
    target = task.find(pid) if pid > 0 else None
    if target is None:
        raise Errno(errno.ESRCH)
    signals.check_signal(signo)
    if not may_signal(task, target.group, signo):
        raise Errno(errno.EPERM)
    if signo:
        info = siginfo.claimed(info, task, target)
        signals.send_group(target.group, signo, info, _from_above(task, target.group, signo))
    return 0


def rt_tgsigqueueinfo(task: "Task", tgid: Int, tid: Int, signo: Int, address: Ptr) -> int:
    if tid <= 0 or tgid <= 0:
        raise Errno(errno.EINVAL)
    info = _read_info(task, tid, signo, address)
    target = _thread(task, tgid, tid, signo)
    if signo and target.state != "dead":
        info = siginfo.claimed(info, task, target)
        signals.send_task(target, signo, info, _from_above(task, target.group, signo))
    return 0


def _receiver(task: "Task", fd: int) -> "tuple[ThreadGroup, Task | None]":
    """The process that a pidfd or an open /proc/PID refers to, and the thread if it is of one alone; EBADF
    when it is neither.
    """
    if fd == _SELF_THREAD:
        return task.group, task
    if fd == _SELF_THREAD_GROUP:
        return task.group, None
    file = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    directory = file.inode
    if isinstance(directory, TaskDirectory) and not directory.thread:
        return directory.task.group, None
    opened = pidfd.of(task, fd)
    if opened.gone:
        raise Errno(errno.ESRCH)
    return opened.group, opened.thread


def pidfd_send_signal(task: "Task", fd: Fd, signo: Int, address: Ptr, flags: UInt) -> int:
    if flags not in (0, _TO_THREAD, _TO_GROUP, _TO_PROCESS_GROUP):
        raise Errno(errno.EINVAL)
    group, thread = _receiver(task, fd)
    if flags:
        thread = (thread or group.leader) if flags == _TO_THREAD else None
    itself = group is task.group and (thread is None or thread is task)
    info = siginfo.from_task(signo, task, SI_USER if thread is None else SI_TKILL)
    if address:
        number = task.local_tid if itself and flags != _TO_PROCESS_GROUP else 0
        info = _read_info(task, number, signo, address)
        if int.from_bytes(task.copy_in(address, 4), "little", signed=True) != signo:
            raise Errno(errno.EINVAL)
        info = siginfo.claimed(info, task, group.leader)
    if flags == _TO_PROCESS_GROUP:
        process_group = task.kernel.process_groups.get(group.tgid)
        groups = process_group.members.copy() if process_group is not None else []
    else:
        groups = [group] if task.kernel.groups.get(group.tgid) is group else []
    if not groups:
        raise Errno(errno.ESRCH)
    signals.check_signal(signo)
    allowed = [group for group in groups if may_signal(task, group, signo)]
    if not allowed:
        raise Errno(errno.EPERM)
    for group in allowed if signo else ():
        force = _from_above(task, group, signo)
        if thread is None:
            signals.send_group(group, signo, info, force)
        elif thread.state != "dead":
            signals.send_task(thread, signo, info, force)
    return 0
