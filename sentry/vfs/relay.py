"""Bytes from file to file (sendfile(2), splice(2), copy_file_range(2)), in pieces through the sentry.

What must hold: bytes leave the source only once the target has them.  That needs a source that can be looked
at first, a file at a position or a pipe; any other source is read no further than the target pipe has room.
"""

from __future__ import annotations

import errno

from sentry.abi.poll import POLLERR, POLLHUP, READABLE, WRITABLE
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.pipe import PipeEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.file import File

_PIECE = 1 << 16


class Relay:
    """`count` bytes on their way from `source` to `target`.

    Positions: None for files without one.  The caller puts them where they belong afterwards.
    """

    __slots__ = (
        "count", "done", "nonblocking", "patient", "source", "source_pos", "stuck", "target", "target_pos",
        "task",
    )  # fmt: skip

    def __init__(
        self,
        task: Task,
        source: File,
        source_pos: int | None,
        target: File,
        target_pos: int | None,
        count: int,
    ) -> None:
        self.task = task
        self.source = source
        self.source_pos = source_pos
        self.target = target
        self.target_pos = target_pos
        self.count = count
        self.done = 0
        self.nonblocking = False  # never wait
        self.patient = True  # wait for the whole count, not just for something
        self.stuck = (source, READABLE)  # what the last WOULD_BLOCK was about

    def run(self) -> int | Coroutine[None, None, Any]:
        """The count moved, or a coroutine of it where it must wait; an error after some bytes is dropped."""
        try:
            while self.done < self.count:
                moved = self._step()
                if not isinstance(moved, int):
                    if self.nonblocking and not self.done:
                        raise Errno(errno.EAGAIN)
                    if self.nonblocking or (self.done and not self.patient):
                        break
                    return self._go_on()
                if not moved:
                    break
        except Errno:
            if not self.done:
                raise
        return self.done

    async def _go_on(self) -> int:
        try:
            while self.done < self.count:
                moved = self._step()
                if isinstance(moved, int):
                    if not moved:
                        break
                    continue
                if self.done and not self.patient:
                    break
                file, events = self.stuck
                await until(self.task, file, events)
        except Errno:
            if not self.done:
                raise
        return self.done

    def _step(self) -> int | _Marker:
        """Move one piece; 0 at the end of the source."""
        source, target = self.source, self.target
        size = min(self.count - self.done, _PIECE)
        if isinstance(target, PipeEnd):
            size = min(size, target.room(self.task))
            if not size:
                self.stuck = (target, WRITABLE)
                return WOULD_BLOCK
        if isinstance(source, PipeEnd):
            data = source.peek(size)
        else:
            data = source.read(self.task, size, self.source_pos)
        if not isinstance(data, bytes):
            self.stuck = (source, READABLE)
            return data
        if not data:
            return 0
        moved = target.write(self.task, data, self.target_pos)
        if not isinstance(moved, int):
            self.stuck = (target, WRITABLE)
            return moved
        if isinstance(source, PipeEnd):
            source.read(self.task, moved, None)
        if self.source_pos is not None:
            self.source_pos += moved
        if self.target_pos is not None:
            self.target_pos += moved
        self.done += moved
        return moved


async def until(task: Task, file: File, events: int) -> None:
    """Wait until the file has one of `events`, or will never have it."""
    events |= POLLERR | POLLHUP
    await block(task, lambda: file.poll() & events or WOULD_BLOCK, file.queue, events)
