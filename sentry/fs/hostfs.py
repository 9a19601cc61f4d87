"""Host directories shared with the host: bind mounts, and the root when there is no overlay.

Names and attributes change without our doing, so every walk and every stat asks the host.  An inode knows its
place, a name in its parent, as it was when it was last looked up.
"""

from __future__ import annotations

import os
from _weakref import ref
from errno import EACCES, EINVAL, ENOENT, EOPNOTSUPP, EPERM, EROFS, ESTALE, EXDEV

from sentry import _core
from sentry.abi.fcntl import O_ACCMODE, O_RDONLY, RENAME_EXCHANGE, RENAME_WHITEOUT
from sentry.abi.mount import MS_RDONLY
from sentry.abi.stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.fs.host import CONFINED, DEV, INO, MODE, HostTree, join
from sentry.vfs.host_call import host
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, StatFs
from sentry.vfs.regular import RegularFile, RegularInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Attributes, DirEntry
    from sentry.vfs.path import Path

V9FS_MAGIC = 0x01021997  # what statfs shows: a directory shared from elsewhere


class HostFs(FileSystem):
    """One shared host directory, or a single shared file."""

    volatile = True

    def __init__(self, fd: int, readonly: bool = False) -> None:
        """`fd` is a descriptor of the directory (or of the file: O_PATH is not enough then); it is kept."""
        super().__init__(b"9p", V9FS_MAGIC)
        self.readonly = readonly
        self.set_flags(0)
        self._inodes: dict[tuple[int, int], ref[HostInode]] = {}
        stat = _core.host_stat(fd, b"")
        self.tree = HostTree(fd, self.dev)
        inode = self.inode(None, b"", stat)
        if isinstance(inode, HostFile):
            inode.shared_fd = fd
        self.set_root(inode)

    def set_flags(self, flags: int) -> None:
        """What the host shares read-only stays so, whatever a guest asks for."""
        super().set_flags(flags | MS_RDONLY if self.readonly else flags)

    def inode(self, parent: HostDirectory | None, name: bytes, stat: tuple[int, ...]) -> HostInode:
        """The inode of parent/name; the same object for the same file."""
        key = stat[INO], stat[DEV]
        known = self._inodes.get(key)
        inode = known() if known is not None else None
        if inode is None or (inode.mode ^ stat[MODE]) & S_IFMT:
            kind = stat[MODE] & S_IFMT
            make = {S_IFDIR: HostDirectory, S_IFREG: HostFile}.get(kind, HostInode)
            inode = make(self, stat)
            self._inodes[key] = ref(inode, lambda gone: self._forget(key, gone))
        else:
            self.tree.fill(inode, stat)
        if parent is not None:
            inode.place = (parent, name)
        return inode

    def _forget(self, key: tuple[int, int], gone: ref[HostInode]) -> None:
        if self._inodes.get(key) is gone:
            del self._inodes[key]

    def statfs(self) -> StatFs:
        return self.tree.statfs()


