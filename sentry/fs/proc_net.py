"""/proc/net as it is without a network: every table has its heading and no lines.

AF_UNIX sockets aren't listed either.
"""

from __future__ import annotations

_TCP = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_TCP6 = (
    b"  sl  local_address                         remote_address                        st tx_queue rx_queue "
    b"tr tm->when retrnsmt   uid  timeout inode\n"
)
_UDP = (
    b"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
    b"pointer drops"
)
_UDP6 = (
    b"  sl  local_address                         remote_address                        st tx_queue rx_queue "
    b"tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
)


def _padded(heading: bytes, width: int) -> bytes:
    return heading.ljust(width - 1) + b"\n"


TABLES = {
    b"arp": b"IP address       HW type     Flags       HW address            Mask     Device\n",
    b"dev": (
        b"Inter-|   Receive                                                |  Transmit\n"
        b" face |bytes    packets errs drop fifo frame compressed multicast"
        b"|bytes    packets errs drop fifo colls carrier compressed\n"
    ),
    b"if_inet6": b"",
    b"igmp": b"Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
    b"ipv6_route": b"",
    b"netlink": b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
    b"packet": b"sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
    b"protocols": (
        b"protocol  size sockets  memory press maxhdr  slab module     "
        b"cl co di ac io in de sh ss gs se re sp bi br ha uh gp em\n"
    ),
    b"raw": _padded(_UDP, 128),
    b"raw6": _UDP6,
    b"route": _padded(
        b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT", 128
    ),
    b"snmp": b"",
    b"sockstat": b"sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n",
    b"tcp": _padded(_TCP, 150),
    b"tcp6": _TCP6,
    b"udp": _padded(_UDP, 128),
    b"udp6": _UDP6,
    b"unix": b"Num       RefCount Protocol Flags    Type St Inode Path\n",
}
