"""The stressors that can't pass in the sandbox, and why; every other one must."""

from __future__ import annotations

from typing import NamedTuple

from tests.stress.outcome import FAILED, SKIPPED


class Reason(NamedTuple):
    """What stress-ng then says (a part of it), and why that is right."""

    kind: str
    words: str
    why: str


_NO_INET = "a sandbox has no IPv4 or IPv6 sockets"
_NO_DEVICE = "a sandbox has no such device"
_INET_WORDS = "Address family not supported by protocol"

REASONS: dict[str, Reason] = {
    "apparmor": Reason(SKIPPED, "AppArmor is not enabled", "as natively: no AppArmor"),
    "binderfs": Reason(SKIPPED, "binderfs not supported", "no Android binder"),
    "cpu-online": Reason(SKIPPED, "cannot write to cpu1 online", "CPUs are the host's"),
    "dccp": Reason(FAILED, _INET_WORDS, _NO_INET),
    "efivar": Reason(SKIPPED, "cannot read EFI vars", "no firmware behind a sandbox"),
    "fanotify": Reason(SKIPPED, "system call not supported", "no fanotify"),
    "fiemap": Reason(SKIPPED, "FS_IOC_FIEMAP not supported", "as a tmpfs natively"),
    "icmp-flood": Reason(FAILED, _INET_WORDS, _NO_INET),
    "idle-page": Reason(SKIPPED, "page_idle/bitmap", "as a kernel built without it"),
    "io-uring": Reason(SKIPPED, "io-uring not supported", "io_uring is not offered"),
    "kvm": Reason(SKIPPED, "/dev/kvm not available", _NO_DEVICE),
    "memhotplug": Reason(SKIPPED, "/sys/devices/system/memory not accessible", "memory is the host's"),
    "netdev": Reason(SKIPPED, _INET_WORDS, _NO_INET),
    "netlink-proc": Reason(SKIPPED, "does not support netlink", "no NETLINK_CONNECTOR"),
    "netlink-task": Reason(SKIPPED, "does not support netlink", "no NETLINK_GENERIC"),
    "pci": Reason(SKIPPED, "no PCI sysfs entries", _NO_DEVICE),
    "ping-sock": Reason(FAILED, _INET_WORDS, _NO_INET),
    "plugin": Reason(SKIPPED, "no plugin-so specified", "needs a plug-in to run"),
    "rawdev": Reason(SKIPPED, "cannot determine raw block device", "a tmpfs has no block device"),
    "rawpkt": Reason(FAILED, _INET_WORDS, _NO_INET),
    "rawsock": Reason(FAILED, _INET_WORDS, _NO_INET),
    "rawudp": Reason(FAILED, _INET_WORDS, _NO_INET),
    "sctp": Reason(FAILED, _INET_WORDS, _NO_INET),
    "sock": Reason(FAILED, _INET_WORDS, _NO_INET),
    "sockabuse": Reason(FAILED, _INET_WORDS, _NO_INET),
    "sockdiag": Reason(SKIPPED, "NETLINK_SOCK_DIAG not supported", "no NETLINK_SOCK_DIAG"),
    "sockmany": Reason(FAILED, _INET_WORDS, _NO_INET),
    "swap": Reason(SKIPPED, "cannot enable swap file", "swap space is the host's"),
    "tun": Reason(SKIPPED, "cannot open /dev/net/tun", _NO_DEVICE),
    "udp": Reason(FAILED, _INET_WORDS, _NO_INET),
    "udp-flood": Reason(FAILED, _INET_WORDS, _NO_INET),
    "userfaultfd": Reason(SKIPPED, "userfaultfd() not supported", "as a kernel built without it"),
    "verity": Reason(SKIPPED, "verity is not supported", "as a tmpfs natively"),
    "watchdog": Reason(SKIPPED, "/dev/watchdog does not exist", _NO_DEVICE),
    "x86syscall": Reason(SKIPPED, "not a recognised Intel CPU", "for one maker's processors"),
}
