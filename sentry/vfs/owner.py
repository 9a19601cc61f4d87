"""Who gets the signals of an open file (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC), and sending them."""

from __future__ import annotations

from _weakref import ref
from errno import EINVAL, ESRCH

from sentry.abi.fcntl import F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, FASYNC
from sentry.abi.landlock import SCOPE_SIGNAL
from sentry.abi.poll import POLLERR, POLLHUP, POLLMSG, READABLE, WRITABLE
from sentry.abi.signal import NSIG, POLL_HUP, POLL_IN, POLL_MSG, POLL_OUT, SI_KERNEL, SI_SIGIO, SIGIO, SIGURG
from sentry.errors import Errno
from sentry.kernel.signals.siginfo import SIGNALS_WITH_CODES, SigInfo
from sentry.kernel.signals.signals import send_group, send_task
from sentry.vfs import landlock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

_POLLWRBAND = 0x200
_BANDS = {
    POLL_IN: READABLE,
    POLL_OUT: WRITABLE | _POLLWRBAND,
    POLL_MSG: READABLE | POLLMSG,
    POLL_HUP: POLLHUP | POLLERR,
}


class Owner:
    """Whom to signal, with what, and in whose name: `pid` is in the initial namespace, 0 for nobody."""

    __slots__ = ("creds", "kernel", "kind", "pid", "setter", "signal")

    def __init__(self, task: Task) -> None:
        self.kernel = task.kernel
        self.kind = F_OWNER_TID
        self.pid = 0
        self.signal = 0  # SIGIO without information
        self.creds = task.creds  # of who chose the owner
        self.setter = 0  # and its process

    def exists(self) -> bool:
        kernel = self.kernel
        if self.kind == F_OWNER_TID:
            return self.pid in kernel.tasks
        return self.pid in (kernel.groups if self.kind == F_OWNER_PID else kernel.process_groups)

    def may_signal(self, task: Task) -> bool:
        mine, theirs = self.creds, task.creds
        if task.group.tgid != self.setter and not landlock.may_reach(mine, theirs.landlock, SCOPE_SIGNAL):
            return False
        return mine.euid == 0 or bool({mine.uid, mine.euid} & {theirs.uid, theirs.suid})

    def send(self, fd: int, reason: int) -> None:
        """Tell the owner, if there is one who may be told; reason: POLL_*."""
        self._signal(self.signal or SIGIO, lambda: self._info(fd, reason))

    def send_urgent(self) -> None:
        """SIGURG: out-of-band data has come (socket(7))."""
        self._signal(SIGURG, lambda: SigInfo(SIGURG, SI_KERNEL))

    def _signal(self, signo: int, make: Callable[[], SigInfo]) -> None:
        kernel = self.kernel
        if self.kind == F_OWNER_TID:
            task = kernel.tasks.get(self.pid)
            if task is not None and self.may_signal(task):
                send_task(task, signo, make())
            return
        if self.kind == F_OWNER_PID:
            group = kernel.groups.get(self.pid)
            groups = [group] if group is not None else []
        else:
            process_group = kernel.process_groups.get(self.pid)
            groups = list(process_group.members) if process_group is not None else []
        for group in groups:
            if group.tasks and self.may_signal(group.tasks[0]):
                send_group(group, signo, make())

    def _info(self, fd: int, reason: int) -> SigInfo:
        if not self.signal:
            return SigInfo(SIGIO, SI_KERNEL)
        code = SI_SIGIO if self.signal in SIGNALS_WITH_CODES else reason
        info = SigInfo(self.signal, code)
        info.polled = True
        info.band = _BANDS[reason]
        info.fd = fd
        return info


def owner_of(task: Task, file: File) -> Owner:
    """The file's owner record, made where there is none."""
    owner: Owner | None = file.owner
    if owner is None:
        owner = file.owner = Owner(task)
    return owner


def set_owner(task: Task, file: File, kind: int, number: int) -> None:
    """F_SETOWN_EX, with `number` as the caller knows it (0: nobody); EINVAL, ESRCH."""
    if kind not in (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP) or number < 0:
        raise Errno(EINVAL if number >= 0 else ESRCH)
    pid = 0
    if number:
        if kind == F_OWNER_TID:
            thread = task.find(number)
            pid = thread.tid if thread is not None else 0
        elif kind == F_OWNER_PID:
            group = task.find_group(number)
            pid = group.tgid if group is not None else 0
        else:
            process_group = task.find_process_group(number)
            pid = process_group.pgid if process_group is not None else 0
        if not pid:
            raise Errno(ESRCH)
    owner = owner_of(task, file)
    owner.kind = kind
    owner.pid = pid
    owner.creds, owner.setter = task.creds, task.group.tgid


def claim(task: Task, file: File) -> None:
    """The caller's process becomes the owner if there is none (leases, F_NOTIFY)."""
    if not owner_of(task, file).pid:
        set_owner(task, file, F_OWNER_PID, task.number(task.group.tgid))


def get_owner(task: Task, file: File) -> tuple[int, int]:
    """(kind, number as the caller knows it, 0: nobody)."""
    owner: Owner | None = file.owner
    if owner is None:
        return F_OWNER_TID, 0
    return owner.kind, task.number(owner.pid) if owner.pid and owner.exists() else 0


def set_signal(task: Task, file: File, signo: int) -> None:
    """F_SETSIG; EINVAL."""
    if not 0 <= signo <= NSIG:
        raise Errno(EINVAL)
    owner_of(task, file).signal = signo


class _Notice:
    """In the queue of an O_ASYNC file: signals its owner."""

    __slots__ = ("fd", "file")

    def __init__(self, file: File, fd: int) -> None:
        queue = file.queue
        self.file = ref(file, lambda _: queue.remove(self))
        self.fd = fd

    def notify(self, events: int) -> None:
        file = self.file()
        if file is None or file.owner is None:
            return
        reason = file.signal_reason(events)
        if reason:
            file.owner.send(self.fd, reason)


def set_async(task: Task, file: File, fd: int, on: bool) -> None:
    """O_ASYNC by F_SETFL or FIOASYNC, for files that `can_signal`."""
    for waiter in file.queue:
        if isinstance(waiter, _Notice) and waiter.file() is file:
            file.queue.remove(waiter)
    if on:
        file.queue.add(_Notice(file, fd))
        file.flags |= FASYNC
        owner_of(task, file)
    else:
        file.flags &= ~FASYNC
