"""Regular files: their bytes are those of a host descriptor, `inode.fd`.

The C dispatcher answers read, write and their kin on these files in the common case
(sentry/core/hot_inode.c); what is here gives the same results in all cases.
"""

from __future__ import annotations

import os
from _weakref import ref
from errno import EFBIG, EINVAL, ENODEV, ENXIO, EOPNOTSUPP

from sentry import _core
from sentry._core import accessed
from sentry.abi.capability import CAP_FSETID
from sentry.abi.fcntl import (
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
    MAX_FILE_SIZE,
    O_APPEND,
    O_NOATIME,
    SEEK_DATA,
    SEEK_HOLE,
    SEEK_SET,
)
from sentry.abi.signal import SIGXFSZ
from sentry.abi.stat import S_ISGID, S_ISUID, S_IXGRP
from sentry.errors import Errno
from sentry.vfs.file import File
from sentry.vfs.host_call import host
from sentry.vfs.inode import Inode
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path

FIONREAD = 0x541B
MAP_SHARED_BIT = 1  # MAP_SHARED and MAP_SHARED_VALIDATE have it, MAP_PRIVATE has not


class DescriptorPool:
    """The inodes whose descriptor can be given up, oldest first; beyond `limit` the oldest lose theirs."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._inodes: dict[ref[RegularInode], None] = {}

    def add(self, inode: RegularInode) -> None:
        """`inode` has a descriptor now."""
        self._inodes[ref(inode, self._forget)] = None
        if len(self._inodes) > self.limit:
            # A quarter at once, so that a program with many files does not pay at each open.
            for entry in list(self._inodes)[: self.limit // 4]:
                oldest = entry()
                if oldest is None or (oldest is not inode and oldest.park()):
                    self._inodes.pop(entry, None)

    def _forget(self, entry: ref[RegularInode]) -> None:
        self._inodes.pop(entry, None)

    def __len__(self) -> int:
        return len(self._inodes)


descriptors = DescriptorPool(256)  # vfs.mounts.setup sets the limit by RLIMIT_NOFILE


class RegularInode(Inode):
    """A regular file.  A file system says how its descriptor is come by."""

    __slots__ = ()

    def contents(self, write: bool) -> int:
        """The host descriptor of the bytes (`fd`), good for writing where asked; ENOSPC, EROFS, EIO, ..."""
        raise Errno(EOPNOTSUPP)

    def park(self) -> bool:
        """Give up the descriptor if that loses nothing; called when there are too many."""
        return False

    def mapped(self) -> None:
        """The descriptor was mapped: other descriptors of the same bytes would not do any more."""

    def cache_fd(self) -> int:
        return self.contents(False) if self.size or self.fd >= 0 else -1

    def room(self, pos: int, count: int) -> int:
        """How many of `count` bytes at `pos` may be written (more than 0); ENOSPC."""
        return count

    def changed(self) -> None:
        """Bytes were written or the size was changed: note sizes and times."""
        self.modified()

    def preallocate(self, offset: int, length: int) -> None:
        """Set space aside within the file's size (fallocate(2))."""

    def open(self, task: Task, path: Path, flags: int) -> File:
        return RegularFile(flags, path)


class Contents:
    """A regular file as something to map (vfs.file.MapSource)."""

    __slots__ = ("fd", "inode", "key")

    name = b""  # a mapping of a file is called by the file's path

    def __init__(self, fd: int, inode: Inode) -> None:
        self.fd = fd
        self.inode: Inode | None = inode
        self.key = inode


