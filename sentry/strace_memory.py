"""--strace: what pointers point at, in guest memory: strings, vectors of them, and small structures."""

from __future__ import annotations

from sentry.abi.poll import POLLFD
from sentry.abi.socket import AF_UNIX, FAMILY
from sentry.abi.stat import S_IFMT
from sentry.abi.time import TIMESPEC
from sentry.errors import Errno
from sentry.strace_words import SIGNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task

STRING_MAX = 32  # bytes of a buffer that are shown
PATH_SHOWN = 256
VECTOR_SHOWN = 16  # strings of argv

_STAT_MODE, _STAT_SIZE = 24, 48  # offsets in struct stat
_KINDS = {
    0o100000: "S_IFREG", 0o040000: "S_IFDIR", 0o120000: "S_IFLNK", 0o020000: "S_IFCHR", 0o060000: "S_IFBLK",
    0o010000: "S_IFIFO", 0o140000: "S_IFSOCK",
}  # fmt: skip


def quote(data: bytes) -> str:
    """Bytes as a C string."""
    return '"' + data.decode("latin-1").encode("unicode_escape").decode("ascii").replace('"', '\\"') + '"'


def string(task: Task, address: int) -> str:
    return quote(task.copy_in_str(address, PATH_SHOWN))


def data(task: Task, address: int, count: int) -> str:
    """The first bytes of a buffer."""
    found = task.copy_in_some(address, min(count, STRING_MAX))
    return quote(found) + ("..." if count > len(found) else "")


def strings(task: Task, address: int) -> str:
    """argv: `["sh", "-c", ...]`."""
    found: list[str] = []
    for index in range(VECTOR_SHOWN):
        pointer = task.read_u64(address + 8 * index)
        if not pointer:
            return f"[{', '.join(found)}]"
        found.append(string(task, pointer))
    return f"[{', '.join(found)}, ...]"


def environment(task: Task, address: int) -> str:
    """Its address alone: it is long, and often secret."""
    return f"{address:#x} /* environment */"


def timespec(task: Task, address: int) -> str:
    seconds, nanoseconds = TIMESPEC.unpack(task.copy_in(address, TIMESPEC.size))
    return f"{{{seconds}.{nanoseconds:09}}}" if 0 <= nanoseconds < 10**9 else f"{{{seconds}, {nanoseconds}}}"


def signal_set(task: Task, address: int) -> str:
    mask = task.read_u64(address)
    sign = "~" if mask.bit_count() > 32 else ""
    mask ^= 2**64 - 1 if sign else 0
    return f"{sign}[{' '.join(SIGNAL(n + 1) for n in range(64) if mask >> n & 1)}]"


def action(task: Task, address: int) -> str:
    handler = task.read_u64(address)
    return f"{{{ {0: 'SIG_DFL', 1: 'SIG_IGN'}.get(handler, hex(handler)) }, ...}}"


def poll_fds(task: Task, address: int) -> str:
    fd, events, _ = POLLFD.unpack(task.copy_in(address, POLLFD.size))
    return f"[{{fd={fd}, events={events:#x}}}, ...]"


def socket_address(task: Task, address: int) -> str:
    (family,) = FAMILY.unpack(task.copy_in(address, FAMILY.size))
    if family != AF_UNIX:
        return f"{{family={family}, ...}}"
    abstract = task.copy_in_some(address + 2, 1) == b"\0"
    text = task.copy_in_str(address + 2 + abstract, PATH_SHOWN)
    return f"{{AF_UNIX, {'@' if abstract else ''}{quote(text)}}}" if text else "{AF_UNIX}"


def two_fds(task: Task, address: int) -> str:
    return f"[{task.read_u32(address)}, {task.read_u32(address + 4)}]"


def file_status(task: Task, address: int) -> str:
    mode = task.read_u32(address + _STAT_MODE)
    kind = _KINDS.get(mode & S_IFMT, oct(mode & S_IFMT))
    return f"{{{kind}|0{mode & 0o7777:o}, size={task.read_u64(address + _STAT_SIZE)}, ...}}"


def wait_status(task: Task, address: int) -> str:
    status = task.read_u32(address)
    if status & 0x7F == 0:
        return f"[exited with {status >> 8}]"
    if status & 0xFF == 0x7F:
        return f"[stopped by {SIGNAL(status >> 8)}]"
    return "[continued]" if status == 0xFFFF else f"[killed by {SIGNAL(status & 0x7F)}]"


# (call, parameter): how what it points at is shown; before the call runs, or once it has succeeded.
BEFORE: dict[tuple[str, str], Callable[[Task, int], str]] = {
    ("execve", "argv"): strings, ("execveat", "argv"): strings, ("execve", "envp"): environment,
    ("execveat", "envp"): environment, ("nanosleep", "rqtp"): timespec, ("clock_nanosleep", "rqtp"): timespec,
    ("ppoll", "tmo_p"): timespec, ("pselect6", "timeout"): timespec, ("rt_sigprocmask", "set"): signal_set,
    ("rt_sigaction", "act"): action, ("poll", "ufds"): poll_fds, ("ppoll", "fds"): poll_fds,
    ("connect", "addr"): socket_address, ("bind", "addr"): socket_address,
}  # fmt: skip
AFTER: dict[tuple[str, str], Callable[[Task, int], str]] = {
    ("pipe", "fildes"): two_fds, ("pipe2", "fildes"): two_fds, ("socketpair", "sv"): two_fds,
    ("stat", "statbuf"): file_status, ("lstat", "statbuf"): file_status, ("fstat", "statbuf"): file_status,
    ("newfstatat", "statbuf"): file_status, ("wait4", "stat_addr"): wait_status,
    ("clock_gettime", "tp"): timespec, ("clock_getres", "tp"): timespec,
}  # fmt: skip


def shown(show: Callable[[Task, int], str], task: Task, address: int) -> str:
    """What `show` says of it, or the pointer where it doesn't point at readable memory."""
    if not address:
        return "NULL"
    try:
        return show(task, address)
    except Errno:
        return hex(address)
