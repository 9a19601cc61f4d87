"""Making mounts shared, private, slaves or unbindable (mount(2), move_mount(2) MOVE_MOUNT_SET_GROUP)."""

from __future__ import annotations

from errno import EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.mount import MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE
from sentry.errors import Errno
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.mounts.mount_tree import has_locked_children, subtree
from sentry.vfs.mounts.mounting import is_root
from sentry.vfs.mounts.propagation import change, join, set_master
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def _check(task: Task, mount: Mount) -> None:
    """EINVAL: it is attached nowhere; EPERM: its namespace is someone else's."""
    namespace = mount.namespace
    if namespace is None:
        raise Errno(EINVAL)
    if not task.creds.has_cap(CAP_SYS_ADMIN, namespace.owner):
        raise Errno(EPERM)


def change_propagation(task: Task, place: Path, kind: int, recursive: bool) -> None:
    """MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE; `recursive`: and all mounts on it."""
    if kind not in (MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE) or not is_root(place):
        raise Errno(EINVAL)
    _check(task, place.mount)
    for mount in list(subtree(place.mount)) if recursive else [place.mount]:
        change(mount, kind)


def set_group(task: Task, origin: Path, place: Path) -> None:
    """Make the private mount `place` what `origin` is: of the same peers, slave of the same master."""
    if not is_root(origin) or not is_root(place):
        raise Errno(EINVAL)
    source, target = origin.mount, place.mount
    _check(task, source)
    _check(task, target)
    if source.fs is not target.fs or not target.root.is_below(source.root):
        raise Errno(EINVAL)
    if has_locked_children(source, target.root):
        raise Errno(EINVAL)
    if target.group is not None or target.master is not None:
        raise Errno(EINVAL)
    if source.group is None and source.master is None:
        raise Errno(EINVAL)
    set_master(target, source.master)
    if source.group is not None:
        join(target, source.group)
