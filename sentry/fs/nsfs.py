"""nsfs: the files that stand for namespaces (namespaces(7), ioctl_nsfs(2)).

Whoever has such a file open, or mounted somewhere, keeps the namespace in being.
"""

from __future__ import annotations

from errno import EINVAL, ENOTTY, EPERM, ESRCH

from sentry.abi.nsfs import (
    NS_GET_MNTNS_ID,
    NS_GET_NSTYPE,
    NS_GET_OWNER_UID,
    NS_GET_PARENT,
    NS_GET_PID_FROM_PIDNS,
    NS_GET_PID_IN_PIDNS,
    NS_GET_TGID_FROM_PIDNS,
    NS_GET_TGID_IN_PIDNS,
    NS_GET_USERNS,
    NSFS_MAGIC,
)
from sentry.abi.stat import S_IFREG
from sentry.errors import Errno
from sentry.fs.pseudo import PseudoInode
from sentry.kernel.namespaces.pid_namespace import PidNamespace
from sentry.kernel.namespaces.user_namespace import UserNamespace
from sentry.vfs.anon import AnonymousFs
from sentry.vfs.file import File
from sentry.vfs.mounts.mount_namespace import MountNamespace
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task

_nsfs = AnonymousFs(b"nsfs", NSFS_MAGIC)


class NamespaceInode(PseudoInode):
    """The one file of a namespace; another object each time that it is looked up."""

    __slots__ = ("namespace",)

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(_nsfs, S_IFREG | 0o444, ino=namespace.inum)
        self.namespace = namespace

    def open(self, task: Task, path: Path, flags: int) -> File:
        return NamespaceFile(flags, path, self)


class NamespaceFile(File):
    """A descriptor for setns(2) and the questions of ioctl_nsfs(2)."""

    __slots__ = ()

    seekable = True  # as pread(2) sees it
    can_read = can_write = False
    inode: NamespaceInode

    def __init__(self, flags: int, path: Path, inode: NamespaceInode | None = None) -> None:
        super().__init__(flags, path, inode)

    @property
    def namespace(self) -> Namespace:
        return self.inode.namespace

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        namespace = self.namespace
        if request == NS_GET_USERNS:
            return install(task, _visible_owner(task, namespace.owner))
        if request == NS_GET_PARENT:
            return install(task, _parent(task, namespace))
        if request == NS_GET_NSTYPE:
            return namespace.flag
        if request == NS_GET_OWNER_UID:
            if not isinstance(namespace, UserNamespace):
                raise Errno(EINVAL)
            task.write_u32(arg, task.creds.user_ns.show_uid(namespace.uid_of_owner))
            return 0
        if request == NS_GET_MNTNS_ID:
            if not isinstance(namespace, MountNamespace):
                raise Errno(EINVAL)
            task.write_u64(arg, namespace.inum)
            return 0
        return _translate(task, namespace, request, arg)


def place(namespace: Namespace) -> Path:
    """Where a namespace's file is: nowhere, but it has a name, as in "ipc:[4026531839]"."""
    name = b"%b:[%d]" % (namespace.kind, namespace.inum)
    return Path(_nsfs.mount, Dentry(name, None, NamespaceInode(namespace)))


def install(task: Task, namespace: Namespace) -> int:
    """A new descriptor of a namespace."""
    path = place(namespace)
    inode = path.inode
    assert isinstance(inode, NamespaceInode)
    return task.files.install(NamespaceFile(0, path, inode), cloexec=True)


def _visible_owner(task: Task, owner: UserNamespace | None) -> UserNamespace:
    """EPERM when it is not the caller's user namespace or below."""
    if owner is None or not owner.is_within(task.creds.user_ns):
        raise Errno(EPERM)
    return owner


def _parent(task: Task, namespace: Namespace) -> Namespace:
    if isinstance(namespace, UserNamespace):
        return _visible_owner(task, namespace.parent)
    if not isinstance(namespace, PidNamespace):
        raise Errno(EINVAL)
    parent = namespace.parent
    if parent is None or not parent.is_within(task.group.pid_ns):
        raise Errno(EPERM)
    return parent


def _translate(task: Task, namespace: Namespace, request: int, number: int) -> int:
    """What a process or thread of the file's PID namespace is called in the caller's, or vice versa."""
    if request not in (
        NS_GET_PID_FROM_PIDNS,
        NS_GET_TGID_FROM_PIDNS,
        NS_GET_PID_IN_PIDNS,
        NS_GET_TGID_IN_PIDNS,
    ):
        raise Errno(ENOTTY)
    if not isinstance(namespace, PidNamespace):
        raise Errno(EINVAL)
    number = (number & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    outwards = request in (NS_GET_PID_FROM_PIDNS, NS_GET_TGID_FROM_PIDNS)
    other = task.kernel.tasks.get(namespace.pid(number)) if outwards else task.find(number)
    if other is None:
        raise Errno(ESRCH)
    pid = other.tid if request in (NS_GET_PID_FROM_PIDNS, NS_GET_PID_IN_PIDNS) else other.group.tgid
    result = task.number(pid) if outwards else namespace.number(pid)
    if not result:
        raise Errno(ESRCH)
    return result
