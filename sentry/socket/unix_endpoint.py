"""The ends of UNIX sockets (unix(7)): what all three types share.

An `Endpoint` is the socket; `UnixSocket` is the open file in front of it.  Endpoints know each other (peers,
senders), never a file, so that a file dies with its last descriptor whatever its peer holds.  What must hold:
`sent` is the sum of the charges of an endpoint's messages that lie unread in other endpoints.
"""

from __future__ import annotations

from _collections import deque
from _weakref import ref
from errno import ENFILE, ENOBUFS, EOPNOTSUPP, EPERM

from sentry import _core
from sentry.abi.poll import ANY_EVENT, POLLERR, POLLHUP, POLLRDHUP, POLLWRBAND, READABLE, WRITABLE
from sentry.abi.socket import (
    MSG_PEEK,
    MSG_TRUNC,
    SO_PASSRIGHTS,
)
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.socket import unix_names
from sentry.socket.base import Received
from sentry.socket.options import timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Credentials, Outgoing
    from sentry.socket.options import Options
    from sentry.socket.rights import Rights
    from sentry.vfs.file import File
    from sentry.vfs.landlock import Domain
    from sentry.vfs.path import Path

NO_READS = 1  # bits of Endpoint.shut: SHUT_RD + 1, SHUT_WR + 1
NO_WRITES = 2
OVERHEAD = 256  # what a message is charged beyond its bytes
QUEUED_MAX = 256 << 20  # charges of all messages in the sandbox: they lie in the sentry's memory
SOCKETS_MAX = _core.count_files()[1]  # as many as files; those that nobody has accepted yet are none

UNCONNECTED = "unconnected"
LISTENING = "listening"
CONNECTED = "connected"
CLOSED = "closed"


class Message:
    """Bytes in an inbox, and what came with them; `start` are read already (streams), maybe all (MSG_OOB)."""

    __slots__ = ("charge", "creds", "data", "rights", "sender", "start", "urgent")

    queued = 0  # the sum of the charges of all messages

    def __init__(
        self, sender: Endpoint, data: bytes, rights: Rights | None = None, creds: Credentials | None = None
    ) -> None:
        self.sender = sender
        self.data = data
        self.start = 0
        self.urgent = False  # a byte that was sent with MSG_OOB
        self.rights = rights
        self.creds = creds
        self.charge = len(data) + OVERHEAD
        sender.sent += self.charge
        Message.queued += self.charge

    def __del__(self) -> None:
        Message.queued -= self.charge


