"""The overlay: a host directory that is only read, under a layer in memory that takes all changes.

An inode of the lower layer is changed in place when it is first written to: it stays the same object, so
whoever has the file open sees the new bytes, and its inode number stays.  A directory's `names` holds what is
known of its entries; None there is a whiteout.  A directory made anew has no `lower`, which makes it opaque.

What must hold: the lower layer does not change (its attributes are read once), and an inode that is
`changed_up`, or a directory with changed names, is never forgotten (its dentry is kept, see vfs.path.prune).
"""

from __future__ import annotations

import os
from _weakref import ref
from errno import EACCES, EIO, ENAMETOOLONG, ENOENT, ENOSPC, EOVERFLOW

from sentry.abi.fcntl import F_SEAL_SEAL, NAME_MAX
from sentry.abi.stat import OVERLAYFS_MAGIC, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.fs.host import DEV, INO, MODE, NLINK, HostTree, join
from sentry.fs.memory import MemoryFileSystem, Node
from sentry.fs.memory_directory import MemoryDirectory
from sentry.fs.memory_file import MemoryFile
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import StatFs
from sentry.vfs.regular import descriptors
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import DirEntry
    from sentry.vfs.path import Dentry

COPY_PIECE = 1 << 20
_UPPER_INO = 1 << 40  # numbers of new files start here: above those that host file systems use


class OverlayFs(MemoryFileSystem):
    """One overlay over the host directory `root_fd`."""

    has_whiteouts = False

    def __init__(self, root_fd: int) -> None:
        super().__init__(b"overlay", OVERLAYFS_MAGIC)
        self._last_ino = _UPPER_INO
        self.tree = HostTree(root_fd, self.dev)
        self._linked: dict[tuple[int, int], ref[LowerFile]] = {}
        self.handed_out: dict[Dentry, None] = {}  # names whose files somebody has a handle of (vfs.handles)
        self._changed_links: dict[tuple[int, int], LowerFile] = {}
        self.set_root(LowerDirectory(self, b"", self.tree.stat(b"")))

    def new_directory(self, mode: int, uid: int, gid: int) -> MemoryDirectory:
        return LowerDirectory(self, None, (S_IFDIR | mode, 0, 0, 2, uid, gid))

    def lower(self, path: bytes) -> Node:
        """The inode of a lower file; ENOENT.  A file with several names is one inode under all of them."""
        stat = self.tree.stat(path)
        kind = stat[MODE] & S_IFMT
        if kind == S_IFDIR:
            return LowerDirectory(self, path, stat)
        if kind != S_IFREG:
            return LowerOther(self, path, stat)
        if stat[NLINK] < 2:
            return LowerFile(self, path, stat)
        key = stat[INO], stat[DEV]
        known = self._linked.get(key)
        inode = known() if known is not None else None
        if inode is None:
            inode = LowerFile(self, path, stat)
            self._linked[key] = ref(inode, lambda _: self._linked.pop(key, None) and None)
            inode.key = key
        return inode

    def keep(self, inode: LowerFile) -> None:
        """A file with several names has changed: none of the names may show the old one again."""
        if inode.key is not None:
            self._changed_links[inode.key] = inode

    def statfs(self) -> StatFs:
        return self.tree.statfs()


class LowerFile(MemoryFile):
    """A regular file of the lower layer, copied up by the first write."""

    __slots__ = ("_lower", "_stat", "changed_up", "key")

    fs: OverlayFs

    def __init__(self, fs: OverlayFs, lower: bytes, stat: tuple[int, ...]) -> None:
        super().__init__(fs, stat[MODE], stat[4], stat[5], stat[INO])
        fs.tree.fill(self, stat)
        self.seals = F_SEAL_SEAL
        self._lower: bytes | None = lower  # None once the bytes are ours
        self._stat = stat
        self.changed_up = False
        self.key: tuple[int, int] | None = None

    def touch(self) -> None:
        if not self.changed_up:
            self.changed_up = True
            self.fs.keep(self)

    def load_xattrs(self) -> None:
        if self.xattrs is None and self._lower is not None:
            self.xattrs = self.fs.tree.xattrs(self._lower)
            self.has_caps = CAPABILITY in self.xattrs

    def contents(self, write: bool) -> int:
        if self._lower is None:
            return super().contents(write)
        if self.fd < 0:
            self.fd = self.fs.tree.open_file(self._lower, os.O_RDONLY, self._stat)
            descriptors.add(self)
        if write:
            self._copy_up(self.size)
        return self.fd

    def resize(self, size: int) -> None:
        if self._lower is not None:
            self.touch()
            self.load_xattrs()
            if size:
                self.contents(False)
                self._copy_up(min(size, self.size))
            else:
                self._lower = None
                self.fd = -1
        super().resize(size)

    def park(self) -> bool:
        if self._lower is None:
            return super().park()
        self.fd = -1
        return True

    def mapped(self) -> None:
        if self._lower is None:
            super().mapped()

    def _copy_up(self, count: int) -> None:
        self.touch()
        self.load_xattrs()
        lower = self.fd
        try:
            upper = os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            raise Errno(ENOSPC) from None
        done = 0
        try:
            while done < count:
                moved = os.sendfile(upper, lower, done, min(count - done, COPY_PIECE))
                if not moved:
                    break
                done += moved
        except OSError as error:
            os.close(upper)
            raise Errno(error.errno or EIO) from None
        if done < self.size:
            os.ftruncate(upper, self.size)
        self._lower = None
        self.fd = upper  # closes the lower one
        self.writable = True
        self._charge()


