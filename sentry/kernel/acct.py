"""Process accounting (acct(2), acct(5)): a record of each process that ends, in a file of its PID namespace.

What a process leaves is gathered in its `Account` as its threads end; the records are written once the last
one does, in its PID namespace and in those around it.  A file stays open until accounting is turned off, its
mount or namespace ends, or its file system becomes read-only; its last record is of whoever ended it.
"""

from __future__ import annotations

from errno import EACCES, EINVAL

from sentry import _core
from sentry.abi import acct as abi
from sentry.abi.resource import RLIM_INFINITY
from sentry.abi.signal import (
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGQUIT,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
    SIGXCPU,
    SIGXFSZ,
)
from sentry.abi.stat import S_IFMT, S_IFREG
from sentry.abi.time import NSEC, NSEC_PER_TICK
from sentry.errors import Errno
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.pid_namespace import PidNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.usage import Total
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem, Mount

_CORE_SIGNALS = (
    SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS,
)  # fmt: skip
# /proc/sys/kernel/acct: accounting goes on above this percentage of free space, pauses at or below that one,
# and looks each so many seconds.
parameters = [4, 2, 30]


class Account:
    """What the ended threads of a process have left."""

    __slots__ = ("exit_code", "flags", "memory", "used")

    def __init__(self) -> None:
        self.flags = 0
        self.exit_code = 0  # the leader's wait status
        self.memory = 0  # KiB, at the end
        self.used: Total | None = None

    def collect(self, task: Task, status: int) -> None:
        """A thread ends, with `status`; its memory is still there."""
        group = task.group
        if task is group.leader:
            self.exit_code = status
            if not group.has_execed:
                self.flags |= abi.AFORK
        if task.creds.privilege.used:
            self.flags |= abi.ASU
        signo = status & 0x7F
        if task.exit_code is None or signo:  # it did not end itself
            self.flags |= abi.AXSIG
        if signo in _CORE_SIGNALS and group.dumpable:
            self.flags |= abi.ACORE
        if len(group.tasks) == 1:
            self.memory = task.mm.areas.total >> 10


class Accounting:
    """An open accounting file, of one PID namespace."""

    __slots__ = ("_active", "_checked", "_file", "_namespace", "mount")

    def __init__(self, file: File, namespace: PidNamespace) -> None:
        assert file.path is not None
        self._file = file
        self._namespace = namespace
        self._active = False
        self._checked: int | None = None  # when there was enough room last, ns
        self.mount = file.path.mount.reference()
        # A mount is not kept in use by its accounting file.
        file.path = Path(file.path.mount.internal(), file.path.dentry)

    @property
    def fs(self) -> FileSystem:
        assert self._file.path is not None
        return self._file.path.mount.fs

    def write(self, task: Task) -> None:
        """Append a record of the task's process, if there is room; nobody is told when that fails."""
        if not self._has_room():
            return
        group = task.group
        limit, group.fsize_limit = group.fsize_limit, RLIM_INFINITY
        try:
            self._file.write(task, _record(task, self._namespace), None)
        except Errno:
            pass
        finally:
            group.fsize_limit = limit

    def close(self, task: Task) -> None:
        """Turn it off, which is `task`'s doing."""
        self.write(task)
        self._namespace.accounting = None
        _open.remove(self)

    def _has_room(self) -> bool:
        now = _core.monotonic()
        resume, suspend, seconds = parameters
        if self._checked is not None and now < self._checked + seconds * NSEC:
            return self._active
        found = self.fs.statfs()
        if self._active:
            self._active = found.bavail > found.blocks * suspend // 100
        else:
            self._active = found.bavail >= found.blocks * resume // 100
        self._checked = now
        return self._active


_open: list[Accounting] = []


def turn_on(task: Task, file: File) -> None:
    """Have the processes of the task's PID namespace accounted for in `file`.  EACCES, EINVAL."""
    if file.inode is None or file.inode.mode & S_IFMT != S_IFREG:
        raise Errno(EACCES)
    if file.path is None or file.path.mount.fs.revealing or file.path.mount.namespace is None:
        raise Errno(EINVAL)
    namespace = task.group.pid_ns
    accounting = Accounting(file, namespace)
    turn_off(task)
    _open.append(accounting)
    namespace.accounting = accounting


def turn_off(task: Task) -> None:
    """No more records of the task's PID namespace."""
    accounting = task.group.pid_ns.accounting
    if accounting is not None:
        accounting.close(task)


def process_ended(task: Task) -> None:
    """The last thread of a process ends: record it."""
    namespace: PidNamespace | None = task.group.pid_ns
    while namespace is not None:
        if namespace.accounting is not None:
            task.group.account.used = task.group.usage.total()
            namespace.accounting.write(task)
        namespace = namespace.parent


def leave_mount(task: Task, mount: Mount) -> None:
    """A mount has been taken away: so is the accounting that was turned on there."""
    for accounting in [each for each in _open if each.mount() is mount]:
        accounting.close(task)


def leave_file_system(task: Task, fs: FileSystem) -> None:
    """A file system is about to become read-only."""
    for accounting in [each for each in _open if each.fs is fs]:
        accounting.close(task)


def _record(task: Task, namespace: PidNamespace) -> bytes:
    group, account = task.group, task.group.account
    creds = task.creds
    elapsed = (_core.monotonic() - group.start_time) // NSEC_PER_TICK
    terminal = group.session.tty
    parent, used = group.parent, account.used
    user = system = minor = major = 0
    if used is not None:
        user, system = used.ticks()
        minor, major = used.minor_faults, used.major_faults
    return abi.ACCT_V3.pack(
        account.flags,
        abi.VERSION,
        terminal.number & 0xFFFF if terminal is not None else 0,
        account.exit_code,
        creds.uid,
        creds.gid,
        namespace.number(group.tgid),
        namespace.number(parent.tgid) if parent is not None else 0,
        max(0, _core.realtime() // NSEC - elapsed // abi.HZ),
        abi.single(elapsed),
        *(abi.comp(value) for value in (user, system, account.memory, 0, 0, minor, major, 0)),
        task.comm[:15],
    )
