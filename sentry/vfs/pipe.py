"""Pipes (pipe(7)): the buffer's two ends as open files.

The bytes and the counts of readers and writers live in `_core.PipeBuffer`, which the C dispatcher uses
directly; the reads and writes here do what C leaves: blocking, SIGPIPE, packets.  FIFOs are the same files
with a name: vfs.fifo opens them.  What must hold: a pipe is in `_pipes` as long as one of its ends is open.
"""

from __future__ import annotations

import errno
from _collections import deque

from sentry._core import KIND_PIPE, KIND_PYTHON, PipeBuffer, WaitQueue
from sentry.abi.capability import CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from sentry.abi.fcntl import O_DIRECT, O_RDONLY, O_WRONLY
from sentry.abi.poll import ANY_EVENT, POLLERR, POLLHUP, POLLIN, POLLOUT, READABLE, WRITABLE
from sentry.abi.signal import POLL_IN, POLL_OUT, SIGPIPE
from sentry.errors import Errno
from sentry.kernel.signals.signals import send_self
from sentry.kernel.wait import WOULD_BLOCK
from sentry.vfs.anon import pipe_path
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path

PAGE = 4096
PIPE_BUF = 4096  # writes up to this size are atomic
CAPACITY = 16 * PAGE
CAPACITY_SCARCE = 2 * PAGE  # of a new pipe once the soft limit is reached
PIPE_MAX_SIZE = 1 << 20  # /proc/sys/fs/pipe-max-size
USER_PAGES_SOFT = 16384  # /proc/sys/fs/pipe-user-pages-soft
# Of all pipes of the sandbox, whoever asks: their bytes lie in the sentry's memory.  Growing pipes leave some
# for new ones.
PAGES_MAX = 1 << 17
PAGES_GROWN_MAX = PAGES_MAX // 4 * 3
FIONREAD = 0x541B

_pipes: dict[Inode, Pipe] = {}
_pages_used = 0


class PacketBuffer:
    """The contents of a pipe in packet mode (O_DIRECT, pipe(2)): each write is read on its own."""

    __slots__ = ("capacity", "packets", "queue", "readers", "writers")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.packets: deque[bytes] = deque()
        self.queue = WaitQueue()
        self.readers = 0
        self.writers = 0

    def __len__(self) -> int:
        return len(self.packets) * PAGE  # a packet takes a page

    def put(self, data: bytes) -> int:
        """Append the packets that fit; the count of bytes taken."""
        done = 0
        while done < len(data) and len(self) < self.capacity:
            self.packets.append(data[done : done + PIPE_BUF])
            done += len(self.packets[-1])
        return done

    def get(self, count: int) -> bytes:
        """The first packet; what exceeds count is lost."""
        packet: bytes = self.packets.popleft()
        return packet[:count]

    def peek(self, count: int) -> bytes:
        packet: bytes = self.packets[0]
        return packet[:count]


class Pipe:
    """A pipe or an open FIFO: the buffer, and how often each end was opened (fifo(7)).  ENFILE: too many."""

    __slots__ = ("buffer", "inode", "reader_opens", "writer_opens")

    def __init__(self, inode: Inode, packets: bool = False) -> None:
        global _pages_used
        capacity = CAPACITY if _pages_used < USER_PAGES_SOFT else CAPACITY_SCARCE
        if _pages_used + capacity // PAGE > PAGES_MAX:
            raise Errno(errno.ENFILE)
        self.buffer: PipeBuffer | PacketBuffer = PacketBuffer(capacity) if packets else PipeBuffer(capacity)
        self.inode = inode
        self.reader_opens = 0
        self.writer_opens = 0
        _pages_used += capacity // PAGE
        _pipes[inode] = self

    def resize(self, task: Task, size: int) -> int:
        """F_SETPIPE_SZ (fcntl(2)): the new capacity.  Raises Errno: EINVAL, EPERM, EBUSY, ENOMEM."""
        global _pages_used
        if not 0 <= size <= 1 << 31:
            raise Errno(errno.EINVAL)
        capacity = max(PAGE, 1 << (size - 1).bit_length() if size else 0)
        buffer = self.buffer
        growth = (capacity - buffer.capacity) // PAGE
        if growth > 0 and capacity > PIPE_MAX_SIZE and not task.creds.has_cap(CAP_SYS_RESOURCE):
            raise Errno(errno.EPERM)
        if growth > 0 and _pages_used + growth > USER_PAGES_SOFT and not _is_exempt(task):
            raise Errno(errno.EPERM)
        if growth > 0 and _pages_used + growth > PAGES_GROWN_MAX:
            raise Errno(errno.ENOMEM)
        if capacity < len(buffer):
            raise Errno(errno.EBUSY)
        _pages_used += growth
        buffer.capacity = capacity
        buffer.queue.wake(WRITABLE)
        return capacity

    def drop(self) -> None:
        """The last end was closed."""
        global _pages_used
        _pages_used -= self.buffer.capacity // PAGE
        _pipes.pop(self.inode, None)


def _is_exempt(task: Task) -> bool:
    creds = task.creds
    return bool(creds.has_cap(CAP_SYS_RESOURCE) or creds.has_cap(CAP_SYS_ADMIN))


