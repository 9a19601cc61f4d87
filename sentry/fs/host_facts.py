"""What the host says of its memory and CPUs, and only the part that a guest may know.

The host's own files are opened before the sandbox is sealed, and read when a guest asks.  Where the host has
no /proc, sysinfo(2) and CPUID-free generic answers take their place.
"""

from __future__ import annotations

import os

from sentry.kernel import cpus
from sentry.kernel.cgroups import oom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel

# Lines of the host's /proc/cpuinfo that describe the processor, not the machine it is part of.
_CPU_FIELDS = frozenset((
    b"vendor_id", b"cpu family", b"model", b"model name", b"stepping", b"cpu MHz", b"cache size", b"fpu",
    b"fpu_exception", b"cpuid level", b"wp", b"flags", b"bugs", b"bogomips", b"clflush size",
    b"cache_alignment", b"address sizes",
))  # fmt: skip
_MEMORY_FIELDS = frozenset((b"MemTotal", b"MemFree", b"MemAvailable", b"Buffers", b"Cached", b"SReclaimable"))
_READ_MAX = 1 << 20


class HostFile:
    """A file of the host's /proc that stays open."""

    __slots__ = ("_fd",)

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    def lines(self) -> list[bytes]:
        """Its lines now; none when it can't be read."""
        if self._fd < 0:
            return []
        parts, offset = [], 0
        try:
            while offset < _READ_MAX and (data := os.pread(self._fd, 65536, offset)):
                parts.append(data)
                offset += len(data)
        except OSError:
            return []
        return b"".join(parts).splitlines()

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class HostFacts:
    """Memory and processor of the host."""

    def __init__(self) -> None:
        self._meminfo = HostFile("/proc/meminfo")
        self._cpuinfo = HostFile("/proc/cpuinfo")

    def memory(self, kernel: Kernel) -> dict[bytes, int]:
        """Sizes in KiB by their name in /proc/meminfo, those of _MEMORY_FIELDS; a sandbox that may have less
        than the host has that, and of it what its processes leave."""
        sizes = self._host_memory()
        limit = kernel.cgroups.root.limit(b"memory.max") // 1024
        if limit < sizes[b"MemTotal"]:
            free = min(max(limit - oom.current(kernel.cgroups.root) // 1024, 0), sizes[b"MemAvailable"])
            sizes = dict.fromkeys(sizes, 0)
            sizes[b"MemTotal"], sizes[b"MemFree"], sizes[b"MemAvailable"] = limit, free, free
        return sizes

    def _host_memory(self) -> dict[bytes, int]:
        sizes = dict.fromkeys(_MEMORY_FIELDS, 0)
        for line in self._meminfo.lines():
            name, _, rest = line.partition(b":")
            if name in sizes:
                sizes[name] = int(rest.split()[0])
        if not sizes[b"MemTotal"]:
            page = os.sysconf("SC_PAGE_SIZE") // 1024
            sizes[b"MemTotal"] = os.sysconf("SC_PHYS_PAGES") * page
            sizes[b"MemFree"] = sizes[b"MemAvailable"] = os.sysconf("SC_AVPHYS_PAGES") * page
        return sizes

    def processor(self) -> list[tuple[bytes, bytes]]:
        """(field, value) of the first processor as in /proc/cpuinfo; all CPUs are told alike."""
        fields = []
        for line in self._cpuinfo.lines():
            if not line.strip():
                break
            name, _, value = line.partition(b":")
            if name.strip() in _CPU_FIELDS:
                fields.append((name.strip(), value.strip()))
        return fields or [(b"vendor_id", b"unknown"), (b"model name", b"unknown"), (b"fpu", b"yes")]

    def cpuinfo(self, mask: int) -> bytes:
        """/proc/cpuinfo of a sandbox that has the CPUs in `mask`."""
        numbers = cpus.numbers(mask)
        fields = self.processor()
        head = fields[: next((i for i, field in enumerate(fields) if field[0] == b"fpu"), len(fields))]
        tail = fields[len(head) :]
        blocks = []
        for index, number in enumerate(numbers):
            place = [
                (b"physical id", b"0"),
                (b"siblings", b"%d" % len(numbers)),
                (b"core id", b"%d" % index),
                (b"cpu cores", b"%d" % len(numbers)),
                (b"apicid", b"%d" % number),
                (b"initial apicid", b"%d" % number),
            ]
            fields = [(b"processor", b"%d" % number), *head, *place, *tail]
            lines = [_cpu_line(name, value) for name, value in fields]
            blocks.append(b"".join(lines) + b"power management:\n\n")
        return b"".join(blocks)


_opened: list[HostFacts] = []


def host_facts() -> HostFacts:
    """The facts of this host.  To be called once before the sandbox is sealed, which can open nothing:
    a guest may mount proc and sysfs at any time."""
    if not _opened:
        _opened.append(HostFacts())
    return _opened[0]


def _cpu_line(name: bytes, value: bytes) -> bytes:
    tabs = b"\t" if len(name) >= 8 else b"\t\t"
    return name + tabs + b": " + value + b"\n" if value else name + tabs + b":\n"