class Endpoint:
    """One UNIX socket."""

    __slots__ = (
        "__weakref__", "blocked", "domain", "error", "file", "inbox", "name", "net", "options", "path",
        "peer", "peer_creds", "peer_groups", "peer_process", "queue", "sent", "shut", "state", "type",
    )  # fmt: skip

    connection_based = False
    count = 0  # of all that there are

    def __init__(self, options: Options, net: NetNamespace) -> None:
        """Raises Errno(ENFILE)."""
        Endpoint.count += 1  # taken back by __del__
        if Endpoint.count > SOCKETS_MAX:
            raise Errno(ENFILE)
        self.type = options.type
        self.net = net  # where abstract names are
        self.file: ref[File] | None = None  # the open file in front of it
        self.options = options
        self.queue = _core.WaitQueue()
        self.state = UNCONNECTED
        self.name = b""
        self.path: Path | None = None  # the socket file it is bound to
        self.peer: Endpoint | None = None
        self.peer_creds: Credentials = (0, 0xFFFFFFFF, 0xFFFFFFFF)
        self.peer_groups: tuple[int, ...] | None = None
        self.peer_process: ThreadGroup | None = None
        self.inbox: deque[Message] = deque()
        self.blocked: set[Endpoint] = set()  # those who found this inbox full
        self.sent = 0
        self.shut = 0
        self.domain: Domain = ()  # Landlock's, of who named it
        self.error = 0

    def __del__(self) -> None:
        Endpoint.count -= 1

    # What the types do differently

    def send_urgent(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        """Send out-of-band data, which streams have."""
        raise Errno(EOPNOTSUPP)

    def receive_urgent(self, flags: int) -> Received:
        raise Errno(EOPNOTSUPP)

    def at_mark(self) -> bool:
        """Whether the next byte is, or was, out-of-band data (sockatmark(3))."""
        return False

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        raise NotImplementedError

    def receive(self, count: int, flags: int) -> Received | _Marker:
        raise NotImplementedError

    def connect(self, task: Task, name: bytes | None, nonblocking: bool) -> int | Coroutine[None, None, Any]:
        """Connect to `name`; None: to nobody (AF_UNSPEC)."""
        raise NotImplementedError

    def is_full(self) -> bool:
        """Whether the one we send to takes no more for now."""
        return False

    # Messages

    def deliver(self, to: Endpoint, outgoing: Outgoing, data: bytes) -> None:
        """Put a message into the inbox of `to`; the first message of `outgoing` carries what goes along.

        Raises Errno: EPERM for files that the receiver refuses (SO_PASSRIGHTS), ENOBUFS when too much lies
        unread in the whole sandbox.
        """
        if outgoing.rights is not None and SO_PASSRIGHTS not in to.options.switches:
            raise Errno(EPERM)
        if Message.queued > QUEUED_MAX:
            raise Errno(ENOBUFS)
        creds = outgoing.creds
        to.inbox.append(Message(self, data, outgoing.rights, creds))
        outgoing.rights = None
        to.queue.wake(READABLE)

    def deliver_filtered(self, to: Endpoint, outgoing: Outgoing) -> None:
        """Deliver a datagram or record, as much of it as the receiver's filter lets through."""
        data, chosen = bytes(outgoing.data), to.options.filter
        if chosen is not None:
            kept = chosen.run(data)
            if not kept:
                return
            data = data[:kept]
        self.deliver(to, outgoing, data)

    def take(self) -> Message:
        """Remove the oldest message: its sender has room again."""
        message: Message = self.inbox.popleft()
        message.sender.sent -= message.charge
        message.sender.write_space()
        if self.blocked:
            blocked, self.blocked = self.blocked, set()
            for sender in blocked:
                sender.write_space()
        return message

    def write_space(self) -> None:
        if self.is_writable():
            self.queue.wake(WRITABLE | POLLWRBAND)

    def is_writable(self) -> bool:
        # Linux calls a socket writable while at least three quarters of its send buffer are free.
        return self.sent * 4 <= self.options.sndbuf

    def receive_message(self, count: int, flags: int) -> Received | _Marker:
        """The oldest message of a non-empty inbox; what exceeds count is lost (datagrams and records)."""
        options, skip = self.options, 0
        if flags & MSG_PEEK:
            skip = max(options.peek_off, 0)
            found = None
            for message in self.inbox:
                if skip < len(message.data) or not skip:
                    found = message
                    break
                skip -= len(message.data)
            if found is None:
                return WOULD_BLOCK
            message = found
        else:
            message = self.take()
        sender = message.sender.name
        length = len(message.data) - skip
        received = Received(
            message.data[skip : skip + count],
            length,
            unix_names.pack(sender) if sender else b"",
            MSG_TRUNC if length > count else 0,
        )
        received.creds = message.creds
        received.control = timestamp(options)
        if message.rights is not None:
            received.rights = list(message.rights.files)
        self.move_peek(len(received.data) if flags & MSG_PEEK else -len(message.data))
        return received

    def move_peek(self, by: int) -> None:
        """What was peeked at, or read (negative), moves the place where the next peek begins."""
        if self.options.peek_off >= 0:
            self.options.peek_off = max(self.options.peek_off + by, 0)

    # State

    def take_error(self) -> int:
        error, self.error = self.error, 0
        return error

    def raise_error(self) -> None:
        if self.error:
            raise Errno(self.take_error())

    def poll(self) -> int:
        events = POLLERR if self.error else 0
        if self.shut == NO_READS | NO_WRITES:
            events |= POLLHUP
        if self.shut & NO_READS:
            events |= POLLRDHUP | READABLE
        if self.inbox:
            events |= READABLE
        if self.connection_based and self.state == UNCONNECTED:
            events |= POLLHUP
        if self.is_writable() and not self.is_full():
            events |= WRITABLE | POLLWRBAND
        return events

    def shutdown(self, how: int) -> None:
        bits = how + 1
        self.shut |= bits
        self.queue.wake(ANY_EVENT)
        peer = self.peer
        if self.connection_based and peer is not None:
            peer.shut |= (NO_WRITES if bits & NO_READS else 0) | (NO_READS if bits & NO_WRITES else 0)
            peer.queue.wake(ANY_EVENT)

    def close(self) -> None:
        """The last descriptor is gone."""
        self.state = CLOSED
        self.shut = NO_READS | NO_WRITES
        unix_names.unbind(self)
        while self.inbox:
            self.take()  # files in it go with it: socket.rights
        blocked, self.blocked = self.blocked, set()
        for sender in blocked:
            sender.queue.wake(ANY_EVENT)
        peer = self.peer
        if peer is not None:
            peer.blocked.discard(self)
            if peer.state == CLOSED:  # nobody is left to ask for names: leave no circle behind
                self.peer = None
                if peer.peer is self:
                    peer.peer = None
        self.queue.wake(ANY_EVENT)


def credentials(task: Task) -> Credentials:
    """What SCM_CREDENTIALS tells of a sender that does not say otherwise."""
    return task.group.tgid, task.creds.uid, task.creds.gid


def note_peer(endpoint: Endpoint, task: Task) -> None:
    """Remember `task` as the one on the other side (SO_PEERCRED: the effective ids at connect or listen)."""
    creds = task.creds
    endpoint.peer_creds = (task.group.tgid, creds.euid, creds.egid)
    endpoint.peer_groups = creds.groups
    endpoint.peer_process = task.group


def blocked_on(sender: Endpoint, receiver: Endpoint) -> _Marker:
    """The receiver's inbox is full: have the sender woken when it is not."""
    receiver.blocked.add(sender)
    return WOULD_BLOCK
