"""Process ids of the sandbox's PID namespace (pid_namespaces(7))."""

from __future__ import annotations

import errno

from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel

PID_MAX = 32768
RESERVED = 300  # ids below are not reused once the counter has wrapped
TASKS_MAX = 8192  # each is a host thread; RLIMIT_NPROC bounds users below that


class Pids:
    """Hands out ids in rising order; one that names a task, process group or session isn't free."""

    __slots__ = ("_kernel", "_last")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._last = 0

    def allocate(self) -> int:
        """A free id; EAGAIN when there are too many tasks."""
        if len(self._kernel.tasks) >= TASKS_MAX:
            raise Errno(errno.EAGAIN)
        pid = self._last
        while True:
            pid = pid + 1 if pid < PID_MAX - 1 else RESERVED
            if not self.taken(pid):
                self._last = pid
                return pid

    def claim(self, pid: int) -> int:
        """The id that clone3(2)'s set_tid asks for: EINVAL, EEXIST."""
        if not 0 < pid < PID_MAX:
            raise Errno(errno.EINVAL)
        if len(self._kernel.tasks) >= TASKS_MAX:
            raise Errno(errno.EAGAIN)
        if self.taken(pid):
            raise Errno(errno.EEXIST)
        return pid

    def taken(self, pid: int) -> bool:
        kernel = self._kernel
        if pid in kernel.tasks or pid in kernel.groups or pid in kernel.process_groups:
            return True
        return any(process_group.session.sid == pid for process_group in kernel.process_groups.values())

    @property
    def last(self) -> int:
        """The id handed out last (/proc/loadavg)."""
        return self._last
