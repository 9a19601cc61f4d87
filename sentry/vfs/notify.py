"""What happens to files, told to those who watch them: the source of inotify(7), fanotify(7) and dnotify.

A watcher puts a `Mark` on an inode.  Whoever changes or uses a file calls one of the functions below; each
is cheap while nobody watches (`level` 0), and callers on busy ways look at `level` themselves first.  Calls
that C answers are left to Python for watched files (core/notify.c), so that all events come from here.

What must hold: an inode with marks is `watched`, and `level` tells whether there are any.
"""

from __future__ import annotations

from sentry import _core
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
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.mount import FileSystem
    from sentry.vfs.path import Path

# Whose reads and writes are told to the directory: those of devices and FIFOs would tell of keystrokes.
_TOLD = (S_IFREG, S_IFDIR, S_IFLNK)

level = 0  # as told to C: 0 nobody watches, 1 some inodes are watched, 2 some mount or file system is


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


class DescriptorMark(Mark):
    """A mark that lasts until a descriptor of the file that made it is closed (F_NOTIFY)."""

    __slots__ = ("fd", "wanted")

    def __init__(self, inode: Inode, fd: int) -> None:
        super().__init__(inode)
        self.fd = fd
        self.wanted = 0

    def drop(self) -> None:
        """A descriptor of its file was closed."""


_marks: dict[Inode, list[Mark]] = {}
by_descriptor: dict[tuple[int, int], DescriptorMark] = {}  # by the descriptor table and the open file
_last_cookie = 0


def add_mark(mark: Mark) -> None:
    """Start to tell `mark` of events."""
    global level
    _marks.setdefault(mark.inode, []).append(mark)
    mark.inode.watched = True
    if level == 0:
        level = 1
        _core.watch(level)


def remove_mark(mark: Mark) -> None:
    """Tell it nothing more; a mark that is not there is no harm."""
    marks = _marks.get(mark.inode)
    if marks is None or mark not in marks:
        return
    marks.remove(mark)
    if marks:
        return
    del _marks[mark.inode]
    mark.inode.watched = False
    if not _marks:
        _set_level(0)


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
    if parent is not None and not (mask & (IN_ACCESS | IN_MODIFY) and kind not in _TOLD):
        directory = parent.inode
        if directory is not None and directory.watched:
            _send(directory, Event(mask, inode, path, directory, dentry.name))
    if inode.watched:
        _send(inode, Event(mask, inode, path))


def tell_file(file: File, mask: int) -> None:
    """The same for an open file."""
    if level and file.path is not None:
        tell(file.path, mask)


def tell_inode(inode: Inode, mask: int) -> None:
    """Something happened to a file under whatever name: those who watch the directory don't hear of it."""
    if inode.watched:
        _send(inode, Event(mask | (IN_ISDIR if inode.is_dir() else 0), inode))


def tell_name(directory: Inode, name: bytes, inode: Inode, mask: int, cookie: int = 0) -> None:
    """A name in `directory` came or went; `inode` is what it means or meant."""
    if directory.watched:
        mask |= IN_ISDIR if inode.is_dir() else 0
        _send(directory, Event(mask, inode, None, directory, name, cookie))


# What the tree's functions report


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
    tell_name(olddir, old, inode, IN_MOVED_FROM, _last_cookie)
    tell_name(newdir, new, inode, IN_MOVED_TO, _last_cookie)
    if replaced is not None:
        tell_inode(replaced, IN_ATTRIB)
    tell_inode(inode, IN_MOVE_SELF)


def opened(file: File, truncated: bool = False) -> None:
    if level:
        tell_file(file, IN_OPEN)
        if truncated:
            tell_file(file, IN_MODIFY)


def descriptor_closed(task: Task, file: File) -> None:
    """One descriptor of an open file is gone."""
    if by_descriptor:
        mark = by_descriptor.get((id(task.files), id(file)))
        if mark is not None:
            mark.drop()


def closed(path: Path, writable: bool) -> None:
    """The last reference to an open file is gone (called by C)."""
    tell(path, IN_CLOSE_WRITE if writable else IN_CLOSE_NOWRITE)


def ended(inode: Inode) -> None:
    """A file without a name is open nowhere any more (called by C)."""
    tell_inode(inode, IN_DELETE_SELF)
    _drop_marks(inode)


def unmounted(fs: FileSystem) -> None:
    """A file system is mounted nowhere any more."""
    if level:
        for inode in [inode for inode in _marks if inode.fs is fs]:
            _send(inode, Event(IN_UNMOUNT, inode))
            _drop_marks(inode)


def _drop_marks(inode: Inode) -> None:
    for mark in tuple(_marks.get(inode, ())):
        remove_mark(mark)
        mark.ended()


_core.watch_hooks(closed, ended)
