"""Idmapped mounts: files shown with other owners than they have (mount_setattr(2), "ID-mapped mounts").

The owner that a file is stored with is an id of the mapping's user namespace: id 1000 there is who namespace
calls 1000.  Instead of translating each file's owner, who acts through such a mount is translated: `acting`
gives credentials in whose numbers the stored ids can be compared, checked and made.  They are never a task's.
"""

from __future__ import annotations

from errno import EOVERFLOW

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import Mount

_NOBODY = 0xFFFFFFFF  # an id that no file has: who acts has none there
_OVERFLOW_ID = 65534


class IdMap:
    """The mapping of a mount; `owner` is whose the file system is (None: the initial namespace's)."""

    __slots__ = ("_last", "namespace", "owner")

    def __init__(self, namespace: UserNamespace, owner: UserNamespace | None) -> None:
        self.namespace = namespace
        self.owner = owner
        self._last: tuple[Creds, Creds] | None = None  # whom it has translated last

    def uid(self, stored: int) -> int:
        """Whose a file is that is stored as this user's; -1: nobody's."""
        inner = stored if self.owner is None else self.owner.uid(stored)
        return self.namespace.kuid(inner) if inner >= 0 else -1

    def gid(self, stored: int) -> int:
        inner = stored if self.owner is None else self.owner.gid(stored)
        return self.namespace.kgid(inner) if inner >= 0 else -1

    def stored_uid(self, uid: int) -> int:
        """As whose a file of this user is stored; -1: it can have none."""
        inner = self.namespace.uid(uid)
        return inner if inner < 0 or self.owner is None else self.owner.kuid(inner)

    def stored_gid(self, gid: int) -> int:
        inner = self.namespace.gid(gid)
        return inner if inner < 0 or self.owner is None else self.owner.kgid(inner)

    def maps(self, inode: Inode) -> bool:
        """Whether a file has an owner and a group here."""
        return self.uid(inode.uid) >= 0 and self.gid(inode.gid) >= 0

    def acting(self, creds: Creds) -> Creds:
        """`creds` in the numbers that files are stored with."""
        if self._last is not None and self._last[0] is creds:
            return self._last[1]
        new = creds.copy()
        new.fsuid, new.fsgid = self.stored_uid(creds.fsuid), self.stored_gid(creds.fsgid)
        groups = [self.stored_gid(group) for group in creds.groups]
        new.groups = tuple(group for group in groups if group >= 0)
        if new.fsuid < 0:
            new.fsuid = _NOBODY
        if new.fsgid < 0:
            new.fsgid = _NOBODY
        new.user_ns = view(self, creds.user_ns)
        new.idmap = self
        self._last = creds, new
        return new


class _View:
    """A user namespace whose ids are those that files are stored with."""

    __slots__ = ("_map", "_real", "level", "parent")

    def __init__(self, idmap: IdMap, real: UserNamespace) -> None:
        self._map = idmap
        self._real = real
        self.level = real.level
        self.parent = _View(idmap, real.parent) if real.parent is not None else None

    def uid(self, stored: int) -> int:
        uid = self._map.uid(stored)
        return self._real.uid(uid) if uid >= 0 else -1

    def gid(self, stored: int) -> int:
        gid = self._map.gid(stored)
        return self._real.gid(gid) if gid >= 0 else -1

    def show_uid(self, stored: int) -> int:
        uid = self.uid(stored)
        return uid if uid >= 0 else _OVERFLOW_ID

    def show_gid(self, stored: int) -> int:
        gid = self.gid(stored)
        return gid if gid >= 0 else _OVERFLOW_ID

    def kuid(self, uid: int) -> int:
        kuid = self._real.kuid(uid)
        return self._map.stored_uid(kuid) if kuid >= 0 else -1

    def kgid(self, gid: int) -> int:
        kgid = self._real.kgid(gid)
        return self._map.stored_gid(kgid) if kgid >= 0 else -1


def view(idmap: IdMap | None, namespace: UserNamespace) -> UserNamespace:
    """`namespace` for the ids of files seen through a mount with this mapping."""
    return namespace if idmap is None else _View(idmap, namespace)  # type: ignore[return-value]  # as far as files need it


def acting(task: Task, mount: Mount | None) -> Creds:
    """The task's credentials, for use with files of this mount."""
    if mount is None or mount.idmap is None:
        return task.creds
    return mount.idmap.acting(task.creds)


def check_mapped(mount: Mount, inode: Inode) -> None:
    """EOVERFLOW for a file without an owner here, which can't be changed."""
    if mount.idmap is not None and not mount.idmap.maps(inode):
        raise Errno(EOVERFLOW)


def check_maker(creds: Creds) -> None:
    """EOVERFLOW for who can't own a file there."""
    if creds.idmap is not None and _NOBODY in (creds.fsuid, creds.fsgid):
        raise Errno(EOVERFLOW)
