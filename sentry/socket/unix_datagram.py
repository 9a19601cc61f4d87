"""UNIX datagram sockets: reliable, in order, and bounded by the receiver's queue (unix(7))."""

from __future__ import annotations

import errno

from sentry.abi.poll import ANY_EVENT
from sentry.abi.socket import MSG_DONTWAIT
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.socket import unix_names
from sentry.socket.base import Received, Socket
from sentry.socket.unix import UnixSocket
from sentry.socket.unix_endpoint import (
    CLOSED,
    CONNECTED,
    NO_READS,
    NO_WRITES,
    UNCONNECTED,
    Endpoint,
    blocked_on,
    note_peer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Outgoing

MAX_QUEUE = 10  # /proc/sys/net/unix/max_dgram_qlen


class DatagramEndpoint(Endpoint):
    """A datagram socket, with or without a default destination (`peer`)."""

    __slots__ = ()

    def connect(self, task: Task, name: bytes | None, nonblocking: bool) -> int:
        if name is None:
            self._set_peer(None)
            return 0
        if self.options.wants_creds and not self.name:
            unix_names.autobind(self)
        peer = unix_names.find(task, name, self.type, self.net)
        self._check_may_send(peer)
        self._set_peer(peer)
        return 0

    def _set_peer(self, peer: Endpoint | None) -> None:
        old = self.peer
        if old is not None and old is not peer:
            old.blocked.discard(self)
            while self.inbox:  # what the old peer sent is not for the new connection
                self.take()
            if old.peer is self and old.state != CLOSED:
                old.error = errno.ECONNRESET
                old.queue.wake(ANY_EVENT)
        self.peer = peer
        self.state = CONNECTED if peer is not None else UNCONNECTED
        self.queue.wake(ANY_EVENT)

    def join(self, other: DatagramEndpoint) -> None:
        self.peer, other.peer = other, self
        self.state = other.state = CONNECTED

    def _check_may_send(self, to: Endpoint) -> None:
        # A connected socket takes datagrams from its peer alone.
        if to.peer is not None and to.peer is not self:
            raise Errno(errno.EPERM)

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        self.raise_error()
        if self.options.wants_creds and not self.name:
            unix_names.autobind(self)
        if self.shut & NO_WRITES:
            raise Errno(errno.EPIPE)
        if outgoing.address is None:
            to = self.peer
            if to is None:
                raise Errno(errno.ENOTCONN)
        else:
            to = unix_names.find(task, unix_names.parse(outgoing.address), self.type, self.net)
        if to.state == CLOSED:
            self._set_peer(None)
            raise Errno(errno.ECONNREFUSED)
        self._check_may_send(to)
        if to.shut & NO_READS:
            raise Errno(errno.EPIPE)
        if len(outgoing.data) > self.options.sndbuf - 32:
            raise Errno(errno.EMSGSIZE)
        if self.sent >= self.options.sndbuf:
            return WOULD_BLOCK
        if self._finds_full(to):
            return blocked_on(self, to)
        self.deliver_filtered(to, outgoing)
        return len(outgoing.data)

    def receive(self, count: int, flags: int) -> Received | _Marker:
        if self.inbox:
            return self.receive_message(count, flags)
        self.raise_error()
        # Linux ends a wait on a socket that was shut down, but does not tell who wouldn't wait.
        return Received(b"", 0) if self.shut & NO_READS and not flags & MSG_DONTWAIT else WOULD_BLOCK

    def is_full(self) -> bool:
        peer = self.peer
        if peer is None or not self._finds_full(peer):
            return False
        blocked_on(self, peer)
        return True

    def _finds_full(self, to: Endpoint) -> bool:
        # Between two sockets connected to each other the send buffer is the only bound, as in Linux.
        return to is not self and to.peer is not self and len(to.inbox) > MAX_QUEUE


class UnixDatagram(UnixSocket):
    """The open file of a datagram socket."""

    __slots__ = ()

    endpoint: DatagramEndpoint

    def pair(self, other: Socket, task: Task) -> None:
        assert isinstance(other, UnixDatagram)
        self.endpoint.join(other.endpoint)
        note_peer(self.endpoint, task)
        note_peer(other.endpoint, task)
