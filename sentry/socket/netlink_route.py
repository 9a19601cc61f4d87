"""NETLINK_ROUTE: interfaces, their addresses and the routes that follow from them (rtnetlink(7))."""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM
from struct import Struct

from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.netlink import (
    ARPHRD_LOOPBACK,
    IF_OPER_DOWN,
    IF_OPER_UNKNOWN,
    IFA_ADDRESS,
    IFA_BROADCAST,
    IFA_CACHEINFO,
    IFA_F_PERMANENT,
    IFA_FLAGS,
    IFA_LABEL,
    IFA_LOCAL,
    IFADDRMSG,
    IFINFOMSG,
    IFLA_ADDRESS,
    IFLA_BROADCAST,
    IFLA_CARRIER,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_LINKMODE,
    IFLA_MTU,
    IFLA_NUM_RX_QUEUES,
    IFLA_NUM_TX_QUEUES,
    IFLA_OPERSTATE,
    IFLA_PROMISCUITY,
    IFLA_QDISC,
    IFLA_STATS,
    IFLA_STATS64,
    IFLA_TXQLEN,
    IFNAMSIZ,
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_TABLE_LOCAL,
    RTA_DST,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_TABLE,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_MAX,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTM_SETLINK,
    RTMSG,
    RTN_BROADCAST,
    RTN_LOCAL,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_LINK,
    RTPROT_KERNEL,
)
from sentry.abi.socket import AF_INET, AF_UNSPEC
from sentry.errors import Errno
from sentry.kernel.interfaces import Address, Interface
from sentry.socket.netlink_message import attribute, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.creds import Creds
    from sentry.kernel.namespaces.namespaces import NetNamespace
    from sentry.kernel.task import Task

    Messages = list[tuple[int, bytes]]
    Notify = Callable[[int, int, bytes], None]  # (group, type, body)

U32 = Struct("<I")
_FOREVER = 0xFFFFFFFF
_MTU_MAX = 0x7FFFFFFF


