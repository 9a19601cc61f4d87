"""Calls that another process answers (seccomp_unotify(2)): the listener, and the task that waits.

A notification is new until it has been received, then sent until it is replied to; it is gone as soon as the
task no longer waits for it.
"""

from __future__ import annotations

import errno

from sentry._core import WaitQueue
from sentry.abi.fcntl import O_CLOEXEC
from sentry.abi.poll import POLLHUP, POLLIN, POLLOUT
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.seccomp import (
    SECCOMP_ADDFD_FLAG_SEND,
    SECCOMP_ADDFD_FLAG_SETFD,
    SECCOMP_IOCTL_NOTIF_ADDFD,
    SECCOMP_IOCTL_NOTIF_ID_VALID,
    SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR,
    SECCOMP_IOCTL_NOTIF_RECV,
    SECCOMP_IOCTL_NOTIF_SEND,
    SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    SECCOMP_NOTIF,
    SECCOMP_NOTIF_ADDFD,
    SECCOMP_NOTIF_RESP,
    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
    SECCOMP_USER_NOTIF_FLAG_CONTINUE,
)
from sentry.errors import Errno
from sentry.kernel.wait import INTERRUPTED, WOULD_BLOCK, block, suspend
from sentry.vfs.anon import AnonymousFile
from sentry.vfs.locks import close_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.tracing.seccomp import Filter
    from sentry.kernel.wait import _Marker

_NEW, _SENT, _REPLIED = range(3)
_EA_SIZE = 0x3FFF << 16  # the size in a request's number (ioctl(2))
_PAGE = 4096


class Notification:
    """A call that waits for its answer."""

    __slots__ = ("data", "flags", "id", "result", "state", "task")

    def __init__(self, number: int, task: Task, data: bytes) -> None:
        self.id = number
        self.task = task
        self.data = data
        self.state = _NEW
        self.result = 0
        self.flags = 0

    def reply(self, result: int, flags: int) -> None:
        self.state = _REPLIED
        self.result = result
        self.flags = flags
        self.task.wake()


class Notifier:
    """What a filter and the listener's descriptor share: the calls that wait.

    `filter` has users as long as there is anybody who could ask.
    """

    __slots__ = ("_last", "filter", "pending", "queue")

    def __init__(self, filtering: Filter) -> None:
        self.filter = filtering
        self.pending: dict[int, Notification] = {}
        self.queue = WaitQueue()
        self._last = 0

    def notify(self, task: Task, data: bytes) -> Notification:
        """A new notification, which the caller takes out of `pending` again."""
        self._last += 1
        notification = self.pending[self._last] = Notification(self._last, task, data)
        self.queue.wake(POLLIN)
        return notification


