"""Entering namespaces that exist already (setns(2))."""

from __future__ import annotations

import errno

from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_CHROOT
from sentry.abi.clone import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    NAMESPACES,
)
from sentry.errors import Errno
from sentry.fs.nsfs import NamespaceFile
from sentry.fs.proc_access import may_inspect
from sentry.ipc import sem_undo
from sentry.ipc.namespace import IpcNamespace
from sentry.kernel.cgroups.cgroup import CgroupNamespace
from sentry.kernel.namespaces.namespaces import (
    Namespace,
    NetNamespace,
    TimeNamespace,
    UtsNamespace,
)
from sentry.kernel.namespaces.pid_namespace import PidNamespace
from sentry.kernel.namespaces.user_namespace import UserNamespace
from sentry.kernel.pidfd import PidFile
from sentry.mm.vdso import set_clocks
from sentry.vfs.file import wrong_kind
from sentry.vfs.mounts.mount_namespace import MountNamespace
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task


def setns(task: Task, fd: int, kinds: int) -> None:
    """Enter the namespace that `fd` refers to, or those of the process behind a pidfd that `kinds` say.

    Raises EBADF, EINVAL, EPERM, ESRCH, EUSERS; nothing has changed then.
    """
    file = task.files.get(fd)
    wanted: list[Namespace]
    if isinstance(file, NamespaceFile):
        if kinds and kinds != file.namespace.flag:
            raise Errno(errno.EINVAL)
        wanted = [file.namespace]
    elif isinstance(file, PidFile):
        if not kinds or kinds & ~NAMESPACES:
            raise Errno(errno.EINVAL)
        wanted = _namespaces_of(task, file, kinds)
    else:
        raise wrong_kind(file)
    entry = Entry(task)
    for namespace in wanted:
        entry.add(namespace)
    entry.commit()


def _namespaces_of(task: Task, file: PidFile, kinds: int) -> list[Namespace]:
    """The namespaces of a process, in the order in which they are entered."""
    leader = file.group.leader
    if leader.ns is None:
        raise Errno(errno.ESRCH)
    if not may_inspect(task, leader):
        raise Errno(errno.EPERM)
    ns = leader.ns
    pairs: tuple[tuple[int, Namespace], ...] = (
        (CLONE_NEWUSER, leader.creds.user_ns),
        (CLONE_NEWNS, ns.mnt),
        (CLONE_NEWUTS, ns.uts),
        (CLONE_NEWIPC, ns.ipc),
        (CLONE_NEWPID, leader.group.pid_ns),
        (CLONE_NEWCGROUP, ns.cgroup),
        (CLONE_NEWNET, ns.net),
        (CLONE_NEWTIME, ns.time),
    )
    return [namespace for flag, namespace in pairs if kinds & flag]


class Entry:
    """What the task will be in, once all is checked."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.creds = task.creds
        self.ns = task.ns.copy()
        self.fs = task.fs

    def add(self, namespace: Namespace) -> None:
        """Enter one more; Errno."""
        if isinstance(namespace, UserNamespace):
            self._enter_user(namespace)
            return
        owner = namespace.owner
        assert owner is not None
        if not self.task.creds.has_cap(CAP_SYS_ADMIN, owner):
            raise Errno(errno.EPERM)
        if not self.creds.has_cap(CAP_SYS_ADMIN, self.creds.user_ns):
            raise Errno(errno.EPERM)
        if isinstance(namespace, MountNamespace):
            self._enter_mounts(namespace)
        elif isinstance(namespace, PidNamespace):
            if not namespace.is_within(self.task.group.pid_ns):
                raise Errno(errno.EINVAL)
            self.ns.pid_for_children = namespace
        elif isinstance(namespace, TimeNamespace):
            if len(self.task.group.tasks) > 1 or self.task.mm.users > 1:
                raise Errno(errno.EUSERS)
            namespace.fixed = True
            self.ns.time = self.ns.time_for_children = namespace
        elif isinstance(namespace, UtsNamespace):
            self.ns.uts = namespace
        elif isinstance(namespace, IpcNamespace):
            self.ns.ipc = namespace
        elif isinstance(namespace, CgroupNamespace):
            self.ns.cgroup = namespace
        elif isinstance(namespace, NetNamespace):
            self.ns.net = namespace

    def _enter_user(self, namespace: UserNamespace) -> None:
        task = self.task
        if namespace is task.creds.user_ns or len(task.group.tasks) > 1 or _shares_fs(task):
            raise Errno(errno.EINVAL)
        if not task.creds.has_cap(CAP_SYS_ADMIN, namespace):
            raise Errno(errno.EPERM)
        self.creds = self.creds.in_user_namespace(namespace)

    def _enter_mounts(self, namespace: MountNamespace) -> None:
        if not self.creds.has_cap(CAP_SYS_CHROOT, self.creds.user_ns):
            raise Errno(errno.EPERM)
        if _shares_fs(self.task) or namespace.detached:
            raise Errno(errno.EINVAL)
        self.ns.mnt = namespace
        self.fs = self.fs.copy()
        self.fs.root = self.fs.cwd = Path(namespace.root, namespace.root.root)

    def commit(self) -> None:
        task = self.task
        shifted = self.ns.time.shifted
        if shifted != task.shifted:
            set_clocks(task.ctx, task.mm, task.kernel.machine.vdso(), shifted)
        if not _made_by(task.creds, self.creds.user_ns):
            task.group.dumpable = 0  # what it has still is from outside: not for those inside to look into
            task.parent_death_signal = 0
        if task.ns.ipc is not self.ns.ipc:
            sem_undo.leave(task)
        task.creds, task.ns, task.fs = self.creds, self.ns, self.fs
        task.shifted = shifted


def _made_by(creds: Creds, namespace: UserNamespace) -> bool:
    """Whether the user namespace is that of `creds`, or in one that `creds` could have made."""
    ns: UserNamespace | None = namespace
    while ns is not None and ns is not creds.user_ns:
        if ns.parent is creds.user_ns and ns.uid_of_owner == creds.euid:
            return True
        ns = ns.parent
    return ns is namespace


def _shares_fs(task: Task) -> bool:
    """Whether root and working directory are another thread's too (CLONE_FS)."""
    return any(other.fs is task.fs for other in task.kernel.tasks.values() if other is not task)
