"""/proc/PID/net: the loopback interface and the UNIX and netlink sockets of the process's network namespace.

There is no other network: the other tables have their heading and no lines.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task

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
    b"if_inet6": b"",
    b"igmp": b"Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
    b"ipv6_route": b"",
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
}

_ACCEPTING = 0x10000  # __SO_ACCEPTCON
_SS_UNCONNECTED, _SS_CONNECTED = 1, 3


def device_table(target: Task, reader: Task) -> bytes:
    """net/dev: what each interface carried; loopback carries nothing."""
    interface = target.ns.net.loopback
    return (
        b"Inter-|   Receive                                                |  Transmit\n"
        b" face |bytes    packets errs drop fifo frame compressed multicast"
        b"|bytes    packets errs drop fifo colls carrier compressed\n"
        + b"%6s:       0       0    0    0    0     0          0         0" % interface.name
        + b"        0       0    0    0    0     0       0          0\n"
    )


def unix_table(target: Task, reader: Task) -> bytes:
    """net/unix (proc_pid_net(5)); kernel addresses are not told."""
    lines = [b"Num       RefCount Protocol Flags    Type St Inode Path\n"]
    for ino, found in target.ns.net.unix.items():
        endpoint = found()
        if endpoint is None:
            continue
        connected = endpoint.state == "connected"
        lines.append(
            b"%016x: %08X %08X %08X %04X %02X %5d"
            % (
                0,
                2 + connected,
                0,
                _ACCEPTING if endpoint.state == "listening" else 0,
                endpoint.type,
                _SS_CONNECTED if connected else _SS_UNCONNECTED,
                ino,
            )
        )
        name = endpoint.name
        if name[:1] == b"\0":
            lines.append(b" " + name.replace(b"\0", b"@"))
        elif name:
            lines.append(b" " + name[:-1])
        lines.append(b"\n")
    return b"".join(lines)


def netlink_table(target: Task, reader: Task) -> bytes:
    """net/netlink: the sockets that have a port id."""
    lines = [b"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"]
    for (protocol, port), endpoint in target.ns.net.ports.items():
        groups = sum(1 << group - 1 for group in endpoint.groups if group <= 32)
        lines.append(
            b"%016x %-3d %-10d %08x %-8d %-8d %-5d %-8d %-8d %-8d\n"
            % (0, protocol, port, groups, endpoint.held, 0, 0, 2, 0, 0)
        )
    return b"".join(lines)


SHOWN: dict[bytes, Callable[[Task, Task], bytes]] = {
    b"dev": device_table,
    b"unix": unix_table,
    b"netlink": netlink_table,
}
