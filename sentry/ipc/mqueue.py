"""A POSIX message queue (mq_overview(7)): messages by priority, who waits for them, who is notified.

The file system that queues are files of is in ipc.mqueue_fs.
"""

from __future__ import annotations

from _heapq import heappop, heappush
from errno import EAGAIN, EBUSY, EMFILE, EMSGSIZE, ETIMEDOUT

from sentry import _core
from sentry.abi.mqueue import (
    COOKIE_SIZE,
    MESSAGE_SIZE,
    MQ_PRIO_MAX,
    NOTIFY_REMOVED,
    NOTIFY_WOKENUP,
    TREE_NODE_SIZE,
)
from sentry.abi.poll import READABLE, WRITABLE
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.signal import SI_MESGQ, SIGEV_SIGNAL, SIGEV_THREAD
from sentry.errors import Errno
from sentry.ipc.memory import message_memory
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.signals.signals import send_group
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup

    Message = tuple[int, bytes]  # priority, text

_charged: dict[int, int] = {}  # by user: what RLIMIT_MSGQUEUE counts, in bytes


class Notification:
    """A process that wants to know of the next message (mq_notify(3))."""

    __slots__ = ("cookie", "deliver", "group", "method", "signo", "value")

    def __init__(self, group: ThreadGroup, method: int, signo: int, value: int) -> None:
        self.group = group
        self.method = method
        self.signo = signo
        self.value = value
        self.cookie = b""
        self.deliver: Callable[[bytes], None] | None = None  # SIGEV_THREAD: where the cookie goes

    def tell(self, sender: Task) -> None:
        """A message has come."""
        if self.method == SIGEV_SIGNAL and self.signo:
            group = self.group
            pid = group.pid_ns.number(sender.group.tgid)
            uid = group.tasks[0].creds.user_ns.show_uid(sender.creds.uid) if group.tasks else 0
            send_group(group, self.signo, SigInfo(self.signo, SI_MESGQ, pid, uid, self.value))
        elif self.method == SIGEV_THREAD:
            self._send_cookie(NOTIFY_WOKENUP)

    def end(self) -> None:
        """It is taken back."""
        if self.method == SIGEV_THREAD:
            self._send_cookie(NOTIFY_REMOVED)

    def _send_cookie(self, what: int) -> None:
        if self.deliver is not None:
            self.deliver(self.cookie[: COOKIE_SIZE - 1] + bytes((what,)))


class Sleeper:
    """A task that waits to send (`message` is what) or to receive (what it got)."""

    __slots__ = ("done", "message", "task")

    def __init__(self, task: Task, message: Message | None) -> None:
        self.task = task
        self.message = message
        self.done = False

    def finish(self) -> None:
        self.done = True
        self.task.wake()


