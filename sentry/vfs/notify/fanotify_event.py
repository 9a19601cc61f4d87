"""Events of fanotify(7), and the records in which they are read."""

from __future__ import annotations

from errno import EBADF, EROFS, ESRCH

from sentry.abi.fanotify import (
    DIRENT_EVENTS,
    FAN_NOFD,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    FAN_REPORT_DIR_FID,
    FAN_REPORT_FD_ERROR,
    FAN_REPORT_FID,
    FAN_REPORT_NAME,
    FAN_REPORT_PIDFD,
    FAN_REPORT_TARGET_FID,
    INFO_DFID,
    INFO_DFID_NAME,
    INFO_FID,
    INFO_HANDLE,
    INFO_HEADER,
    INFO_MNT,
    INFO_MNT_RECORD,
    INFO_NEW_DFID_NAME,
    INFO_OLD_DFID_NAME,
    INFO_PIDFD,
    INFO_PIDFD_RECORD,
    METADATA,
    METADATA_VERSION,
    MOUNT_EVENTS,
    PERMISSION_EVENTS,
    REPORT_IDS,
)
from sentry.abi.fcntl import FMODE_NONOTIFY, O_ACCMODE, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR
from sentry.abi.stat import S_IFIFO, S_IFMT
from sentry.errors import Errno
from sentry.kernel.pidfd import PidFile
from sentry.vfs.file import File
from sentry.vfs.handles import handle_of
from sentry.vfs.notify import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import Mount
    from sentry.vfs.notify.fanotify import Group
    from sentry.vfs.path import Path

_NO_PIDFD = -1
_RECORD_UNIT = 4


class Event(notify.Question):
    """One event: of an open file's place, or with the records that tell of ids and names."""

    __slots__ = ("group", "key", "listener", "mask", "number", "path", "records")

    def __init__(self, mask: int, path: Path | None, records: bytes, who: tuple[int, object]) -> None:
        super().__init__()
        self.listener: Group | None = None  # who is asked, if it is a question
        self.mask = mask
        self.path = path
        self.records = records
        self.number, self.group = who
        place = (path.mount, path.dentry) if path is not None else None
        # Events that differ in nothing else are merged, but for those of permissions and of mounts.
        single = self if mask & (PERMISSION_EVENTS | MOUNT_EVENTS | FAN_Q_OVERFLOW) else None
        self.key = single, place, records, self.number, mask & FAN_ONDIR

    def given_up(self) -> None:
        if self.listener is not None and self in self.listener.events:
            self.listener.events.remove(self)

    def size(self, pidfd: bool) -> int:
        return METADATA.size + len(self.records) + (INFO_PIDFD_RECORD.size if pidfd else 0)

    def give(self, task: Task, group: Group) -> tuple[bytes, int]:
        """(the event as `task` reads it, the descriptor in it); EMFILE, EROFS, ENXIO."""
        known = group.privileged or self.number == task.group.tgid
        number = task.group.pid_ns.number(self.number) if known and self.number else 0
        records = self.records
        tells_errors = group.flags & FAN_REPORT_FD_ERROR
        fd = -EBADF if tells_errors else FAN_NOFD
        if self.path is not None:
            try:
                fd = _open(task, self.path, group.event_flags)
            except Errno as error:
                if not tells_errors:
                    raise
                fd = -error.code
        if group.flags & REPORT_IDS == FAN_REPORT_DIR_FID and not self.mask & (DIRENT_EVENTS | FAN_ONDIR):
            records = bytes((INFO_FID,)) + records[1:]
        if group.flags & FAN_REPORT_PIDFD:
            pidfd = -ESRCH if tells_errors else _NO_PIDFD
            if self.group is not None and number:
                pidfd = task.files.install(PidFile(self.group), cloexec=True)  # type: ignore[arg-type]
            records += INFO_PIDFD_RECORD.pack(INFO_PIDFD, INFO_PIDFD_RECORD.size, pidfd)
        size = METADATA.size
        head = METADATA.pack(size + len(records), METADATA_VERSION, size, self.mask, fd, number)
        return head + records, fd


def _open(task: Task, path: Path, flags: int) -> int:
    """A descriptor of the file, the use of which is no event."""
    writes = flags & O_ACCMODE != O_RDONLY
    if path.inode.is_dir():
        flags &= ~O_ACCMODE
    elif writes and path.mount.readonly:
        raise Errno(EROFS)
    elif path.inode.mode & S_IFMT == S_IFIFO:
        flags = flags & ~O_ACCMODE | O_RDWR | O_NONBLOCK  # the one way that doesn't wait
    task.files.lowest_free()
    file = path.inode.open(task, path, flags & ~O_CLOEXEC | FMODE_NONOTIFY)
    assert isinstance(file, File)
    return task.files.install(file, bool(flags & O_CLOEXEC))


def _record(kind: int, inode: Inode, name: bytes | None = None) -> bytes:
    handle_type, handle = handle_of(inode)
    body = INFO_HANDLE.pack(inode.fs.dev, len(handle), handle_type) + handle
    if name is not None:
        body += name + b"\0"
    size = INFO_HEADER.size + len(body)
    padded = (size + _RECORD_UNIT - 1) // _RECORD_UNIT * _RECORD_UNIT
    return INFO_HEADER.pack(kind, padded) + body + bytes(padded - size)


def records(flags: int, mask: int, inode: Inode, directory: Inode | None, name: bytes, entry: bool) -> bytes:
    """What a group with FAN_REPORT_* `flags` is told of an event (fanotify_init(2)).

    `entry`: a name in `directory` came or went; else something happened to `inode`, which is there.
    """
    if not flags & FAN_REPORT_DIR_FID:
        return _record(INFO_FID, directory if entry and directory is not None else inode)
    itself = bool(mask & FAN_ONDIR) and not entry  # it happened to a directory
    place = inode if itself else directory
    if place is None:
        return _record(INFO_FID, inode)
    named = flags & FAN_REPORT_NAME
    child = flags & FAN_REPORT_TARGET_FID if entry else flags & FAN_REPORT_FID and not itself
    if named:
        told = _record(INFO_DFID_NAME, place, b"." if itself else name)
    else:
        told = _record(INFO_DFID, place)
    return told + _record(INFO_FID, inode) if child else told


def mount_record(mount: Mount) -> bytes:
    return INFO_MNT_RECORD.pack(INFO_MNT, INFO_MNT_RECORD.size, mount.unique_id)


def rename_records(
    flags: int, old: tuple[Inode, bytes] | None, new: tuple[Inode, bytes] | None, inode: Inode
) -> bytes:
    """Of FAN_RENAME: the places that the group watches."""
    told = b""
    if old is not None:
        told += _record(INFO_OLD_DFID_NAME, *old)
    if new is not None:
        told += _record(INFO_NEW_DFID_NAME, *new)
    return told + _record(INFO_FID, inode) if flags & FAN_REPORT_TARGET_FID else told
