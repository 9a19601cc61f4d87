"""Asynchronous I/O contexts (io_setup(2)): a ring of completed requests, shared with the guest.

Reads, writes and syncs are done while they are submitted, as Linux does what needs no device; what stays
pending is IOCB_CMD_POLL.  The guest may take events out of the ring by itself, so that its head is read
again each time and not believed.
"""

from __future__ import annotations

import os
from errno import EAGAIN, EINTR, EINVAL, ENOMEM

from sentry import _core
from sentry.abi.aio import (
    AIO_MAX_NR,
    IO_EVENT,
    RING,
    RING_HEAD,
    RING_MAGIC,
    RING_TAIL,
    SETUP_MAX,
)
from sentry.abi.fcntl import O_RDWR
from sentry.abi.mman import MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from sentry.errors import Errno
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, Waiter, suspend
from sentry.mm.vma import SharedMemory
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace
    from sentry.vfs.eventfd import EventFile
    from sentry.vfs.file import MapSource

CONTEXTS_MAX = 256  # in the sandbox: each has a descriptor of the host's


class Totals:
    """What all contexts were set up for (/proc/sys/fs/aio-nr), and the limit."""

    def __init__(self) -> None:
        self.events = 0
        self.limit = AIO_MAX_NR
        self.contexts = 0


totals = Totals()


class RingMemory(SharedMemory):
    """The identity of a ring's memory, and its descriptor."""

    __slots__ = ("fd",)

    def __init__(self, size: int) -> None:
        super().__init__(b"/[aio] (deleted)")
        self.fd = -1
        try:
            self.fd = os.memfd_create("aio", os.MFD_CLOEXEC)
            os.ftruncate(self.fd, size)
        except OSError:
            raise Errno(ENOMEM) from None

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class RingFile(File):
    """What the mapping of a ring keeps alive."""

    __slots__ = ("memory",)

    noexec = True

    def __init__(self, memory: RingMemory) -> None:
        super().__init__(O_RDWR)
        self.memory = memory

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        return self.memory


class Request:
    """What its completion must know of a request: its struct iocb's address, aio_data and aio_resfd."""

    __slots__ = ("address", "data", "result_fd")

    def __init__(self, address: int, data: int, result_fd: EventFile | None) -> None:
        self.address = address
        self.data = data
        self.result_fd = result_fd


class PollRequest:
    """IOCB_CMD_POLL: waits in a file's queue."""

    __slots__ = ("context", "events", "file", "request")

    def __init__(self, context: AioContext, request: Request, file: File, events: int) -> None:
        self.context = context
        self.request = request
        self.file = file
        self.events = events | POLLERR | POLLHUP

    def start(self) -> None:
        """Complete at once, or stay."""
        self.context.polls[self.request.address] = self
        self.file.queue.add(self)
        ready = self.file.poll() & self.events
        if ready:
            self.finish(ready)

    def notify(self, events: int) -> bool:
        if not events & self.events or not self.file.poll() & self.events:
            return False
        # As Linux: all that the file has woken for, be it asked for or not.
        events |= POLLRDNORM if events & POLLIN else 0
        events |= POLLWRNORM if events & POLLOUT else 0
        self.finish(self.file.poll() & events)
        return True

    def finish(self, result: int) -> None:
        self.drop()
        self.context.complete(self.request, result)

    def drop(self) -> None:
        self.file.queue.remove(self)
        if self.context.polls.get(self.request.address) is self:
            del self.context.polls[self.request.address]


