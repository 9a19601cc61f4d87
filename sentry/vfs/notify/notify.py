"""What happens to files, told to those who watch them: the source of inotify(7), fanotify(7) and dnotify.

A watcher puts a `Mark` on an inode.  Whoever changes or uses a file calls one of the functions below; each
is cheap while nobody watches (`level` 0), and callers on busy ways look at `level` themselves first.  Calls
that C answers are left to Python for watched files (core/notify.c), so that all events come from here.

What must hold: an inode with marks is `watched`, and `level` tells whether there are any.
"""

from __future__ import annotations

from errno import EINTR, EPERM

from sentry import _core
from sentry.abi.fanotify import FAN_ACCESS_PERM, FAN_ALLOW
from sentry.abi.fcntl import FMODE_ASKS, FMODE_NONOTIFY
from sentry.abi.inotify import (
    IN_ACCESS,
    IN_ATTRIB,
    IN_CLOSE_NOWRITE,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_ISDIR,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_OPEN,
    IN_UNMOUNT,
)
from sentry.abi.poll import ANY_EVENT
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.kernel.wait import INTERRUPTED, Waiter, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import WaitQueue
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import FileSystem, Mount
    from sentry.vfs.mounts.mount_namespace import MountNamespace
    from sentry.vfs.path import Path

# Whose reads and writes are told to the directory: those of devices and FIFOs would tell of keystrokes.
_TOLD = (S_IFREG, S_IFDIR, S_IFLNK)

level = 0  # as told to C: 0 nobody watches, 1 some inodes are watched, 2 there are listeners


class Event:
    """One thing that happened.

    `inode` is the file it happened to and `path` its place, if that is known; `directory` and `name` say
    where it is (or was) as far as the watcher is to know; `cookie` joins the two halves of a rename.
    """

    __slots__ = ("cookie", "directory", "inode", "mask", "name", "path")

    def __init__(
        self, mask: int, inode: Inode, path: Path | None = None, directory: Inode | None = None,
        name: bytes = b"", cookie: int = 0,
    ) -> None:  # fmt: skip
        self.mask = mask
        self.inode = inode
        self.path = path
        self.directory = directory
        self.name = name
        self.cookie = cookie


class Mark:
    """Somebody's interest in one inode.  What must be defined is what happens on an event and at the end."""

    __slots__ = ("inode",)

    def __init__(self, inode: Inode) -> None:
        self.inode = inode

    def handle(self, event: Event) -> None:
        """`event` happened to the inode, or to a file in it: then `event.directory` is the inode."""

    def ended(self) -> None:
        """The inode is no more: the mark has been taken away."""


class ByDescriptor:
    """What lasts until a descriptor of the file that made it is closed (F_NOTIFY)."""

    __slots__ = ()

    def drop(self) -> None:
        """A descriptor of its file was closed."""


class Listener:
    """Somebody with marks of their own on inodes, mounts and file systems: a group of fanotify(7)."""

    __slots__ = ()

    def happened(
        self, mask: int, inode: Inode, path: Path | None, directory: Inode | None, name: bytes
    ) -> None:
        """`mask` happened to a file, which is called `name` in `directory` if that is known."""

    def changed(self, mask: int, directory: Inode, name: bytes, inode: Inode) -> None:
        """A name in `directory` came or went."""

    def renamed(self, olddir: Inode, old: bytes, newdir: Inode, new: bytes, inode: Inode) -> None:
        """A file has another name; `changed` tells its halves."""

    def mounted(self, mask: int, namespace: MountNamespace, mount: Mount) -> None:
        """FAN_MNT_ATTACH, FAN_MNT_DETACH or both (moved): what happened to a mount in a namespace."""

    def asks(self, fs: FileSystem) -> bool:
        """Whether it may want to be asked about files of a file system that are opened now."""
        return False

    def ask(self, mask: int, path: Path) -> Question | None:
        """May `mask` be done to a file?  None: the listener doesn't care."""

    def gone(self, inode: Inode) -> None:
        """A file is no more."""

    def unmounted(self, fs: FileSystem) -> None:
        """A file system is mounted nowhere any more."""


