"""mount_setattr(2): change what holds for a mount, or for a whole tree of them at once."""

from __future__ import annotations

from errno import EBADF, EINVAL, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
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
from sentry.vfs.idmap import IdMap
from sentry.vfs.mounts.mount_tree import subtree
from sentry.vfs.mounts.mounting import check_attributes, check_writable_mount, is_ours, is_root
from sentry.vfs.mounts.propagation import change
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import Mount


class Change:
    """What struct mount_attr asks for, as MS_* flags; EINVAL, EPERM and EBADF for what can't be asked for."""

    __slots__ = ("clear", "idmap", "propagation", "replaces", "set", "unmaps")

    def __init__(
        self, task: Task, attr_set: int, attr_clr: int, propagation: int, userns_fd: int, replaces: bool
    ) -> None:
        """replaces: an idmap may be replaced or taken away: nobody has seen the mounts yet."""
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
        self.replaces = replaces
        self.unmaps = bool(attr_clr & MOUNT_ATTR_IDMAP)
        if self.unmaps and not replaces:
            raise Errno(EINVAL)
        self.idmap = _user_namespace(task, userns_fd) if attr_set & MOUNT_ATTR_IDMAP else None

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
            if self.idmap is not None:
                self._check_idmap(task, each, self.idmap)
            check_writable_mount(task, each, attributes)
        for each, attributes in wanted:
            if self.idmap is not None:
                each.idmap = IdMap(self.idmap, each.fs.owner)
            elif self.unmaps:
                each.idmap = None
            each.set_attributes(attributes)
            if self.propagation:
                change(each, self.propagation)
        if namespace is not None:
            namespace.changed()

    def _check_idmap(self, task: Task, mount: Mount, mapping: UserNamespace) -> None:
        """EINVAL and EPERM, as mount_setattr(2) says under MOUNT_ATTR_IDMAP."""
        if mapping is mount.fs.owner:
            raise Errno(EINVAL)
        if mount.idmap is not None and not self.replaces:
            raise Errno(EPERM)
        if not mount.fs.can_idmap:
            raise Errno(EINVAL)
        if not task.creds.has_cap(CAP_SYS_ADMIN, mount.fs.owner):
            raise Errno(EPERM)
        namespace = mount.namespace
        if namespace is None or not namespace.detached:
            raise Errno(EINVAL)  # it was visible already


def atime_flags(attributes: int) -> int:
    """MS_* for the ATIME field of MOUNT_ATTR_*; EINVAL."""
    field = attributes & MOUNT_ATTR__ATIME
    if field not in (0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME):
        raise Errno(EINVAL)
    return {0: MS_RELATIME, MOUNT_ATTR_NOATIME: MS_NOATIME}.get(field, 0)


def _user_namespace(task: Task, fd: int) -> UserNamespace:
    if fd > 0x7FFFFFFF:
        raise Errno(EINVAL)
    try:
        file = task.files.get(fd)
    except Errno:
        raise Errno(EBADF) from None
    namespace = getattr(file.inode, "namespace", None)
    if namespace is None or namespace.kind != b"user":
        raise Errno(EINVAL)
    if namespace.owner is None or not task.creds.has_cap(CAP_SYS_ADMIN, namespace):
        raise Errno(EPERM)  # the initial one, which maps nothing, or somebody else's
    if not namespace.uid_map or not namespace.gid_map:
        raise Errno(EINVAL)
    found: UserNamespace = namespace
    return found
