"""AF_NETLINK sockets: port ids, groups, and datagrams to and from the kernel (netlink(7)).

NETLINK_ROUTE and NETLINK_SOCK_DIAG are answered (netlink_route and sock_diag beside this), NETLINK_USERSOCK
is for the guest's own programs, and NETLINK_KOBJECT_UEVENT has nothing to tell, for no device comes or goes.
What must hold: an endpoint is in its namespace's `ports` exactly while it is open and has a port id.
"""

from __future__ import annotations

import errno
from _collections import deque

from sentry import _core
from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_BROADCAST_ERROR,
    NETLINK_CAP_ACK,
    NETLINK_DROP_MEMBERSHIP,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_KOBJECT_UEVENT,
    NETLINK_LIST_MEMBERSHIPS,
    NETLINK_LISTEN_ALL_NSID,
    NETLINK_NO_ENOBUFS,
    NETLINK_PKTINFO,
    NETLINK_ROUTE,
    NETLINK_SOCK_DIAG,
    NETLINK_USERSOCK,
    RTNLGRP_MAX,
    SOCKADDR_NL,
    SOL_NETLINK,
)
from sentry.abi.poll import POLLERR, READABLE, WRITABLE
from sentry.abi.socket import AF_NETLINK, AF_UNSPEC, FAMILY, MSG_OOB, MSG_PEEK, MSG_TRUNC
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.socket import sock_diag
from sentry.socket.base import Received, Socket
from sentry.socket.netlink_message import converse, message
from sentry.socket.netlink_route import Route
from sentry.socket.options import INT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.socket.base import Credentials, Outgoing

# Protocol: how many groups, whether anybody may join them, whether anybody may send to others than the kernel
_PROTOCOLS = {
    NETLINK_ROUTE: (RTNLGRP_MAX, True, False),
    NETLINK_SOCK_DIAG: (32, True, False),
    NETLINK_USERSOCK: (32, False, True),
    NETLINK_KOBJECT_UEVENT: (32, True, False),
}
_SWITCHES = (
    NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK,
    NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK,
)  # fmt: skip
_PRIVILEGED = (NETLINK_LISTEN_ALL_NSID,)
_KERNEL: Credentials = (0, 0, 0)
_OVERHEAD = 768  # what a datagram is charged beyond its bytes
_PORT_TRIES = 4096


class Datagram:
    """One datagram in an inbox."""

    __slots__ = ("creds", "data", "group", "port")

    def __init__(self, data: bytes, port: int, group: int, creds: Credentials) -> None:
        self.data = data
        self.port = port
        self.group = group
        self.creds = creds


class Endpoint:
    """One netlink socket, without its open file."""

    __slots__ = (
        "blocked", "error", "groups", "held", "inbox", "net", "port", "protocol", "queue", "rcvbuf",
        "switches",
    )  # fmt: skip

    def __init__(self, net: NetNamespace, protocol: int, rcvbuf: int) -> None:
        self.net = net
        self.protocol = protocol
        self.port = 0  # 0: none yet
        self.groups: set[int] = set()
        self.switches: set[int] = set()
        self.inbox: deque[Datagram] = deque()
        self.held = 0  # bytes charged for the inbox
        self.rcvbuf = rcvbuf
        self.error = 0
        self.blocked: set[Endpoint] = set()  # those who found this inbox full
        self.queue = _core.WaitQueue()

    def is_full(self) -> bool:
        return self.held > self.rcvbuf

    def put(self, datagram: Datagram, forced: bool = False) -> None:
        """Deliver; one that has no room is lost, which the reader is told once (ENOBUFS).

        Args:
            forced: it has room: a part of an answer, which Linux makes as fast as it is read.
        """
        if self.is_full() and not forced:
            if NETLINK_NO_ENOBUFS not in self.switches:
                self.error = errno.ENOBUFS
        else:
            self.inbox.append(datagram)
            self.held += len(datagram.data) + _OVERHEAD
        self.queue.wake(READABLE)

    def take(self) -> Datagram:
        datagram: Datagram = self.inbox.popleft()
        self.held -= len(datagram.data) + _OVERHEAD
        blocked, self.blocked = self.blocked, set()
        for sender in blocked:
            sender.queue.wake(WRITABLE)
        return datagram

    def name(self, port: int) -> None:
        """Take a port id.  Raises Errno(EADDRINUSE)."""
        if (self.protocol, port) in self.net.ports:
            raise Errno(errno.EADDRINUSE)
        self.port = port
        self.net.ports[self.protocol, port] = self

    def autobind(self, task: Task) -> None:
        """Take the process's id, or if that is in use some negative number."""
        port = task.number(task.group.tgid)
        for attempt in range(_PORT_TRIES):
            try:
                self.name(port)
                return
            except Errno:
                port = (-4096 - attempt) & 0xFFFFFFFF
        raise Errno(errno.EADDRINUSE)

    def close(self) -> None:
        self.net.ports.pop((self.protocol, self.port), None) if self.port else None
        self.inbox.clear()
        for sender in self.blocked:
            sender.queue.wake(WRITABLE)


