"""Who may look into another process (ptrace(2), "Ptrace access mode checking", PTRACE_MODE_READ_FSCREDS)."""

from __future__ import annotations

from errno import EACCES, ESRCH

from sentry.errors import Errno
from sentry.kernel.tracing.trace_access import may_access_as

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task


def may_inspect(reader: Task, target: Task) -> bool:
    """Whether `reader` may read the private parts of `target`: its memory map, environment, descriptors..."""
    return reader.group is target.group or may_inspect_as(reader.creds, target)


def may_inspect_as(mine: Creds, target: Task) -> bool:
    """The same for whoever has these credentials and is of another process."""
    return may_access_as(mine, target, real=False)


def are_of_process(creds: Creds, target: Task) -> bool:
    """Whether these are the very credentials of one of the process's threads."""
    return any(task.creds is creds for task in target.group.tasks)


def check_inspect(reader: Task, target: Task) -> None:
    """EACCES unless `may_inspect`."""
    if not may_inspect(reader, target):
        raise Errno(EACCES)


def check_alive(target: Task) -> None:
    """ESRCH once the task has been reaped."""
    if target.kernel.tasks.get(target.tid) is not target:
        raise Errno(ESRCH)


def owner(target: Task) -> tuple[int, int]:
    """Whom the files of /proc/PID belong to: the process's effective ids, root when it isn't dumpable."""
    if target.group.dumpable != 1:
        return 0, 0
    return target.creds.euid, target.creds.egid
