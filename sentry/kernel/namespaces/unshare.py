"""New namespaces: what CLONE_NEW* asks clone(2) and unshare(2) for."""

from __future__ import annotations

import errno

from sentry.abi.capability import CAP_SETFCAP, CAP_SYS_ADMIN
from sentry.abi.clone import (
    CLONE_FILES,
    CLONE_FS,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CLONE_SIGHAND,
    CLONE_SYSVSEM,
    CLONE_THREAD,
    CLONE_VM,
    NAMESPACES,
)
from sentry.errors import Errno
from sentry.ipc import sem_undo
from sentry.ipc.namespace import IpcNamespace
from sentry.kernel.cgroups.cgroup import CgroupNamespace
from sentry.kernel.namespaces import pid_namespace, user_namespace
from sentry.kernel.namespaces.namespace_limits import Charge
from sentry.kernel.namespaces.namespaces import NetNamespace
from sentry.kernel.namespaces.pid_namespace import PidNamespace
from sentry.kernel.namespaces.user_namespace import UserNamespace
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.fs_context import FsContext
    from sentry.kernel.namespaces.namespaces import Namespaces
    from sentry.kernel.task import Task

_OTHERS = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM


def unshare(task: Task, flags: int) -> None:
    """unshare(2): EINVAL, EPERM, ENOSPC; nothing has changed then."""
    # What a flag implies: a user namespace is a process's, and a root directory belongs to its mounts.
    if flags & CLONE_NEWUSER:
        flags |= CLONE_THREAD | CLONE_FS
    if flags & CLONE_NEWNS:
        flags |= CLONE_FS
    if flags & ~(NAMESPACES | _OTHERS):
        raise Errno(errno.EINVAL)
    if flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) and len(task.group.tasks) > 1:
        raise Errno(errno.EINVAL)
    if flags & CLONE_VM and task.mm.users > 1:
        raise Errno(errno.EINVAL)
    fs = task.fs.copy() if flags & CLONE_FS else task.fs
    creds = task.creds
    if flags & CLONE_NEWUSER:
        creds = new_user_namespace(task)
    if flags & NAMESPACES & ~CLONE_NEWUSER:
        task.ns = new_namespaces(task, flags, creds.user_ns, fs)
    task.fs = fs
    task.creds = creds
    if flags & (CLONE_SYSVSEM | CLONE_NEWIPC):
        sem_undo.leave(task)
    if flags & CLONE_FILES:
        task.files = task.files.unshare()


def new_user_namespace(task: Task) -> Creds:
    """The credentials of `task` in a new user namespace, in which it has every capability.

    Raises ENOSPC (nesting, limits) and EPERM (in a chroot; the own ids have no meaning in the parent).
    """
    old = task.creds
    parent = old.user_ns
    if parent.level >= user_namespace.NESTING_MAX + 1:
        raise Errno(errno.ENOSPC)
    charge = Charge(parent, old.euid, b"user")
    if is_chrooted(task):
        raise Errno(errno.EPERM)
    if parent.uid(old.euid) < 0 or parent.gid(old.egid) < 0:
        raise Errno(errno.EPERM)
    ns = UserNamespace(parent, old.euid, old.egid)
    ns.charge = charge
    ns.parent_could_setfcap = bool(old.effective >> CAP_SETFCAP & 1)
    return old.in_user_namespace(ns)


def is_chrooted(task: Task) -> bool:
    """Whether the root directory is not that of the mount namespace."""
    root = task.ns.mnt.root
    return task.fs.root.mount is not root or task.fs.root.dentry is not root.root


def new_namespaces(task: Task, flags: int, owner: UserNamespace, fs: FsContext) -> Namespaces:
    """The namespaces of `task`, but for new ones of the kinds that `flags` say, which belong to `owner`.

    `fs` is the root and working directory to move into a new mount namespace.  Raises EPERM, ENOSPC and what
    `new_pid_namespace` does.
    """
    if not task.creds.has_cap(CAP_SYS_ADMIN, owner):
        raise Errno(errno.EPERM)
    new = task.ns.copy()
    user = task.creds.euid
    if flags & CLONE_NEWNS:
        charge = Charge(owner, user, b"mnt")  # first: the copies of shared mounts are others' peers at once
        new.mnt, pairs = new.mnt.copy(owner)
        new.mnt.charge = charge
        if fs.root.mount in pairs:
            fs.root = Path(pairs[fs.root.mount], fs.root.dentry)
        if fs.cwd.mount in pairs:
            fs.cwd = Path(pairs[fs.cwd.mount], fs.cwd.dentry)
    if flags & CLONE_NEWUTS:
        new.uts = new.uts.copy(owner)
        new.uts.charge_to(user)
    if flags & CLONE_NEWIPC:
        new.ipc = IpcNamespace(owner)
        new.ipc.charge_to(user)
    if flags & CLONE_NEWPID:
        new.pid_for_children = new_pid_namespace(task, owner)
    if flags & CLONE_NEWCGROUP:
        new.cgroup = CgroupNamespace(task.group.cgroup, owner)
        new.cgroup.charge_to(user)
    if flags & CLONE_NEWNET:
        new.net = NetNamespace(owner)
        new.net.charge_to(user)
    if flags & CLONE_NEWTIME:
        new.time_for_children = new.time_for_children.copy(owner)
        new.time_for_children.charge_to(user)
    return new


def new_pid_namespace(task: Task, owner: UserNamespace) -> PidNamespace:
    """A PID namespace below that of `task`, for its children.

    Raises EINVAL when they have another one than `task` already, ENOSPC.
    """
    parent = task.ns.pid_for_children
    if parent is not task.group.pid_ns:
        raise Errno(errno.EINVAL)
    assert parent.owner is not None
    if not owner.is_within(parent.owner):
        raise Errno(errno.EINVAL)
    if parent.level >= pid_namespace.NESTING_MAX:
        raise Errno(errno.ENOSPC)
    charge = Charge(owner, task.creds.euid, b"pid")
    new = PidNamespace(parent, owner)
    new.charge = charge
    return new
