"""pivot_root(2)."""

from __future__ import annotations

from errno import EBUSY, EINVAL, ENOENT, ENOTDIR

from sentry.abi.fanotify import FAN_MNT_ATTACH, FAN_MNT_DETACH
from sentry.errors import Errno
from sentry.vfs.mounts.mount_tree import connect, disconnect
from sentry.vfs.mounts.mounting import is_ours, is_root, mount_point
from sentry.vfs.notify import notify
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def pivot_root(task: Task, new: Path, old: Path) -> None:
    """Mount the root that `new` is where the task's root is, and the latter on `old`, which is below `new`.

    All tasks whose root or working directory is the old root go with it.

    Raises Errno: EBUSY, EINVAL, ENOENT, ENOTDIR.
    """
    root = task.fs.root
    if not new.inode.is_dir() or not old.inode.is_dir():
        raise Errno(ENOTDIR)
    old = mount_point(old)
    upper, lower = new.mount, root.mount
    for mount in (old.mount, upper.parent, lower.parent):
        if mount is not None and mount.group is not None:
            raise Errno(EINVAL)
    if not is_ours(task, lower) or not is_ours(task, upper) or upper.locked:
        raise Errno(EINVAL)
    if new.dentry.deleted:
        raise Errno(ENOENT)
    if upper is lower or old.mount is lower:
        raise Errno(EBUSY)
    parent, point = lower.parent, lower.point
    if not is_root(root) or not is_root(new) or parent is None or point is None or upper.parent is None:
        raise Errno(EINVAL)
    if not old.reaches(new) or not new.reaches(root):
        raise Errno(EINVAL)
    disconnect(upper)
    disconnect(lower)
    upper.locked, lower.locked = lower.locked, False
    connect(upper, parent, point)
    connect(lower, old.mount, old.dentry)
    task.ns.mnt.changed()
    for mount in (lower, upper):
        notify.mounted(FAN_MNT_ATTACH | FAN_MNT_DETACH, task.ns.mnt, mount)
    for other in task.kernel.tasks.values():
        fs = other.fs
        if other.files is None:
            continue  # a zombie
        if fs.root == root:
            fs.root = new
        if fs.cwd == root:
            fs.cwd = new
