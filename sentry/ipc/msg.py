"""System V message queues (msgget(2), msgop(2), msgctl(2)).

A message goes to the first receiver that waits for its type, or into the queue; senders wait for room.
"""

from __future__ import annotations

from errno import E2BIG, EAGAIN, EIDRM, ENOMSG

from sentry.abi.ipc import (
    IPC_NOWAIT,
    MSG_COPY,
    MSG_EXCEPT,
    MSG_NOERROR,
    MSGMAX,
    MSGMNB,
    MSGMNI,
    MSQID_DS,
)
from sentry.abi.restart import ERESTARTNOHAND
from sentry.errors import Errno
from sentry.ipc.ids import IpcIds, IpcObject, seconds
from sentry.ipc.memory import message_memory
from sentry.kernel.wait import INTERRUPTED, suspend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.ipc.namespace import IpcNamespace
    from sentry.kernel.task import Task

    Message = tuple[int, bytes]  # type, text


class Wanted:
    """Which message a msgrcv asks for."""

    __slots__ = ("flags", "size", "type")

    def __init__(self, size: int, type: int, flags: int) -> None:
        self.size = size
        self.type = type
        self.flags = flags

    def accepts(self, message: Message) -> bool:
        """Whether the message's type is one that will do."""
        if not self.type:
            return True
        if self.type < 0:
            return message[0] <= -self.type
        return (message[0] == self.type) != bool(self.flags & MSG_EXCEPT)

    def fits(self, message: Message) -> bool:
        """Whether there is room for it, or it may be cut."""
        return len(message[1]) <= self.size or bool(self.flags & MSG_NOERROR)


class Receiver:
    """A msgrcv that waits; `message` or `error` is set once it is over."""

    __slots__ = ("error", "message", "task", "wanted")

    def __init__(self, task: Task, wanted: Wanted) -> None:
        self.task = task
        self.wanted = wanted
        self.message: Message | None = None
        self.error = 0

    def waits(self) -> bool:
        return self.message is None and not self.error

    def end(self, message: Message | None, error: int) -> None:
        self.message, self.error = message, error
        self.task.wake()


class Queue(IpcObject):
    """One message queue; sizes in bytes."""

    __slots__ = ("cbytes", "lrpid", "lspid", "messages", "qbytes", "receivers", "rtime", "senders", "stime")

    def __init__(self, task: Task, key: int, flags: int, qbytes: int) -> None:
        super().__init__(task, key, flags)
        self.messages: list[Message] = []  # oldest first
        self.cbytes = 0
        self.qbytes = qbytes
        self.stime = self.rtime = 0
        self.lspid = self.lrpid = 0
        self.receivers: list[Receiver] = []  # oldest first
        self.senders: list[Task] = []

    def pack(self, task: Task) -> bytes:
        """struct msqid64_ds, for `task`."""
        return self.pack_perm(task) + MSQID_DS.pack(
            self.stime, self.rtime, self.ctime, self.cbytes, len(self.messages), self.qbytes,
            task.number(self.lspid), task.number(self.lrpid),
        )  # fmt: skip

    def has_room(self, size: int) -> bool:
        return size + self.cbytes <= self.qbytes and len(self.messages) < self.qbytes

    def find(self, wanted: Wanted) -> Message | None:
        """The message that a msgrcv gets: of several types the lowest, else the oldest."""
        if wanted.flags & MSG_COPY:
            if 0 <= wanted.type < len(self.messages):
                return self.messages[wanted.type]
            return None
        best: Message | None = None
        for message in self.messages:
            if wanted.accepts(message):
                if wanted.type >= 0:
                    return message
                if best is None or message[0] < best[0]:
                    best = message
        return best

    def hand_over(self, message: Message) -> bool:
        """Give a message to whoever waits for it; those it is too big for are told so."""
        for receiver in self.receivers.copy():
            if not receiver.wanted.accepts(message):
                continue
            self.receivers.remove(receiver)
            if receiver.wanted.fits(message):
                receiver.end(message, 0)
                self.lrpid = receiver.task.group.tgid
                self.rtime = seconds()
                return True
            receiver.end(None, E2BIG)
        return False

    def empty(self) -> None:
        """Lose all messages."""
        message_memory.release(self.cbytes, len(self.messages))
        self.messages.clear()
        self.cbytes = 0

    __del__ = empty  # a namespace ends with its queues

    def wake_senders(self) -> None:
        """There may be room."""
        for task in self.senders:
            task.wake()

    def expel_receivers(self, error: int) -> None:
        """Whoever waits for a message gets an error."""
        receivers, self.receivers = self.receivers, []
        for receiver in receivers:
            receiver.end(None, error)


