"""Directories in memory: names to inodes."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTEMPTY, EPERM

from sentry._core import now
from sentry.abi.capability import CAP_FSETID
from sentry.abi.fcntl import RENAME_EXCHANGE, RENAME_WHITEOUT
from sentry.abi.file_flags import FS_INHERITED_FL
from sentry.abi.stat import S_IFCHR, S_IFMT, S_IFREG, S_ISGID, S_IXGRP
from sentry.errors import Errno
from sentry.fs.memory import MemoryFileSystem, MemorySpecial, MemorySymlink, Node
from sentry.fs.memory_file import MemoryFile
from sentry.vfs.file import DirectoryFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import DirEntry, Inode

ENTRY_SIZE = 20  # what a directory's st_size counts for each name, as Linux's tmpfs does


class MemoryDirectory(Node):
    """A directory: names to inodes."""

    __slots__ = ("names",)

    plain = DirectoryFile

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        super().__init__(fs, mode, uid, gid, ino)
        self.size = 2 * ENTRY_SIZE
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

    def relisted(self, entry: DirEntry) -> DirEntry | None:
        inode = self.names.get(entry[0])
        return (entry[0], inode.ino, inode.mode >> 12) if inode else None

    def lookup(self, name: bytes) -> Inode:
        inode = self.find(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    # New files

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        return self._add(name, self.tmpfile(mode, creds))

    def tmpfile(self, mode: int, creds: Creds) -> Inode:
        inode = MemoryFile(self.fs, S_IFREG | self._inherit(mode, creds), creds.fsuid, self._group(creds))
        inode.fs_flags = self.fs_flags & FS_INHERITED_FL
        return inode

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        mode = mode & ~S_ISGID | self.mode & S_ISGID
        inode = self.fs.new_directory(mode, creds.fsuid, self._group(creds))
        inode.fs_flags = self.fs_flags & FS_INHERITED_FL
        self._subdirectories(1)
        return self._add(name, inode)

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        if mode & S_IFMT == S_IFCHR and not rdev and not self.fs.has_whiteouts:
            raise Errno(EPERM)
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
        if gains and not creds.in_group(self.gid) and not creds.has_cap_over(CAP_FSETID, self):
            mode &= ~S_ISGID
        return mode

    def _changed(self, entries: int) -> None:
        """The list of names changes, by that many."""
        self.touch()
        self.size = max(self.size + entries * ENTRY_SIZE, 0)
        self.modified()

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

    def rename(self, old: bytes, newdir: Inode, new: bytes, flags: int, creds: Creds) -> None:
        assert isinstance(newdir, MemoryDirectory)
        if flags & RENAME_WHITEOUT and not self.fs.has_whiteouts:
            raise Errno(EINVAL)
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
                self.mknod(old, S_IFCHR, 0, creds)
        assert isinstance(inode, Node)
        inode.touch()
        inode.ctime = now()
