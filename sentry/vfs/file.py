"""An open file description: what a descriptor refers to (open(2))."""

from __future__ import annotations

from errno import EBADF, EINVAL, EISDIR, ENODEV, ENOTDIR, ENOTTY, EOPNOTSUPP, ESPIPE

from sentry import _core
from sentry._core import accessed
from sentry.abi.fcntl import (
    MAX_FILE_SIZE,
    O_NOATIME,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from sentry.abi.signal import POLL_HUP, POLL_IN, POLL_OUT
from sentry.abi.stat import DT_DIR
from sentry.errors import Errno
from sentry.vfs import snapshots

_ENTRY_COST = 128  # bytes that an entry of a listing takes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, Protocol

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import DirEntry, Inode
    from sentry.vfs.path import Path

    class MapSource(Protocol):
        """What mmap(2) maps: a host descriptor valid during the call, and how to tell it from others."""

        fd: int
        name: bytes  # as in /proc/self/maps
        inode: Inode | None

        @property
        def key(self) -> Any: ...  # hashable: the identity that shared futexes on it have


class File(_core.FileBase):
    """File(flags, path=None, inode=None): the base of all open files; the methods here are those of one that
    can't do the thing.  `flags` as given to open(2); `inode` only where it isn't the path's.

    `whole`: a read goes on until it has all it asked for or the file ends (regular files), so that the read
    handlers may do it in pieces.  `seekable`: `pos` is the file offset.  `has_readiness`: epoll(7) may watch
    it although it is a regular file.  `gives` and `takes`: whether splice(2) and its kin may move bytes from
    it and to it.  `can_read` and `can_write`: whether there is anything to read or write, in whatever mode.
    `reads_iter` and `writes_iter`: whether there are asynchronous I/O and RWF_ flags; `can_nowait`: whether
    RWF_NOWAIT is one of them.
    """

    __slots__ = ("__weakref__",)

    path: Path | None

    whole = False
    seekable = False
    gives = False
    takes = False
    has_readiness = False
    tells_events = False  # a read of no bytes waits for one too, then finds no room for it
    can_read = True
    can_write = True
    reads_iter = True
    writes_iter = True
    can_nowait = True
    noexec = False  # no mapping of it may be executed, as on a noexec mount
    can_signal = False  # O_ASYNC works: `queue` is woken when the owner is to be told
    can_direct = False  # O_DIRECT may be set
    page_size = 4096  # of its mappings, bytes
    mapping_flags = 0  # VM_ flags that each mapping of it has

    def __init_subclass__(cls) -> None:
        # Most files have nothing to do at their end, and should cost nothing then.
        if "release" in cls.__dict__:
            cls.__del__ = cls.release  # type: ignore[attr-defined]

    # Transfer.  WOULD_BLOCK: nothing now, try again when `queue` is woken.

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        """At most count bytes from `pos` (None: from the file offset, which moves); b"" at the end."""
        raise Errno(EINVAL)

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        """The count of bytes written at `pos` (None: the file offset, which moves)."""
        raise Errno(EINVAL)

    def timeout(self, writing: bool) -> int | None:
        """How long (ns) a read or write may wait, None: for ever (socket(7), SO_RCVTIMEO)."""
        return None

    def poll(self) -> int:
        """The poll(2) events that hold now."""
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM

    def signal_reason(self, events: int) -> int:
        """What O_ASYNC tells the owner of a wake-up: a POLL_ code of sigaction(2), 0: nothing."""
        everything = events & POLLHUP
        if everything:
            events = self.poll()
            if events & POLLHUP:
                return POLL_HUP
        if events & POLLIN:
            return POLL_IN
        return POLL_OUT if events & POLLOUT and everything else 0

    def ioctl(self, task: Task, request: int, arg: int) -> int | Coroutine[None, None, int]:
        raise Errno(ENOTTY)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        """The new file offset (lseek(2)); ESPIPE, EINVAL."""
        raise Errno(ESPIPE)

    def move(self, offset: int, whence: int, size: int | None = None) -> int:
        """What `seek` does where `pos` is the offset; SEEK_END counts from `size`, and is EINVAL without."""
        if whence == SEEK_CUR:
            offset += self.pos
        elif whence == SEEK_END and size is not None:
            offset += size
        elif whence != SEEK_SET:
            raise Errno(EINVAL)
        if not 0 <= offset <= MAX_FILE_SIZE:
            raise Errno(EINVAL)
        self.pos = offset
        return offset

    # The file behind

    def fsync(self) -> None:
        raise Errno(EINVAL)

    def truncate(self, length: int) -> None:
        raise Errno(EINVAL)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        raise Errno(ENODEV if not self.seekable else EOPNOTSUPP)

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        """What to map; EACCES is the caller's to check, ENODEV where it makes no sense."""
        raise Errno(ENODEV)

    def readdir(self, most: int) -> list[DirEntry | None]:
        """All entries, "." and ".." first; `pos` indexes them.  `most` from there on are up to date;
        None: one that is gone since the listing was taken.
        """
        raise Errno(ENOTDIR)

    def stat_inode(self) -> Inode:
        """The inode with its fields up to date (fstat(2))."""
        inode: Inode | None = self.inode
        if inode is None:
            raise Errno(EBADF)
        if inode.volatile:
            inode.getattr()
        return inode

    # The end

    def flush(self, task: Task) -> None:
        """A descriptor of it is closed, be it the last or not; called where inode.locked is set."""

    def forget(self) -> None:
        """Let go of what vfs.snapshots holds of it."""

    def release(self) -> None:
        """Called once, when the last reference is gone."""


class PathFile(File):
    """What open(2) with O_PATH gives: a place in the tree and nothing else."""

    __slots__ = ()

    def poll(self) -> int:
        raise Errno(EBADF)

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        raise Errno(EBADF)

    def seek(self, task: Task, offset: int, whence: int) -> int:
        raise Errno(EBADF)

    def fsync(self) -> None:
        raise Errno(EBADF)

    def truncate(self, length: int) -> None:
        raise Errno(EBADF)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        raise Errno(EBADF)

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        raise Errno(EBADF)


def wrong_kind(file: File) -> Errno:
    """The answer of a call for another kind of file: EBADF where only a place is open, else EINVAL."""
    return Errno(EBADF if isinstance(file, PathFile) else EINVAL)


class DirectoryFile(File):
    """An open directory.  The listing is taken at its start and lasts until rewinddir(3): what is new since
    then is not in it, and what is gone by the time that it would be told is not told (readdir(3))."""

    __slots__ = ()

    seekable = True
    reads_iter = writes_iter = can_nowait = False
    state: list[DirEntry | None] | None  # the listing

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        raise Errno(EISDIR)

    def readdir(self, most: int) -> list[DirEntry | None]:
        path, pos, listing = self.path, self.pos, self.state
        assert path is not None
        here = path.inode
        if listing is None or pos == 0:
            above = path.parent().inode
            listing = [(b".", here.ino, DT_DIR), (b"..", above.ino, DT_DIR)]
            listing += here.entries()
            self.state = listing
            snapshots.hold(self, len(listing) * _ENTRY_COST)
            if not self.flags & O_NOATIME:
                accessed(path.mount, here)
        else:
            at = max(pos, 2)
            while most > 0 and at < len(listing):
                now = here.relist(listing[at : at + most])
                listing[at : at + len(now)] = now
                at += len(now)
                most -= len(now) - now.count(None)
        return listing

    def forget(self) -> None:
        self.state = None

    def seek(self, task: Task, offset: int, whence: int) -> int:
        return self.move(offset, whence)

    def fsync(self) -> None:
        pass