class Opened:
    """A host descriptor for the length of a `with` block."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class HostInode(Inode):
    """Any host file.

    This class alone serves symbolic links, and FIFOs, sockets and device nodes, which are never opened there.
    """

    __slots__ = ("place",)

    fs: HostFs

    def __init__(self, fs: HostFs, stat: tuple[int, ...]) -> None:
        super().__init__(fs, stat[MODE], ino=stat[INO])
        self.place: tuple[HostDirectory, bytes] | None = None
        self.volatile = True
        fs.tree.fill(self, stat)

    def where(self) -> bytes:
        """The path beneath the shared directory."""
        place = self.place
        return join(place[0].where(), place[1]) if place is not None else b""

    def getattr(self) -> None:
        try:
            stat = self.fs.tree.stat(self.where())
        except Errno as error:
            if error.code != ENOENT:
                raise
            self.nlink = 0  # its name is gone; what is known of it stays true for who still uses it
            return
        if stat[INO] != self.ino:
            raise Errno(ESTALE)
        self.fs.tree.fill(self, stat)

    def readlink(self) -> bytes:
        if self.mode & S_IFMT != S_IFLNK:
            return super().readlink()
        return self.fs.tree.readlink(self.where())

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        if self.fs.readonly:
            raise Errno(EROFS)
        size, mode = changes.get("size"), changes.get("mode")
        if size is not None:
            self.resize(size)
        if mode is not None:
            # Through a descriptor, since chmod by name would follow a link put there meanwhile.
            if self.mode & S_IFMT in (S_IFDIR, S_IFREG):
                with self.opened() as this:
                    host(os.fchmod, this.fd, mode & 0o7777)
            else:
                with Opened(self.fs.tree.open(self.where(), os.O_PATH)) as this:
                    _core.host_chmod(this.fd, mode & 0o7777)
        if any(changes.get(name) is not None for name in ("uid", "gid", "atime", "mtime")):
            if self.place is None:
                with self.opened() as this:
                    self._set_owner_and_times(this.fd, {}, changes)
            else:
                parent, name = self.place
                with parent.opened() as directory:
                    options = {"dir_fd": directory.fd, "follow_symlinks": False}
                    self._set_owner_and_times(name, options, changes)
        self.getattr()

    def _set_owner_and_times(self, target: bytes | int, options: dict[str, Any], changes: Attributes) -> None:
        uid, gid = changes.get("uid"), changes.get("gid")
        atime, mtime = changes.get("atime"), changes.get("mtime")
        if uid is not None or gid is not None:
            host(os.chown, target, -1 if uid is None else uid, -1 if gid is None else gid, **options)
        if atime is not None or mtime is not None:
            times = self.atime if atime is None else atime, self.mtime if mtime is None else mtime
            host(os.utime, target, ns=times, **options)

    def opened(self) -> Opened:
        """The directory or regular file, open for reading; EPERM for other kinds, which never are opened."""
        if self.mode & S_IFMT not in (S_IFDIR, S_IFREG):
            raise Errno(EPERM)
        return Opened(self.fs.tree.open(self.where(), os.O_RDONLY))

    def resize(self, size: int) -> None:
        raise Errno(EINVAL)

    # Extended attributes: users' own, of files and directories.

    def getxattr(self, name: bytes) -> bytes:
        with self._for_xattr(name) as opened:
            return host(os.getxattr, opened.fd, name)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        with self._for_xattr(name, write=True) as opened:
            host(os.setxattr, opened.fd, name, value, flags)

    def listxattr(self) -> list[bytes]:
        if self.mode & S_IFMT not in (S_IFDIR, S_IFREG):
            return []
        return [name for name in self.fs.tree.xattrs(self.where()) if name.startswith(b"user.")]

    def removexattr(self, name: bytes) -> None:
        with self._for_xattr(name, write=True) as opened:
            host(os.removexattr, opened.fd, name)

    def _for_xattr(self, name: bytes, write: bool = False) -> Opened:
        if write and self.fs.readonly:
            raise Errno(EROFS)
        if not name.startswith(b"user.") or self.mode & S_IFMT not in (S_IFDIR, S_IFREG):
            raise Errno(EOPNOTSUPP)
        return self.opened()


class HostFile(HostInode, RegularInode):
    """A regular file; `fd` is open as long as a guest has it open."""

    __slots__ = ("opens", "shared_fd")

    def __init__(self, fs: HostFs, stat: tuple[int, ...]) -> None:
        super().__init__(fs, stat)
        self.opens = 0
        self.shared_fd = -1  # of a file that is shared by itself

    def getattr(self) -> None:
        if self.fd >= 0 or self.shared_fd >= 0:
            fd = self.fd if self.fd >= 0 else self.shared_fd
            self.fs.tree.fill(self, _core.host_stat(fd, b""))
        else:
            super().getattr()

    def opened(self) -> Opened:
        return Opened(os.dup(self.shared_fd)) if self.shared_fd >= 0 else super().opened()

    def contents(self, write: bool) -> int:
        if write and self.fs.readonly:
            raise Errno(EROFS)
        if self.shared_fd >= 0:
            return self.shared_fd
        if self.fd < 0 or (write and not self.writable):
            # Both ways at once where possible: a shared mapping needs it.
            self.fd = self.fs.tree.open_file(self.where(), os.O_RDWR if write else os.O_RDONLY)
            self.writable = write
        return self.fd

    def open(self, task: Task, path: Path, flags: int) -> File:
        self.contents(flags & O_ACCMODE != O_RDONLY)
        return HostRegularFile(flags, path)

    def changed(self) -> None:
        """The host keeps sizes and times."""

    def resize(self, size: int) -> None:
        host(os.ftruncate, self.contents(True), size)
        self._closed()

    def preallocate(self, offset: int, length: int) -> None:
        if length > 0:
            host(os.posix_fallocate, self.contents(True), offset, length)

    def _closed(self) -> None:
        if self.opens == 0:
            self.fd = -1
            self.writable = False

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        size = changes.get("size")
        if size is not None and len(changes) == 1:
            # ftruncate(2) works on a file whose name is gone.
            self.resize(size)
            self.getattr()
        else:
            super().setattr(**changes)


class HostRegularFile(RegularFile):
    """An open host file: keeps the inode's descriptor."""

    __slots__ = ()

    inode: HostFile

    def __init__(self, flags: int, path: Path) -> None:
        super().__init__(flags, path)
        self.inode.opens += 1

    def fsync(self) -> None:
        host(os.fsync, self.inode.contents(False))

    def release(self) -> None:
        inode = self.inode
        inode.opens -= 1
        inode._closed()