class QueueIds(IpcIds):
    """The queues of a namespace, and their limits."""

    __slots__ = ("count", "queue_limit", "size_limit", "total")

    def __init__(self, namespace: IpcNamespace) -> None:
        super().__init__(namespace, MSGMNI)
        self.size_limit = MSGMAX  # of one message
        self.queue_limit = MSGMNB  # a new queue's qbytes
        self.total = 0  # bytes in all queues
        self.count = 0  # messages in all queues

    def obtain(self, task: Task, key: int, flags: int) -> int:
        """msgget(2): the id.  EACCES, EEXIST, ENOENT, ENOSPC."""
        return self.lookup(
            task, key, flags, lambda: Queue(task, key, flags, self.queue_limit), lambda found: None
        )

    def destroy(self, queue: Queue) -> None:
        """IPC_RMID: whoever waits gets EIDRM."""
        self.remove(queue)
        queue.expel_receivers(EIDRM)
        queue.wake_senders()
        self.total -= queue.cbytes
        self.count -= len(queue.messages)
        queue.empty()

    # Sending

    def send(self, task: Task, id: int, message: Message, flags: int) -> int | Coroutine[None, None, int]:
        """msgsnd(2): 0.  EACCES, EAGAIN, EIDRM, EINVAL, ENOMEM, ERESTARTNOHAND; sizes are checked already."""
        queue: Queue = self.get(id)
        self.check_access(task, queue, 0o222)
        if not queue.has_room(len(message[1])):
            if flags & IPC_NOWAIT:
                raise Errno(EAGAIN)
            return self._send_later(task, queue, message)
        return self._send_now(task, queue, message)

    async def _send_later(self, task: Task, queue: Queue, message: Message) -> int:
        queue.senders.append(task)
        try:
            while not queue.has_room(len(message[1])):
                outcome = await suspend(task)
                if queue.dead:
                    raise Errno(EIDRM)
                if outcome == INTERRUPTED:
                    raise Errno(ERESTARTNOHAND)
                self.check_access(task, queue, 0o222)
        finally:
            queue.senders.remove(task)
        return self._send_now(task, queue, message)

    def _send_now(self, task: Task, queue: Queue, message: Message) -> int:
        message_memory.charge(len(message[1]))
        queue.lspid = task.group.tgid
        queue.stime = seconds()
        if queue.hand_over(message):
            message_memory.release(len(message[1]))
        else:
            queue.messages.append(message)
            queue.cbytes += len(message[1])
            self.total += len(message[1])
            self.count += 1
        return 0

    # Receiving

    def receive(self, task: Task, id: int, wanted: Wanted) -> Message | Coroutine[None, None, Message]:
        """msgrcv(2): the message.  E2BIG, EACCES, EIDRM, EINVAL, ENOMSG, ERESTARTNOHAND."""
        queue: Queue = self.get(id)
        self.check_access(task, queue, 0o444)
        message = queue.find(wanted)
        if message is None:
            if wanted.flags & IPC_NOWAIT:
                raise Errno(ENOMSG)
            return self._receive_later(task, queue, wanted)
        if not wanted.fits(message):
            raise Errno(E2BIG)
        if not wanted.flags & MSG_COPY:
            self._take(queue, message)
            queue.lrpid = task.group.tgid
            queue.rtime = seconds()
            queue.wake_senders()
        return message

    def _take(self, queue: Queue, message: Message) -> None:
        for index, other in enumerate(queue.messages):
            if other is message:
                del queue.messages[index]
                break
        message_memory.release(len(message[1]))
        queue.cbytes -= len(message[1])
        self.total -= len(message[1])
        self.count -= 1

    async def _receive_later(self, task: Task, queue: Queue, wanted: Wanted) -> Message:
        while True:
            receiver = Receiver(task, wanted)
            queue.receivers.append(receiver)
            try:
                while receiver.waits():
                    if await suspend(task) == INTERRUPTED and receiver.waits():
                        raise Errno(ERESTARTNOHAND)
            finally:
                if receiver.waits():
                    queue.receivers.remove(receiver)
            if receiver.message is not None:
                return receiver.message
            if receiver.error != EAGAIN:
                raise Errno(receiver.error)
            self.check_access(task, queue, 0o444)  # IPC_SET may have taken the permission