def broadcast(net: NetNamespace, protocol: int, group: int, datagram: Datagram) -> None:
    """Give a datagram to all members of the group but the one that sent it."""
    for (other, port), endpoint in list(net.ports.items()):
        if other == protocol and group in endpoint.groups and port != datagram.port:
            endpoint.put(datagram)


class NetlinkSocket(Socket):
    """An open netlink socket."""

    __slots__ = ("_opener", "endpoint", "peer")

    family = AF_NETLINK

    def __init__(self, task: Task, type: int, flags: int, protocol: int) -> None:
        """Raises Errno(EPROTONOSUPPORT)."""
        if protocol not in _PROTOCOLS:
            raise Errno(errno.EPROTONOSUPPORT)
        super().__init__(task, type, flags)
        self.endpoint = Endpoint(task.ns.net, protocol, self.options.rcvbuf)
        self.peer = (0, 0)  # port id and group
        self._opener = task.creds
        self.queue = self.endpoint.queue

    @property
    def protocol(self) -> int:  # type: ignore[override]
        return self.endpoint.protocol

    def _may(self, task: Task, what: int) -> bool:
        """Whether the task may receive groups (1) or send to others (2)."""
        allowed = _PROTOCOLS[self.protocol][what]
        return bool(allowed) or task.creds.has_cap(CAP_NET_ADMIN, self.endpoint.net.owner)

    def deliver(self, data: bytes) -> None:
        """A datagram from the kernel that nobody has asked for (mq_notify(2))."""
        self.endpoint.put(Datagram(data, 0, 0, _KERNEL))

    # Names

    def bind(self, task: Task, address: bytes) -> None:
        port, groups = _parse(address)
        endpoint = self.endpoint
        if groups and not self._may(task, 1):
            raise Errno(errno.EPERM)
        if endpoint.port:
            if port and port != endpoint.port:
                raise Errno(errno.EINVAL)
        elif port:
            endpoint.name(port)
        else:
            endpoint.autobind(task)
        endpoint.groups = {group for group in endpoint.groups if group > 32} | {
            bit + 1 for bit in range(min(32, _PROTOCOLS[self.protocol][0])) if groups >> bit & 1
        }

    def connect(self, task: Task, address: bytes) -> int:
        if len(address) >= FAMILY.size and FAMILY.unpack_from(address)[0] == AF_UNSPEC:
            self.peer = (0, 0)
            return 0
        port, groups = _parse(address)
        if (port or groups) and not self._may(task, 2):
            raise Errno(errno.EPERM)
        if not self.endpoint.port:
            self.endpoint.autobind(task)
        self.peer = (port, _lowest(groups))
        return 0

    def name(self) -> bytes:
        mask = sum(1 << group - 1 for group in self.endpoint.groups if group <= 32)
        return SOCKADDR_NL.pack(AF_NETLINK, 0, self.endpoint.port, mask)

    def peer_name(self) -> bytes:
        port, group = self.peer
        return _pack(port, group)

    # Transfer

    def send(self, task: Task, outgoing: Outgoing) -> int | _Marker:
        if outgoing.urgent:
            raise Errno(errno.EOPNOTSUPP)
        endpoint = self.endpoint
        (port, group), data = self.peer, outgoing.data
        if outgoing.address is not None:
            port, groups = _parse(outgoing.address)
            group = _lowest(groups)
            if (port or group) and not self._may(task, 2):
                raise Errno(errno.EPERM)
        if not endpoint.port:
            endpoint.autobind(task)
        if len(data) > self.options.sndbuf - 32:
            raise Errno(errno.EMSGSIZE)
        if not data:
            raise Errno(errno.ENODATA)
        creds = outgoing.creds or (task.group.tgid, task.creds.uid, task.creds.gid)
        if port == 0 and self.protocol in (NETLINK_ROUTE, NETLINK_SOCK_DIAG):
            self._ask_kernel(task, bytes(data))
            return len(data)
        if group:
            broadcast(endpoint.net, self.protocol, group, Datagram(bytes(data), endpoint.port, group, creds))
        to: Endpoint | None = endpoint.net.ports.get((self.protocol, port))
        if to is None:
            raise Errno(errno.ECONNREFUSED)
        if to.is_full():
            to.blocked.add(endpoint)
            return WOULD_BLOCK
        to.put(Datagram(bytes(data), endpoint.port, 0, creds))
        return len(data)

    def _ask_kernel(self, task: Task, data: bytes) -> None:
        endpoint = self.endpoint

        def notify(group: int, kind: int, body: bytes) -> None:
            told = message(kind, 0, 0, 0, body)
            broadcast(endpoint.net, NETLINK_ROUTE, group, Datagram(told, 0, group, _KERNEL))

        def diagnose(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
            return sock_diag.request(task, endpoint.net, kind, flags, body)

        route = self.protocol == NETLINK_ROUTE
        handler = Route(task, self._opener, endpoint.net, notify).request if route else diagnose
        capped = NETLINK_CAP_ACK in endpoint.switches

        def dumps(kind: int) -> bool:
            return not route or kind & 3 == 2

        for answers in converse(data, endpoint.port, capped, handler, dumps, endpoint.is_full):
            begun = not endpoint.is_full()
            for answer in answers:
                endpoint.put(Datagram(answer, 0, 0, _KERNEL), begun)

    def receive(self, task: Task, count: int, flags: int) -> Received | _Marker:
        if flags & MSG_OOB:
            raise Errno(errno.EOPNOTSUPP)
        endpoint = self.endpoint
        if not endpoint.inbox:
            error = self.take_error()
            if error:
                raise Errno(error)
            return WOULD_BLOCK
        datagram = endpoint.inbox[0] if flags & MSG_PEEK else endpoint.take()
        length = len(datagram.data)
        received = Received(
            datagram.data[:count],
            length,
            _pack(datagram.port, datagram.group),
            MSG_TRUNC if length > count else 0,
        )
        received.creds = datagram.creds
        if NETLINK_PKTINFO in endpoint.switches:
            received.control.append((SOL_NETLINK, NETLINK_PKTINFO, INT.pack(datagram.group)))
        return received

    def poll(self) -> int:
        endpoint = self.endpoint
        return WRITABLE | (READABLE if endpoint.inbox else 0) | (POLLERR | READABLE if endpoint.error else 0)

    # Options

    def take_error(self) -> int:
        error, self.endpoint.error = self.endpoint.error, 0
        return error

    def get_option(self, task: Task, level: int, name: int) -> bytes:
        if level != SOL_NETLINK:
            raise Errno(errno.ENOPROTOOPT)
        if name == NETLINK_LIST_MEMBERSHIPS:
            words = (_PROTOCOLS[self.protocol][0] + 31) // 32
            return sum(1 << group - 1 for group in self.endpoint.groups).to_bytes(4 * words, "little")
        if name in _SWITCHES and name != NETLINK_LISTEN_ALL_NSID:
            return INT.pack(name in self.endpoint.switches)
        if name == NETLINK_LISTEN_ALL_NSID:
            return INT.pack(name in self.endpoint.switches)
        raise Errno(errno.ENOPROTOOPT)

    def set_option(self, task: Task, level: int, name: int, value: bytes) -> None:
        if level != SOL_NETLINK:
            raise Errno(errno.ENOPROTOOPT)
        number = int.from_bytes(value[:4], "little") if len(value) >= 4 else 0
        endpoint = self.endpoint
        if name in (NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP):
            if not self._may(task, 1):
                raise Errno(errno.EPERM)
            if not 0 < number <= _PROTOCOLS[self.protocol][0]:
                raise Errno(errno.EINVAL)
            if name == NETLINK_ADD_MEMBERSHIP:
                endpoint.groups.add(number)
            else:
                endpoint.groups.discard(number)
        elif name in _SWITCHES:
            if name in _PRIVILEGED and not task.creds.has_cap(CAP_NET_ADMIN):
                raise Errno(errno.EPERM)
            (endpoint.switches.add if number else endpoint.switches.discard)(name)
        else:
            raise Errno(errno.ENOPROTOOPT)

    def release(self) -> None:
        endpoint = getattr(self, "endpoint", None)
        if endpoint is not None:
            endpoint.close()


def _parse(address: bytes) -> tuple[int, int]:
    """Port id and groups of a sockaddr_nl.  Raises Errno(EINVAL)."""
    if len(address) < SOCKADDR_NL.size:
        raise Errno(errno.EINVAL)
    family, _, port, groups = SOCKADDR_NL.unpack_from(address)
    if family != AF_NETLINK:
        raise Errno(errno.EINVAL)
    return port, groups


def _pack(port: int, group: int) -> bytes:
    return SOCKADDR_NL.pack(AF_NETLINK, 0, port, 1 << group - 1 if 0 < group <= 32 else 0)


def _lowest(groups: int) -> int:
    """The number of the lowest group of a mask; 0: none."""
    return (groups & -groups).bit_length()
