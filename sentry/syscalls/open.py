"""open, openat, openat2, creat."""

from errno import E2BIG, EAGAIN, EINVAL
from struct import Struct

from sentry.abi.fcntl import (
    AT_FDCWD,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_KNOWN,
    O_LARGEFILE,
    O_NOFOLLOW,
    O_PATH,
    O_TMPFILE,
    O_TRUNC,
    O_WRONLY,
    RESOLVE_BENEATH,
    RESOLVE_CACHED,
    RESOLVE_IN_ROOT,
    RESOLVE_KNOWN,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int, Path, Ptr, Size, UInt
from sentry.vfs.file import File
from sentry.vfs.notify import notify
from sentry.vfs.open import open_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task

    Opened = int | Coroutine[Any, Any, int]

_OPEN_HOW = Struct("=QQQ")  # flags mode resolve
_OPEN_HOW_MAX = 4096
_PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC


def _open(task: "Task", dirfd: int, name: bytes, flags: int, mode: int, resolve: int = 0) -> "Opened":
    if not flags & O_PATH:
        flags |= O_LARGEFILE
    cloexec = bool(flags & O_CLOEXEC)
    task.files.lowest_free()  # EMFILE before anything is created
    file = open_at(task, dirfd, name, flags, mode, resolve)
    return install(task, file, cloexec)


def install(task: "Task", file: "File | Coroutine[Any, Any, File]", cloexec: bool) -> "Opened":
    """A descriptor of what was opened, now or when opening has done waiting."""
    if not isinstance(file, File):
        return _open_later(task, file, cloexec)
    return task.files.install(file, cloexec)


async def _open_later(task: "Task", opening: "Coroutine[Any, Any, File]", cloexec: bool) -> int:
    file = await opening
    notify.opened(file)
    return task.files.install(file, cloexec)


def open(task: "Task", name: Path, flags: Int, mode: UInt) -> "Opened":
    return _open(task, AT_FDCWD, name, flags & O_KNOWN, mode)


def openat(task: "Task", dirfd: Fd, name: Path, flags: Int, mode: UInt) -> "Opened":
    return _open(task, dirfd, name, flags & O_KNOWN, mode)


def creat(task: "Task", name: Path, mode: UInt) -> "Opened":
    return _open(task, AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode)


def openat2(task: "Task", dirfd: Fd, name: Path, how: Ptr, size: Size) -> "Opened":
    """Stricter than open: what it doesn't know or what makes no sense is EINVAL (openat2(2))."""
    if size < _OPEN_HOW.size:
        raise Errno(EINVAL)
    if size > _OPEN_HOW_MAX:
        raise Errno(E2BIG)
    data = task.copy_in(how, size)
    if any(data[_OPEN_HOW.size :]):
        raise Errno(E2BIG)
    flags, mode, resolve = _OPEN_HOW.unpack_from(data)
    if flags & ~O_KNOWN or resolve & ~RESOLVE_KNOWN or mode & ~0o7777:
        raise Errno(EINVAL)
    if flags & O_PATH and flags & ~_PATH_FLAGS:
        raise Errno(EINVAL)
    creates = flags & O_CREAT or flags & O_TMPFILE == O_TMPFILE
    both = RESOLVE_BENEATH | RESOLVE_IN_ROOT
    if (mode and not creates) or resolve & both == both:
        raise Errno(EINVAL)
    if resolve & RESOLVE_CACHED and (creates or flags & O_TRUNC):
        raise Errno(EAGAIN)  # what would change something is never answered from caches alone
    return _open(task, dirfd, name, flags, mode, resolve & ~RESOLVE_CACHED)