class Route:
    """The answers to one task's requests.

    Args:
        opener: whose the socket is: what they may not do, nobody does for them through it.
        notify: tells the members of a group of a change.
    """

    def __init__(self, task: Task, opener: Creds, net: NetNamespace, notify: Notify) -> None:
        self.who = task.creds, opener
        self.net = net
        self.notify = notify
        self._does = {
            RTM_GETLINK: self._get_link, RTM_NEWLINK: self._new_link, RTM_SETLINK: self._set_link,
            RTM_DELLINK: self._delete_link, RTM_NEWADDR: self._new_address, RTM_DELADDR: self._delete_address,
        }  # fmt: skip
        self._dumps = {
            RTM_GETLINK: self._links, RTM_GETADDR: self._addresses, RTM_GETROUTE: self._routes,
            RTM_GETNEIGH: self._neighbours,
        }  # fmt: skip

    def request(self, kind: int, flags: int, body: bytes) -> Messages:
        """Answer one request.  Raises Errno: EOPNOTSUPP, EPERM, EINVAL, ENODEV, EEXIST, EADDRNOTAVAIL."""
        if kind > RTM_MAX:
            raise Errno(EOPNOTSUPP)
        if not body:
            return []
        owner = self.net.owner
        if kind & 3 != 2 and not all(creds.has_cap(CAP_NET_ADMIN, owner) for creds in self.who):
            raise Errno(EPERM)
        if flags & NLM_F_DUMP == NLM_F_DUMP and kind & 3 == 2:
            if kind not in self._dumps:
                raise Errno(EOPNOTSUPP)
            return self._dumps[kind](body)
        if kind not in self._does:
            raise Errno(EOPNOTSUPP)
        return self._does[kind](flags, body)

    # Interfaces

    def _find(self, body: bytes) -> tuple[Interface | None, dict[int, bytes], int, int]:
        """The interface a link message means, its attributes, flags and change mask."""
        if len(body) < IFINFOMSG.size:
            raise Errno(EINVAL)
        _, _, index, flags, change = IFINFOMSG.unpack_from(body)
        given = attributes(body[IFINFOMSG.size :])
        name = given.get(IFLA_IFNAME)
        if name is not None and (not name.rstrip(b"\0") or len(name) > IFNAMSIZ):
            raise Errno(EINVAL)
        if index < 0:
            raise Errno(EINVAL)
        loopback = self.net.loopback
        named = name is not None and name.split(b"\0", 1)[0] == loopback.name
        found = index == loopback.index if index else named
        return (loopback if found else None), given, flags, change

    def _get_link(self, flags: int, body: bytes) -> Messages:
        interface, given, _, _ = self._find(body)
        if interface is None:
            index = IFINFOMSG.unpack_from(body)[2]
            raise Errno(ENODEV if index or IFLA_IFNAME in given else EINVAL)
        return [(RTM_NEWLINK, link_body(interface))]

    def _new_link(self, flags: int, body: bytes) -> Messages:
        interface, _, _, _ = self._find(body)
        if interface is None:
            raise Errno(EOPNOTSUPP if flags & NLM_F_CREATE else ENODEV)  # there are no other kinds to make
        if flags & NLM_F_EXCL:
            raise Errno(EEXIST)
        return self._set_link(flags, body)

    def _set_link(self, flags: int, body: bytes) -> Messages:
        interface, given, new, change = self._find(body)
        if interface is None:
            raise Errno(ENODEV)
        changed = False
        if IFLA_MTU in given:
            changed |= set_mtu(interface, _u32(given[IFLA_MTU]))
        if new or change:
            mask = change or 0xFFFFFFFF
            had = len(interface.addresses)
            changed |= interface.set_flags(new & mask | interface.flags & ~mask)
            if len(interface.addresses) > had:
                self._tell_address(RTM_NEWADDR, interface, interface.addresses[-1])
        if changed:
            self.notify(RTNLGRP_LINK, RTM_NEWLINK, link_body(interface))
        return []

    def _delete_link(self, flags: int, body: bytes) -> Messages:
        interface, given, _, _ = self._find(body)
        if interface is not None:
            raise Errno(EOPNOTSUPP)  # loopback stays
        raise Errno(ENODEV if IFINFOMSG.unpack_from(body)[2] or IFLA_IFNAME in given else EINVAL)

    def _links(self, body: bytes) -> Messages:
        return [(RTM_NEWLINK, link_body(self.net.loopback))]

    # Addresses

    def _parse_address(self, body: bytes) -> tuple[Interface, int, int, dict[int, bytes]]:
        if len(body) < IFADDRMSG.size:
            raise Errno(EINVAL)
        family, prefix, _, scope, index = IFADDRMSG.unpack_from(body)
        if family != AF_INET:
            raise Errno(EOPNOTSUPP)
        given = attributes(body[IFADDRMSG.size :])
        for kind in (IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST):
            if kind in given and len(given[kind]) < 4:
                raise Errno(EINVAL)
        if prefix > 32:
            raise Errno(EINVAL)
        if index != self.net.loopback.index:
            raise Errno(ENODEV)
        return self.net.loopback, prefix, scope, given

    def _new_address(self, flags: int, body: bytes) -> Messages:
        interface, prefix, scope, given = self._parse_address(body)
        local = given.get(IFA_LOCAL, given.get(IFA_ADDRESS))
        if local is None:
            raise Errno(EINVAL)
        label = given.get(IFA_LABEL, interface.name)[: IFNAMSIZ - 1].split(b"\0", 1)[0]
        broadcast = given.get(IFA_BROADCAST)
        address = Address(local[:4], prefix, scope, label, broadcast[:4] if broadcast else None)
        interface.add(address)
        self._tell_address(RTM_NEWADDR, interface, address)
        return []

    def _delete_address(self, flags: int, body: bytes) -> Messages:
        interface, prefix, _, given = self._parse_address(body)
        local = given.get(IFA_LOCAL, given.get(IFA_ADDRESS, bytes(4)))
        removed = interface.remove(local[:4], prefix if IFA_ADDRESS in given else None)
        self._tell_address(RTM_DELADDR, interface, removed)
        return []

    def _tell_address(self, kind: int, interface: Interface, address: Address) -> None:
        self.notify(RTNLGRP_IPV4_IFADDR, kind, address_body(interface, address))

    def _addresses(self, body: bytes) -> Messages:
        if body[0] not in (AF_UNSPEC, AF_INET):
            return []
        loopback = self.net.loopback
        return [(RTM_NEWADDR, address_body(loopback, address)) for address in loopback.addresses]

    def _neighbours(self, body: bytes) -> Messages:
        return []  # loopback has none

    # Routes

    def _routes(self, body: bytes) -> Messages:
        loopback = self.net.loopback
        if body[0] not in (AF_UNSPEC, AF_INET) or not loopback.up:
            return []
        found: Messages = []
        for address in loopback.addresses:
            whole = (RTN_LOCAL, RT_SCOPE_HOST)
            if address.prefix < 32:
                found.append(_local_route(address.network(), address.prefix, address, whole))
            found.append(_local_route(address.local, 32, address, whole))
            if address.prefix < 31:
                found.append(_local_route(address.last(), 32, address, (RTN_BROADCAST, RT_SCOPE_LINK)))
        return found


