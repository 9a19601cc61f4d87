"""mount_setattr(2): change what holds for a mount, or for a whole tree of them at once."""

from __future__ import annotations

from errno import EBADF, EINVAL, EPERM

from sentry.abi.mount import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_FSMOUNT,
    MOUNT_ATTR_IDMAP,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_STRICTATIME,
    MS_NOATIME,
    MS_PROPAGATION,
    MS_RELATIME,
    attributes_to_flags,
)
from sentry.errors import Errno
from sentry.vfs.mount_tree import subtree
from sentry.vfs.mounting import check_attributes, check_writable_mount, is_ours, is_root
from sentry.vfs.path import Path
from sentry.vfs.propagation import change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


class Change:
    """What struct mount_attr asks for, as MS_* flags; EINVAL, EPERM and EBADF for what can't be asked for."""

    __slots__ = ("clear", "idmap", "propagation", "set")

    def __init__(self, task: Task, attr_set: int, attr_clr: int, propagation: int, userns_fd: int) -> None:
        if propagation & ~MS_PROPAGATION or propagation & propagation - 1:
            raise Errno(EINVAL)
        if (attr_set | attr_clr) & ~(MOUNT_ATTR_FSMOUNT | MOUNT_ATTR_IDMAP):
            raise Errno(EINVAL)
        self.propagation = propagation
        self.set = attributes_to_flags(attr_set)
        self.clear = attributes_to_flags(attr_clr)
        atime = attr_clr & MOUNT_ATTR__ATIME
        if atime:
            if atime != MOUNT_ATTR__ATIME:
                raise Errno(EINVAL)
            self.clear |= MS_RELATIME | MS_NOATIME
            self.set |= atime_flags(attr_set)
        elif attr_set & MOUNT_ATTR__ATIME:
            raise Errno(EINVAL)
        self.idmap = bool(attr_set & MOUNT_ATTR_IDMAP)
        if attr_clr & MOUNT_ATTR_IDMAP:
            raise Errno(EINVAL)
        if self.idmap:
            _check_user_namespace(task, userns_fd)

    def apply(self, task: Task, place: Path, recursive: bool) -> None:
        """All of it or nothing; EINVAL, EPERM (locked), EBUSY (open for writing)."""
        if not is_root(place):
            raise Errno(EINVAL)
        mount = place.mount
        namespace = mount.namespace
        detached = namespace is not None and namespace.detached and namespace.base is mount
        if not is_ours(task, mount) and not detached:
            raise Errno(EINVAL)
        mounts = list(subtree(mount)) if recursive else [mount]
        wanted = [(each, each.attributes & ~self.clear | self.set) for each in mounts]
        for each, attributes in wanted:
            check_attributes(each, attributes)
            if self.idmap:
                raise Errno(EINVAL)  # as of file systems that can't be mapped
            check_writable_mount(task, each, attributes)
        for each, attributes in wanted:
            each.set_attributes(attributes)
            if self.propagation:
                change(each, self.propagation)
        if namespace is not None:
            namespace.changed()


def atime_flags(attributes: int) -> int:
    """MS_* for the ATIME field of MOUNT_ATTR_*; EINVAL."""
    field = attributes & MOUNT_ATTR__ATIME
    if field not in (0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME):
        raise Errno(EINVAL)
    return {0: MS_RELATIME, MOUNT_ATTR_NOATIME: MS_NOATIME}.get(field, 0)


def _check_user_namespace(task: Task, fd: int) -> None:
    if fd > 0x7FFFFFFF:
        raise Errno(EINVAL)
    try:
        file = task.files.get(fd)
    except Errno:
        raise Errno(EBADF) from None
    namespace = getattr(file.inode, "namespace", None)
    if namespace is None or namespace.kind != b"user":
        raise Errno(EINVAL)
    if namespace.owner is None:
        raise Errno(EPERM)