class AioContext:
    """One context; `slots` events fit into its ring, less one."""

    __slots__ = ("_memory", "_tail", "address", "dead", "length", "polls", "queue", "slots", "wanted")

    def __init__(self, task: Task, wanted: int) -> None:
        """Make it for `wanted` events.  EAGAIN, EINVAL, ENOMEM."""
        slots = max(wanted, 4 * task.kernel.cpus.bit_count()) * 2
        if slots > SETUP_MAX:
            raise Errno(EINVAL)
        if totals.events + wanted > totals.limit or totals.contexts >= CONTEXTS_MAX:
            raise Errno(EAGAIN)
        self.length = (RING.size + (slots + 2) * IO_EVENT.size + PAGE_SIZE - 1) // PAGE_SIZE * PAGE_SIZE
        self.slots = (self.length - RING.size) // IO_EVENT.size
        self.wanted = wanted
        self.dead = False
        self.polls: dict[int, PollRequest] = {}  # by the address of the struct iocb
        self.queue = _core.WaitQueue()
        self._tail = 0
        self._memory = RingMemory(self.length)
        header = RING.pack(totals.contexts, self.slots, 0, 0, RING_MAGIC, 1, 0, RING.size)
        os.pwrite(self._memory.fd, header, 0)
        file = RingFile(self._memory)
        self.address = task.mm.mmap(task, 0, self.length, PROT_READ | PROT_WRITE, MAP_SHARED, file)
        totals.events += wanted
        totals.contexts += 1

    def destroy(self) -> None:
        """Nothing completes any more; whoever waits for events gets EINVAL."""
        self.dead = True
        for poll in list(self.polls.values()):
            poll.drop()
        totals.events -= self.wanted
        totals.contexts -= 1
        self.queue.wake(POLLIN)

    # The ring

    def _head(self) -> int:
        return int.from_bytes(os.pread(self._memory.fd, 4, RING_HEAD), "little") % self.slots

    def _count(self) -> int:
        return (self._tail - self._head()) % self.slots

    def reserve(self) -> None:
        """There is room for one more request; EAGAIN."""
        if self._count() + len(self.polls) >= self.slots - 1:
            raise Errno(EAGAIN)

    def complete(self, request: Request, result: int) -> None:
        """A request, for which there is room, has come to its end."""
        fd, tail = self._memory.fd, self._tail
        event = IO_EVENT.pack(request.data, request.address, result, 0)
        os.pwrite(fd, event, RING.size + tail * IO_EVENT.size)
        self._tail = (tail + 1) % self.slots
        os.pwrite(fd, self._tail.to_bytes(4, "little"), RING_TAIL)
        if request.result_fd is not None:
            request.result_fd.add(1)
        self.queue.wake(POLLIN)

    def take(self, most: int) -> bytes:
        """Up to `most` events, oldest first."""
        fd, head = self._memory.fd, self._head()
        count = min((self._tail - head) % self.slots, most)
        if count <= 0:
            return b""
        first = min(count, self.slots - head)
        data = os.pread(fd, first * IO_EVENT.size, RING.size + head * IO_EVENT.size)
        data += os.pread(fd, (count - first) * IO_EVENT.size, RING.size)
        os.pwrite(fd, ((head + count) % self.slots).to_bytes(4, "little"), RING_HEAD)
        return data

    async def collect(self, task: Task, least: int, most: int, buffer: int, deadline: int | None) -> int:
        """io_getevents(2): how many were copied to `buffer`.  EFAULT, EINTR, EINVAL."""
        done = 0
        waiter = Waiter(task)
        self.queue.add(waiter)
        try:
            while True:
                data = self.take(most - done)
                if data:
                    task.copy_out(buffer + done * IO_EVENT.size, data)
                    done += len(data) // IO_EVENT.size
                if done >= least:
                    return done
                if self.dead:
                    raise Errno(EINVAL)
                outcome = await suspend(task, deadline)
                if outcome in (INTERRUPTED, TIMED_OUT_OUTCOME):
                    data = self.take(most - done)
                    task.copy_out(buffer + done * IO_EVENT.size, data)
                    done += len(data) // IO_EVENT.size
                    if outcome == INTERRUPTED and not done:
                        raise Errno(EINTR)
                    return done
        finally:
            self.queue.remove(waiter)


# An address space's contexts, by the id() of that: see `leave_space`
contexts: dict[int, dict[int, AioContext]] = {}


def setup(task: Task, wanted: int) -> int:
    """A new context: its address."""
    context = AioContext(task, wanted)
    contexts.setdefault(id(task.mm), {})[context.address] = context
    return context.address


def find(task: Task, address: int) -> AioContext:
    """The context at this address; EINVAL."""
    context = contexts.get(id(task.mm), {}).get(address)
    if context is None:
        raise Errno(EINVAL)
    return context


def destroy(task: Task, context: AioContext) -> None:
    """io_destroy(2)."""
    del contexts[id(task.mm)][context.address]
    context.destroy()
    task.mm.munmap(task, context.address, context.length)


def leave_space(mm: AddressSpace) -> None:
    """The last task leaves the address space: its contexts end."""
    for context in contexts.pop(id(mm), {}).values():
        context.destroy()