def _local_route(to: bytes, bits: int, address: Address, kind: tuple[int, int]) -> tuple[int, bytes]:
    head = RTMSG.pack(AF_INET, bits, 0, 0, RT_TABLE_LOCAL, RTPROT_KERNEL, kind[1], kind[0], 0)
    return RTM_NEWROUTE, (
        head
        + attribute(RTA_TABLE, U32.pack(RT_TABLE_LOCAL))
        + attribute(RTA_DST, to)
        + attribute(RTA_PREFSRC, address.local)
        + attribute(RTA_OIF, U32.pack(Interface.index))
    )


def set_mtu(interface: Interface, mtu: int) -> bool:
    """Whether it is another one.  Raises Errno(EINVAL)."""
    if mtu > _MTU_MAX:
        raise Errno(EINVAL)
    changed = mtu != interface.mtu
    interface.mtu = mtu
    return changed


def link_body(interface: Interface) -> bytes:
    """An RTM_NEWLINK about the interface; it never carries anything, so what it counts is 0."""
    state = IF_OPER_UNKNOWN if interface.up else IF_OPER_DOWN
    parts = (
        (IFLA_IFNAME, interface.name + b"\0"), (IFLA_TXQLEN, U32.pack(interface.transmit_queue)),
        (IFLA_OPERSTATE, bytes((state,))), (IFLA_LINKMODE, b"\0"), (IFLA_MTU, U32.pack(interface.mtu)),
        (IFLA_GROUP, U32.pack(0)), (IFLA_PROMISCUITY, U32.pack(0)), (IFLA_NUM_TX_QUEUES, U32.pack(1)),
        (IFLA_NUM_RX_QUEUES, U32.pack(1)), (IFLA_CARRIER, b"\1"),
        (IFLA_QDISC, b"noqueue\0" if interface.up else b"noop\0"), (IFLA_ADDRESS, interface.hardware),
        (IFLA_BROADCAST, interface.hardware), (IFLA_STATS64, bytes(25 * 8)), (IFLA_STATS, bytes(24 * 4)),
    )  # fmt: skip
    head = IFINFOMSG.pack(AF_UNSPEC, ARPHRD_LOOPBACK, interface.index, interface.flags, 0)
    return head + b"".join([attribute(kind, value) for kind, value in parts])


def address_body(interface: Interface, address: Address) -> bytes:
    """An RTM_NEWADDR or RTM_DELADDR about the address."""
    parts = [(IFA_ADDRESS, address.local), (IFA_LOCAL, address.local)]
    if address.broadcast is not None:
        parts.append((IFA_BROADCAST, address.broadcast))
    parts += [
        (IFA_LABEL, address.label + b"\0"), (IFA_FLAGS, U32.pack(IFA_F_PERMANENT)),
        (IFA_CACHEINFO, U32.pack(_FOREVER) * 2 + bytes(8)),
    ]  # fmt: skip
    head = IFADDRMSG.pack(AF_INET, address.prefix, IFA_F_PERMANENT, address.scope, interface.index)
    return head + b"".join([attribute(kind, value) for kind, value in parts])


def _u32(value: bytes) -> int:
    if len(value) < 4:
        raise Errno(EINVAL)
    number: int = U32.unpack_from(value)[0]
    return number
