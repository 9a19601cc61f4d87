"""umount(2): who may unmount what, and what is in use."""

from __future__ import annotations

from errno import EAGAIN, EBUSY, EINVAL, EPERM
from sys import getrefcount

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.mount import MNT_DETACH, MNT_EXPIRE, MNT_FORCE
from sentry.errors import Errno
from sentry.kernel import acct
from sentry.vfs.mounts.mount_namespace import unmount
from sentry.vfs.mounts.mount_tree import subtree
from sentry.vfs.mounts.mounting import is_ours, is_root, make_readonly, may_mount
from sentry.vfs.mounts.propagation import counterparts
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def umount(task: Task, place: Path, flags: int) -> None:
    """umount2(2) of what `place` is the root of.

    Raises Errno: EPERM; EINVAL (no mount, not ours, locked); EBUSY; EAGAIN (MNT_EXPIRE marked it).
    """
    may_mount(task)
    if not is_root(place) or not is_ours(task, place.mount) or place.mount.locked:
        raise Errno(EINVAL)
    if flags & MNT_FORCE and not task.creds.has_cap(CAP_SYS_ADMIN, place.mount.fs.owner):
        raise Errno(EPERM)
    if flags & MNT_EXPIRE:
        if place.mount is task.fs.root.mount or flags & (MNT_FORCE | MNT_DETACH):
            raise Errno(EINVAL)
        if place.mount.mounts or is_used(place):
            raise Errno(EBUSY)
        if not place.mount.expiring:
            place.mount.expiring = True
            raise Errno(EAGAIN)
    if place.mount is task.fs.root.mount and not flags & MNT_DETACH:
        make_readonly(task, place.mount.fs)
        return
    if place.mount.parent is None or place.mount.point is None:
        raise Errno(EINVAL)
    if flags & MNT_DETACH:
        mounts = list(subtree(place.mount))
        unmount(mounts)
        for mount in mounts:
            acct.leave_mount(task, mount)
        return
    if place.mount.mounts or is_used(place):
        raise Errno(EBUSY)
    for other in counterparts(place.mount.parent, place.mount.point):
        if not other.mounts and is_used(Path(other, other.root), 2):
            raise Errno(EBUSY)
    unmount([place.mount])
    acct.leave_mount(task, place.mount)


def is_used(place: Path, more: int = 0) -> bool:
    """Whether anybody but the mounts' own records and `place` refers to the mount: open files, working
    directories, mappings.  The caller has no other reference to it than `place` and `more` of its own.
    """
    records = 2  # by its namespace, and by what it is mounted on
    if place.mount.group is not None:
        records += 1
    if place.mount.master is not None:
        records += 1
    # One more by `place`, and one while it is counted.
    return getrefcount(place.mount) > records + 2 + more + len(place.mount.mounts)
