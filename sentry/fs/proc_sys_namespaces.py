"""/proc/sys/user, and /proc/sys/kernel/ns_last_pid: settings of the reader's namespaces (namespaces(7))."""

from __future__ import annotations

from errno import EPERM

from sentry.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from sentry.errors import Errno
from sentry.fs.pseudo import parse_decimal
from sentry.kernel.namespaces.namespace_limits import NESTED_MAX, limit
from sentry.kernel.namespaces.namespaces import FLAGS
from sentry.kernel.settings import values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Show, Store
    from sentry.kernel.task import Task


def _limit(kind: bytes) -> tuple[Show, Store]:
    def show(task: Task) -> bytes:
        return b"%d\n" % limit(task.creds.user_ns, kind)

    def store(task: Task, data: bytes) -> None:
        ns = task.creds.user_ns
        if not task.creds.has_cap(CAP_SYS_RESOURCE, ns):
            raise Errno(EPERM)
        ns.limits[kind] = parse_decimal(data, NESTED_MAX)

    return show, store


def namespace_limits() -> dict[bytes, tuple[Show, Store]]:
    """The files max_*_namespaces of /proc/sys/user."""
    return {b"max_%b_namespaces" % kind: _limit(kind) for kind in FLAGS}


def show_last_pid(task: Task) -> bytes:
    ns = task.group.pid_ns
    return b"%d\n" % (ns.last if ns.level else task.kernel.pids.last)


def store_last_pid(task: Task, data: bytes) -> None:
    """The next number handed out is the one after it."""
    ns, creds = task.group.pid_ns, task.creds
    if not creds.has_cap(CAP_SYS_ADMIN, ns.owner) and not creds.has_cap(CAP_CHECKPOINT_RESTORE, ns.owner):
        raise Errno(EPERM)
    last = parse_decimal(data, values["pid_max"])
    if ns.level:
        ns.last = last
    else:
        task.kernel.pids.last = last