class Question:
    """What a task waits for before it goes on: a listener's answer, FAN_ALLOW or FAN_DENY (`refusal`)."""

    __slots__ = ("queue", "refusal", "response")

    def __init__(self) -> None:
        self.response = 0
        self.refusal = EPERM
        self.queue: WaitQueue | None = None

    async def wait(self, task: Task) -> None:
        """EPERM, or another errno of the listener's, when the answer is no."""
        assert self.queue is not None
        waiter = Waiter(task, ANY_EVENT)
        self.queue.add(waiter)
        try:
            while not self.response:
                if await suspend(task, interruptible=False) == INTERRUPTED:  # by its death alone
                    self.given_up()
                    raise Errno(EINTR)
        finally:
            self.queue.remove(waiter)
        if self.response != FAN_ALLOW:
            raise Errno(self.refusal)

    def given_up(self) -> None:
        """Nobody waits for the answer any more."""


_marks: dict[Inode, dict[Mark, None]] = {}  # in the order of their making
_listeners: list[Listener] = []
by_descriptor: dict[tuple[int, int], ByDescriptor] = {}  # by the descriptor table and the open file
_listened: dict[Inode | Mount | FileSystem, int] = {}  # where listeners have marks, and how many
_last_cookie = 0


def add_mark(mark: Mark) -> None:
    """Start to tell `mark` of events."""
    _marks.setdefault(mark.inode, {})[mark] = None
    mark.inode.watched = True
    if level == 0:
        _set_level(1)


def remove_mark(mark: Mark) -> None:
    """Tell it nothing more; a mark that is not there is no harm."""
    marks = _marks.get(mark.inode)
    if marks is None or mark not in marks:
        return
    del marks[mark]
    if marks:
        return
    del _marks[mark.inode]
    mark.inode.watched = mark.inode in _listened
    if not _marks and not _listeners:
        _set_level(0)


def listen(listener: Listener) -> None:
    """Start to tell `listener` of all events."""
    _listeners.append(listener)
    _set_level(2)


def unlisten(listener: Listener) -> None:
    _listeners.remove(listener)
    if not _listeners:
        _set_level(1 if _marks else 0)


def attend(place: Inode | Mount | FileSystem) -> None:
    """A listener has one mark more there: C leaves to us what is done there."""
    _listened[place] = _listened.get(place, 0) + 1
    _set_watched(place, True)


def disregard(place: Inode | Mount | FileSystem) -> None:
    _listened[place] -= 1
    if not _listened[place]:
        del _listened[place]
        _set_watched(place, False)


def _set_watched(place: Inode | Mount | FileSystem, watched: bool) -> None:
    if isinstance(place, _core.InodeBase):
        place.watched = watched or place in _marks
    else:
        place.set_watched(watched)


def _set_level(new: int) -> None:
    global level
    level = new
    _core.watch(new)


def _send(inode: Inode, event: Event) -> None:
    for mark in tuple(_marks.get(inode, ())):
        mark.handle(event)


def tell(path: Path, mask: int) -> None:
    """Something happened to the file at a place: those who watch its directory hear it with its name."""
    if not level:
        return
    inode = path.inode
    kind = inode.mode & S_IFMT
    if kind == S_IFDIR:
        mask |= IN_ISDIR
    dentry = path.dentry
    parent = dentry.parent
    for listener in tuple(_listeners):
        listener.happened(mask, inode, path, parent.inode if parent is not None else None, dentry.name)
    if parent is not None and not (mask & (IN_ACCESS | IN_MODIFY) and kind not in _TOLD):
        directory = parent.inode
        if directory is not None and directory.watched:
            _send(directory, Event(mask, inode, path, directory, dentry.name))
    if inode.watched:
        _send(inode, Event(mask, inode, path))


def tell_file(file: File, mask: int) -> None:
    """The same for an open file."""
    if level and file.path is not None and not file.flags & FMODE_NONOTIFY:
        tell(file.path, mask)


def tell_inode(inode: Inode, mask: int) -> None:
    """Something happened to a file under whatever name: those who watch the directory don't hear of it."""
    mask |= IN_ISDIR if inode.is_dir() else 0
    for listener in tuple(_listeners):
        listener.happened(mask, inode, None, None, b"")
    if inode.watched:
        _send(inode, Event(mask, inode))


def tell_name(directory: Inode, name: bytes, inode: Inode, mask: int, cookie: int = 0) -> None:
    """A name in `directory` came or went; `inode` is what it means or meant."""
    mask |= IN_ISDIR if inode.is_dir() else 0
    for listener in tuple(_listeners):
        listener.changed(mask, directory, name, inode)
    if directory.watched:
        _send(directory, Event(mask, inode, None, directory, name, cookie))


