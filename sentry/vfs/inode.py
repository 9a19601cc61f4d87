"""An inode: one file of one file system.

The fields of `InodeBase` are what stat(2) tells.  The methods are what a file system implements; each raises
Errno, checks no permissions (vfs.permissions and vfs.namespace do) and moves no dentries.  The defaults here
are those of a file that is no directory and can't be changed.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM

from sentry import _core
from sentry._core import now
from sentry.abi.stat import S_IFMT
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path
    from sentry.vfs.permissions import Acl

    class Attributes(TypedDict, total=False):
        """What of a file is to change; what is missing, or None, stays."""

        mode: int | None  # the 12 permission bits
        uid: int | None
        gid: int | None
        size: int | None
        atime: int | None  # nanoseconds
        mtime: int | None

    DirEntry = tuple[bytes, int, int]  # of a directory: name, inode number, DT_ type


class Inode(_core.InodeBase):
    """The base of every file; subclasses say what it can do."""

    __slots__ = ("__weakref__", "fs")

    unchangeable = 0  # the errno of every try to change an attribute, whoever tries
    settable = False  # whether `setattr` may store: the fields themselves are the truth
    has_acls = False  # whether it can have POSIX ACLs
    acls: dict[bytes, Acl] | None = None  # by the attribute's name
    plain: type[File] | None = None  # open() does no more than plain(flags, path), so that C may do it

    def __init_subclass__(cls) -> None:
        if "open" in cls.__dict__ and "plain" not in cls.__dict__:
            cls.plain = None

    def __init__(self, fs: FileSystem, mode: int, uid: int = 0, gid: int = 0, ino: int = 0) -> None:
        """A file of `fs`, all its times now; `mode` includes the type; ino 0: the next number of `fs`."""
        super().__init__(mode, uid, gid)
        self.fs = fs
        self.dev = fs.dev
        self.ino = ino or fs.next_ino()

    # Attributes

    def getattr(self) -> None:
        """Bring the fields up to date; called before they are read when `volatile` is set."""

    def permission(self, creds: Creds) -> bool | None:
        """Asked where `guarded` is set: may they use it?  None: as its mode and access list say."""

    def keep(self, more: int) -> None:
        """Have `more` bytes in the sentry's memory (less, when negative), or raise Errno(ENOSPC)."""

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        """Change attributes and set ctime.  EPERM where they are fixed."""
        if not self.settable:
            raise Errno(EPERM)
        size = changes.get("size")
        if size is not None:
            self.size = size
        self.set_fields(changes)

    def set_fields(self, changes: Attributes) -> None:
        """Store all but the size, and set ctime."""
        mode = changes.get("mode")
        if mode is not None:
            self.mode = self.mode & S_IFMT | mode & 0o7777
        for name in ("uid", "gid", "atime", "mtime"):
            value = changes.get(name)
            if value is not None:
                setattr(self, name, value)
        self.ctime = now()

    def getxattr(self, name: bytes) -> bytes:
        """The value of an extended attribute (xattr(7)); ENODATA, EOPNOTSUPP."""
        raise Errno(EOPNOTSUPP)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        """flags: XATTR_CREATE 1 (EEXIST), XATTR_REPLACE 2 (ENODATA)."""
        raise Errno(EOPNOTSUPP)

    def listxattr(self) -> list[bytes]:
        return []

    def removexattr(self, name: bytes) -> None:
        raise Errno(EOPNOTSUPP)

    def cache_fd(self) -> int:
        """A host descriptor whose pages in memory are those of this file, -1 without one."""
        return self.fd

    # A directory's names

    def lookup(self, name: bytes) -> Inode:
        """The file called `name` in this directory; ENOENT."""
        raise Errno(ENOTDIR)

    def entries(self) -> list[DirEntry]:
        """(name, inode number, DT_ type) of each file in this directory, without "." and ".."."""
        raise Errno(ENOTDIR)

    def relist(self, listed: list[DirEntry | None]) -> list[DirEntry | None]:
        """What some of the entries of an earlier listing are by now; None: there is no such name any more."""
        return [entry and self.relisted(entry) for entry in listed]

    def relisted(self, entry: DirEntry) -> DirEntry | None:
        try:
            inode = self.lookup(entry[0])
        except Errno as error:
            return None if error.code == ENOENT else entry
        return entry if inode.mode >> 12 == entry[2] else (entry[0], inode.ino, inode.mode >> 12)

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        """A new regular file; the umask is applied.  EEXIST is the caller's to check, here and below."""
        raise Errno(self._refusal())

    def tmpfile(self, mode: int, creds: Creds) -> Inode:
        """A new regular file without a name (O_TMPFILE)."""
        raise Errno(EOPNOTSUPP if self.is_dir() else ENOTDIR)

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        raise Errno(self._refusal())

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        """A FIFO, socket or device node; `mode` includes the type."""
        raise Errno(self._refusal())

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        raise Errno(self._refusal())

    def link(self, name: bytes, inode: Inode) -> None:
        """One more name for `inode`, which is of this file system."""
        raise Errno(self._refusal())

    def unlink(self, name: bytes) -> None:
        raise Errno(self._refusal())

    def rmdir(self, name: bytes) -> None:
        """ENOTEMPTY."""
        raise Errno(self._refusal())

    def rename(self, old: bytes, newdir: Inode, new: bytes, flags: int, creds: Creds) -> None:
        """Move a name to `newdir`, replacing what is there; flags: RENAME_* (rename(2))."""
        raise Errno(self._refusal())

    def forget(self, name: bytes) -> bool:
        """The dentry cache drops `name`: give up what can be made again.  False: keep the dentry."""
        return True

    # What is behind a name

    def readlink(self) -> bytes:
        """The target of a symbolic link; EINVAL for other files."""
        raise Errno(EINVAL)

    def follow(self, task: Task) -> Path | bytes:
        """Where a walk goes on: a target to resolve, or at once a place (proc's magic links)."""
        return self.readlink()

    def lead(self, task: Task) -> Path | bytes:
        """What readlink(2) tells: where `follow` leads, which a link may refuse to who may only look."""
        return self.follow(task)

    def open(self, task: Task, path: Path, flags: int) -> File:
        """A new open file description; the caller has checked permissions and done O_CREAT and O_TRUNC."""
        # Imported with the sandbox's set-up; at module level it would be a cycle.
        from sentry.vfs.special import open_special

        return open_special(task, self, path, flags)

    def _refusal(self) -> int:
        return EPERM if self.is_dir() else ENOTDIR
