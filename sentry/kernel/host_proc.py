"""What the host counts for the guest's processes: memory that is there, CPU time, faults, context switches.

The sandbox process opens a proc of its own PID namespace, in which there are only itself and the stubs, and
keeps its directory; where the host refuses (a container with a masked /proc), nothing is known and whoever
asks falls back on an estimate.  A host process is one guest address space, a host thread one guest thread.
"""

from __future__ import annotations

import os

from sentry import _core
from sentry.abi.time import NSEC_PER_TICK
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.config import Config

_READ_MAX = 8192
_CHUNK = 1 << 16
_PAGE = 4096
_PAGE_KIB = 4


class Snapshot:
    """The figures of a host process or thread, from its stat file (proc_pid_stat(5))."""

    __slots__ = ("cpu", "major_faults", "minor_faults", "resident", "system", "user")

    def __init__(self, text: bytes) -> None:
        fields = text[text.rindex(b")") + 2 :].split()
        self.minor_faults = int(fields[7])
        self.major_faults = int(fields[9])
        self.user = int(fields[11]) * NSEC_PER_TICK  # ns, as the next
        self.system = int(fields[12]) * NSEC_PER_TICK
        self.resident = int(fields[21]) * _PAGE_KIB  # KiB
        self.cpu = int(fields[36])  # that it ran on last


class HostProc:
    """The directory, where there is one."""

    __slots__ = ("_config",)

    def __init__(self, config: Config) -> None:
        self._config = config  # the descriptor comes with the last steps of the set-up

    def __bool__(self) -> bool:
        return self._config.proc_fd >= 0

    def _read(self, name: bytes) -> bytes | None:
        if self._config.proc_fd < 0:
            return None
        try:
            fd = _core.host_open(self._config.proc_fd, name, os.O_RDONLY | os.O_CLOEXEC, 0)
        except Errno:
            return None  # gone
        try:
            return os.read(fd, _READ_MAX)
        except OSError:
            return None
        finally:
            os.close(fd)

    def process(self, pid: int) -> Snapshot | None:
        """The figures of a host process."""
        text = self._read(b"%d/stat" % pid) if pid > 0 else None
        return Snapshot(text) if text else None

    def statm(self, pid: int) -> tuple[int, int] | None:
        """What is resident of a process, and what of that is of files or shared, in pages."""
        text = self._read(b"%d/statm" % pid) if pid > 0 else None
        if not text:
            return None
        _, resident, shared = text.split()[:3]
        return int(resident), int(shared)

    def thread(self, pid: int, tid: int) -> Snapshot | None:
        """The figures of one of its threads."""
        text = self._read(b"%d/task/%d/stat" % (pid, tid)) if pid > 0 else None
        return Snapshot(text) if text else None

    def thread_times(self, pid: int, tid: int) -> tuple[int, int, int] | None:
        """ns on a CPU, ns waiting for one, and how often it was given one (schedstats)."""
        text = self._read(b"%d/task/%d/schedstat" % (pid, tid)) if pid > 0 else None
        if not text:
            return None
        ran, waited, times = text.split()[:3]
        return int(ran), int(waited), int(times)

    def read_at(self, name: bytes, offset: int, count: int) -> bytes:
        """A part of a file in the directory: what could be read of it."""
        if self._config.proc_fd < 0:
            return b""
        parts = []
        try:
            fd = _core.host_open(self._config.proc_fd, name, os.O_RDONLY | os.O_CLOEXEC, 0)
        except Errno:
            return b""
        try:
            while count > 0 and (data := os.pread(fd, min(count, _CHUNK), offset)):
                parts.append(data)
                offset += len(data)
                count -= len(data)
        except OSError:
            pass  # the process ends just now
        finally:
            os.close(fd)
        return b"".join(parts)

    def pagemap(self, pid: int, start: int, end: int) -> bytes | None:
        """The entries of pagemap for the pages of a range, 8 bytes each (proc_pid_pagemap(5)); None:
        not known."""
        if pid <= 0 or not self:
            return None
        name = b"%d/pagemap" % pid
        entries = self.read_at(name, start // _PAGE * 8, (end - start) // _PAGE * 8)
        return entries if len(entries) * _PAGE == (end - start) * 8 else None

    def pages(self, pid: int, start: int, end: int) -> bytes | None:
        """A byte for each page of a range: 1 when the process has it in memory; None: not known."""
        entries = self.pagemap(pid, start, end)
        return bytes([top >> 7 for top in entries[7::8]]) if entries is not None else None

    def status(self, pid: int, tid: int = 0) -> dict[bytes, int]:
        """The lines of status that are numbers: RssAnon, VmHWM, ... in KiB; empty where nothing is known."""
        if pid <= 0:
            return {}
        text = self._read(b"%d/task/%d/status" % (pid, tid or pid)) or b""
        found = {}
        for line in text.splitlines():
            name, _, value = line.partition(b":")
            words = value.split()
            if words and words[0].isdigit():
                found[name] = int(words[0])
        return found
