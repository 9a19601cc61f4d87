"""inotify(7): an open file from which the events of the watched files are read."""

from __future__ import annotations

from errno import EEXIST, EINVAL, EMFILE, ENOSPC, ESPIPE

from sentry.abi.inotify import (
    IN_ALL_EVENTS,
    IN_DELETE_SELF,
    IN_EXCL_UNLINK,
    IN_IGNORED,
    IN_ISDIR,
    IN_MASK_ADD,
    IN_MASK_CREATE,
    IN_MOVE_SELF,
    IN_ONESHOT,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
    INOTIFY_EVENT,
)
from sentry.abi.ioctl import FIONREAD
from sentry.abi.poll import READABLE
from sentry.abi.stat import kernel_dev
from sentry.errors import Errno
from sentry.kernel.user_count import UserCount
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile
from sentry.vfs.notify.backlog import Backlog
from sentry.vfs.notify.notify import Event, Mark, add_mark, remove_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.user_count import Share
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import Inode

_NAME_UNIT = INOTIFY_EVENT.size  # names are padded with NULs to a multiple of this
_WD_MAX = 0x7FFFFFFF
_MASK_KEPT = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT

# /proc/sys/fs/inotify; the first two are for each real user
limits = {"max_user_instances": 128, "max_user_watches": 65536, "max_queued_events": 16384}
WATCHES_MAX = 1 << 18  # of all users
_instances: dict[int, int] = {}
_watches = UserCount()


class Watch(Mark):
    """One watch descriptor."""

    __slots__ = ("file", "mask", "share", "wd")

    def __init__(self, queue: EventQueue, inode: Inode, wd: int, mask: int) -> None:
        super().__init__(inode)
        self.share: Share | None = _watches.take(queue.user)
        self.file = queue
        self.wd = wd
        self.mask = mask

    def handle(self, event: Event) -> None:
        mask = event.mask
        if not mask & (self.mask & IN_ALL_EVENTS | IN_UNMOUNT):
            return
        path = event.path
        if self.mask & IN_EXCL_UNLINK and path is not None and path.dentry.deleted:
            return
        if mask & (IN_MOVE_SELF | IN_DELETE_SELF):
            mask &= ~IN_ISDIR
        name = event.name if event.directory is self.inode else b""
        self.file.put(self.wd, mask, event.cookie, name)
        if self.mask & IN_ONESHOT:
            remove_mark(self)
            self.ended()

    def ended(self) -> None:
        self.file.forget(self)
        self.file.put(self.wd, IN_IGNORED, 0, b"")


class EventQueue:
    """The watches of one inotify instance and the events not yet read."""

    def __init__(self, user: int, file: InotifyFile) -> None:
        self.user = user
        self.watches: dict[int, Watch] = {}
        self.by_inode: dict[Inode, Watch] = {}
        self.events = Backlog()  # of bytes
        self.size = 0  # bytes of `events`
        self.last_wd = 0
        self.readers = file.queue

    def put(self, wd: int, mask: int, cookie: int, name: bytes) -> None:
        """Queue an event, unless the last one is the same or there are too many."""
        events = self.events
        if name:
            name = name.ljust(len(name) // _NAME_UNIT * _NAME_UNIT + _NAME_UNIT, b"\0")
        record = INOTIFY_EVENT.pack(wd, mask, cookie, len(name)) + name
        if events and events[-1] == record and not mask & IN_IGNORED:
            return
        if events.is_full(limits["max_queued_events"]):
            record = INOTIFY_EVENT.pack(-1, IN_Q_OVERFLOW, 0, 0)
            if events and events[-1] == record:
                return
        events.append(record)
        self.size += len(record)
        self.readers.wake(READABLE)

    def take(self, room: int) -> bytes:
        """The next events, as many as fit; EINVAL when not even one does (inotify(7))."""
        taken = []
        while self.events and len(self.events[0]) <= room:
            record = self.events.popleft()
            room -= len(record)
            self.size -= len(record)
            taken.append(record)
        if self.events and not taken:
            raise Errno(EINVAL)
        return b"".join(taken)

    def add(self, inode: Inode, mask: int) -> int:
        """inotify_add_watch(2): the watch descriptor; EEXIST (IN_MASK_CREATE), ENOSPC."""
        watch = self.by_inode.get(inode)
        if watch is not None:
            if mask & IN_MASK_CREATE:
                raise Errno(EEXIST)
            watch.mask = mask & _MASK_KEPT | (watch.mask if mask & IN_MASK_ADD else 0)
            return watch.wd
        if _watches.of(self.user) >= limits["max_user_watches"] or _watches.total >= WATCHES_MAX:
            raise Errno(ENOSPC)
        wd = self.last_wd % _WD_MAX + 1
        while wd in self.watches:
            wd = wd % _WD_MAX + 1
        self.last_wd = wd
        watch = self.watches[wd] = self.by_inode[inode] = Watch(self, inode, wd, mask & _MASK_KEPT)
        add_mark(watch)
        return wd

    def remove(self, wd: int) -> None:
        """inotify_rm_watch(2): EINVAL."""
        watch = self.watches.get(wd)
        if watch is None:
            raise Errno(EINVAL)
        remove_mark(watch)
        watch.ended()

    def forget(self, watch: Watch) -> None:
        """A watch is gone."""
        if self.watches.pop(watch.wd, None) is not None:
            del self.by_inode[watch.inode]
            watch.share = None

    def close(self) -> None:
        for watch in list(self.watches.values()):
            remove_mark(watch)
            self.forget(watch)
        self.events.clear()
        _count(_instances, self.user, -1)


def _count(table: dict[int, int], user: int, more: int) -> None:
    left = table.get(user, 0) + more
    if left > 0:
        table[user] = left
    else:
        table.pop(user, None)


class InotifyFile(AnonymousFile):
    """An open inotify instance of the real user `user`; EMFILE when they have too many."""

    __slots__ = ()

    can_signal = True
    tells_events = True
    reads_iter = can_nowait = False

    state: EventQueue

    def __init__(self, user: int, flags: int) -> None:
        if _instances.get(user, 0) >= limits["max_user_instances"]:
            raise Errno(EMFILE)
        super().__init__(flags, b"inotify")
        self.flags = flags
        self.writable = False
        self.state = EventQueue(user, self)
        _count(_instances, user, 1)

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(ESPIPE)
        return self.state.take(count) or WOULD_BLOCK

    def poll(self) -> int:
        return READABLE if self.state.events else 0

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            task.write_u32(arg, self.state.size)
            return 0
        return super().ioctl(task, request, arg)  # type: ignore[return-value]  # always raises

    def fdinfo(self, reader: Task) -> bytes:
        return b"".join(
            b"inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0 "
            b"fhandle-bytes:8 fhandle-type:1 f_handle:%s\n"
            % (wd, inode.ino, kernel_dev(inode.dev), watch.mask & ~IN_ONESHOT, _handle(inode))
            for wd, watch in self.state.watches.items()
            for inode in (watch.inode,)
        )

    def release(self) -> None:
        state = getattr(self, "state", None)
        if state is not None:
            state.close()


def _handle(inode: Inode) -> bytes:
    return inode.ino.to_bytes(8, "little").hex().encode()
