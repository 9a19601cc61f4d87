"""CPU time of a thread group (getrusage(2), times(2)).

The host counts it: per stub process, that is per address space.  The host tells the CPU clock of another
process but not of one of its threads, so a thread's time is known only as its group's share, and all of it
is called user time (the host's part of it is small).
"""

from __future__ import annotations

from time import clock_gettime_ns

from sentry.abi.time import NSEC_PER_TICK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.mm.space import AddressSpace

_CPUCLOCK_SCHED = 2


def host_cpu_time(host_pid: int) -> int:
    """CPU time in ns of a host process; 0 once it is gone."""
    try:
        return clock_gettime_ns(~host_pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0


class Usage:
    """What a group has used, and what its dead and waited-for children had."""

    __slots__ = ("_host_pid", "_offset", "_spent", "children", "children_maxrss", "maxrss")

    def __init__(self) -> None:
        self._host_pid = 0
        self._offset = 0  # what the host process had used before it was ours
        self._spent = 0  # in address spaces that are left
        self.maxrss = 0  # KiB
        self.children = 0  # ns
        self.children_maxrss = 0

    def enter(self, host_pid: int) -> None:
        """The group's threads now run in the host process `host_pid` (fork, execve)."""
        self.leave()
        self._host_pid = host_pid
        self._offset = host_cpu_time(host_pid)

    def leave(self) -> None:
        """Take the last reading: the host process is about to end, or isn't ours any more."""
        self._spent = self.cpu()
        self._host_pid = 0

    @property
    def host_pid(self) -> int:
        return self._host_pid

    def note_size(self, mm: AddressSpace) -> None:
        """Take the size of the address space as the most that was resident: the host tells no one its
        share.
        """
        self.maxrss = max(self.maxrss, mm.areas.total >> 10)

    def cpu(self) -> int:
        """CPU time used so far, in ns; never goes back."""
        if not self._host_pid:
            return self._spent
        return self._spent + max(0, host_cpu_time(self._host_pid) - self._offset)

    def ticks(self) -> tuple[int, int]:
        """User and system time in clock ticks (sysconf(_SC_CLK_TCK))."""
        return self.cpu() // NSEC_PER_TICK, 0

    def add_child(self, child: Usage) -> None:
        """A child has been waited for."""
        self.children += child.cpu() + child.children
        self.children_maxrss = max(self.children_maxrss, child.maxrss, child.children_maxrss)
