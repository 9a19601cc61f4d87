"""Bytes from file to file (sendfile(2), splice(2), copy_file_range(2)), in pieces through the sentry.

What must hold: bytes leave the source only once the target has them.  That needs a source that can be looked
at first, a file at a position or a pipe; any other source is read only when the target can take something,
and what it could not take after all goes first the next time.
"""

from __future__ import annotations

import errno

from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.inotify import IN_ACCESS, IN_MODIFY
from sentry.abi.poll import POLLERR, POLLHUP, READABLE, WRITABLE
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.notify import notify
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

    Positions: None for files without one.  The caller puts them where they belong afterwards.  A target that
    is no pipe is waited for until all is moved; a source, or a pipe, only until something is.
    """

    __slots__ = (
        "_held", "_modified_first", "_stuck", "count", "done", "pipes_wait", "source", "source_pos",
        "source_waits", "target", "target_pos", "task",
    )  # fmt: skip

    def __init__(
        self,
        task: Task,
        source: File,
        source_pos: int | None,
        target: File,
        target_pos: int | None,
        count: int,
        modified_first: bool = False,
    ) -> None:
        """`modified_first`: who watches hears of the writing before the reading."""
        self.task = task
        self.source = source
        self.source_pos = source_pos
        self.target = target
        self.target_pos = target_pos
        self.count = count
        self.done = 0
        self.pipes_wait = True
        self.source_waits = not source.flags & O_NONBLOCK  # a source that is no pipe
        self._held = b""  # read from a source that can't take it back
        self._modified_first = modified_first
        self._stuck = (source, READABLE)  # what the last WOULD_BLOCK was about

    def run(self) -> int | Coroutine[None, None, Any]:
        """The count moved, or a coroutine of it where it must wait; an error after some bytes is dropped."""
        return self.done if self._move() else self._go_on()

    async def _go_on(self) -> int:
        try:
            await until(self.task, *self._stuck)
            while not self._move():
                await until(self.task, *self._stuck)
        except Errno:
            if not self.done:
                raise
        return self.done

    def _move(self) -> bool:
        """Move what can be moved; False: more when what it is stuck at is ready."""
        try:
            while self.done < self.count:
                moved = self._step()
                if not isinstance(moved, int):
                    if self._waits():
                        return False
                    if not self.done:
                        raise Errno(errno.EAGAIN)
                    break
                if not moved:
                    break
        except Errno:
            if not self.done:
                raise
        return True

    def _waits(self) -> bool:
        file = self._stuck[0]
        is_pipe = isinstance(file, PipeEnd)
        if self.done and (is_pipe or file is self.source):
            return False
        if is_pipe:
            return self.pipes_wait
        return self.source_waits if file is self.source else not file.flags & O_NONBLOCK

    def _step(self) -> int | _Marker:
        """Move one piece; 0 at the end of the source."""
        source, target = self.source, self.target
        size = min(self.count - self.done, _PIECE)
        from_pipe, to_pipe = isinstance(source, PipeEnd), isinstance(target, PipeEnd)
        waiting = source.peek(1) if isinstance(source, PipeEnd) else b""
        if not isinstance(waiting, bytes):  # before a look at the target: nothing is to go to it
            self._stuck = (source, READABLE)
            return waiting
        if isinstance(target, PipeEnd):
            size = min(size, target.room(self.task))
            if not size:
                self._stuck = (target, WRITABLE)
                return WOULD_BLOCK
        if not from_pipe and not source.gives:
            raise Errno(errno.EINVAL)
        data: bytes | _Marker
        if isinstance(source, PipeEnd):
            data = source.peek(size)
        elif self.source_pos is None and not to_pipe and not target.poll() & (WRITABLE | POLLERR | POLLHUP):
            self._stuck = (target, WRITABLE)
            return WOULD_BLOCK
        else:
            data = self._held or source.read(self.task, size, self.source_pos)
        if not isinstance(data, bytes):
            self._stuck = (source, READABLE)
            return data
        if not data:
            return 0
        if not target.takes:
            raise Errno(errno.EINVAL)
        moved = target.write(self.task, data, self.target_pos)
        if not isinstance(moved, int):
            if self.source_pos is None and not from_pipe:
                self._held = data
            self._stuck = (target, WRITABLE)
            return moved
        if isinstance(source, PipeEnd):
            source.read(self.task, moved, None)
        elif self.source_pos is None:
            self._held = data[moved:]
        else:
            self.source_pos += moved
        if self.target_pos is not None:
            self.target_pos += moved
        self.done += moved
        return moved

    def tell(self) -> None:
        """Tell those who watch the files (inotify(7))."""
        told = [(self.source, IN_ACCESS), (self.target, IN_MODIFY)]
        for file, mask in reversed(told) if self._modified_first else told:
            notify.tell_file(file, mask)


async def until(task: Task, file: File, events: int) -> None:
    """Wait until the file has one of `events`, or will never have it."""
    events |= POLLERR | POLLHUP
    await block(task, lambda: file.poll() & events or WOULD_BLOCK, file.queue, events)
