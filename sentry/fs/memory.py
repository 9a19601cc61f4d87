"""Files in memory: what tmpfs and the upper layer of the overlay have in common.

Regular files are in fs.memory_file, directories in fs.memory_directory; the other kinds are here.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOSPC, EOPNOTSUPP

from sentry._core import PagePool, now
from sentry.abi.file_flags import FS_MEMORY_FL
from sentry.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, StatFs
from sentry.vfs.xattr import CAPABILITY, get_attribute, set_attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from sentry.fs.memory_directory import MemoryDirectory
    from sentry.vfs.inode import Attributes


INODES_MAX = os.sysconf("SC_PHYS_PAGES") // 2  # of `Kept.inodes`
KEPT_MAX = os.sysconf("SC_PHYS_PAGES") * 4096 // 64  # bytes of `Kept.bytes`
_LONG = 128  # bytes of a link's target that go with its inode, as Linux


class Kept:
    """What the sentry itself keeps of all file systems in memory together: they lie in its own memory."""

    inodes = 0
    bytes = 0  # of attributes and access control lists, and of the targets of links


_KEPT = {S_IFREG: FS_MEMORY_FL, S_IFDIR: FS_MEMORY_FL}


class MemoryFileSystem(FileSystem):
    """What the file systems made of the inodes below share: room, in pages and inodes (None: the default)."""

    has_whiteouts = True  # character devices 0:0 may be made, by mknod(2) and RENAME_WHITEOUT

    def __init__(self, name: bytes, magic: int, pages: int | None = None, inodes: int | None = None) -> None:
        super().__init__(name, magic)
        self.pool = PagePool(0)
        self.inodes_used = 0
        self.limit_pages(pages)
        self.limit_inodes(inodes)

    # No limit asked for: half of the machine's memory, as Linux; a guest must not take it all.

    def limit_pages(self, pages: int | None) -> None:
        half = os.sysconf("SC_PHYS_PAGES") // 2
        self.pages = pages
        self.pool.limit = half if pages is None else pages

    def limit_inodes(self, inodes: int | None) -> None:
        half = os.sysconf("SC_PHYS_PAGES") // 2
        self.inodes = inodes
        self.inodes_limit = half if inodes is None else inodes

    def new_directory(self, mode: int, uid: int, gid: int) -> MemoryDirectory:
        """A directory of the kind that this file system has; it is in no other yet."""
        raise Errno(EOPNOTSUPP)

    def statfs(self) -> StatFs:
        pages = self.pool.limit
        inodes = self.inodes_limit
        free = max(pages - self.pool.used, 0)
        return StatFs(pages, free, free, inodes, max(inodes - self.inodes_used, 0))


class Node(Inode):
    """Any file in memory."""

    __slots__ = ("acls", "kept", "xattrs")

    has_acls = True

    fs: MemoryFileSystem

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        super().__init__(fs, mode, uid, gid, ino)
        self.xattrs: dict[bytes, bytes] | None = None
        self.acls = None
        self.flags_kept = _KEPT.get(mode & S_IFMT, 0)
        self.kept = 0  # bytes, of Kept.bytes
        fs.inodes_used += 1  # taken back by __del__
        Kept.inodes += 1
        if fs.inodes_used > fs.inodes_limit or Kept.inodes > INODES_MAX:
            raise Errno(ENOSPC)

    def keep(self, more: int) -> None:
        if more > 0 and Kept.bytes + more > KEPT_MAX:
            raise Errno(ENOSPC)
        more = max(more, -self.kept)  # what a lower layer had was not counted
        self.kept += more
        Kept.bytes += more

    def touch(self) -> None:
        """The file is about to change."""

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        self.touch()
        size = changes.get("size")
        if size is not None:
            self.resize(size)
        self.set_fields(changes)

    def resize(self, size: int) -> None:
        raise Errno(EINVAL)

    def unnamed(self) -> None:
        """One name less."""
        self.touch()
        self.nlink -= 1
        self.ctime = now()

    def load_xattrs(self) -> None:
        """Bring `xattrs` up to what it should be; for files that came from elsewhere."""

    def getxattr(self, name: bytes) -> bytes:
        self.load_xattrs()
        return get_attribute(self.xattrs, name)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        self.load_xattrs()
        self.touch()
        old = self.xattrs.get(name) if self.xattrs else None
        more = len(value) + len(name) - (0 if old is None else len(old) + len(name))
        self.keep(more)
        try:
            self.xattrs = set_attribute(self.xattrs, name, value, flags)
        except Errno:
            self.keep(-more)
            raise
        self.has_caps = CAPABILITY in self.xattrs
        self.ctime = now()

    def listxattr(self) -> list[bytes]:
        self.load_xattrs()
        return [*(self.acls or ()), *(self.xattrs or ())]

    def removexattr(self, name: bytes) -> None:
        self.load_xattrs()
        value = get_attribute(self.xattrs, name)
        assert self.xattrs is not None
        self.touch()
        self.keep(-len(name) - len(value))
        del self.xattrs[name]
        self.has_caps = CAPABILITY in self.xattrs
        self.ctime = now()

    def __del__(self) -> None:
        self.fs.inodes_used -= 1
        Kept.inodes -= 1
        Kept.bytes -= self.kept


class MemorySymlink(Node):
    __slots__ = ()

    has_acls = False

    target: bytes

    def __init__(self, fs: MemoryFileSystem, target: bytes, uid: int, gid: int) -> None:
        super().__init__(fs, S_IFLNK | 0o777, uid, gid)
        if len(target) > _LONG:
            self.keep(len(target))
        self.target = target
        self.size = len(target)

    def readlink(self) -> bytes:
        return self.target


class MemorySpecial(Node):
    """A FIFO, socket or device node."""

    __slots__ = ()
