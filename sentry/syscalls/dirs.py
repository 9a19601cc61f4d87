"""getdents and getdents64; mkdir, rmdir, mknod and their *at forms."""

from errno import EINVAL, ENOENT

from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.stat import DIRENT, DIRENT64
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Path, Ptr, UInt
from sentry.vfs import namespace
from sentry.vfs.namei import walk_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.vfs.file import File as OpenFile

    Record = Callable[[bytes, int, int, int], bytes]

_BUFFER_MAX = 1 << 20  # filled at once, however large the guest's buffer is


def _record64(name: bytes, ino: int, offset: int, kind: int) -> bytes:
    size = (19 + len(name) + 1 + 7) & ~7
    return (DIRENT64.pack(ino, offset, size, kind) + name).ljust(size, b"\0")


def _record(name: bytes, ino: int, offset: int, kind: int) -> bytes:
    size = (18 + len(name) + 2 + 7) & ~7
    return (DIRENT.pack(ino, offset, size) + name).ljust(size - 1, b"\0") + bytes((kind,))


def getdents64(task: "Task", file: File, buf: Ptr, count: UInt) -> int:
    return _getdents(task, file, buf, count, _record64)


def getdents(task: "Task", file: File, buf: Ptr, count: UInt) -> int:
    return _getdents(task, file, buf, count, _record)


def _getdents(task: "Task", file: "OpenFile", buf: int, count: int, record_of: "Record") -> int:
    listing = file.readdir()
    if file.path is not None and file.path.dentry.deleted:
        raise Errno(ENOENT)
    start = at = file.pos
    room = min(count, _BUFFER_MAX)
    out = bytearray()
    while at < len(listing):
        name, ino, kind = listing[at]
        record = record_of(name, ino, at + 1, kind)
        if len(out) + len(record) > room:
            break
        out += record
        at += 1
    if at == start and at < len(listing):
        raise Errno(EINVAL)  # no room for even one
    task.copy_out(buf, out)
    file.pos = at
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
    parent, last = walk_parent(task, dirfd, name)
    namespace.mknod(task, parent, last, mode & 0o177777, dev, name.endswith(b"/"))
    return 0
