"""RWF_* flags of a single transfer: preadv2(2), pwritev2(2) and the requests of io_submit(2)."""

from errno import EINVAL, EOPNOTSUPP, EPERM

from sentry.abi.fcntl import O_APPEND
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.abi.stat import TMPFS_MAGIC
from sentry.errors import Errno
from sentry.vfs.transfer import write_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    Count = int | Coroutine[Any, Any, int]

RWF_HIPRI = 0x01
RWF_NOWAIT = 0x08
_RWF_APPEND = 0x10
_RWF_NOAPPEND = 0x20
_RWF_ATOMIC = 0x40
_RWF_DONTCACHE = 0x80
_RWF_NOSIGNAL = 0x100
_PLACES = _RWF_APPEND | _RWF_NOAPPEND  # of no meaning for reads, and allowed there
_LACKING = _RWF_ATOMIC | _RWF_DONTCACHE  # no file system here can, as tmpfs and overlayfs of Linux can't
_NOTHING_TO_DO = RWF_HIPRI | 0x02 | 0x04  # DSYNC, SYNC: what is in memory is as safe as it gets
_KNOWN = _NOTHING_TO_DO | RWF_NOWAIT | _PLACES | _LACKING | _RWF_NOSIGNAL


def check_flags(file: "File", flags: int) -> None:
    """EINVAL or EOPNOTSUPP for what isn't known, or what the file lacks."""
    if flags & ~_KNOWN:
        raise Errno(EOPNOTSUPP)
    if flags & _PLACES == _PLACES:
        raise Errno(EINVAL)
    if flags & _LACKING or (flags & RWF_NOWAIT and not _can_nowait(file)):
        raise Errno(EOPNOTSUPP)


def _can_nowait(file: "File") -> bool:
    return file.can_nowait and not (file.whole and file.inode.fs.magic == TMPFS_MAGIC)


def write_with_flags(
    task: "Task", file: "File", vectors: "list[tuple[int, int]]", at: int | None, flags: int
) -> "Count":
    """Write as flags that `check_flags` found right say."""
    if flags & _RWF_NOSIGNAL:
        return _without_sigpipe(task, file, vectors, at, flags & ~_RWF_NOSIGNAL)
    if flags & _RWF_NOAPPEND and file.flags & O_APPEND and file.whole:
        if file.inode.fs_flags & FS_APPEND_FL:
            raise Errno(EPERM)
        file.flags &= ~O_APPEND  # for this call alone; a regular file never waits
        try:
            return write_from(task, file, vectors, at)
        finally:
            file.flags |= O_APPEND
    if not flags & _RWF_APPEND or file.flags & O_APPEND or not file.whole:
        return write_from(task, file, vectors, at, not flags & RWF_NOWAIT)
    file.flags |= O_APPEND  # for this call alone; a regular file never waits
    try:
        return write_from(task, file, vectors, at)
    finally:
        file.flags &= ~O_APPEND


async def _without_sigpipe(
    task: "Task", file: "File", vectors: "list[tuple[int, int]]", at: int | None, flags: int
) -> int:
    task.signal.no_sigpipe = True
    try:
        answer = write_with_flags(task, file, vectors, at, flags)
        return answer if isinstance(answer, int) else await answer
    finally:
        task.signal.no_sigpipe = False
