"""The requests about interfaces that every socket answers (netdevice(7))."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EINVAL, ENODEV, ENOTTY, EPERM

from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.netlink import (
    ARPHRD_LOOPBACK,
    IFCONF,
    IFREQ,
    SIOCGIFADDR,
    SIOCGIFBRDADDR,
    SIOCGIFCONF,
    SIOCGIFFLAGS,
    SIOCGIFHWADDR,
    SIOCGIFINDEX,
    SIOCGIFMAP,
    SIOCGIFMETRIC,
    SIOCGIFMTU,
    SIOCGIFNAME,
    SIOCGIFNETMASK,
    SIOCGIFTXQLEN,
    SIOCSIFFLAGS,
    SIOCSIFMTU,
    SOCKADDR_IN,
)
from sentry.abi.socket import AF_INET
from sentry.errors import Errno
from sentry.socket.netlink_route import set_mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.interfaces import Interface
    from sentry.kernel.task import Task

_NAMED = frozenset((
    SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFMAP, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFTXQLEN,
    SIOCSIFFLAGS, SIOCSIFMTU,
))  # fmt: skip
_INTERNET = frozenset((SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK))
_LOW = 0xFFFF  # what struct ifreq has room for of the flags


def interface_ioctl(task: Task, request: int, arg: int, family: int) -> int:
    """Answer one of the requests.  Raises Errno: ENOTTY (it is none of them), ENODEV, EPERM, EINVAL."""
    net = task.ns.net
    interface = net.loopback
    if request == SIOCGIFCONF:
        return _list(task, interface, arg)
    if request not in _NAMED and request != SIOCGIFNAME and (request not in _INTERNET or family != AF_INET):
        raise Errno(ENOTTY)
    name, value = IFREQ.unpack(task.copy_in(arg, IFREQ.size))
    if request == SIOCGIFNAME:
        if int.from_bytes(value[:4], "little") != interface.index:
            raise Errno(ENODEV)
        task.copy_out(arg, IFREQ.pack(interface.name, value))
        return 0
    if name.split(b"\0", 1)[0][:15] != interface.name:
        raise Errno(ENODEV)
    if request in (SIOCSIFFLAGS, SIOCSIFMTU):
        if not task.creds.has_cap(CAP_NET_ADMIN, net.owner):
            raise Errno(EPERM)
        number = int.from_bytes(value[:4], "little", signed=True)
        if request == SIOCSIFFLAGS:
            interface.set_flags(number & _LOW)
        elif number < 0:
            raise Errno(EINVAL)
        else:
            set_mtu(interface, number)
        return 0
    answer = _answer(interface, request)
    task.copy_out(arg, IFREQ.pack(name, answer + value[len(answer) :]))
    return 0


def _answer(interface: Interface, request: int) -> bytes:
    """What goes into the union of struct ifreq."""
    if request == SIOCGIFFLAGS:
        return (interface.flags & _LOW).to_bytes(2, "little")
    if request == SIOCGIFHWADDR:
        return ARPHRD_LOOPBACK.to_bytes(2, "little") + interface.hardware + bytes(8)
    if request == SIOCGIFMAP:
        return bytes(24)
    if request in _INTERNET:
        if not interface.addresses:
            raise Errno(EADDRNOTAVAIL)
        address = interface.addresses[0]
        told = {SIOCGIFADDR: address.local, SIOCGIFNETMASK: address.netmask()}
        return SOCKADDR_IN.pack(AF_INET, 0, told.get(request, address.broadcast or bytes(4)))
    numbers = {
        SIOCGIFINDEX: interface.index, SIOCGIFMETRIC: 0, SIOCGIFMTU: interface.mtu,
        SIOCGIFTXQLEN: interface.transmit_queue,
    }  # fmt: skip
    return numbers[request].to_bytes(4, "little")


def _list(task: Task, interface: Interface, arg: int) -> int:
    """SIOCGIFCONF: a struct ifreq for each IPv4 address; without a buffer, how much it would need."""
    room, at = IFCONF.unpack(task.copy_in(arg, IFCONF.size))
    entries = [
        IFREQ.pack(address.label, SOCKADDR_IN.pack(AF_INET, 0, address.local))
        for address in interface.addresses
    ]
    if at:
        if room < 0:
            raise Errno(EINVAL)
        entries = entries[: room // IFREQ.size]
        if entries:
            task.copy_out(at, b"".join(entries))
    task.copy_out(arg, IFCONF.pack(IFREQ.size * len(entries), at))
    return 0
