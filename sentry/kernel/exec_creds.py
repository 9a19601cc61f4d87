"""Who a process is after execve(2) (capabilities(7), "Transformation of capabilities during execve()")."""

from __future__ import annotations

from errno import EPERM

from sentry.abi.capability import CAP_SETUID, CAP_SYS_PTRACE, SECBIT_KEEP_CAPS, SECBIT_NOROOT
from sentry.abi.mount import MS_NOSUID
from sentry.abi.stat import S_ISGID, S_ISUID, S_IXGRP
from sentry.errors import Errno
from sentry.kernel import file_caps
from sentry.vfs.idmap import view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.creds import Creds
    from sentry.kernel.file_caps import FileCaps
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path


def after_exec(task: Task, path: Path) -> tuple[Creds, bool, bool]:
    """The credentials after the execve of `path`, whether the program must be wary of its environment
    (AT_SECURE), and whether it may not inherit all of personality(2) (PER_CLEAR_ON_SETID).

    Raises EPERM when the file's capabilities would have to be cut and it does not know about capabilities.
    """
    old = task.creds
    setuid = setgid = caps = None
    if may_suid(task, path):
        inode, idmap = path.inode, path.mount.idmap
        ns = view(idmap, old.user_ns)
        if not old.no_new_privs and ns.uid(inode.uid) >= 0 and ns.gid(inode.gid) >= 0:
            if inode.mode & S_ISUID:
                setuid = inode.uid if idmap is None else idmap.uid(inode.uid)
            if inode.mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP:
                setgid = inode.gid if idmap is None else idmap.gid(inode.gid)
        caps = file_caps.of_file(inode, ns)
    return transform(old, setuid, setgid, caps, lambda: _trusted(task))


def may_suid(task: Task, path: Path) -> bool:
    """Whether set-id bits and capabilities of files count there: not on a nosuid mount, nor one of others."""
    owner = path.mount.fs.owner
    if path.mount.flags & MS_NOSUID or path.mount.namespace is not task.ns.mnt:
        return False
    return owner is None or task.creds.user_ns.is_within(owner)


def _trusted(task: Task) -> bool:
    """Whether nobody has a hand in the process who might misuse what it gains: no process that shares its
    root directory, no tracer without the right to trace it.
    """
    if task.trace is not None and not task.trace.creds.has_cap(CAP_SYS_PTRACE, task.creds.user_ns):
        return False
    return not any(
        other.fs is task.fs and other.group is not task.group for other in task.kernel.tasks.values()
    )


def transform(
    old: Creds,
    setuid: int | None,
    setgid: int | None,
    caps: FileCaps | None = None,
    trusted: Callable[[], bool] = lambda: True,
) -> tuple[Creds, bool, bool]:
    """`after_exec` of a file with these ids and capabilities."""
    new = old.copy()
    if setuid is not None:
        new.euid = setuid
    if setgid is not None:
        new.egid = setgid
    permitted, effective = 0, False
    if caps is not None:
        permitted = new.bounding & caps.permitted | new.inheritable & caps.inheritable
        effective = caps.effective
        if effective and caps.permitted & ~permitted:
            raise Errno(EPERM)
    root = new.user_ns.kuid(0)
    if not new.securebits & SECBIT_NOROOT and not (caps is not None and new.euid == root != new.uid):
        if root in (new.uid, new.euid):
            permitted = old.bounding | old.inheritable
        if new.euid == root:
            effective = True
    clears = setuid is not None or setgid is not None or bool(permitted & ~old.permitted)
    changed = new.euid != old.euid or not (new.egid == old.egid or old.in_group(new.egid))
    if (changed or permitted & ~old.permitted) and (old.no_new_privs or not trusted()):
        if old.no_new_privs or not old.has_cap(CAP_SETUID, old.user_ns):
            new.euid, new.egid = new.uid, new.gid
        permitted &= old.permitted
    new.suid = new.fsuid = new.euid
    new.sgid = new.fsgid = new.egid
    if caps is not None or changed:
        new.ambient = 0
    new.permitted = permitted | new.ambient
    new.effective = new.permitted if effective else new.ambient
    new.securebits &= ~SECBIT_KEEP_CAPS
    grown = effective or new.permitted & ~new.ambient
    secure = changed or new.euid != old.uid or new.egid != old.gid or (new.uid != root and bool(grown))
    return new, secure, clears
