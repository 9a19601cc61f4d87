"""Connection-based UNIX sockets: SOCK_STREAM, and SOCK_SEQPACKET, which keeps message boundaries.

A listener's backlog holds the accepting ends, which are connected from the start: a client may write before
it is accepted (unix(7)).  An accepting end that nobody accepted has no file; closing the listener closes it.
"""

from __future__ import annotations

import errno
from _collections import deque

from sentry import _core
from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.poll import ANY_EVENT, POLLPRI, POLLWRBAND, READABLE, WRITABLE
from sentry.abi.socket import MSG_OOB, MSG_PEEK, SO_INQ, SO_OOBINLINE, SOCK_SEQPACKET, SOCK_STREAM, SOMAXCONN
from sentry.errors import Errno
from sentry.kernel.wait import TIMED_OUT, WOULD_BLOCK, block
from sentry.socket import unix_names
from sentry.socket.base import Received, Socket
from sentry.socket.options import Options
from sentry.socket.unix import UnixSocket
from sentry.socket.unix_endpoint import (
    CLOSED,
    CONNECTED,
    LISTENING,
    NO_READS,
    NO_WRITES,
    QUEUED_MAX,
    UNCONNECTED,
    Endpoint,
    Message,
    note_peer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Outgoing

_CHUNK = 1 << 16  # bytes of a stream message


class StreamEndpoint(Endpoint):
    """One end of a connection, or a listener."""

    __slots__ = ("backlog", "limit", "room", "urgent")

    connection_based = True

    def __init__(self, options: Options, net: NetNamespace) -> None:
        super().__init__(options, net)
        self.backlog: deque[StreamEndpoint] = deque()
        self.limit = 0
        self.urgent: Message | None = None  # what MSG_OOB gives, still in the inbox
        self.room = _core.WaitQueue()  # clients that found the backlog full

    # Set-up

    def listen(self, task: Task, backlog: int) -> None:
        if not self.name or self.state not in (UNCONNECTED, LISTENING):
            raise Errno(errno.EINVAL)
        self.limit = min(backlog & 0xFFFFFFFF, SOMAXCONN)
        self.state = LISTENING
        note_peer(self, task)
        self.room.wake(ANY_EVENT)

    def connect(self, task: Task, name: bytes | None, nonblocking: bool) -> int | Coroutine[None, None, Any]:
        if name is None:
            raise Errno(errno.EINVAL)
        if self.options.wants_creds and not self.name:
            unix_names.autobind(self)
        if self._try_connect(task, name):
            return 0
        if nonblocking:
            raise Errno(errno.EAGAIN)
        return self._wait_to_connect(task, name)

    async def _wait_to_connect(self, task: Task, name: bytes) -> int:
        timeout = self.options.send_timeout
        deadline = None if timeout is None else _core.monotonic() + timeout
        listener = self._find_listener(task, name)
        done = await block(
            task, lambda: self._try_connect(task, name) or WOULD_BLOCK, listener.room, deadline=deadline
        )
        if done is TIMED_OUT:
            raise Errno(errno.EAGAIN)
        return 0

    def _try_connect(self, task: Task, name: bytes) -> bool:
        """Connect unless the listener's backlog is full."""
        listener = self._find_listener(task, name)
        if self.state != UNCONNECTED:  # another thread was faster
            raise Errno(errno.EISCONN if self.state == CONNECTED else errno.EINVAL)
        if len(listener.backlog) > listener.limit:
            return False
        end = type(self)(Options(self.type), self.net)
        end.options.switches = listener.options.switches - {SO_INQ}  # SO_PASSCRED and its kin are inherited
        end.name = listener.name
        end.join(self)
        note_peer(end, task)
        self.peer_creds = listener.peer_creds
        self.peer_groups = listener.peer_groups
        self.peer_process = listener.peer_process
        listener.backlog.append(end)
        listener.queue.wake(READABLE)
        self.queue.wake(ANY_EVENT)
        return True

    def _find_listener(self, task: Task, name: bytes) -> StreamEndpoint:
        found = unix_names.find(task, name, self.type, self.net)
        if not isinstance(found, StreamEndpoint) or found.state != LISTENING or found.shut & NO_READS:
            raise Errno(errno.ECONNREFUSED)
        return found

    def accept(self, nonblocking: bool) -> StreamEndpoint | _Marker:
        if self.state != LISTENING:
            raise Errno(errno.EINVAL)
        if not self.backlog:
            if self.shut & NO_READS and not nonblocking:
                raise Errno(errno.EINVAL)
            return WOULD_BLOCK
        end: StreamEndpoint = self.backlog.popleft()
        self.room.wake(ANY_EVENT)
        return end

    def join(self, other: StreamEndpoint) -> None:
        self.peer, other.peer = other, self
        self.state = other.state = CONNECTED

    # Transfer

    def check_send(self, outgoing: Outgoing) -> StreamEndpoint:
        """The connected peer.  Raises Errno: ENOTCONN, EISCONN (an address was given), EOPNOTSUPP, EPIPE."""
        peer = self.peer
        if outgoing.address is not None:
            raise Errno(errno.EISCONN if self.state == CONNECTED else errno.EOPNOTSUPP)
        if self.state != CONNECTED or not isinstance(peer, StreamEndpoint):
            raise Errno(errno.ENOTCONN)
        if self.shut & NO_WRITES or peer.state == CLOSED or peer.shut & NO_READS:
            raise Errno(errno.EPIPE)
        return peer

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        peer = self.check_send(outgoing)
        data, done = outgoing.data, 0
        while done < len(data) and self.sent < self.options.sndbuf:
            if done and Message.queued > QUEUED_MAX:
                break
            chunk = bytes(data[done : done + _CHUNK])
            self.deliver(peer, outgoing, chunk)
            done += len(chunk)
        return done if done or not data else WOULD_BLOCK

    def receive(self, count: int, flags: int) -> Received | _Marker:
        if self.state != CONNECTED:
            raise Errno(errno.EINVAL)
        if not self.inbox:
            return self.receive_nothing()
        parts: list[bytes] = []
        left = count
        received = Received(b"", 0)
        used: list[tuple[Message, int]] = []
        skip = max(self.options.peek_off, 0) if flags & MSG_PEEK else 0
        inline = SO_OOBINLINE in self.options.switches
        for message in list(self.inbox) if self.urgent or self.inbox[0].urgent else self.inbox:
            unread = len(message.data) - message.start
            if message.urgent and (not unread or message is self.urgent):
                if used:
                    received.final = True  # no reading across the mark
                    break
                if not unread or not inline:
                    if not flags & MSG_PEEK:
                        self._pass(message)
                    continue
            if skip and skip >= unread:
                skip -= unread
                continue
            if used and (not left or (self.options.wants_creds and message.creds != received.creds)):
                break  # messages of different senders are never glued together
            part = message.data[message.start + skip : message.start + skip + left]
            skip = 0
            parts.append(part)
            left -= len(part)
            used.append((message, len(part)))
            received.creds = message.creds
            if message.rights is not None:  # no reading beyond a message that carries files
                received.rights = list(message.rights.files)
                break
        if not used:  # all there is has been peeked at
            return self.receive_nothing()
        name = self.inbox[0].sender.name
        received.address = unix_names.pack(name) if name else b""
        received.data = parts[0] if len(parts) == 1 else b"".join(parts)
        received.length = len(received.data)
        self.move_peek(received.length if flags & MSG_PEEK else -received.length)
        if not flags & MSG_PEEK:
            for message, length in used:
                message.start += length
                message.rights = None
                if message.start >= len(message.data):
                    self._pass(message)
        return received

    def _pass(self, message: Message) -> None:
        """Remove the oldest message, which is `message`: it is read, or a mark that is passed."""
        assert self.inbox[0] is message
        self.take()
        if message is self.urgent:
            self.urgent = None

    def at_mark(self) -> bool:
        if not self.inbox:
            return False
        first = self.inbox[0]
        return first.urgent and (first is self.urgent or first.start >= len(first.data))

    def send_urgent(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        data = outgoing.data
        if not data:
            raise Errno(errno.EOPNOTSUPP)
        peer = self.check_send(outgoing)
        if self.sent >= self.options.sndbuf:
            return WOULD_BLOCK
        if len(data) > 1:
            self.deliver(peer, outgoing, bytes(data[:-1]))
        self.deliver(peer, outgoing, bytes(data[-1:]))
        message = peer.inbox[-1]
        message.urgent = True
        peer.urgent = message
        file = peer.file() if peer.file is not None else None
        if file is not None and file.owner is not None:
            file.owner.send_urgent()
        peer.queue.wake(POLLPRI)
        return len(data)

    def receive_urgent(self, flags: int) -> Received:
        message = self.urgent
        if message is None or SO_OOBINLINE in self.options.switches:
            raise Errno(errno.EINVAL)
        received = Received(message.data, 1, b"", MSG_OOB)
        if not flags & MSG_PEEK:
            message.start = 1  # it stays in its place as a mark
            self.urgent = None
        return received

    def receive_nothing(self) -> Received | _Marker:
        """The answer when the inbox is empty: an error, the end, or to wait."""
        self.raise_error()
        return Received(b"", 0) if self.shut & NO_READS else WOULD_BLOCK

    # State

    def poll(self) -> int:
        if self.state == LISTENING:
            return super().poll() & ~(WRITABLE | POLLWRBAND) | (READABLE if self.backlog else 0)
        return super().poll() | (POLLPRI if self.urgent is not None else 0)

    def close(self) -> None:
        peer, unread = self.peer, bool(self.inbox)
        listening = self.state == LISTENING
        if self.state == CONNECTED and peer is not None and peer.state != CLOSED:
            peer.shut = NO_READS | NO_WRITES
            if unread:
                peer.error = errno.ECONNRESET
        super().close()
        if peer is not None:
            peer.queue.wake(ANY_EVENT)
        if listening:
            while self.backlog:
                end = self.backlog.popleft()
                if end.peer is not None:
                    end.peer.error = errno.ECONNRESET
                end.close()
            self.room.wake(ANY_EVENT)


class SeqpacketEndpoint(StreamEndpoint):
    """The same with records: a send is one record, a receive gives one."""

    __slots__ = ()

    def send_urgent(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        raise Errno(errno.EOPNOTSUPP)

    def receive_urgent(self, flags: int) -> Received:
        raise Errno(errno.EOPNOTSUPP)

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        self.raise_error()
        outgoing.address = None  # ignored on SOCK_SEQPACKET (unix(7) says nothing; Linux does so)
        peer = self.check_send(outgoing)
        if len(outgoing.data) > self.options.sndbuf - 32:
            raise Errno(errno.EMSGSIZE)
        if self.sent >= self.options.sndbuf:
            return WOULD_BLOCK
        self.deliver_filtered(peer, outgoing)
        return len(outgoing.data)

    def receive(self, count: int, flags: int) -> Received | _Marker:
        if self.state != CONNECTED:
            raise Errno(errno.ENOTCONN)
        return self.receive_message(count, flags) if self.inbox else self.receive_nothing()


class UnixStream(UnixSocket):
    """The open file of a connection-based socket."""

    __slots__ = ()

    endpoint: StreamEndpoint

    def listen(self, task: Task, backlog: int) -> None:
        self.endpoint.listen(task, backlog)

    def accept(self, task: Task, flags: int) -> Socket | _Marker:
        end = self.endpoint.accept(bool(self.flags & O_NONBLOCK))
        return UnixStream(task, self.type, flags, end) if isinstance(end, StreamEndpoint) else end

    def pair(self, other: Socket, task: Task) -> None:
        assert isinstance(other, UnixStream)
        self.endpoint.join(other.endpoint)
        note_peer(self.endpoint, task)
        note_peer(other.endpoint, task)


def make_endpoint(type: int, net: NetNamespace) -> StreamEndpoint:
    """A new unconnected endpoint of SOCK_STREAM or SOCK_SEQPACKET."""
    assert type in (SOCK_STREAM, SOCK_SEQPACKET)
    return (StreamEndpoint if type == SOCK_STREAM else SeqpacketEndpoint)(Options(type), net)
