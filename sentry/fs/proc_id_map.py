"""/proc/PID/uid_map, gid_map, projid_map and setgroups: the maps of a task's user namespace."""

from __future__ import annotations

from errno import EACCES, EINVAL

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.errors import Errno
from sentry.fs.proc_access import check_alive, owner
from sentry.fs.pseudo import TextInode, UnwatchedFile
from sentry.kernel.namespaces import id_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

_PAGE = 4096
MAPS = {
    b"uid_map": id_maps.UID,
    b"gid_map": id_maps.GID,
    b"projid_map": id_maps.PROJID,
    b"setgroups": b"setgroups",
}


class MapInode(TextInode):
    """One of the files of a task; `kind` is id_maps.UID and the like, or b"setgroups"."""

    __slots__ = ("kind", "task")

    spliceable = False

    def __init__(self, fs: FileSystem, task: Task, kind: bytes, ino: int) -> None:
        uid, gid = owner(task)
        super().__init__(fs, lambda reader: b"", lambda writer, data: None, 0o644, ino, uid, gid)
        self.kind = kind
        self.task = task

    def open(self, task: Task, path: Path, flags: int) -> File:
        check_alive(self.task)
        return MapFile(flags, path, self, task.creds)


class MapFile(UnwatchedFile):
    """About the namespace that the task was in when it was opened; acts with the opener's rights."""

    __slots__ = ("_creds", "_namespace")

    inode: MapInode

    def __init__(self, flags: int, path: Path, inode: MapInode, creds: Creds) -> None:
        super().__init__(flags, path, inode)
        self._creds = creds
        self._namespace: UserNamespace = inode.task.creds.user_ns
        if inode.kind == b"setgroups" and self.writable and not creds.has_cap(CAP_SYS_ADMIN, self._namespace):
            raise Errno(EACCES)

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        kind = self.inode.kind
        if kind == b"setgroups":
            text = id_maps.show_setgroups(self._namespace)
        else:
            text = id_maps.show(self._namespace, kind, self._creds.user_ns)
        data = text[at : at + count]
        if pos is None:
            self.pos = at + len(data)
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        if (self.pos if pos is None else pos) or len(data) >= _PAGE:
            raise Errno(EINVAL)
        if self.inode.kind == b"setgroups":
            id_maps.write_setgroups(self._namespace, data)
        else:
            id_maps.write(self._namespace, self.inode.kind, data, self._creds, task.creds)
        if pos is None:
            self.pos += len(data)
        return len(data)