class RegularFile(File):
    """An open regular file."""

    __slots__ = ()

    whole = True
    seekable = True
    gives = True
    takes = True
    can_direct = True
    inode: RegularInode

    def __init__(self, flags: int, path: Path | None, inode: RegularInode | None = None) -> None:
        super().__init__(flags, path, inode)
        self.kind = _core.KIND_INODE

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        inode = self.inode
        if inode.volatile:
            inode.getattr()
        at = self.pos if pos is None else pos
        count = min(count, inode.size - at)
        if count <= 0:
            return b""
        data = host(os.pread, inode.contents(False), count, at)
        # files of a read-only layer keep theirs
        if inode.writable and not self.flags & O_NOATIME and self.path is not None:
            accessed(self.path.mount, inode)
        if pos is None:
            self.pos = at + len(data)
        return data

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        inode = self.inode
        if inode.volatile:
            inode.getattr()
        append = self.flags & O_APPEND  # whatever the offset, with pwrite(2) too (its BUGS)
        at = inode.size if append else self.pos if pos is None else pos
        if not data:
            return 0
        count = inode.room(at, min(len(data), file_limit(task, at) - at))
        drop_privileges(task, inode)
        written = host(os.pwrite, inode.contents(True), data if count == len(data) else data[:count], at)
        inode.size = max(inode.size, at + written)
        inode.changed()
        if pos is None:
            self.pos = at + written
        return written

    def seek(self, task: Task, offset: int, whence: int) -> int:
        inode = self.stat_inode()
        if whence in (SEEK_DATA, SEEK_HOLE):
            if not 0 <= offset < inode.size:
                raise Errno(ENXIO)
            offset = host(os.lseek, self.inode.contents(False), offset, whence)
            whence = SEEK_SET
        return self.move(offset, whence, inode.size)

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            left = self.stat_inode().size - self.pos
            task.write_u32(arg, min(max(left, 0), 0x7FFFFFFF))
            return 0
        return super().ioctl(task, request, arg)  # type: ignore[return-value]  # always raises

    def fsync(self) -> None:
        # Memory has nothing to sync; a host file is synced by its own inode class.
        pass

    def truncate(self, length: int) -> None:
        if not self.writable:
            raise Errno(EINVAL)
        self.inode.setattr(size=length)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        inode = self.inode
        end = offset + length
        if mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE):
            self._punch(inode, offset, end)  # beyond the end too: the last page may go with its rest
        if not mode & FALLOC_FL_KEEP_SIZE and end > inode.size:
            inode.setattr(size=end)
        if not mode & FALLOC_FL_PUNCH_HOLE:
            inode.preallocate(offset, min(end, inode.size) - offset)
        inode.changed()

    def _punch(self, inode: RegularInode, offset: int, end: int) -> None:
        fd = inode.contents(True)
        if offset < end:
            _core.host_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, end - offset)

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> Contents:
        inode = self.inode
        # A shared mapping of a file open for writing may be made writable later (mprotect(2)).
        fd = inode.contents(bool(flags & MAP_SHARED_BIT and self.writable))
        if fd < 0:
            raise Errno(ENODEV)
        inode.mapped()
        return Contents(fd, inode)


RegularInode.plain = RegularFile


def file_limit(task: Task, at: int) -> int:
    """The size that a file may grow to by a write at `at`; EFBIG, with SIGXFSZ for RLIMIT_FSIZE."""
    limit = task.group.fsize_limit
    if at >= limit:
        from sentry.kernel.signals.signals import send_self  # a cycle at module level

        send_self(task, SIGXFSZ)
        raise Errno(EFBIG)
    if at >= MAX_FILE_SIZE:
        raise Errno(EFBIG)
    return min(limit, MAX_FILE_SIZE)


def drop_privileges(task: Task, inode: Inode) -> None:
    """A write takes away set-user-ID and an effective set-group-ID bit (write(2), NOTES of chown(2)), and the
    file's capabilities (capabilities(7)).
    """
    mode = inode.mode
    if inode.has_caps:
        inode.removexattr(CAPABILITY)
    if not mode & (S_ISUID | S_ISGID):
        return
    kept = mode & ~S_ISUID
    if mode & S_IXGRP:
        kept &= ~S_ISGID
    if kept != mode and not task.creds.has_cap(CAP_FSETID):
        inode.setattr(mode=kept & 0o7777)
