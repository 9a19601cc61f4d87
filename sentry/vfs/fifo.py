"""Opening FIFOs (fifo(7)), and pipes again through /proc/self/fd."""

from __future__ import annotations

import errno

from sentry.abi.fcntl import O_ACCMODE, O_NONBLOCK
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.pipe import PipeEnd, pipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


class FifoEnd(PipeEnd):
    """An end that was opened by name, which knows no RWF_NOWAIT."""

    __slots__ = ()

    can_nowait = False


def open_fifo(task: Task, inode: Inode, path: Path, flags: int) -> PipeEnd | Coroutine[None, None, Any]:
    """Open an end of the FIFO; a coroutine of the file when the other end must be waited for.

    Raises Errno: ENXIO (O_WRONLY | O_NONBLOCK and nobody reads), EINVAL (neither to read nor to write).
    """
    if flags & O_ACCMODE == O_ACCMODE:
        raise Errno(errno.EINVAL)
    pipe = pipe_of(inode)
    end = FifoEnd(flags, path, pipe)
    end.opener = task.creds
    if (end.readable and end.writable) or inode.fs.anonymous:
        return end  # a pipe, opened again through /proc/self/fd, waits for nobody
    if end.readable:
        if pipe.buffer.writers or flags & O_NONBLOCK:
            return end
        opens = pipe.writer_opens
        return _wait(task, end, lambda: pipe.writer_opens != opens)
    if pipe.buffer.readers:
        return end
    if flags & O_NONBLOCK:
        raise Errno(errno.ENXIO)
    opens = pipe.reader_opens
    return _wait(task, end, lambda: pipe.reader_opens != opens)


async def _wait(task: Task, end: PipeEnd, opened: Callable[[], bool]) -> PipeEnd:
    # The other end counts even when it was closed again before this task could run.
    await block(task, lambda: end if opened() else WOULD_BLOCK, end.queue)
    return end
