"""memfd_create(2): a file in memory without a name, and its seals (fcntl(2), "File Sealing").

The file is tmpfs's.  Seals are noted in the inode for the sentry's own writes and put on the host's memfd
too, which is what guests map: only the host can tell whether a writable mapping exists (EBUSY).
"""

from __future__ import annotations

import errno
import fcntl

from sentry.abi.fcntl import (
    F_ADD_SEALS,
    F_SEAL_EXEC,
    F_SEAL_FUTURE_WRITE,
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    O_LARGEFILE,
    O_RDWR,
)
from sentry.abi.stat import S_IFREG, TMPFS_MAGIC
from sentry.errors import Errno
from sentry.fs.tmpfs import MemoryFile, MemoryFileSystem
from sentry.vfs.mounts.mount import anonymous_mount
from sentry.vfs.path import Dentry, Path
from sentry.vfs.regular import RegularFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar, Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    F = TypeVar("F", bound=File)
    from sentry.vfs.inode import Attributes

_HOST_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE
ALL_SEALS = _HOST_SEALS | F_SEAL_SEAL | F_SEAL_EXEC
_EXECUTE_BITS = 0o111


class MemfdFs(MemoryFileSystem):
    """Where memfds live; Linux has them in a tmpfs that is mounted nowhere."""

    anonymous = True

    def __init__(self, name: bytes = b"tmpfs", magic: int = TMPFS_MAGIC) -> None:
        super().__init__(name, magic)
        self.mount = anonymous_mount(self)


class Memfd(MemoryFile):
    """A memfd's inode."""

    __slots__ = ()

    fs: MemfdFs

    def __init__(self, fs: MemfdFs, creds: Creds, sealable: bool, executable: bool) -> None:
        super().__init__(fs, S_IFREG | (0o777 if executable else 0o666), creds.fsuid, creds.fsgid)
        self.seals = (0 if sealable else F_SEAL_SEAL) | (0 if executable else F_SEAL_EXEC)

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        mode = changes.get("mode")
        if self.seals & F_SEAL_EXEC and mode is not None and (mode ^ self.mode) & _EXECUTE_BITS:
            raise Errno(errno.EPERM)
        super().setattr(**changes)

    def add_seals(self, seals: int) -> None:
        """Raises Errno: EPERM (sealed against it), EBUSY (F_SEAL_WRITE while a writable mapping exists)."""
        if self.seals & F_SEAL_SEAL:
            raise Errno(errno.EPERM)
        if seals & _HOST_SEALS:
            fd = self.contents(False)
            self.mapped()  # the seals are on this very host file: it must stay
            try:
                fcntl.fcntl(fd, F_ADD_SEALS, seals & _HOST_SEALS)
            except OSError as error:
                raise Errno(error.errno or errno.EIO) from None
        self.seals |= seals
        if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_GROW):
            self.writable = False  # the C dispatcher leaves writes to us


class MemfdFile(RegularFile):
    """What memfd_create(2) opens; by /proc/PID/fd the file can be opened for O_DIRECT, too."""

    __slots__ = ()

    can_direct = False


_fs = MemfdFs()


def make_memfd(task: Task, name: bytes, sealable: bool, executable: bool) -> RegularFile:
    """A new empty memfd, open for reading and writing; `name` is for /proc alone."""
    inode = Memfd(_fs, task.creds, sealable, executable)
    return open_new(inode, b"/memfd:" + name, MemfdFile)


def open_new(inode: Memfd, name: bytes, kind: type[F]) -> F:
    """A new memfd's file, called `name` in /proc."""
    path = Path(inode.fs.mount, Dentry(name + b" (deleted)", None, inode))
    file = kind(O_LARGEFILE, path)  # not one of its inode's writers: it may be executed (fexecve(3))
    file.flags |= O_RDWR
    file.readable = file.writable = True
    return file


def add_seals(file: File, seals: int) -> None:
    """fcntl(F_ADD_SEALS).  Raises Errno: EINVAL (unknown seals, no memfd), EPERM, EBUSY."""
    if not file.writable:
        raise Errno(errno.EPERM)
    if seals & ~ALL_SEALS or not isinstance(file.inode, MemoryFile):
        raise Errno(errno.EINVAL)
    if not isinstance(file.inode, Memfd):  # a tmpfs file is sealed against seals
        raise Errno(errno.EPERM)
    file.inode.add_seals(seals)


def get_seals(file: File) -> int:
    """fcntl(F_GET_SEALS).  Raises Errno(EINVAL) where there are none."""
    if not isinstance(file.inode, MemoryFile):
        raise Errno(errno.EINVAL)
    return file.inode.seals
