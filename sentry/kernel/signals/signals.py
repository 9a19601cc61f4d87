"""Signals: actions, pending sets, sending and taking (signal(7)).

What must hold: bit n-1 of task.pending / group.pending is set exactly while that signal has an entry in the
queue beside it (task.signal.queue / group.queue); standard signals have at most one entry; a signal whose
action is to be ignored is never queued unless it is blocked; whenever an unblocked signal becomes pending,
one task that can take it is interrupted.  Delivery is kernel.run's, stopping and continuing
kernel.signals.job_control's.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry._core import Action
from sentry.abi.resource import RLIMIT_SIGPENDING
from sentry.abi.signal import (
    CORE_SIGNALS,
    DEFAULT_IGNORED,
    NSIG,
    SIG_DFL,
    SIG_IGN,
    SIGCONT,
    SIGKILL,
    SIGPIPE,
    SIGRTMIN,
    STOP_SIGNALS,
    SYNCHRONOUS,
    UNBLOCKABLE,
    mask_of,
)
from sentry.errors import Errno
from sentry.kernel import core_pattern
from sentry.kernel.signals import job_control
from sentry.kernel.signals.siginfo import SigInfo, from_task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.sessions import ProcessGroup
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.timekeeping.posix_timers import PosixTimer

_POLLIN = 1
_SIGCONT_BIT = mask_of(SIGCONT)
_STOP_OR_CONT = STOP_SIGNALS | _SIGCONT_BIT
_DEFAULT = Action()
QUEUED_MAX = 1 << 18  # signals and timers in the sandbox, whatever RLIMIT_SIGPENDING allows


class PendingQueue:
    """Queued signals in order of arrival.  The bits that say which are pending live beside it, in the C
    object.
    """

    __slots__ = ("infos",)

    def __init__(self) -> None:
        self.infos: list[SigInfo] = []

    def take(self, signo: int) -> tuple[SigInfo, bool]:
        """The oldest entry of `signo`, and whether another one stays."""
        infos = self.infos
        for index, info in enumerate(infos):
            if info.signo == signo:
                del infos[index]
                info.share = None
                more = signo >= SIGRTMIN and any(other.signo == signo for other in infos)
                return info, more
        return SigInfo(signo), False  # only its bit was kept: the queue was full

    def drop_timer(self, timer: PosixTimer) -> bool:
        """Forget the entry of a timer; whether it was the last one of its signal."""
        for index, info in enumerate(self.infos):
            if info.timer is timer:
                del self.infos[index]
                return not any(other.signo == info.signo for other in self.infos)
        return False

    def drop(self, mask: int) -> None:
        """Forget the entries of the signals in `mask`."""
        dropped = [info for info in self.infos if mask >> info.signo - 1 & 1]
        self.infos = [info for info in self.infos if not mask >> info.signo - 1 & 1]
        for info in dropped:
            if info.timer is not None:
                info.timer.signal_taken(info)


class SignalState:
    """What only one thread has beside its TaskBase: private pending signals, and the state of an interrupted
    call.
    """

    __slots__ = ("core", "no_sigpipe", "queue", "restart", "restart_block", "saved_mask", "wanted")

    def __init__(self) -> None:
        self.queue = PendingQueue()
        self.saved_mask: int | None = None  # to restore once sigsuspend, ppoll, ... are over
        self.core: SigInfo | None = None  # has been taken, and the process is to leave a core
        self.no_sigpipe = False  # the call under way wants none (pwritev2(2), RWF_NOSIGNAL)
        self.wanted = 0  # blocked signals that rt_sigtimedwait waits for
        self.restart = 0  # the restart code of the call under way, until it is acted upon
        self.restart_block: Callable[[], Any] | None = None  # what restart_syscall(2) goes on with


# Sending


def send_task(task: Task, signo: int, info: SigInfo | None = None, force: bool = False) -> bool:
    """Send `signo` to one thread (tgkill(2)); False when it is ignored.

    `force`: from outside the sandbox, so that even init is not spared.
    """
    return _send(task, signo, info or SigInfo(signo), shared=False, force=force)


def send_group(
    group: ThreadGroup,
    signo: int,
    info: SigInfo | None = None,
    force: bool = False,
    first: Task | None = None,
) -> bool:
    """Send `signo` to a process (kill(2)); False when it is ignored, or the process is dead.

    Args:
        first: the thread that takes it if it can; None: any one.
    """
    if not group.tasks:
        return False
    return _send(first or group.tasks[0], signo, info or SigInfo(signo), shared=True, force=force)


def send_self(task: Task, signo: int, force: bool = False) -> None:
    """Send a thread the signal of its own doing (SIGPIPE, SIGXFSZ): it looks like one that it sent itself."""
    if signo != SIGPIPE or not task.signal.no_sigpipe:
        send_task(task, signo, from_task(signo, task), force)


def send_pgrp(process_group: ProcessGroup, signo: int, info: SigInfo | None = None) -> None:
    """Send `signo` to every process of a process group (the kernel's own signals; no permission is asked)."""
    for group in process_group.members.copy():
        send_group(group, signo, info)


def force_fault(task: Task, info: SigInfo) -> None:
    """Send a signal that can't be put off: a fault's.  Blocked or ignored, it gets its default action, and
    then it kills even init (force_sig_info of Linux)."""
    bit = 1 << info.signo - 1
    actions = task.group.sighand
    if task.sigmask & bit or actions[info.signo].handler == SIG_IGN:
        actions[info.signo] = _DEFAULT
        task.sigmask &= ~bit
    if actions[info.signo].handler == SIG_DFL:
        task.group.unkillable = False
    _send(task, info.signo, info, shared=False, force=True)


def queue_limit_reached(task: Task) -> bool:
    """Whether the user whom `task` is of may have no more signals queued (RLIMIT_SIGPENDING)."""
    queued = task.kernel.queued_signals
    limit = task.group.rlimit(RLIMIT_SIGPENDING)
    return queued.of(task.creds.uid) >= limit or queued.total >= QUEUED_MAX


def _send(task: Task, signo: int, info: SigInfo, shared: bool, force: bool) -> bool:
    group = task.group
    bit = 1 << signo - 1
    if bit & _STOP_OR_CONT:
        _settle_stop(group, signo)
    if _is_ignored(task, signo, force):
        return False
    info.forced = force
    holder: ThreadGroup | Task = group if shared else task
    queue = group.queue if shared else task.signal.queue
    if signo >= SIGRTMIN or not holder.pending & bit:
        unlimited = info.timer is not None or (signo < SIGRTMIN and info.code >= 0)
        if unlimited or not queue_limit_reached(task):
            entry = info.seen_by(task)
            if entry.share is not None:  # it is in another queue, too
                entry = entry.copy()
            if entry.timer is None:  # which has a share for it
                entry.share = task.kernel.queued_signals.take(task.creds.uid)
            queue.infos.append(entry)
        elif info.code < 0 and signo >= SIGRTMIN:
            raise Errno(errno.EAGAIN)
        holder.pending |= bit
        if group.sighand.queue:
            group.sighand.queue.wake(_POLLIN)
    _notify(task, signo, shared, force)
    return True


def _settle_stop(group: ThreadGroup, signo: int) -> None:
    # signal(7): SIGCONT discards pending stop signals and wakes the process even when it is blocked or
    # ignored; a stop signal discards a pending SIGCONT.
    if signo == SIGCONT:
        discard(group, STOP_SIGNALS)
        job_control.resume(group)
    else:
        discard(group, _SIGCONT_BIT)


def _is_ignored(task: Task, signo: int, force: bool) -> bool:
    bit = 1 << signo - 1
    if (task.sigmask | task.signal.wanted) & bit:
        return False  # it may be handled when it is unblocked
    if task.trace is not None and signo != SIGKILL:
        return False  # its tracer is shown every signal
    handler = task.group.sighand[signo].handler
    if handler == SIG_IGN:
        return True
    if handler != SIG_DFL:
        return False
    if task.group.unkillable and not force:
        return True
    return bool(bit & DEFAULT_IGNORED)


def _notify(task: Task, signo: int, shared: bool, force: bool) -> None:
    """Interrupt one thread that can take the signal that has just become pending, or doom them all."""
    group = task.group
    bit = 1 << signo - 1
    chosen = _taker(group, task, bit) if shared else task
    if chosen is None:
        return
    if signo != SIGKILL and (chosen.state == "stopped" or chosen.sigmask & ~chosen.signal.wanted & bit):
        return  # it is taken once the thread goes on, or unblocks it
    dumps = bit & CORE_SIGNALS and core_pattern.is_wanted(group)  # then somebody must take it
    if not dumps and _is_fatal(chosen, signo, force) and not group.exiting:
        group.begin_exit(signo)
        return
    if chosen.signal.wanted & bit:
        chosen.wake()
    chosen.work |= _core.WORK_SIGNAL
    chosen.interrupt()


def _is_fatal(task: Task, signo: int, force: bool) -> bool:
    """Whether the signal ends the process at once, so that no thread need take it first."""
    bit = 1 << signo - 1
    if signo == SIGKILL:
        return True
    return task.trace is None and (
        task.group.sighand[signo].handler == SIG_DFL
        and not bit & (DEFAULT_IGNORED | STOP_SIGNALS)
        and (force or not task.group.unkillable)
        and not task.signal.wanted & bit
    )


def _taker(group: ThreadGroup, first: Task, bit: int) -> Task | None:
    fallback = None
    for task in (first, *group.tasks):
        if task.dying or task.sigmask & ~task.signal.wanted & bit & ~UNBLOCKABLE:
            continue
        held = task.trace is not None and task.trace.stopped
        if not held and not task.work & _core.WORK_SIGNAL:
            return task
        if fallback is None or (fallback.trace is not None and fallback.trace.stopped):
            fallback = task
    return fallback


def retarget(group: ThreadGroup, mask: int) -> None:
    """Have other threads take the shared pending signals of `mask`: the one that was chosen can't any
    more.
    """
    mask &= group.pending
    for task in group.tasks:
        if mask & ~task.sigmask and not task.dying:
            task.work |= _core.WORK_SIGNAL
            task.interrupt()
            mask &= task.sigmask
        if not mask:
            return


# Taking


def dequeue(task: Task, mask: int) -> SigInfo | None:
    """Take the next pending signal that is in `mask`: faults first, then private ones, then the group's."""
    private = task.pending & mask
    if private:
        signo = _lowest(private & SYNCHRONOUS or private)
        info, more = task.signal.queue.take(signo)
        if not more:
            task.pending &= ~(1 << signo - 1)
        return _taken(info)
    group = task.group
    shared = group.pending & mask
    if shared:
        signo = _lowest(shared & SYNCHRONOUS or shared)
        info, more = group.queue.take(signo)
        if not more:
            group.pending &= ~(1 << signo - 1)
        return _taken(info)
    return None


def _taken(info: SigInfo) -> SigInfo:
    if info.timer is not None:
        info.timer.signal_taken(info)
    return info


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length()


def pending(task: Task) -> int:
    """All that is pending for the thread, blocked or not."""
    return task.pending | task.group.pending


def set_mask(task: Task, mask: int) -> None:
    """Replace the signal mask; the way back to user mode sees to what became deliverable."""
    blocked = mask & ~task.sigmask & task.group.pending
    task.sigmask = mask & ~UNBLOCKABLE
    if blocked and len(task.group.tasks) > 1:
        retarget(task.group, blocked)
    if pending(task) & ~task.sigmask:
        task.work |= _core.WORK_SIGNAL


def discard(group: ThreadGroup, mask: int) -> None:
    """Forget the pending signals of `mask`, the threads' own ones included."""
    if group.pending & mask:
        group.queue.drop(mask)
        group.pending &= ~mask
    for task in group.tasks:
        if task.pending & mask:
            task.signal.queue.drop(mask)
            task.pending &= ~mask


def forget_timer(timer: PosixTimer) -> None:
    """Forget the pending signal of a timer that is set anew or deleted."""
    holder = timer.group if timer.target is None else timer.target
    queue = timer.group.queue if timer.target is None else timer.target.signal.queue
    if queue.drop_timer(timer):
        holder.pending &= ~mask_of(timer.signo)


def set_action(group: ThreadGroup, signo: int, action: Action) -> Action:
    """Replace a disposition and return the old one; a signal now ignored is not pending any more (POSIX)."""
    old = group.sighand[signo]
    group.sighand[signo] = action
    bit = 1 << signo - 1
    if action.handler == SIG_IGN or (action.handler == SIG_DFL and bit & DEFAULT_IGNORED):
        discard(group, bit)
    return old


def check_signal(signo: int) -> None:
    """EINVAL unless signo is 0 (the existence check) or a signal."""
    if not 0 <= signo <= NSIG:
        raise Errno(errno.EINVAL)
