"""epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2."""

import errno

from sentry import _core
from sentry.abi.fcntl import O_PATH
from sentry.abi.mman import TASK_SIZE
from sentry.abi.poll import EPOLL_CLOEXEC, EPOLL_CTL_DEL, EPOLL_EVENT
from sentry.abi.time import NSEC, TIMESPEC
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.syscalls.args import Fd, Int, Ptr, Size
from sentry.syscalls.temporary_mask import read_mask, under_mask
from sentry.vfs.epoll import EpollFile, can_poll
from sentry.vfs.signalfd import SignalFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.epoll import ReadyList
    from sentry.vfs.file import File

_MAX_EVENTS = 0x7FFFFFFF // EPOLL_EVENT.size
_FAR = 1 << 62  # nanoseconds; a longer time-out is for ever


def epoll_create(task: "Task", size: Int) -> int:
    if size <= 0:
        raise Errno(errno.EINVAL)
    return epoll_create1(task, 0)


def epoll_create1(task: "Task", flags: Int) -> int:
    if flags & ~EPOLL_CLOEXEC:
        raise Errno(errno.EINVAL)
    return task.files.install(
        EpollFile(task.kernel.epoll_watches, task.creds.uid), bool(flags & EPOLL_CLOEXEC)
    )


def epoll_ctl(task: "Task", epfd: Fd, operation: Int, fd: Fd, event: Ptr) -> int:
    events = data = 0
    if operation != EPOLL_CTL_DEL:
        events, data = EPOLL_EVENT.unpack(task.copy_in(event, EPOLL_EVENT.size))
    epoll = _usable(task, epfd)
    file = _usable(task, fd)
    if not can_poll(file):
        raise Errno(errno.EPERM)
    if isinstance(file, SignalFile):
        file.adopt(task)
    _epoll(epoll).control(operation, fd, file, events, data)
    return 0


def epoll_wait(
    task: "Task", epfd: Fd, events: Ptr, limit: Int, timeout: Int
) -> "int | Coroutine[None, None, Any]":
    return _wait(task, epfd, events, limit, None if timeout < 0 else timeout * 1_000_000)


def epoll_pwait(
    task: "Task", epfd: Fd, events: Ptr, limit: Int, timeout: Int, mask: Ptr, size: Size
) -> "int | Coroutine[None, None, Any]":
    duration = None if timeout < 0 else timeout * 1_000_000
    return under_mask(task, read_mask(task, mask, size), lambda: _wait(task, epfd, events, limit, duration))


def epoll_pwait2(
    task: "Task", epfd: Fd, events: Ptr, limit: Int, timeout: Ptr, mask: Ptr, size: Size
) -> "int | Coroutine[None, None, Any]":
    duration: int | None = None
    if timeout:
        seconds, nanoseconds = TIMESPEC.unpack(task.copy_in(timeout, TIMESPEC.size))
        if seconds < 0 or not 0 <= nanoseconds < NSEC:
            raise Errno(errno.EINVAL)
        duration = seconds * NSEC + nanoseconds
    return under_mask(task, read_mask(task, mask, size), lambda: _wait(task, epfd, events, limit, duration))


def _wait(
    task: "Task", epfd: int, at: int, limit: int, duration: int | None
) -> "int | Coroutine[None, None, Any]":
    """Tell up to `limit` events at `at`; duration in ns, None to wait for ever."""
    file = _usable(task, epfd)
    if not 0 < limit <= _MAX_EVENTS:
        raise Errno(errno.EINVAL)
    if at + limit * EPOLL_EVENT.size > TASK_SIZE:  # even if there will be nothing to tell
        raise Errno(errno.EFAULT)
    ready = _epoll(file).ready
    found = ready.collect(limit)
    if found or duration == 0:
        return _tell(task, at, found)
    deadline = None if duration is None or duration >= _FAR else _core.monotonic() + duration
    return _suspended(task, ready, at, limit, deadline)


async def _suspended(task: "Task", ready: "ReadyList", at: int, limit: int, deadline: int | None) -> int:
    # Linux does not restart an interrupted epoll_wait (signal(7)).
    found = await block(
        task, lambda: ready.collect(limit) or WOULD_BLOCK, ready.queue, deadline=deadline, restart=errno.EINTR
    )
    return _tell(task, at, found) if isinstance(found, list) else 0  # else TIMED_OUT


def _tell(task: "Task", at: int, found: "list[tuple[int, int]]") -> int:
    """The count of events that fit: memory may end in the middle.  Raises Errno(EFAULT): not even one."""
    for index, (events, data) in enumerate(found):
        try:
            task.copy_out(at + index * EPOLL_EVENT.size, EPOLL_EVENT.pack(events, data))
        except Errno:
            if not index:
                raise
            return index
    return len(found)


def _usable(task: "Task", fd: int) -> "File":
    file: File = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    return file


def _epoll(file: "File") -> EpollFile:
    if not isinstance(file, EpollFile):
        raise Errno(errno.EINVAL)
    return file