class Listener(AnonymousFile):
    """The descriptor that SECCOMP_FILTER_FLAG_NEW_LISTENER gives.  Without it, nobody answers."""

    __slots__ = ("filter", "pending")

    can_read = can_write = False

    queue: WaitQueue

    def __init__(self, notifier: Notifier) -> None:
        super().__init__(0, b"seccomp notify")
        self.filter = notifier.filter
        self.pending = notifier.pending
        self.queue = notifier.queue

    def release(self) -> None:
        self.filter.notifier = None
        for notification in self.pending.values():
            if notification.state != _REPLIED:
                notification.reply(-errno.ENOSYS, 0)

    def poll(self) -> int:
        events = 0 if self.filter.users else POLLHUP
        for notification in self.pending.values():
            events |= {_NEW: POLLIN, _SENT: POLLOUT}.get(notification.state, 0)
        return events

    def ioctl(self, task: Task, request: int, arg: int) -> int | Coroutine[None, None, int]:
        if request == SECCOMP_IOCTL_NOTIF_RECV:
            return self._receive(task, arg)
        if request == SECCOMP_IOCTL_NOTIF_SEND:
            return self._send(task, arg)
        if request in (SECCOMP_IOCTL_NOTIF_ID_VALID, SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR):
            found = self.pending.get(task.read_u64(arg))
            if found is None or found.state != _SENT:
                raise Errno(errno.ENOENT)
            return 0
        if request == SECCOMP_IOCTL_NOTIF_SET_FLAGS:
            if arg & ~SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP:
                raise Errno(errno.EINVAL)
            return 0
        if request & ~_EA_SIZE == SECCOMP_IOCTL_NOTIF_ADDFD & ~_EA_SIZE:
            return self._add_descriptor(task, arg, request >> 16 & 0x3FFF)
        raise Errno(errno.EINVAL)

    def _first_new(self) -> Notification | _Marker | None:
        for notification in self.pending.values():
            if notification.state == _NEW:
                return notification
        return WOULD_BLOCK if self.filter.users else None

    async def _receive(self, task: Task, address: int) -> int:
        if any(task.copy_in(address, SECCOMP_NOTIF.size)):
            raise Errno(errno.EINVAL)
        found = await block(task, self._first_new, self.queue, POLLIN | POLLHUP)
        if not isinstance(found, Notification):
            raise Errno(errno.ENOENT)  # nobody is left who could ask
        fields = (found.id, task.number(found.task.tid), 0, found.data)
        task.copy_out(address, SECCOMP_NOTIF.pack(*fields))
        found.state = _SENT
        found.task.wake()  # it may have to wait otherwise from now on
        self.queue.wake(POLLOUT)
        return 0

    def _sent(self, number: int) -> Notification:
        found = self.pending.get(number)
        if found is None:
            raise Errno(errno.ENOENT)
        if found.state != _SENT:
            raise Errno(errno.EINPROGRESS)
        return found

    def _send(self, task: Task, address: int) -> int:
        fields = task.copy_in(address, SECCOMP_NOTIF_RESP.size)
        number, value, error, flags = SECCOMP_NOTIF_RESP.unpack(fields)
        if flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE:
            raise Errno(errno.EINVAL)
        if flags and (error or value):
            raise Errno(errno.EINVAL)
        self._sent(number).reply(error or value, flags)
        return 0

    def _add_descriptor(self, task: Task, address: int, size: int) -> int:
        if not SECCOMP_NOTIF_ADDFD.size <= size < _PAGE:
            raise Errno(errno.EINVAL)
        data = task.copy_in(address, size)
        if any(data[SECCOMP_NOTIF_ADDFD.size :]):
            raise Errno(errno.E2BIG)
        number, flags, source, target, target_flags = SECCOMP_NOTIF_ADDFD.unpack_from(data)
        setfd = flags & SECCOMP_ADDFD_FLAG_SETFD
        if (
            target_flags & ~O_CLOEXEC
            or flags & ~(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)
            or (target and not setfd)
        ):
            raise Errno(errno.EINVAL)
        file = task.files.get(source - (1 << 32) if source >> 31 else source)
        found = self._sent(number)
        files, cloexec = found.task.files, bool(target_flags)
        if setfd:
            replaced = files.set(target, file, cloexec)
            if replaced is not None:
                close_file(found.task, replaced)
            given: int = target
        else:
            given = files.install(file, cloexec)
        if flags & SECCOMP_ADDFD_FLAG_SEND:
            found.reply(given, 0)
        return given


async def ask(task: Task, which: Filter, data: bytes, go_on: object) -> Any:
    """Have the filter's listener answer the task's call: its result, or `go_on` when it is to be made.

    ENOSYS without a listener; raises ERESTARTSYS when a signal comes first.
    """
    notifier = which.notifier
    if notifier is None:
        return -errno.ENOSYS
    notification = notifier.notify(task, data)
    try:
        while notification.state != _REPLIED:
            interruptible = not (which.wait_killable and notification.state == _SENT)
            if await suspend(task, interruptible=interruptible) == INTERRUPTED:
                raise Errno(ERESTARTSYS)
    finally:
        del notifier.pending[notification.id]
    if notification.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE:
        return go_on
    return notification.result
