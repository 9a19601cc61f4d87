"""Files without a name: the inodes and made-up paths of pipes, sockets, eventfds and the like.

/proc/self/fd shows such a file as "pipe:[7]", "socket:[8]" or "anon_inode:[eventfd]".
"""

from __future__ import annotations

from errno import EOPNOTSUPP

from sentry.abi.fcntl import O_RDWR
from sentry.abi.stat import S_IFIFO, S_IFSOCK
from sentry.errors import Errno
from sentry.vfs.file import File
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, anonymous_mount
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Attributes

PIPEFS_MAGIC = 0x50495045
SOCKFS_MAGIC = 0x534F434B
ANON_INODE_FS_MAGIC = 0x09041934


class AnonymousFs(FileSystem):
    """A file system whose files nobody can look up."""

    anonymous = True

    def __init__(self, name: bytes, magic: int) -> None:
        super().__init__(name, magic)
        self.mount = anonymous_mount(self)


class AnonymousInode(Inode):
    """An inode of an anonymous file system; fchmod(2) and fchown(2) work on it."""

    __slots__ = ()

    settable = True


class SharedInode(Inode):
    """The inode that eventfds, timers and their like have in common: nobody may change it."""

    __slots__ = ()

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        raise Errno(EOPNOTSUPP)


class AnonymousFile(File):
    """An open file of an anonymous inode.  Where it `can_seek`, that does nothing, successfully."""

    __slots__ = ()

    can_seek = True

    def __init__(self, flags: int, label: bytes) -> None:
        """`label` as in "[eventfd]"."""
        super().__init__(flags | O_RDWR, anon_path(label))

    def seek(self, task: Task, offset: int, whence: int) -> int:
        return 0 if self.can_seek else super().seek(task, offset, whence)


_pipefs = AnonymousFs(b"pipefs", PIPEFS_MAGIC)
_sockfs = AnonymousFs(b"sockfs", SOCKFS_MAGIC)
_anon_inodefs = AnonymousFs(b"anon_inodefs", ANON_INODE_FS_MAGIC)
_shared_inode = SharedInode(_anon_inodefs, 0o600)  # Linux has one for all, without a file type


def _numbered(fs: AnonymousFs, kind: bytes, mode: int, creds: Creds) -> Path:
    inode = AnonymousInode(fs, mode, creds.fsuid, creds.fsgid)
    return Path(fs.mount, Dentry(b"%s:[%d]" % (kind, inode.ino), None, inode))


def pipe_path(creds: Creds) -> Path:
    """The place of a new pipe, with an inode of its own."""
    return _numbered(_pipefs, b"pipe", S_IFIFO | 0o600, creds)


def socket_path(creds: Creds) -> Path:
    """The place of a new socket, with an inode of its own."""
    return _numbered(_sockfs, b"socket", S_IFSOCK | 0o777, creds)


def anon_path(label: bytes) -> Path:
    """The place of an anonymous inode's file; `label` as in "[eventfd]"."""
    return Path(_anon_inodefs.mount, Dentry(b"anon_inode:" + label, None, _shared_inode))