class HostDirectory(HostInode):
    __slots__ = ()

    def opened(self) -> Opened:
        return Opened(self.fs.tree.open(self.where(), os.O_RDONLY | os.O_DIRECTORY))

    def _changeable(self) -> Opened:
        if self.fs.readonly:
            raise Errno(EROFS)
        return self.opened()

    def lookup(self, name: bytes) -> Inode:
        return self.fs.inode(self, name, self.fs.tree.stat(join(self.where(), name)))

    def entries(self) -> list[tuple[bytes, int, int]]:
        return self.fs.tree.list(self.where())

    def relisted(self, entry: DirEntry) -> DirEntry | None:
        try:
            stat = self.fs.tree.stat(join(self.where(), entry[0]))
        except Errno as error:
            return None if error.code == ENOENT else entry
        return (entry[0], stat[INO], stat[MODE] >> 12)

    def _created(self, name: bytes, creds: Creds) -> Inode:
        inode = self.lookup(name)
        if (inode.uid, inode.gid) != (creds.fsuid, creds.fsgid):
            try:
                inode.setattr(uid=creds.fsuid, gid=creds.fsgid)
            except Errno as error:
                # Without the host's privilege new files belong to the sentry's own user.
                if error.code not in (EPERM, EINVAL, EACCES):
                    raise
        return inode

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        with self._changeable() as here:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            os.close(_core.host_open(here.fd, name, flags, mode & 0o7777, CONFINED))
        return self._created(name, creds)

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        with self._changeable() as here:
            host(os.mkdir, name, mode & 0o7777, dir_fd=here.fd)
        return self._created(name, creds)

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        if mode & S_IFMT == S_IFBLK or (mode & S_IFMT == S_IFCHR and rdev):
            raise Errno(EPERM)  # a device node must not come to be on the host, but for a whiteout
        with self._changeable() as here:
            host(os.mknod, name, mode, 0, dir_fd=here.fd)
        return self._created(name, creds)

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        with self._changeable() as here:
            host(os.symlink, target, name, dir_fd=here.fd)
        return self._created(name, creds)

    def link(self, name: bytes, inode: Inode) -> None:
        assert isinstance(inode, HostInode)
        if inode.place is None:
            raise Errno(EXDEV)
        with self._changeable() as here, inode.place[0].opened() as there:
            source = inode.place[1]
            host(os.link, source, name, src_dir_fd=there.fd, dst_dir_fd=here.fd, follow_symlinks=False)

    def unlink(self, name: bytes) -> None:
        with self._changeable() as here:
            host(os.unlink, name, dir_fd=here.fd)

    def rmdir(self, name: bytes) -> None:
        with self._changeable() as here:
            host(os.rmdir, name, dir_fd=here.fd)

    def rename(self, old: bytes, newdir: Inode, new: bytes, flags: int, creds: Creds) -> None:
        assert isinstance(newdir, HostDirectory)
        inode = self.lookup(old)
        assert isinstance(inode, HostInode)
        replaced = newdir.lookup(new) if flags & RENAME_EXCHANGE else None
        with self._changeable() as here, newdir.opened() as there:
            _core.host_rename(here.fd, old, there.fd, new, flags)
        inode.place = (newdir, new)
        if isinstance(replaced, HostInode):
            replaced.place = (self, old)
        if flags & RENAME_WHITEOUT:
            self._created(old, creds)
