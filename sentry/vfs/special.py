"""Opening what is no regular file: directories, FIFOs, device nodes and sockets of any file system."""

from __future__ import annotations

from errno import ELOOP, ENXIO

from sentry.abi.stat import S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT
from sentry.errors import Errno
from sentry.vfs.file import DirectoryFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


def open_special(task: Task, inode: Inode, path: Path, flags: int) -> File:
    """Open by the file's type; ENXIO for sockets and for devices that we don't have.

    A FIFO may answer with a coroutine of the file, see vfs.namei.open_path.
    """
    # The two modules below are imported with the sandbox's set-up; at module level they would be a cycle.
    kind = inode.mode & S_IFMT
    if kind == S_IFDIR:
        return DirectoryFile(flags, path)
    if kind == S_IFIFO:
        from sentry.vfs.fifo import open_fifo

        return open_fifo(task, inode, path, flags)  # type: ignore[return-value]
    if kind == S_IFCHR:
        from sentry.fs.dev import open_device

        return open_device(task, inode, path, flags)
    raise Errno(ELOOP if kind == S_IFLNK else ENXIO)
