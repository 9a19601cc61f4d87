"""What mount(2) and move_mount(2) do, each a function of places that walks have found.

Permission to mount at all (`may_mount`) is the callers' to check; what depends on the mounts is checked here.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL, ELOOP, ENOENT, ENOTDIR, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.mount import (
    MS_ATIME,
    MS_OF_FILE_SYSTEM,
    MS_PRIVATE,
    MS_RDONLY,
)
from sentry.abi.stat import S_IFLNK, S_IFMT
from sentry.errors import Errno
from sentry.fs.nsfs import NamespaceInode
from sentry.kernel import acct
from sentry.vfs import landlock
from sentry.vfs.mounts.file_systems import split_options
from sentry.vfs.mounts.mount import FileSystem, Mount
from sentry.vfs.mounts.mount_namespace import MountNamespace, attach
from sentry.vfs.mounts.mount_tree import copy, has_locked_children, is_above, subtree, top
from sentry.vfs.mounts.mount_visibility import check_revealing
from sentry.vfs.mounts.propagation import change, inherit
from sentry.vfs.path import Path
from sentry.vfs.writers import has_writers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.task import Task


def may_mount(task: Task) -> None:
    """EPERM without CAP_SYS_ADMIN in the user namespace that owns the mounts, or with a Landlock domain."""
    landlock.check_mount(task)
    if not task.creds.has_cap(CAP_SYS_ADMIN, task.ns.mnt.owner):
        raise Errno(EPERM)


def is_ours(task: Task, mount: Mount) -> bool:
    """Whether the mount is attached in the task's mount namespace."""
    return mount.namespace is task.ns.mnt


def may_use(task: Task, mount: Mount) -> bool:
    """Whether it is ours, or in a detached tree that was made from one of our user namespace."""
    namespace = mount.namespace
    return namespace is not None and (
        namespace is task.ns.mnt or (namespace.detached and namespace.owner is task.ns.mnt.owner)
    )


def is_root(place: Path) -> bool:
    return place.dentry is place.mount.root


def mount_point(place: Path) -> Path:
    """Where a mount on `place` goes: on the topmost that is there; ENOENT, the directory was removed."""
    if place.dentry.deleted or place.inode.nlink == 0:
        raise Errno(ENOENT)
    return top(place)


def copy_tree(task: Task, place: Path, recursive: bool) -> Mount:
    """What a bind mount mounts; EINVAL: unbindable, foreign, or it would uncover what must stay hidden."""
    mount = place.mount
    inode = place.inode
    if isinstance(inode, NamespaceInode):
        _check_loop(task, inode.namespace)
    elif mount.unbindable or not may_use(task, mount):
        raise Errno(EINVAL)
    if not recursive and has_locked_children(mount, place.dentry):
        raise Errno(EINVAL)
    tree, pairs = copy(mount, place.dentry, recursive)
    inherit(pairs)
    return tree


def _check_loop(task: Task, namespace: Namespace) -> None:
    """EINVAL for a mount namespace that might come to hold itself: ours, and those that are older."""
    if isinstance(namespace, MountNamespace) and namespace.inum <= task.ns.mnt.inum:
        raise Errno(EINVAL)


def drop(tree: Mount) -> None:
    """A copy is not needed after all."""
    for mount in subtree(tree):
        change(mount, MS_PRIVATE)


def graft(tree: Mount, place: Path) -> None:
    """Mount a new tree on `place` (a `mount_point`); ENOTDIR: a directory on what is none, or the reverse."""
    root = tree.root.inode
    assert root is not None
    if root.is_dir() != place.inode.is_dir():
        raise Errno(ENOTDIR)
    attach(tree, place.mount, place.dentry)


def bind(task: Task, origin: Path, place: Path, recursive: bool) -> None:
    """MS_BIND, with MS_REC if `recursive`."""
    place = mount_point(place)
    if not is_ours(task, place.mount):
        raise Errno(EINVAL)
    tree = copy_tree(task, origin, recursive)
    try:
        graft(tree, place)
    except Errno:
        drop(tree)
        raise


def add(task: Task, fs: FileSystem, place: Path, attributes: int, source: bytes) -> None:
    """Mount a file system; EBUSY: it is already mounted right there."""
    place = mount_point(place)
    if not is_ours(task, place.mount):
        raise Errno(EINVAL)
    if place.mount.fs is fs and is_root(place):
        raise Errno(EBUSY)
    root = fs.root.inode
    assert root is not None
    if root.mode & S_IFMT == S_IFLNK:
        raise Errno(EINVAL)
    locked = check_revealing(task, fs, attributes)
    mount = Mount(fs, fs.root, attributes, source)
    mount.locked_flags = locked
    graft(mount, place)


