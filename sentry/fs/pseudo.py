"""What proc and sysfs are made of: directories of fixed names, links, and files made when they are read.

A text is made at the first read and again whenever a read starts at offset 0; what lies between is a
snapshot, so that a reader in small pieces sees one consistent state (proc(5)).
"""

from __future__ import annotations

from errno import EINVAL, EIO, ENOENT, EPERM

from sentry.abi.fcntl import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFREG
from sentry.errors import Errno
from sentry.vfs import snapshots
from sentry.vfs.file import File
from sentry.vfs.inode import Inode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Attributes
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

    Show = Callable[[Task], bytes]
    Store = Callable[[Task, bytes], None]
    Tree = Mapping[bytes, "Tree | Show | bytes | tuple[Show, Store] | Unspliced | Inode"]

WRITE_MAX = 4096  # a settings file takes one page at a time


class PseudoInode(Inode):
    """Unless it is `settable`, times may be set and are forgotten; modes and owners are the kernel's."""

    __slots__ = ()

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        # A size comes from O_TRUNC, with which shells open settings files: there is nothing to cut.
        if self.settable:
            self.set_fields(changes)
        elif any(changes.get(name) is not None for name in ("mode", "uid", "gid")):
            raise Errno(EPERM)

    # proc has no names that are absent, so that nothing can be made of one.

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        raise Errno(ENOENT)

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        raise Errno(ENOENT)

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        raise Errno(ENOENT)

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        raise Errno(ENOENT)


class TextInode(PseudoInode):
    """A file with a generated text.

    `show(reader)` makes it; `store(writer, data)` takes what one write(2) brings and raises Errno.
    """

    __slots__ = ("show", "store")

    spliceable = True  # Linux lets splice(2) and its kin at it
    ready = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM  # what poll(2) tells

    def __init__(
        self, fs: FileSystem, show: Show, store: Store | None = None, mode: int = 0, ino: int = 0, uid: int =
        0, gid: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(fs, S_IFREG | (mode or (0o644 if store else 0o444)), uid, gid, ino)
        self.show = show
        self.store = store

    def open(self, task: Task, path: Path, flags: int) -> File:
        return TextFile(flags, path, self)


class Unspliced:
    """How a text is made that splice(2) can't read; what poll(2) tells of it; its inode's class."""

    __slots__ = ("kind", "ready", "show")

    def __init__(
        self,
        show: Show,
        ready: int = TextInode.ready,
        kind: Callable[[FileSystem, Unspliced], Inode] | None = None,
    ) -> None:
        self.show = show
        self.ready = ready
        self.kind = kind or _UnsplicedText


class _UnsplicedText(TextInode):
    __slots__ = ("ready",)

    spliceable = False

    def __init__(self, fs: FileSystem, how: Unspliced) -> None:
        super().__init__(fs, how.show)
        self.ready = how.ready


class TextFile(File):
    __slots__ = ("_text", "gives", "reads_iter", "takes", "writes_iter")

    inode: TextInode
    seekable = True
    has_readiness = True
    can_nowait = False

    def __init__(self, flags: int, path: Path, inode: TextInode) -> None:
        super().__init__(flags, path, inode)
        self._text: bytes | None = None
        self.gives = self.takes = self.reads_iter = self.writes_iter = inode.spliceable

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        text = self._text
        if text is None or at == 0:
            text = self._text = self.make(task)
            snapshots.hold(self, len(text))
        data = text[at : at + count]
        if pos is None:
            self.pos = at + len(data)
        return data

    def forget(self) -> None:
        self._text = None

    def make(self, task: Task) -> bytes:
        """The text as it is now."""
        return self.inode.show(task)

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        store = self.inode.store
        if store is None:
            raise Errno(EIO)
        if data:
            store(task, data[:WRITE_MAX])
        if pos is None:
            self.pos += len(data)
        return len(data)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        return self.move(offset, whence)

    def poll(self) -> int:
        return self.inode.ready


class UnwatchedFile(TextFile):
    """One that epoll(7) can't watch."""

    __slots__ = ()

    has_readiness = False


class LinkInode(PseudoInode):
    """A symbolic link with a fixed target."""

    __slots__ = ()

    target: bytes

    def __init__(self, fs: FileSystem, target: bytes, ino: int = 0) -> None:
        super().__init__(fs, S_IFLNK | 0o777, ino=ino)
        self.target = target

    def readlink(self) -> bytes:
        return self.target


class DirectoryInode(PseudoInode):
    """A directory whose names don't change.

    Its files are made when one of them is first asked for: most sandboxes never look into most directories.
    """

    __slots__ = ("_describe", "_names")

    text: type[TextInode] = TextInode  # what its texts are

    def __init__(self, fs: FileSystem, describe: Callable[[], Tree], mode: int = 0o555) -> None:
        """`describe` is called once, when the names are needed: each is a mapping (a directory), bytes (a
        fixed text), a function (a text made at each read), a pair of functions (a text that can be written),
        one of these that is `Unspliced`, or an inode of any kind.
        """
        super().__init__(fs, S_IFDIR | mode)
        self._describe = describe
        self._names: dict[bytes, Inode] | None = None
        self.volatile = True

    @property
    def names(self) -> dict[bytes, Inode]:
        if self._names is None:
            self._names = {name: self._make(what) for name, what in self._describe().items()}
        return self._names

    def _make(self, what: Tree | Show | bytes | tuple[Show, Store] | Unspliced | Inode) -> Inode:
        if isinstance(what, Inode):
            return what
        if isinstance(what, bytes):
            return self.text(self.fs, fixed(what))
        if isinstance(what, tuple):
            return self.text(self.fs, what[0], what[1])
        if isinstance(what, Unspliced):
            return what.kind(self.fs, what)
        if callable(what):
            return self.text(self.fs, what)
        return self.below(what)

    def below(self, tree: Tree) -> Inode:
        """A directory in this one."""
        return DirectoryInode(self.fs, lambda: tree)

    def getattr(self) -> None:
        self.nlink = 2 + sum(inode.is_dir() for inode in self.names.values())

    def lookup(self, name: bytes) -> Inode:
        inode = self.names.get(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        return [(name, inode.ino, inode.mode >> 12) for name, inode in self.names.items()]


def fixed(text: bytes) -> Show:
    """A `show` that always gives `text`."""
    return lambda task: text


def parse_name(name: bytes) -> int:
    """The number that a name is: a process, a descriptor, a terminal; -1: none (leading zeros make none)."""
    if name.isdigit() and len(name) < 10 and (name[:1] != b"0" or name == b"0"):
        return int(name)
    return -1


def parse_word(word: bytes, low: int, high: int) -> int:
    """One number, decimal, octal or hexadecimal, within bounds; EINVAL."""
    if len(word) > 24:
        raise Errno(EINVAL)
    try:
        octal = word[:1] == b"0" and word.isdigit() and len(word) > 1
        value = int(word, 8) if octal else int(word, 0)
    except ValueError:
        raise Errno(EINVAL) from None
    if not low <= value <= high:
        raise Errno(EINVAL)
    return value


def parse_int(data: bytes, low: int, high: int) -> int:
    """What a settings file of one number was written, as `parse_word`."""
    words = data.split()
    if len(words) != 1:
        raise Errno(EINVAL)
    return parse_word(words[0], low, high)


def parse_decimal(data: bytes, high: int) -> int:
    """What a settings file of one decimal number, not negative, was written up to a NUL; EINVAL."""
    digits = data.split(b"\0")[0].strip()
    if not digits.isdigit() or len(digits) > 10 or int(digits) > high:
        raise Errno(EINVAL)
    return int(digits)
