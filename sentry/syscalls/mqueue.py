"""POSIX message queues: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr."""

import errno

from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.mqueue import COOKIE_SIZE, MQ_ATTR, MQ_PRIO_MAX
from sentry.abi.signal import NSIG, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEVENT, SIGEVENT_SIZE
from sentry.abi.time import CLOCK_REALTIME
from sentry.errors import Errno
from sentry.ipc.mqueue import Notification
from sentry.ipc.mqueue_fs import QueueFile
from sentry.kernel.timekeeping import clock
from sentry.socket.base import Socket
from sentry.socket.netlink import NetlinkSocket
from sentry.syscalls.args import Fd, Int, Path, Ptr, Size, UInt
from sentry.syscalls.timespec import read_timespec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sentry.ipc.mqueue import Message
    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]


def mq_open(task: "Task", name: Path, flags: Int, mode: UInt, attributes: Ptr) -> int:
    sizes = None
    if attributes:
        _, most, size, _ = MQ_ATTR.unpack(task.copy_in(attributes, MQ_ATTR.size))
        sizes = most, size
    task.files.lowest_free()  # EMFILE before anything is created
    file = task.ns.ipc.queues.open(task, name, flags, mode, sizes)
    return task.files.install(file, cloexec=True)


def mq_unlink(task: "Task", name: Path) -> int:
    task.ns.ipc.queues.unlink(task, name)
    return 0


def _queue_file(task: "Task", fd: int) -> QueueFile:
    file = task.files.get(fd)
    if not isinstance(file, QueueFile):
        raise Errno(errno.EBADF)
    return file


def _deadline(task: "Task", address: int) -> int | None:
    if not address:
        return None
    return clock.deadline(task.kernel.clock, CLOCK_REALTIME, read_timespec(task, address))


def mq_timedsend(task: "Task", fd: Fd, text: Ptr, length: Size, priority: UInt, timeout: Ptr) -> "Answer":
    deadline = _deadline(task, timeout)
    if priority >= MQ_PRIO_MAX:
        raise Errno(errno.EINVAL)
    file = _queue_file(task, fd)
    if not file.writable:
        raise Errno(errno.EBADF)
    queue = file.inode.messages
    if length > queue.max_size:
        raise Errno(errno.EMSGSIZE)
    message = (priority, task.copy_in(text, length) if length else b"")
    return queue.send(task, message, not file.flags & O_NONBLOCK, deadline)


def mq_timedreceive(task: "Task", fd: Fd, buffer: Ptr, size: Size, priority: Ptr, timeout: Ptr) -> "Answer":
    deadline = _deadline(task, timeout)
    file = _queue_file(task, fd)
    if not file.readable:
        raise Errno(errno.EBADF)
    got = file.inode.messages.receive(task, size, not file.flags & O_NONBLOCK, deadline)
    if isinstance(got, tuple):
        return _deliver(task, buffer, priority, got)
    return _deliver_later(task, buffer, priority, got)


def _deliver(task: "Task", buffer: int, address: int, message: "Message") -> int:
    priority, text = message
    if address:
        task.write_u32(address, priority)
    if text:
        task.copy_out(buffer, text)
    return len(text)


async def _deliver_later(
    task: "Task", buffer: int, address: int, arrival: "Coroutine[None, None, Message]"
) -> int:
    return _deliver(task, buffer, address, await arrival)


def _receiver(task: "Task", fd: int) -> "Callable[[bytes], None]":
    """SIGEV_THREAD: the C library's netlink socket, in which a thread waits for the cookie."""
    file = task.files.get(fd)
    if not isinstance(file, Socket):
        raise Errno(errno.ENOTSOCK)
    if not isinstance(file, NetlinkSocket):
        raise Errno(errno.EINVAL)
    return file.deliver


def mq_notify(task: "Task", fd: Fd, event: Ptr) -> int:
    notification = None
    if event:
        value, signo, method, _ = SIGEVENT.unpack_from(task.copy_in(event, SIGEVENT_SIZE))
        if method not in (SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD):
            raise Errno(errno.EINVAL)
        if method == SIGEV_SIGNAL and not 0 <= signo <= NSIG:
            raise Errno(errno.EINVAL)
        notification = Notification(task.group, method, signo, value)
        if method == SIGEV_THREAD:
            notification.cookie = task.copy_in(value, COOKIE_SIZE)
            notification.deliver = _receiver(task, signo)
    file = _queue_file(task, fd)
    if notification is None:
        file.inode.messages.unregister(task.group)
    else:
        file.inode.messages.register(notification)
        file.inode.locked = True  # closes come to us, not to C: see QueueFile.flush
    return 0


def mq_getsetattr(task: "Task", fd: Fd, new: Ptr, old: Ptr) -> int:
    flags = 0
    if new:
        flags = MQ_ATTR.unpack(task.copy_in(new, MQ_ATTR.size))[0]
        if flags & ~O_NONBLOCK:
            raise Errno(errno.EINVAL)
    file = _queue_file(task, fd)
    queue = file.inode.messages
    before = MQ_ATTR.pack(file.flags & O_NONBLOCK, queue.max_messages, queue.max_size, len(queue))
    if new:
        file.flags = file.flags & ~O_NONBLOCK | flags
    if old:
        task.copy_out(old, before)
    return 0
