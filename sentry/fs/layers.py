"""overlayfs as guests mount it: an upper directory that takes all changes, over lower ones that are only read
(Linux, filesystems/overlayfs.rst).

An inode here stands for real ones, of the layers: `upper`, once there is one, and `lowers`, several for
directories that are merged.  What was deleted is a whiteout in the upper layer, a character device 0/0; an
opaque directory hides what is below.  The directories are in fs.layered_directory.

What must hold: the lower layers do not change through us, and the dentries of the upper one say what is
there.
"""

from __future__ import annotations

import os
from errno import EOVERFLOW, EROFS

from sentry.abi.fcntl import O_ACCMODE, O_TRUNC
from sentry.abi.mount import MS_RDONLY
from sentry.abi.stat import OVERLAYFS_MAGIC, S_IFCHR, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.vfs.copy_up import copy_attributes, copy_bytes, copy_file
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, StatFs
from sentry.vfs.path import Path
from sentry.vfs.permissions import check_create
from sentry.vfs.regular import RegularFile, RegularInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from sentry.fs.layered_directory import LayeredDirectory
    from sentry.fs.layered_options import LayeredOptions
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Attributes

FIELDS = ("mode", "uid", "gid", "nlink", "size", "atime", "mtime", "ctime", "btime", "rdev", "blksize")
ESCAPE = b"overlay."


class LayeredFs(FileSystem):
    """One overlay; `places` keeps the mounts of its layers, the upper first where there is one."""

    def __init__(self, upper: Path | None, lowers: list[Path], asked: LayeredOptions, creds: Creds) -> None:
        super().__init__(b"overlay", OVERLAYFS_MAGIC)
        self.places = [upper, *lowers] if upper is not None else lowers
        self.writable = upper is not None
        self.private = asked.private  # what its own extended attributes start with
        self.creds = creds  # whose right it is to write to the upper layer
        self.redirect = asked.redirect  # whether lower directories can be renamed, and found again
        self._text = asked.shown()
        self.set_flags(0)

    def options(self) -> bytes:
        return self._text

    def set_flags(self, flags: int) -> None:
        super().set_flags(flags if self.writable else flags | MS_RDONLY)

    def statfs(self) -> StatFs:
        return self.places[0].mount.fs.statfs()


def is_whiteout(inode: Inode) -> bool:
    return inode.mode & S_IFMT == S_IFCHR and inode.rdev == 0


class LayeredInode(Inode):
    """A file of an overlay; this class alone serves those that are neither directories nor regular."""

    __slots__ = ("gone", "name", "parent", "real", "upper")

    fs: LayeredFs

    def __init__(
        self, fs: LayeredFs, real: Path, upper: bool, parent: LayeredDirectory | None, name: bytes
    ) -> None:
        """`real`: the file that is seen, `upper`: it is of the upper layer."""
        inode = real.inode
        super().__init__(fs, inode.mode, inode.uid, inode.gid, inode.ino)
        self.real = real
        self.upper = upper
        self.gone = False  # it has no name any more
        self.parent = parent  # None for the root
        self.name = name
        self.volatile = True
        self.getattr()

    def getattr(self) -> None:
        real = self.real.inode
        if real.volatile:
            real.getattr()
        for field in FIELDS:
            setattr(self, field, getattr(real, field))
        if self.gone and not self.upper:
            self.nlink = 0
        self.target = real.target
        self.has_caps = real.has_caps

    def copy_up(self) -> None:
        """Have it in the upper layer, with its directories; EROFS, ENOSPC, EACCES, EOVERFLOW."""
        if self.upper:
            return
        fs, origin = self.fs, self.real.inode
        if not fs.writable:
            raise Errno(EROFS)
        namespace = fs.creds.user_ns
        if namespace.uid(origin.uid) < 0 or namespace.gid(origin.gid) < 0:
            raise Errno(EOVERFLOW)
        parent = self.parent
        if parent is None or self.gone:  # the copy has no name either
            place = fs.places[0]
            made = place.inode.tmpfile(0o600, fs.creds)
            copy_bytes(origin, made)
            copy_attributes(origin, made)
            self.real = Path(place.mount, place.dentry.__class__(self.name, place.dentry, made))
        else:
            parent.copy_up()
            place = parent.real
            check_create(fs.creds, place.inode)
            times = place.inode.atime, place.inode.mtime
            try:
                made = copy_file(origin, place.inode, self.name, fs.creds)
            except Errno:
                self._take_back(place)
                raise
            if made.is_dir():
                copy_attributes(origin, made)
            place.inode.setattr(atime=times[0], mtime=times[1])
            self.real = Path(place.mount, place.dentry.attach(self.name, made))
        self.upper = True

    def _take_back(self, place: Path) -> None:
        """A copy failed half-way."""
        try:
            place.inode.unlink(self.name)
        except Errno:
            return  # it was not even begun

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        self.copy_up()
        self.real.inode.setattr(**changes)
        self.getattr()

    def readlink(self) -> bytes:
        return self.real.inode.readlink()

    # The overlay's own attributes are nobody else's: those that look like them are kept under another name.

    def getxattr(self, name: bytes) -> bytes:
        return self.real.inode.getxattr(self._kept_as(name))

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        self.copy_up()
        self.real.inode.setxattr(self._kept_as(name), value, flags)
        self.getattr()

    def listxattr(self) -> list[bytes]:
        private = self.fs.private
        escaped = private + ESCAPE
        return [
            private + name[len(escaped) :] if name.startswith(escaped) else name
            for name in self.real.inode.listxattr()
            if name.startswith(escaped) or not name.startswith(private)
        ]

    def removexattr(self, name: bytes) -> None:
        name = self._kept_as(name)
        self.real.inode.getxattr(name)
        self.copy_up()
        self.real.inode.removexattr(name)
        self.getattr()

    def _kept_as(self, name: bytes) -> bytes:
        private = self.fs.private
        return private + ESCAPE + name[len(private) :] if name.startswith(private) else name


class LayeredFile(LayeredInode, RegularInode):
    """A regular file, whose bytes are the real one's."""

    __slots__ = ()

    def open(self, task: Task, path: Path, flags: int) -> File:
        if flags & (O_ACCMODE | O_TRUNC) != os.O_RDONLY:
            self.copy_up()
        return RegularFile(flags, path)

    @property
    def _bytes(self) -> RegularInode:
        real = self.real.inode
        assert isinstance(real, RegularInode)
        return real

    def contents(self, write: bool) -> int:
        if write:
            self.copy_up()
        return self._bytes.contents(write)

    def mapped(self) -> None:
        self._bytes.mapped()

    def room(self, pos: int, count: int) -> int:
        self.copy_up()
        return self._bytes.room(pos, count)

    def changed(self) -> None:
        real = self._bytes
        real.size = self.size
        real.changed()
        self.getattr()

    def preallocate(self, offset: int, length: int) -> None:
        self.copy_up()
        self._bytes.preallocate(offset, length)


def make(fs: LayeredFs, real: Path, upper: bool, parent: LayeredDirectory, name: bytes) -> LayeredInode:
    """The inode of a real file that is no directory."""
    kind = LayeredFile if real.inode.mode & S_IFMT == S_IFREG else LayeredInode
    return kind(fs, real, upper, parent, name)
