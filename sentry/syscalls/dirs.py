"""getdents and getdents64; mkdir, rmdir, mknod and their *at forms."""

from errno import EBADF, EINVAL, ENOENT, EPERM

from sentry._core import directory_records
from sentry.abi.fcntl import AT_FDCWD, FMODE_ASKS, O_PATH
from sentry.abi.inotify import IN_ACCESS
from sentry.abi.stat import (
    DIRENT,
    DIRENT_MIN,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Path, Ptr, UInt
from sentry.vfs import namespace
from sentry.vfs.namei import walk_parent
from sentry.vfs.notify import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sentry.kernel.task import Task
    from sentry.vfs.file import File as OpenFile
    from sentry.vfs.inode import DirEntry

    Listing = list[DirEntry | None]

_NODES = (0, S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK)  # what mknod(2) makes; 0: a regular file
_BUFFER_MAX = 64 << 10  # filled at once, however large the guest's buffer is


def getdents64(task: "Task", file: File, buf: Ptr, count: UInt) -> "int | Coroutine[None, None, int]":
    return _allowed(task, file, lambda: _getdents64(task, file, buf, count))


def getdents(task: "Task", file: File, buf: Ptr, count: UInt) -> "int | Coroutine[None, None, int]":
    """The old form: the type behind the name."""
    return _allowed(task, file, lambda: _getdents(task, file, buf, count))


def _allowed(task: "Task", file: "OpenFile", read: "Callable[[], int]") -> "int | Coroutine[None, None, int]":
    """`read`, once whoever is asked has allowed it (FAN_ACCESS_PERM)."""
    if file.flags & O_PATH:
        raise Errno(EBADF)
    waits = notify.read_questions(file) if file.flags & FMODE_ASKS else []
    return _read_asked(task, waits, read) if waits else read()


async def _read_asked(task: "Task", waits: "list[notify.Question]", read: "Callable[[], int]") -> int:
    await notify.answers(task, waits)
    return read()


def _getdents64(task: "Task", file: "OpenFile", buf: int, count: int) -> int:
    listing = _listing(file, count)
    out, at = directory_records(listing, file.pos, count)
    return _give(task, file, buf, listing, out, at)


def _getdents(task: "Task", file: "OpenFile", buf: int, count: int) -> int:
    listing = _listing(file, count)
    at = file.pos
    out = b""
    while at < len(listing):
        entry = listing[at]
        if entry is None:
            at += 1
            continue
        name, ino, kind = entry
        size = (DIRENT.size + len(name) + 2 + 7) & ~7
        if len(out) + size > min(count, _BUFFER_MAX):
            break
        out += (DIRENT.pack(ino, at + 1, size) + name).ljust(size - 1, b"\0") + bytes((kind,))
        at += 1
    return _give(task, file, buf, listing, out, at)


def _listing(file: "OpenFile", room: int) -> "Listing":
    listing = file.readdir(min(room, _BUFFER_MAX) // DIRENT_MIN + 1)
    if file.path is not None and file.path.dentry.deleted:
        raise Errno(ENOENT)
    return listing


def _give(task: "Task", file: "OpenFile", buf: int, listing: "Listing", out: bytes, at: int) -> int:
    if not out and at < len(listing):
        raise Errno(EINVAL)  # no room for even one
    task.copy_out(buf, out)
    file.pos = at
    notify.tell_file(file, IN_ACCESS)
    return len(out)


def mkdir(task: "Task", name: Path, mode: UInt) -> int:
    return mkdirat(task, AT_FDCWD, name, mode)


def mkdirat(task: "Task", dirfd: Fd, name: Path, mode: UInt) -> int:
    parent, last = walk_parent(task, dirfd, name)
    namespace.mkdir(task, parent, last, mode)
    return 0


def rmdir(task: "Task", name: Path) -> int:
    parent, last = walk_parent(task, AT_FDCWD, name)
    namespace.rmdir(task, parent, last)
    return 0


def mknod(task: "Task", name: Path, mode: UInt, dev: UInt) -> int:
    return mknodat(task, AT_FDCWD, name, mode, dev)


def mknodat(task: "Task", dirfd: Fd, name: Path, mode: UInt, dev: UInt) -> int:
    if mode & S_IFMT not in _NODES:
        raise Errno(EPERM if mode & S_IFMT == S_IFDIR else EINVAL)
    parent, last = walk_parent(task, dirfd, name)
    namespace.mknod(task, parent, last, mode & 0o177777, dev, name.endswith(b"/"))
    return 0
