"""eventfd(2): a counter as a file.  The counter is `_core.Counter`; C answers what doesn't block."""

from __future__ import annotations

import errno
from itertools import count

from sentry._core import KIND_EVENTFD, Counter
from sentry.abi.poll import EVENTFD_MAX, POLLERR, POLLIN, POLLOUT, READABLE, WRITABLE
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker


_ids = count()  # Linux hands out the smallest free one


class EventFile(AnonymousFile):
    """An open eventfd."""

    __slots__ = ("id",)

    writes_iter = False

    state: Counter

    def __init__(self, value: int, semaphore: bool, flags: int) -> None:
        super().__init__(flags, b"[eventfd]")
        self.id = next(_ids)
        self.state = Counter(value, semaphore)
        self.queue = self.state.queue
        self.kind = KIND_EVENTFD

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if count < 8:
            raise Errno(errno.EINVAL)
        counter = self.state
        if not counter.value:
            return WOULD_BLOCK
        taken = 1 if counter.semaphore else counter.value
        counter.value -= taken
        counter.queue.wake(WRITABLE)
        return taken.to_bytes(8, "little")

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        added = int.from_bytes(data[:8], "little")
        if len(data) != 8 or added > EVENTFD_MAX:
            raise Errno(errno.EINVAL)
        counter = self.state
        if added > EVENTFD_MAX - counter.value:
            return WOULD_BLOCK
        counter.value += added
        if added:
            counter.queue.wake(READABLE)
        return 8

    def fdinfo(self, reader: Task) -> bytes:
        counter = self.state
        return b"eventfd-count: %16x\neventfd-id: %d\neventfd-semaphore: %d\n" % (
            counter.value,
            self.id,
            counter.semaphore,
        )

    def add(self, value: int) -> None:
        """The kernel itself signals; what does not fit is lost."""
        counter = self.state
        counter.value = min(counter.value + value, EVENTFD_MAX + 1)
        counter.queue.wake(READABLE)

    def poll(self) -> int:
        value = self.state.value
        events = 0
        if value:
            events = POLLIN
        if value < EVENTFD_MAX:
            events |= POLLOUT
        elif value > EVENTFD_MAX:  # overflow (eventfd(2)); only the kernel itself could cause it
            events |= POLLERR
        return events
