"""/proc/PID/timens_offsets: the clocks of a task's children (time_namespaces(7))."""

from __future__ import annotations

from errno import EACCES, EINVAL, EPERM, ERANGE

from sentry import _core
from sentry.abi.capability import CAP_SYS_TIME
from sentry.abi.time import NSEC
from sentry.errors import Errno
from sentry.kernel.namespaces.namespaces import TimeNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SECONDS_MAX = (2**63 - 1) // NSEC
_LINES_MAX = 2
_CLOCKS = {b"monotonic": "monotonic", b"1": "monotonic", b"boottime": "boottime", b"7": "boottime"}


def show_offsets(target: Task, reader: Task) -> bytes:
    if target.ns is None:
        return b""
    namespace = target.ns.time_for_children
    pairs = ((b"monotonic", namespace.monotonic), (b"boottime", namespace.boottime))
    return b"".join([b"%-10s %10d %9d\n" % (name, *divmod(offset, NSEC)) for name, offset in pairs])


def store_offsets(target: Task, writer: Task, data: bytes) -> None:
    """EINVAL, EPERM, ERANGE (the clock would be negative or far away), EACCES (it is in use)."""
    lines = data.rstrip(b"\0").split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if not 0 < len(lines) <= _LINES_MAX:
        raise Errno(EINVAL)
    offsets = [_parse(line) for line in lines]
    if target.ns is None:
        raise Errno(EINVAL)
    namespace = target.ns.time_for_children
    assert isinstance(namespace, TimeNamespace)
    if not writer.creds.has_cap(CAP_SYS_TIME, namespace.owner):
        raise Errno(EPERM)
    for _, seconds, nanoseconds in offsets:
        if not -_SECONDS_MAX <= seconds <= _SECONDS_MAX:
            raise Errno(ERANGE)
        if not 0 <= (_core.monotonic() + seconds * NSEC + nanoseconds) // NSEC <= _SECONDS_MAX // 2:
            raise Errno(ERANGE)
    if namespace.fixed:
        raise Errno(EACCES)
    for name, seconds, nanoseconds in offsets:
        setattr(namespace, name, seconds * NSEC + nanoseconds)


def _parse(line: bytes) -> tuple[str, int, int]:
    words = line.split()
    if len(words) != 3 or words[0] not in _CLOCKS:
        raise Errno(EINVAL)
    sign, seconds = (-1, words[1][1:]) if words[1][:1] == b"-" else (1, words[1])
    if not seconds.isdigit() or not words[2].isdigit() or len(seconds) > 18 or len(words[2]) > 9:
        raise Errno(EINVAL)
    return _CLOCKS[words[0]], sign * int(seconds), int(words[2])
