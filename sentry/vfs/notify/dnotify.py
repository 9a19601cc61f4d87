"""F_NOTIFY (fcntl(2), "File and directory change notification"): a signal for what happens in a directory."""

from __future__ import annotations

from _weakref import ref
from errno import EINVAL, ENOTDIR

from sentry.abi.inotify import (
    IN_ACCESS,
    IN_ATTRIB,
    IN_CREATE,
    IN_DELETE,
    IN_MODIFY,
    IN_MOVED_FROM,
    IN_MOVED_TO,
)
from sentry.abi.signal import POLL_MSG
from sentry.errors import Errno
from sentry.vfs.notify.notify import ByDescriptor, Event, Mark, add_mark, by_descriptor, remove_mark
from sentry.vfs.owner import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode

_MULTISHOT = 0x80000000
_RENAME = 0x10
_EVENTS = {
    0x01: IN_ACCESS,
    0x02: IN_MODIFY,
    0x04: IN_CREATE | IN_MOVED_TO,
    0x08: IN_DELETE | IN_MOVED_FROM,
    _RENAME: IN_MOVED_FROM,  # within the directory: its other half follows
    0x20: IN_ATTRIB,
}


settings = {"dir-notify-enable": 1}  # proc_sys_fs(5)


class Notice(ByDescriptor):
    """One F_NOTIFY registration: of a file in a descriptor table, until any descriptor of it is closed."""

    __slots__ = ("directory", "fd", "file", "key", "wanted")

    def __init__(self, file: File, key: tuple[int, int], directory: DirectoryMark) -> None:
        self.file = ref(file, lambda _: self.drop())
        self.key = key
        self.directory = directory
        self.fd = -1
        self.wanted = 0
        directory.notices[key] = by_descriptor[key] = self

    def want(self, bits: int) -> None:
        self.directory.count(self.wanted, -1)
        self.wanted |= bits
        self.directory.count(self.wanted, 1)

    def tell(self, mask: int) -> None:
        if not any(mask & bits for bit, bits in _EVENTS.items() if self.wanted & bit):
            return
        file = self.file()
        if not self.wanted & _MULTISHOT:
            self.drop()
        if file is not None and file.owner is not None:
            file.owner.send(self.fd, POLL_MSG)

    def drop(self) -> None:
        if by_descriptor.pop(self.key, None) is not None:
            self.directory.lose(self)


class DirectoryMark(Mark):
    """All registrations of one directory: most of what happens there, each close of it, concerns none."""

    __slots__ = ("_counts", "notices")

    def __init__(self, inode: Inode) -> None:
        super().__init__(inode)
        self.notices: dict[tuple[int, int], Notice] = {}
        self._counts = dict.fromkeys(_EVENTS, 0)  # how many want each

    def count(self, wanted: int, change: int) -> None:
        for bit in _EVENTS:
            if wanted & bit:
                self._counts[bit] += change

    def handle(self, event: Event) -> None:
        if any(event.mask & bits for bit, bits in _EVENTS.items() if self._counts[bit]):
            for notice in tuple(self.notices.values()):
                notice.tell(event.mask)

    def lose(self, notice: Notice) -> None:
        self.count(notice.wanted, -1)
        del self.notices[notice.key]
        if not self.notices:
            del _directories[self.inode]
            remove_mark(self)

    def ended(self) -> None:
        for notice in tuple(self.notices.values()):
            notice.drop()


_directories: dict[Inode, DirectoryMark] = {}


def _mark_of(directory: Inode) -> DirectoryMark:
    mark = _directories.get(directory)
    if mark is None:
        mark = _directories[directory] = DirectoryMark(directory)
        add_mark(mark)
    return mark


def set_notice(task: Task, file: File, fd: int, wanted: int) -> None:
    """F_NOTIFY: `wanted` is added to what the file was to notify of before, 0 ends it; ENOTDIR, EINVAL."""
    if not settings["dir-notify-enable"]:
        raise Errno(EINVAL)
    key = id(task.files), id(file)
    notice = by_descriptor.get(key)
    assert notice is None or isinstance(notice, Notice)
    if not wanted & ~_MULTISHOT:
        if notice is not None:
            notice.drop()
        return
    if not file.inode.is_dir():
        raise Errno(ENOTDIR)
    if notice is None:
        notice = Notice(file, key, _mark_of(file.inode))
        file.inode.locked = True  # each close must look
    notice.want(wanted)
    notice.fd = fd
    claim(task, file)
