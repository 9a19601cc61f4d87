"""The stressors of stress-ng by class, as its own tables say; which are never run on the host, and why."""

from __future__ import annotations

import subprocess

STRESS_NG = "/usr/bin/stress-ng"
CLASSES = ("filesystem", "io", "interrupt", "memory", "os", "pipe", "scheduler", "vm", "cpu-cache")

DANGEROUS = {
    "af-alg": "loads kernel modules",
    "bad-ioctl": "arbitrary ioctls on all devices",
    "bigheap": "takes all memory",
    "bind-mount": "bind mounts without end",
    "binderfs": "mounts",
    "brk": "takes all memory",
    "clock": "sets the clock",
    "close": "closes random descriptors while devices are open",
    "cpu-online": "takes CPUs offline",
    "cyclic": "real-time priority on a shared machine",
    "dccp": "loads kernel modules",
    "dev": "opens all devices",
    "dev-shm": "fills /dev/shm",
    "efivar": "reads firmware variables",
    "enosys": "makes calls by random number",
    "fallocate": "fills the tmpfs",
    "fanotify": "marks whole file systems",
    "forkheavy": "a fork bomb",
    "hdd": "fills the tmpfs",
    "icmp-flood": "floods the network",
    "idle-page": "marks all pages of the machine",
    "kill": "signals to every process",
    "klog": "clears the kernel's log",
    "kvm": "starts virtual machines",
    "lockbus": "stalls all CPUs",
    "loop": "makes block devices",
    "madvise": "poisons pages",
    "memhotplug": "takes memory offline",
    "mlockmany": "locks all memory",
    "mmapmany": "takes all mappings",
    "netdev": "changes interfaces",
    "oom-pipe": "takes all memory",
    "opcode": "runs random instructions, system calls among them",
    "pageswap": "swaps out memory",
    "pci": "reads devices' registers",
    "physpage": "reads physical memory",
    "procfs": "writes to settings of the machine",
    "quota": "changes quotas",
    "ramfs": "mounts, and takes all memory",
    "rawdev": "reads block devices",
    "rawpkt": "floods the network",
    "rawudp": "floods the network",
    "reboot": "asks for a restart of the machine",
    "resources": "takes all of everything",
    "rtc": "sets the clock",
    "schedpolicy": "real-time priority on a shared machine",
    "set": "sets the names and the clock of the machine",
    "softlockup": "holds CPUs at real-time priority",
    "stack": "takes all memory",
    "swap": "adds swap space",
    "syscall": "makes every system call",
    "sysbadaddr": "makes calls with random addresses",
    "sysfs": "writes to settings of the machine",
    "sysinval": "makes calls with random arguments",
    "tmpfs": "fills all tmpfs",
    "tun": "changes interfaces",
    "udp-flood": "floods the network",
    "umount": "mounts",
    "vforkmany": "a fork bomb",
    "watchdog": "may restart the machine",
    "x86syscall": "makes calls by random number",
}
"""Stressors that could hurt the machine: they run in the sandbox alone."""

UNPRIVILEGED = {"bad-ioctl", "exec", "spawn"}
"""Stressors that don't run as root, so that they are started as nobody."""

PATIENCE = {"madvise": 180.0, "resources": 300.0}
"""Seconds for stressors that seldom look at the clock: `resources` makes two million calls first."""


def of_class(name: str) -> list[str]:
    """The stressors of a class, as `stress-ng --class NAME?` lists them."""
    text = subprocess.run([STRESS_NG, "--class", f"{name}?"], capture_output=True, text=True, check=False)
    head, _, names = (text.stdout + text.stderr).partition("stressors:")
    assert names, head
    return names.split()


def all_of(classes: tuple[str, ...] = CLASSES) -> list[str]:
    """The stressors of all these classes, each once, sorted."""
    return sorted({stressor for name in classes for stressor in of_class(name)})