class PipeEnd(File):
    """An open end of a pipe (both ends when a FIFO is opened O_RDWR)."""

    __slots__ = ("pipe", "writers_seen")

    gives = True
    takes = True
    can_signal = True
    can_direct = True

    def __init__(self, flags: int, path: Path, pipe: Pipe) -> None:
        super().__init__(flags, path)
        buffer = pipe.buffer
        self.pipe = pipe
        self.state = buffer
        self.queue = buffer.queue
        self.kind = KIND_PIPE if type(buffer) is PipeBuffer else KIND_PYTHON
        # A reader of a FIFO that had no writer since it was opened sees no POLLHUP.
        self.writers_seen = pipe.writer_opens if not buffer.writers else -1
        if self.readable:
            buffer.readers += 1
            pipe.reader_opens += 1
        if self.writable:
            buffer.writers += 1
            pipe.writer_opens += 1
        buffer.queue.wake(ANY_EVENT)

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if pos is not None:
            raise Errno(errno.ESPIPE)
        buffer = self.pipe.buffer
        if count == 0:
            return b""
        if len(buffer):
            data = buffer.get(count)
            buffer.queue.wake(WRITABLE)
            return data
        return WOULD_BLOCK if buffer.writers else b""

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        """At most what fits; up to PIPE_BUF bytes all or nothing."""
        if pos is not None:
            raise Errno(errno.ESPIPE)
        if not data:
            return 0
        buffer = self.pipe.buffer
        if not buffer.readers:
            broken(task)
        if len(data) <= PIPE_BUF and buffer.capacity - len(buffer) < len(data):
            return WOULD_BLOCK
        done = buffer.put(data)
        if not done:
            return WOULD_BLOCK
        buffer.queue.wake(READABLE)
        return done

    def peek(self, count: int) -> bytes | _Marker:
        """As `read`, leaving the bytes in the pipe."""
        buffer = self.pipe.buffer
        if len(buffer):
            return buffer.peek(count)
        return WOULD_BLOCK if buffer.writers else b""

    def room(self, task: Task) -> int:
        """How many bytes can be written now; a pipe without readers is EPIPE, with SIGPIPE."""
        buffer = self.pipe.buffer
        if not buffer.readers:
            broken(task)
        return max(buffer.capacity - len(buffer), 0)

    def signal_reason(self, events: int) -> int:
        if self.readable and events & POLLIN:
            return POLL_IN
        return POLL_OUT if self.writable and events & POLLOUT else 0

    def poll(self) -> int:
        buffer = self.pipe.buffer
        events = 0
        if self.readable:
            if len(buffer):
                events = READABLE
            if not buffer.writers and self.pipe.writer_opens != self.writers_seen:
                events |= POLLHUP
        if self.writable:
            if buffer.capacity - len(buffer) >= PIPE_BUF:
                events |= WRITABLE
            if not buffer.readers:
                events |= POLLERR
        return events

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request != FIONREAD:
            raise Errno(errno.ENOTTY)
        buffer = self.pipe.buffer
        waiting = len(buffer) if isinstance(buffer, PipeBuffer) else sum(map(len, buffer.packets))
        task.write_u32(arg, waiting)
        return 0

    def release(self) -> None:
        pipe = getattr(self, "pipe", None)
        if pipe is None:  # the constructor did not come that far
            return
        buffer = pipe.buffer
        if self.readable:
            buffer.readers -= 1
        if self.writable:
            buffer.writers -= 1
        if not buffer.readers and not buffer.writers:
            pipe.drop()
        buffer.queue.wake(ANY_EVENT)


def broken(task: Task) -> NoReturn:
    """Nobody will ever read: SIGPIPE and EPIPE."""
    send_self(task, SIGPIPE, force=True)  # its own doing: init too ends as any program would
    raise Errno(errno.EPIPE)


def make_pipe(task: Task, flags: int) -> tuple[PipeEnd, PipeEnd]:
    """The read end and the write end of a new pipe (pipe2(2)); flags: O_NONBLOCK, O_DIRECT."""
    path = pipe_path(task.creds)
    pipe = Pipe(path.inode, bool(flags & O_DIRECT))
    writer = PipeEnd(flags | O_WRONLY, path, pipe)
    return PipeEnd(flags & ~O_DIRECT | O_RDONLY, path, pipe), writer


def pipe_of(inode: Inode) -> Pipe:
    """The pipe behind the inode of a pipe or FIFO, made when nobody has it open."""
    return _pipes.get(inode) or Pipe(inode)


def set_size(task: Task, file: File, size: int) -> int:
    """fcntl(F_SETPIPE_SZ).  Raises Errno: EBADF when `file` is no pipe, EINVAL, EPERM, EBUSY."""
    if not isinstance(file, PipeEnd):
        raise Errno(errno.EBADF)
    return file.pipe.resize(task, size)


def get_size(file: File) -> int:
    """fcntl(F_GETPIPE_SZ).  Raises Errno(EBADF) when `file` is no pipe."""
    if not isinstance(file, PipeEnd):
        raise Errno(errno.EBADF)
    return file.pipe.buffer.capacity
