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
from sentry.vfs.notify.notify import DescriptorMark, Event, add_mark, by_descriptor, remove_mark
from sentry.vfs.owner import claim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

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


class Notice(DescriptorMark):
    """One F_NOTIFY registration: of a file in a descriptor table, until any descriptor of it is closed."""

    __slots__ = ("file", "key")

    def __init__(self, file: File, fd: int, key: tuple[int, int]) -> None:
        super().__init__(file.inode, fd)
        self.file = ref(file, lambda _: self.drop())
        self.key = key

    def handle(self, event: Event) -> None:
        if not any(event.mask & bits for bit, bits in _EVENTS.items() if self.wanted & bit):
            return
        file = self.file()
        if not self.wanted & _MULTISHOT:
            self.drop()
        if file is not None and file.owner is not None:
            file.owner.send(self.fd, POLL_MSG)

    def drop(self) -> None:
        if by_descriptor.pop(self.key, None) is not None:
            remove_mark(self)

    def ended(self) -> None:
        by_descriptor.pop(self.key, None)


def set_notice(task: Task, file: File, fd: int, wanted: int) -> None:
    """F_NOTIFY: `wanted` is added to what the file was to notify of before, 0 ends it; ENOTDIR, EINVAL."""
    if not settings["dir-notify-enable"]:
        raise Errno(EINVAL)
    key = id(task.files), id(file)
    notice = by_descriptor.get(key)
    if not wanted & ~_MULTISHOT:
        if notice is not None:
            notice.drop()
        return
    if not file.inode.is_dir():
        raise Errno(ENOTDIR)
    if notice is None:
        notice = by_descriptor[key] = Notice(file, fd, key)
        add_mark(notice)
        file.inode.locked = True  # each close must look
    notice.wanted |= wanted
    notice.fd = fd
    claim(task, file)