# What the tree's functions report


def modified(directory: Inode, name: bytes, inode: Inode) -> None:
    """A file has changed by itself: those who watch it or its directory hear of it."""
    if level:
        tell_inode(inode, IN_MODIFY)
        if directory.watched:
            _send(directory, Event(IN_MODIFY, inode, None, directory, name))


def created(directory: Inode, name: bytes, inode: Inode) -> None:
    if level:
        tell_name(directory, name, inode, IN_CREATE)


def linked(directory: Inode, name: bytes, inode: Inode) -> None:
    """A new name for an old file, whose link count is an attribute."""
    if level:
        tell_inode(inode, IN_ATTRIB)
        tell_name(directory, name, inode, IN_CREATE)


def deleted(directory: Inode, name: bytes, inode: Inode) -> None:
    if level:
        tell_name(directory, name, inode, IN_DELETE)


def moved(
    olddir: Inode, old: bytes, newdir: Inode, new: bytes, inode: Inode, replaced: Inode | None = None
) -> None:
    """rename(2) has given `inode` another name, which was that of `replaced`."""
    global _last_cookie
    if not level:
        return
    _last_cookie = _last_cookie % 0xFFFFFFFF + 1
    for listener in tuple(_listeners):
        listener.renamed(olddir, old, newdir, new, inode)
    tell_name(olddir, old, inode, IN_MOVED_FROM, _last_cookie)
    tell_name(newdir, new, inode, IN_MOVED_TO, _last_cookie)
    if replaced is not None:
        tell_inode(replaced, IN_ATTRIB)
    tell_inode(inode, IN_MOVE_SELF)


def questions(path: Path, mask: int) -> list[Question]:
    """Whom a task must wait for before it opens or reads the file (FAN_OPEN_PERM, FAN_ACCESS_PERM)."""
    mask |= IN_ISDIR if path.inode.is_dir() else 0
    asked = [listener.ask(mask, path) for listener in tuple(_listeners)]
    return [question for question in asked if question is not None]


def read_questions(file: File) -> list[Question]:
    """Whom a task must wait for before it reads an open file: who was there when it was opened."""
    if level < 2 or file.path is None or file.flags & (FMODE_ASKS | FMODE_NONOTIFY) != FMODE_ASKS:
        return []
    return questions(file.path, FAN_ACCESS_PERM)


async def answers(task: Task, asked: list[Question]) -> None:
    """Wait until all have allowed it."""
    for question in asked:
        await question.wait(task)


def mounted(mask: int, namespace: MountNamespace, mount: Mount) -> None:
    for listener in tuple(_listeners):
        listener.mounted(mask, namespace, mount)


def opened(file: File, truncated: bool = False) -> None:
    if level:
        path = file.path
        if path is not None and any(listener.asks(path.inode.fs) for listener in _listeners):
            file.flags |= FMODE_ASKS
        tell_file(file, IN_OPEN)
        if truncated:
            tell_file(file, IN_MODIFY)


def descriptor_closed(task: Task, file: File) -> None:
    """One descriptor of an open file is gone."""
    if by_descriptor:
        notice = by_descriptor.get((id(task.files), id(file)))
        if notice is not None:
            notice.drop()


def closed(path: Path, writable: bool) -> None:
    """The last reference to an open file is gone (called by C)."""
    tell(path, IN_CLOSE_WRITE if writable else IN_CLOSE_NOWRITE)


def ended(inode: Inode) -> None:
    """A file without a name is open nowhere any more (called by C)."""
    tell_inode(inode, IN_DELETE_SELF)
    for listener in tuple(_listeners):
        listener.gone(inode)
    _drop_marks(inode)


def unmounted(fs: FileSystem) -> None:
    """A file system is mounted nowhere any more."""
    if level:
        for listener in tuple(_listeners):
            listener.unmounted(fs)
        going = [inode for inode in _marks if inode.fs is fs]
        for inode in sorted(going, key=lambda inode: inode.ino, reverse=True):  # the newest first, as Linux
            _send(inode, Event(IN_UNMOUNT | (IN_ISDIR if inode.is_dir() else 0), inode))
            _drop_marks(inode)


def _drop_marks(inode: Inode) -> None:
    for mark in tuple(_marks.get(inode, ())):
        remove_mark(mark)
        mark.ended()


_core.watch_hooks(closed, ended)