class LowerOther(Node):
    """A symbolic link, FIFO, socket or device node of the lower layer; never opened there."""

    __slots__ = ("_lower", "changed_up", "has_acls")

    fs: OverlayFs

    def __init__(self, fs: OverlayFs, lower: bytes, stat: tuple[int, ...]) -> None:
        super().__init__(fs, stat[MODE], stat[4], stat[5], stat[INO])
        fs.tree.fill(self, stat)
        self._lower = lower
        self.changed_up = False
        self.has_acls = stat[MODE] & S_IFMT != S_IFLNK

    def touch(self) -> None:
        self.changed_up = True

    def readlink(self) -> bytes:
        if self.mode & S_IFMT != S_IFLNK:
            return super().readlink()
        if self.target is None:
            self.target = self.fs.tree.readlink(self._lower)
        return self.target


class LowerDirectory(MemoryDirectory):
    """A directory; `lower` is None for one that exists in memory only."""

    __slots__ = ("_added", "changed_up", "lower")

    fs: OverlayFs

    def __init__(self, fs: OverlayFs, lower: bytes | None, stat: tuple[int, ...]) -> None:
        super().__init__(fs, stat[MODE], stat[4], stat[5], stat[INO])
        self.lower = lower
        self.changed_up = lower is None
        self._added: set[bytes] | None = None  # those of `names` that the lower layer has not
        if lower is not None:
            fs.tree.fill(self, stat)

    def touch(self) -> None:
        self.changed_up = True

    def load_xattrs(self) -> None:
        if self.xattrs is None and self.lower is not None:
            self.xattrs = self.fs.tree.xattrs(self.lower)

    def find(self, name: bytes) -> Inode | None:
        if name in self.names:
            return self.names[name]
        if self.lower is None:
            return None
        if len(name) > NAME_MAX:
            raise Errno(ENAMETOOLONG)
        try:
            inode = self.fs.lower(join(self.lower, name))
        except Errno as error:
            if error.code in (ENOENT, EOVERFLOW):
                return None
            raise
        self.names[name] = inode
        return inode

    def put(self, name: bytes, inode: Inode) -> None:
        if name not in self.names:  # and nobody puts a name without having looked for it
            if self._added is None:
                self._added = set()
            self._added.add(name)
        self.names[name] = inode

    def drop(self, name: bytes) -> None:
        if self._added is not None and name in self._added:
            self._added.remove(name)
            del self.names[name]
        else:
            self.names[name] = None

    def forget(self, name: bytes) -> bool:
        inode = self.names.get(name)
        if inode is None or self.lower is None:
            return True
        if isinstance(inode, LowerFile | LowerOther | LowerDirectory) and not inode.changed_up:
            del self.names[name]
            return True
        return False

    def entries(self) -> list[tuple[bytes, int, int]]:
        names = self.names
        listing = super().entries()
        if self.lower is not None:
            listing = [entry for entry in self.fs.tree.list(self.lower) if entry[0] not in names] + listing
        return listing

    def relisted(self, entry: DirEntry) -> DirEntry | None:
        if entry[0] in self.names or self.lower is None:
            return super().relisted(entry)
        if self._added is None:
            return entry  # the lower layer's, which does not change
        try:
            self.fs.tree.stat(join(self.lower, entry[0]))
        except Errno:
            return None  # it was added, and is gone
        return entry

    def is_empty(self) -> bool:
        if any(inode is not None for inode in self.names.values()):
            return False
        try:
            return not self.entries()
        except Errno as error:
            if error.code == EACCES:
                return False  # what can't be seen can't be removed
            raise
