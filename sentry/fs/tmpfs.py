"""tmpfs: files in memory (tmpfs(5)).  The in-memory layer of the overlay is made of the same inodes.

A regular file's bytes are in a memfd, made when they are first needed, so that they can be mapped.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENODATA, ENOENT, ENOSPC, ENOTEMPTY, EPERM

from sentry.abi.capability import CAP_FSETID
from sentry.abi.fcntl import (
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    RENAME_EXCHANGE,
    RENAME_WHITEOUT,
)
from sentry.abi.stat import (
    S_IFCHR,
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_ISGID,
    S_IXGRP,
    TMPFS_MAGIC,
)
from sentry.errors import Errno
from sentry.vfs.host_call import host
from sentry.vfs.inode import Inode, now
from sentry.vfs.mount import FileSystem, StatFs
from sentry.vfs.regular import RegularInode, descriptors
from sentry.vfs.xattr import get_attribute, set_attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.path import Path

PAGE = 4096
ENTRY_SIZE = 20  # what a directory's st_size counts for each name, as Linux's tmpfs does
PARKED_MAX = 1 << 20  # files up to this size can give up their memfd when there are too many
PREALLOCATE_MAX = 256 << 20  # fallocate sets aside at most this much at once: the host's memory is shared
SYMLINK_MAX = 4095


class MemoryFileSystem(FileSystem):
    """What the file systems made of the inodes below share: room, in pages and inodes (None: no limit)."""

    def __init__(self, name: bytes, magic: int, pages: int | None = None, inodes: int | None = None) -> None:
        super().__init__(name, magic)
        self.pages = pages
        self.pages_used = 0
        self.inodes = inodes
        self.inodes_used = 0

    def new_directory(self, mode: int, uid: int, gid: int) -> MemoryDirectory:
        return MemoryDirectory(self, S_IFDIR | mode, uid, gid)

    def statfs(self) -> StatFs:
        pages = self.pages if self.pages is not None else os.sysconf("SC_PHYS_PAGES") // 2
        inodes = self.inodes if self.inodes is not None else pages
        free = max(pages - self.pages_used, 0)
        return StatFs(pages, free, free, inodes, max(inodes - self.inodes_used, 0))


class Tmpfs(MemoryFileSystem):
    """One tmpfs instance."""

    def __init__(self, mode: int = 0o1777, uid: int = 0, gid: int = 0, pages: int | None = None,
                 inodes: int | None = None) -> None:  # fmt: skip
        super().__init__(b"tmpfs", TMPFS_MAGIC, pages, inodes)
        self.set_root(self.new_directory(mode, uid, gid))

    def options(self) -> bytes:
        text = b""
        if self.pages is not None:
            text += b",size=%dk" % (self.pages * 4)
        if self.inodes is not None:
            text += b",nr_inodes=%d" % self.inodes
        mode = self.root.inode.mode & 0o7777 if self.root.inode is not None else 0
        return text + (b",mode=%o" % mode if mode != 0o1777 else b"")


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A tmpfs by its mount options (tmpfs(5): size, nr_blocks, nr_inodes, mode, uid, gid); EINVAL.

    Options that aren't tmpfs's own are for the caller (ro, nosuid, ...) and are passed over.
    """
    values: dict[str, int | None] = {"mode": 0o1777, "uid": 0, "gid": 0, "size": None, "nr_inodes": None}
    for option in options:
        name, _, text = option.partition("=")
        if name == "nr_blocks":
            values["size"] = _number(text) * PAGE
        elif name == "mode":
            values["mode"] = _number(text, 8) & 0o7777
        elif name == "size" and text.endswith("%"):
            values["size"] = os.sysconf("SC_PHYS_PAGES") * PAGE * _number(text[:-1]) // 100
        elif name in values:
            values[name] = _number(text)
    size = values["size"]
    return Tmpfs(
        values["mode"] or 0,
        values["uid"] or 0,
        values["gid"] or 0,
        -(-size // PAGE) if size else None,  # 0: no limit
        values["nr_inodes"] or None,
    )


def _number(text: str, base: int = 10) -> int:
    """An unsigned number with an optional k, m or g behind it."""
    shift = {"k": 10, "m": 20, "g": 30, "t": 40}.get(text[-1:].lower(), 0)
    try:
        value = int(text[:-1] if shift else text, base)
    except ValueError:
        raise Errno(EINVAL) from None
    if value < 0:
        raise Errno(EINVAL)
    return value << shift


class Node(Inode):
    """Any file in memory."""

    __slots__ = ("xattrs",)

    fs: MemoryFileSystem

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        super().__init__(fs, mode, uid, gid, ino)
        self.xattrs: dict[bytes, bytes] | None = None
        fs.inodes_used += 1  # taken back by __del__
        if fs.inodes is not None and fs.inodes_used > fs.inodes:
            raise Errno(ENOSPC)

    def touch(self) -> None:
        """The file is about to change."""

    def setattr(
        self,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        atime: int | None = None,
        mtime: int | None = None,
    ) -> None:
        self.touch()
        if size is not None:
            self.resize(size)
        self.set_fields(mode, uid, gid, atime, mtime)

    def resize(self, size: int) -> None:
        raise Errno(EINVAL)

    def unnamed(self) -> None:
        """One name less."""
        self.touch()
        self.nlink -= 1
        self.ctime = now()

    def getxattr(self, name: bytes) -> bytes:
        return get_attribute(self.xattrs, name)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        self.touch()
        self.xattrs = set_attribute(self.xattrs, name, value, flags)
        self.ctime = now()

    def listxattr(self) -> list[bytes]:
        return list(self.xattrs or ())

    def removexattr(self, name: bytes) -> None:
        if not self.xattrs or name not in self.xattrs:
            raise Errno(ENODATA)
        self.touch()
        del self.xattrs[name]
        self.ctime = now()

    def __del__(self) -> None:
        self.fs.inodes_used -= 1


class MemorySymlink(Node):
    __slots__ = ("target",)

    def __init__(self, fs: MemoryFileSystem, target: bytes, uid: int, gid: int) -> None:
        super().__init__(fs, S_IFLNK | 0o777, uid, gid)
        self.target = target
        self.size = len(target)

    def readlink(self) -> bytes:
        return self.target


class MemorySpecial(Node):
    """A FIFO, socket or device node."""

    __slots__ = ()


class MemoryFile(Node, RegularInode):
    """A regular file; `seals` are memfd_create(2)'s."""

    __slots__ = ("_charged", "_mapped", "_parked", "seals")

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        self._charged = 0  # pages
        super().__init__(fs, mode, uid, gid, ino)
        self._mapped = False
        self._parked: bytes | None = None
        self.seals = F_SEAL_SEAL
        self.growable = fs.pages is None

    def contents(self, write: bool) -> int:
        if write and self.seals & F_SEAL_WRITE:
            raise Errno(EPERM)
        if self.fd < 0:
            try:
                self.fd = os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                if self._parked is not None:
                    os.pwrite(self.fd, self._parked, 0)
                    self._parked = None
                if self.size:
                    os.ftruncate(self.fd, self.size)
            except OSError:
                raise Errno(ENOSPC) from None
            # With limited room, writes that may need some more are Python's: see `room`.
            self.writable = self.fs.pages is None and not self.seals & (F_SEAL_WRITE | F_SEAL_GROW)
            descriptors.add(self)
        return self.fd

    def park(self) -> bool:
        if self._mapped or self.size > PARKED_MAX or self.fd < 0:
            return False
        self._parked = os.pread(self.fd, self.size, 0)
        self.fd = -1
        return True

    def room(self, pos: int, count: int) -> int:
        if self.seals & F_SEAL_WRITE or (self.seals & F_SEAL_GROW and pos + count > self.size):
            raise Errno(EPERM)
        limit = self.fs.pages
        if limit is None:
            return count
        free = limit - self.fs.pages_used
        wanted = (pos + count + PAGE - 1) // PAGE - pos // PAGE
        if wanted <= free:
            return count
        # Some of these pages may be there already: count on them only as far as that is sure.
        there = self._pages_from(pos // PAGE, wanted)
        count = min(count, (pos // PAGE + there + free) * PAGE - pos)
        if count <= 0:
            raise Errno(ENOSPC)
        return count

    def _pages_from(self, first: int, wanted: int) -> int:
        """How many pages, from page `first` on and without a gap, hold data."""
        if self.fd < 0 or first * PAGE >= self.size:
            return 0
        hole = os.lseek(self.fd, first * PAGE, os.SEEK_HOLE)
        return min((hole + PAGE - 1) // PAGE - first, wanted)

    def changed(self) -> None:
        self.mtime = self.ctime = now()
        if self.xattrs:
            self.xattrs.pop(b"security.capability", None)
        self._charge()

    def _charge(self) -> None:
        if self.fs.pages is not None:
            pages = self.blocks() // 8
            self.fs.pages_used += pages - self._charged
            self._charged = pages

    def resize(self, size: int) -> None:
        forbidden = F_SEAL_SHRINK if size < self.size else F_SEAL_GROW if size > self.size else 0
        if self.seals & forbidden:
            raise Errno(EPERM)
        if size or self.fd >= 0:
            host(os.ftruncate, self.contents(False), size)
        self._parked = None
        self.size = size
        self.changed()

    def preallocate(self, offset: int, length: int) -> None:
        if self.room(offset, length) < length:
            raise Errno(ENOSPC)
        if 0 < length <= PREALLOCATE_MAX:
            host(os.posix_fallocate, self.contents(False), offset, length)

    def open(self, task: Task, path: Path, flags: int) -> File:
        if self._parked is not None:
            self.contents(False)
        return super().open(task, path, flags)

    def mapped(self) -> None:
        """A mapping shares the memfd's pages: it must stay."""
        self._mapped = True

    def __del__(self) -> None:
        super().__del__()
        self.fs.pages_used -= self._charged


class MemoryDirectory(Node):
    """A directory: names to inodes."""

    __slots__ = ("names",)

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        super().__init__(fs, mode, uid, gid, ino)
        self.names: dict[bytes, Inode | None] = {}  # None: hides a name of a lower layer (overlay)

    # The three ways that names are read and changed; an overlay's directories have their own.

    def find(self, name: bytes) -> Inode | None:
        return self.names.get(name)

    def put(self, name: bytes, inode: Inode) -> None:
        self.names[name] = inode

    def drop(self, name: bytes) -> None:
        del self.names[name]

    def is_empty(self) -> bool:
        return not self.names

    def entries(self) -> list[tuple[bytes, int, int]]:
        return [(name, inode.ino, inode.mode >> 12) for name, inode in self.names.items() if inode]

    def lookup(self, name: bytes) -> Inode:
        inode = self.find(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    # New files

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        return self._add(name, self.tmpfile(mode, creds))

    def tmpfile(self, mode: int, creds: Creds) -> Inode:
        return MemoryFile(self.fs, S_IFREG | self._inherit(mode, creds), creds.fsuid, self._group(creds))

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        mode = mode & ~S_ISGID | self.mode & S_ISGID
        inode = self.fs.new_directory(mode, creds.fsuid, self._group(creds))
        self._subdirectories(1)
        return self._add(name, inode)

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        mode = mode & S_IFMT | self._inherit(mode, creds)
        inode = MemorySpecial(self.fs, mode, creds.fsuid, self._group(creds))
        inode.rdev = rdev
        return self._add(name, inode)

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        return self._add(name, MemorySymlink(self.fs, target, creds.fsuid, self._group(creds)))

    def link(self, name: bytes, inode: Inode) -> None:
        assert isinstance(inode, Node)
        inode.touch()
        inode.nlink += 1
        inode.ctime = now()
        self._add(name, inode)

    def _add(self, name: bytes, inode: Inode) -> Inode:
        self._changed(1)
        self.put(name, inode)
        return inode

    def _group(self, creds: Creds) -> int:
        return self.gid if self.mode & S_ISGID else creds.fsgid

    def _inherit(self, mode: int, creds: Creds) -> int:
        """A new file's permission bits: nobody gains a group's power by the directory's set-group-ID bit."""
        mode &= 0o7777
        gains = self.mode & S_ISGID and mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP
        if gains and not creds.in_group(self.gid) and not creds.has_cap(CAP_FSETID):
            mode &= ~S_ISGID
        return mode

    def _changed(self, entries: int) -> None:
        """The list of names changes, by that many."""
        self.touch()
        self.size = max(self.size + entries * ENTRY_SIZE, 0)
        self.mtime = self.ctime = now()

    def _subdirectories(self, more: int) -> None:
        # A host file system that doesn't count its subdirectories shows 1 for all directories.
        if self.nlink > 1:
            self.nlink += more

    # Names that go

    def unlink(self, name: bytes) -> None:
        inode = self.lookup(name)
        assert isinstance(inode, Node)
        inode.unnamed()
        self._changed(-1)
        self.drop(name)

    def rmdir(self, name: bytes) -> None:
        inode = self.lookup(name)
        assert isinstance(inode, MemoryDirectory)
        if not inode.is_empty():
            raise Errno(ENOTEMPTY)
        inode.nlink = 0
        self._subdirectories(-1)
        self._changed(-1)
        self.drop(name)

    def rename(self, old: bytes, newdir: Inode, new: bytes, flags: int) -> None:
        assert isinstance(newdir, MemoryDirectory)
        inode, target = self.lookup(old), newdir.find(new)
        moves_dir = inode.is_dir()
        if flags & RENAME_EXCHANGE:
            assert target is not None
            if self is not newdir and moves_dir != target.is_dir():
                self._subdirectories(-1 if moves_dir else 1)
                newdir._subdirectories(1 if moves_dir else -1)
            self._changed(0)
            newdir._changed(0)
            self.put(old, target)
            newdir.put(new, inode)
            target.ctime = now()
        else:
            if isinstance(target, MemoryDirectory):
                if not target.is_empty():
                    raise Errno(ENOTEMPTY)
                target.nlink = 0
                newdir._subdirectories(-1)
            elif isinstance(target, Node):
                target.unnamed()
            if moves_dir:
                self._subdirectories(-1)
                newdir._subdirectories(1)
            self._changed(-1)
            newdir._changed(0 if target is not None else 1)
            self.drop(old)
            newdir.put(new, inode)
            if flags & RENAME_WHITEOUT:
                whiteout = MemorySpecial(self.fs, S_IFCHR, 0, 0)
                self._add(old, whiteout)
        assert isinstance(inode, Node)
        inode.touch()
        inode.ctime = now()
