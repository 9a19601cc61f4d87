"""Network interfaces and their addresses (netdevice(7), rtnetlink(7)).  There is one kind: loopback."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EEXIST, EINVAL

from sentry.abi.netlink import IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP, RT_SCOPE_HOST
from sentry.errors import Errno

LOOPBACK_MTU = 65536
_LOOPBACK_ADDRESS = bytes((127, 0, 0, 1))
_ADDRESSES_MAX = 1024  # of one interface
_SETTABLE = 0x1100  # IFF_PROMISC, IFF_MULTICAST


class Address:
    """An IPv4 address of an interface, `prefix` bits of which name the network."""

    __slots__ = ("broadcast", "label", "local", "prefix", "scope")

    def __init__(
        self, local: bytes, prefix: int, scope: int, label: bytes, broadcast: bytes | None = None
    ) -> None:
        self.local = local
        self.prefix = prefix
        self.scope = scope
        self.label = label
        self.broadcast = broadcast

    def netmask(self) -> bytes:
        return (0xFFFFFFFF << 32 - self.prefix & 0xFFFFFFFF).to_bytes(4, "big")

    def network(self) -> bytes:
        return bytes(a & b for a, b in zip(self.local, self.netmask(), strict=True))

    def last(self) -> bytes:
        """The highest address of the network: its broadcast address."""
        return bytes(a | ~b & 0xFF for a, b in zip(self.local, self.netmask(), strict=True))


class Interface:
    """The loopback interface."""

    index = 1
    hardware = bytes(6)

    def __init__(self) -> None:
        self.name = b"lo"
        self.mtu = LOOPBACK_MTU
        self.transmit_queue = 1000
        self.addresses: list[Address] = []
        self._flags = IFF_LOOPBACK

    @property
    def up(self) -> bool:
        return bool(self._flags & IFF_UP)

    @property
    def flags(self) -> int:
        """The IFF_* flags as they are told."""
        return self._flags | (IFF_RUNNING | IFF_LOWER_UP if self.up else 0)

    def set_flags(self, flags: int) -> bool:
        """Take what may be changed of `flags`; whether anything did.  Up for the first time, it has an
        address."""
        new = flags & (IFF_UP | _SETTABLE) | self._flags & ~(IFF_UP | _SETTABLE)
        changed, self._flags = new != self._flags, new
        if self.up and not self.addresses:
            self.addresses.append(Address(_LOOPBACK_ADDRESS, 8, RT_SCOPE_HOST, self.name))
        return changed

    def add(self, address: Address) -> None:
        """Raises Errno(EEXIST)."""
        if self.find(address.local, address.prefix) is not None:
            raise Errno(EEXIST)
        if len(self.addresses) >= _ADDRESSES_MAX:
            raise Errno(EINVAL)
        self.addresses.append(address)

    def remove(self, local: bytes, prefix: int | None) -> Address:
        """Raises Errno(EADDRNOTAVAIL)."""
        found = self.find(local, prefix)
        if found is None:
            raise Errno(EADDRNOTAVAIL)
        self.addresses.remove(found)
        return found

    def find(self, local: bytes, prefix: int | None) -> Address | None:
        for address in self.addresses:
            if address.local == local and prefix in (None, address.prefix):
                return address
        return None