class MessageQueue:
    """At most `max_messages` of at most `max_size` bytes each.

    What must hold: receivers wait only while there is no message, senders only while there is no room.
    """

    __slots__ = (
        "_heap", "_notification", "_receivers", "_senders", "_serial", "bytes", "max_messages", "max_size",
        "owner", "queue",
    )  # fmt: skip

    def __init__(self, max_messages: int, max_size: int, owner: int, limit: int) -> None:
        """`limit` is RLIMIT_MSGQUEUE of who makes it, the user `owner`.  EMFILE."""
        self.max_messages = max_messages
        self.max_size = max_size
        self.bytes = 0  # of the messages in it
        self.queue = _core.WaitQueue()  # of those who poll
        self._heap: list[tuple[int, int, bytes]] = []  # minus priority, serial number, text
        self._serial = 0
        self._receivers: list[Sleeper] = []  # oldest first
        self._senders: list[Sleeper] = []
        self._notification: Notification | None = None
        self.owner = -1
        if _charged.get(owner, 0) + self._charge() > limit:
            raise Errno(EMFILE)
        self.owner = owner
        _charged[owner] = _charged.get(owner, 0) + self._charge()

    def _charge(self) -> int:
        nodes = min(self.max_messages, MQ_PRIO_MAX) * TREE_NODE_SIZE
        return self.max_messages * (self.max_size + MESSAGE_SIZE) + nodes

    def __del__(self) -> None:
        message_memory.release(self.bytes, len(self._heap))
        if self.owner >= 0:
            _charged[self.owner] -= self._charge()
            if not _charged[self.owner]:
                del _charged[self.owner]

    def __len__(self) -> int:
        return len(self._heap)

    def poll(self) -> int:
        events = READABLE if self._heap else 0
        return events | (WRITABLE if len(self._heap) < self.max_messages else 0)

    # Sending

    def send(
        self, task: Task, message: Message, blocking: bool, deadline: int | None
    ) -> int | Coroutine[None, None, int]:
        """mq_send(3): 0.  EMSGSIZE is the caller's to check.  EAGAIN, ENOMEM, ERESTARTSYS, ETIMEDOUT."""
        if len(self._heap) < self.max_messages:
            self._accept(task, message)
            return 0
        if not blocking:
            raise Errno(EAGAIN)
        return self._send_later(task, message, deadline)

    async def _send_later(self, task: Task, message: Message, deadline: int | None) -> int:
        await _sleep(Sleeper(task, message), self._senders, deadline)
        return 0

    def _accept(self, task: Task, message: Message) -> None:
        if self._receivers:
            receiver = self._receivers.pop(0)
            receiver.message = message
            receiver.finish()
            return
        self._push(message)
        if len(self._heap) == 1:
            notification, self._notification = self.notification(), None
            if notification is not None:
                notification.tell(task)
        self.queue.wake(READABLE)

    def _push(self, message: Message) -> None:
        priority, text = message
        message_memory.charge(len(text))
        self.bytes += len(text)
        self._serial += 1
        heappush(self._heap, (-priority, self._serial, text))

    # Receiving

    def receive(
        self, task: Task, size: int, blocking: bool, deadline: int | None
    ) -> Message | Coroutine[None, None, Message]:
        """mq_receive(3): the oldest message of the highest priority.

        EAGAIN, EMSGSIZE (`size` is less than the longest message), ERESTARTSYS, ETIMEDOUT.
        """
        if size < self.max_size:
            raise Errno(EMSGSIZE)
        if self._heap:
            return self._take()
        if not blocking:
            raise Errno(EAGAIN)
        return self._receive_later(task, deadline)

    async def _receive_later(self, task: Task, deadline: int | None) -> Message:
        receiver = Sleeper(task, None)
        await _sleep(receiver, self._receivers, deadline)
        assert receiver.message is not None
        return receiver.message

    def _take(self) -> Message:
        priority, _, text = heappop(self._heap)
        self.bytes -= len(text)
        message_memory.release(len(text))
        if self._senders:
            sender = self._senders.pop(0)
            assert sender.message is not None
            self._push(sender.message)
            sender.finish()
        else:
            self.queue.wake(WRITABLE)
        return -priority, text

    # Notification

    def notification(self) -> Notification | None:
        """The registration, unless its process is dead."""
        found = self._notification
        return None if found is None or found.group.dead else found

    def register(self, notification: Notification) -> None:
        """EBUSY when some process is registered."""
        if self.notification() is not None:
            raise Errno(EBUSY)
        self._notification = notification

    def unregister(self, group: ThreadGroup) -> None:
        """Take back the registration if it is that process's."""
        found = self.notification()
        if found is not None and found.group is group:
            self._notification = None
            found.end()


async def _sleep(sleeper: Sleeper, line: list[Sleeper], deadline: int | None) -> None:
    """Stand in line until served.  ERESTARTSYS, ETIMEDOUT."""
    line.append(sleeper)
    try:
        while not sleeper.done:
            outcome = await suspend(sleeper.task, deadline)
            if not sleeper.done and outcome in (INTERRUPTED, TIMED_OUT_OUTCOME):
                raise Errno(ERESTARTSYS if outcome == INTERRUPTED else ETIMEDOUT)
    finally:
        if not sleeper.done:
            line.remove(sleeper)