def move(task: Task, origin: Path, place: Path, beneath: bool = False) -> None:
    """MS_MOVE and move_mount(2): the mount whose root `origin` is, to `place`.

    Raises Errno: EINVAL, ELOOP (into itself), ENOENT, ENOSPC.
    """
    place = mount_point(place)
    tree, under = origin.mount, place.mount
    parent, point = under, place.dentry
    if beneath:
        if not is_root(place) or under.parent is None or under.point is None:
            raise Errno(EINVAL)
        parent, point = under.parent, under.point
    if not is_root(origin):
        raise Errno(EINVAL)
    if not _may_move(task, tree, parent):
        raise Errno(EINVAL)
    if place.inode.is_dir() != origin.inode.is_dir():
        raise Errno(EINVAL)
    if beneath:
        _check_beneath(task, tree, under)
    if parent.group is not None and any(mount.unbindable for mount in subtree(tree)):
        raise Errno(EINVAL)
    if is_above(tree, parent):
        raise Errno(ELOOP)
    attach(tree, parent, point)


def _may_move(task: Task, tree: Mount, parent: Mount) -> bool:
    """Whether the tree can be taken from where it is, and put on `parent`."""
    if is_ours(task, tree):
        lower = tree.parent
        return lower is not None and not tree.locked and lower.group is None and is_ours(task, parent)
    namespace = tree.namespace
    if namespace is None or not namespace.detached or namespace.base is not tree:
        return False
    return parent.namespace is not namespace and may_use(task, parent)


def _check_beneath(task: Task, tree: Mount, upper: Mount) -> None:
    """MOVE_MOUNT_BENEATH: whether `tree` may go between `upper` and what that is on (move_mount(2))."""
    parent = upper.parent
    assert parent is not None
    if upper.locked or task.fs.root.mount is upper or is_above(tree, upper):
        raise Errno(EINVAL)
    # What comes by propagation would be beneath itself.
    if upper.group is not None and upper.group in (parent.group, parent.master):
        raise Errno(EINVAL)
    if tree.namespace is upper.namespace and parent.group is not None and tree.master is parent.group:
        raise Errno(EINVAL)


def check_attributes(mount: Mount, attributes: int) -> None:
    """EPERM if that would take away what is locked."""
    locked = mount.locked_flags
    if locked & ~attributes & ~MS_ATIME or (locked & MS_ATIME and (mount.attributes ^ attributes) & MS_ATIME):
        raise Errno(EPERM)


def check_no_writers(task: Task, fs: FileSystem) -> None:
    """Before it becomes read-only: EBUSY if a file of it is open for writing."""
    if has_writers(task.kernel, lambda mount: mount.fs is fs):
        raise Errno(EBUSY)
    acct.leave_file_system(task, fs)


def check_writable_mount(task: Task, mount: Mount, attributes: int) -> None:
    """EBUSY if `attributes` would make a mount read-only through which a file is open for writing."""
    if attributes & MS_RDONLY & ~mount.attributes and has_writers(task.kernel, lambda other: other is mount):
        raise Errno(EBUSY)


def remount_attributes(task: Task, place: Path, attributes: int) -> None:
    """MS_REMOUNT | MS_BIND: what holds for this mount alone."""
    mount = place.mount
    if not is_ours(task, mount) or not is_root(place):
        raise Errno(EINVAL)
    check_attributes(mount, attributes)
    check_writable_mount(task, mount, attributes)
    mount.set_attributes(attributes)
    task.ns.mnt.changed()


def remount(task: Task, place: Path, attributes: int, fs_flags: int, options: list[str]) -> None:
    """MS_REMOUNT: this mount and its file system."""
    mount = place.mount
    if not is_ours(task, mount) or not is_root(place):
        raise Errno(EINVAL)
    check_attributes(mount, attributes)
    check_reconfigure(task, mount.fs)
    own, on, off = split_options(options)
    flags = (fs_flags | on) & ~off & MS_OF_FILE_SYSTEM
    if flags & MS_RDONLY:
        check_no_writers(task, mount.fs)
    mount.fs.reconfigure(own)
    mount.fs.set_flags(flags)
    mount.set_attributes(attributes)
    task.ns.mnt.changed()


def check_reconfigure(task: Task, fs: FileSystem) -> None:
    """EPERM unless the task has CAP_SYS_ADMIN where the file system belongs."""
    if not task.creds.has_cap(CAP_SYS_ADMIN, fs.owner):
        raise Errno(EPERM)


def make_readonly(task: Task, fs: FileSystem) -> None:
    """What umount(2) of the root does instead."""
    check_reconfigure(task, fs)
    check_no_writers(task, fs)
    fs.set_flags(fs.flags | MS_RDONLY)
