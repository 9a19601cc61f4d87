"""/sys/class/net/lo: the loopback interface (Linux, ABI/testing/sysfs-class-net).

A file tells of its reader's network namespace, as in a sysfs that the reader has mounted itself.
"""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP, EPERM

from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.netlink import ARPHRD_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING
from sentry.errors import Errno
from sentry.fs.pseudo import LinkInode, parse_int
from sentry.socket.netlink_route import set_mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.fs.pseudo import Show, Store, Tree
    from sentry.kernel.interfaces import Interface
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import FileSystem

_U32 = 0xFFFFFFFF
_TOLD_ELSEWHERE = IFF_RUNNING | IFF_LOWER_UP  # what the file `flags` leaves out
_COUNTERS = (
    b"collisions", b"multicast", b"rx_bytes", b"rx_compressed", b"rx_crc_errors", b"rx_dropped", b"rx_errors",
    b"rx_fifo_errors", b"rx_frame_errors", b"rx_length_errors", b"rx_missed_errors", b"rx_nohandler",
    b"rx_over_errors", b"rx_packets", b"tx_aborted_errors", b"tx_bytes", b"tx_carrier_errors",
    b"tx_compressed", b"tx_dropped", b"tx_errors", b"tx_fifo_errors", b"tx_heartbeat_errors", b"tx_packets",
    b"tx_window_errors",
)  # fmt: skip
_CONSTANT = {
    b"addr_assign_type": b"0\n", b"addr_len": b"6\n", b"carrier_changes": b"0\n",
    b"carrier_down_count": b"0\n", b"carrier_up_count": b"0\n", b"dev_id": b"0x0\n", b"dev_port": b"0\n",
    b"link_mode": b"0\n", b"name_assign_type": b"2\n", b"type": b"%d\n" % ARPHRD_LOOPBACK,
}  # fmt: skip


def _told(text: Callable[[Interface], bytes]) -> Show:
    return lambda task: text(task.ns.net.loopback) + b"\n"


def _stored(change: Callable[[Interface, int], object]) -> Store:
    """A number that CAP_NET_ADMIN changes."""

    def store(task: Task, data: bytes) -> None:
        if not task.creds.has_cap(CAP_NET_ADMIN, task.ns.net.owner):
            raise Errno(EPERM)
        change(task.ns.net.loopback, parse_int(data, 0, _U32))

    return store


def _refused(task: Task, data: bytes) -> None:
    raise Errno(EOPNOTSUPP)


def _while_up(text: bytes) -> Show:
    """What an interface tells only while it is up: EINVAL."""

    def show(task: Task) -> bytes:
        if not task.ns.net.loopback.up:
            raise Errno(EINVAL)
        return text

    return show


def _never(task: Task) -> bytes:
    raise Errno(EINVAL)


def _set_queue(interface: Interface, length: int) -> None:
    interface.transmit_queue = length


def _address(interface: Interface) -> bytes:
    return interface.hardware.hex(":").encode()


def interface_directory(fs: FileSystem) -> Tree:
    """The directory of the interface: what is below /sys/devices/virtual/net/lo."""
    return {
        **_CONSTANT,
        b"address": _told(_address),
        b"broadcast": _told(_address),
        b"carrier": (_while_up(b"1\n"), _refused),
        b"dormant": _while_up(b"0\n"),
        b"duplex": _never,
        b"flags": (
            _told(lambda interface: b"0x%x" % (interface.flags & ~_TOLD_ELSEWHERE)),
            _stored(lambda interface, flags: interface.set_flags(flags)),
        ),
        b"ifindex": _told(lambda interface: b"%d" % interface.index),
        b"iflink": _told(lambda interface: b"%d" % interface.index),
        b"mtu": (_told(lambda interface: b"%d" % interface.mtu), _stored(set_mtu)),
        b"operstate": _told(lambda interface: b"unknown" if interface.up else b"down"),
        b"speed": _never,
        b"statistics": dict.fromkeys(_COUNTERS, b"0\n"),
        b"subsystem": LinkInode(fs, b"../../../../class/net"),
        b"testing": _while_up(b"0\n"),
        b"tx_queue_len": (_told(lambda interface: b"%d" % interface.transmit_queue), _stored(_set_queue)),
        b"uevent": _told(lambda interface: b"INTERFACE=%b\nIFINDEX=%d" % (interface.name, interface.index)),
    }


def class_directory(fs: FileSystem) -> Tree:
    """/sys/class/net."""
    return {b"lo": LinkInode(fs, b"../../devices/virtual/net/lo")}
