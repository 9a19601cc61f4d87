"""The options of level SOL_SOCKET that mean the same for every family (socket(7))."""

from __future__ import annotations

import errno
from struct import Struct

from sentry import _core
from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.seccomp import SOCK_FPROG
from sentry.abi.socket import (
    AF_INET,
    AF_INET6,
    LINGER,
    SO_ACCEPTCONN,
    SO_ATTACH_FILTER,
    SO_BINDTODEVICE,
    SO_BROADCAST,
    SO_COOKIE,
    SO_DEBUG,
    SO_DETACH_FILTER,
    SO_DOMAIN,
    SO_DONTROUTE,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_LOCK_FILTER,
    SO_MARK,
    SO_MEMINFO,
    SO_OOBINLINE,
    SO_PASSCRED,
    SO_PASSPIDFD,
    SO_PASSRIGHTS,
    SO_PASSSEC,
    SO_PEEK_OFF,
    SO_PRIORITY,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_RCVBUFFORCE,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_RCVTIMEO_NEW,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_SNDBUF,
    SO_SNDBUFFORCE,
    SO_SNDLOWAT,
    SO_SNDTIMEO,
    SO_SNDTIMEO_NEW,
    SO_TIMESTAMP,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPNS,
    SO_TIMESTAMPNS_NEW,
    SO_TYPE,
    SOL_SOCKET,
)
from sentry.abi.time import NSEC, TIMESPEC, TIMEVAL
from sentry.errors import Errno
from sentry.socket.filter import read_filter
from sentry.socket.kept_options import bind_to_device, get_kept, set_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import SocketFilter
    from sentry.kernel.task import Task
    from sentry.socket.base import Socket

INT = Struct("<i")
COOKIE = Struct("<Q")
MEMINFO = Struct("<IIII20x")  # bytes received, their limit, bytes sent, their limit
BUFFER_DEFAULT = 212992  # /proc/sys/net/core/{r,w}mem_default
BUFFER_MAX = 212992  # ... {r,w}mem_max; an option's value is doubled
SEND_MIN = 4608
RECEIVE_MIN = 2304

# Options that are remembered and told; the families look at those that matter to them.
_SWITCHES = (SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_REUSEPORT,
             SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS)  # fmt: skip
_TIMEOUTS = {SO_RCVTIMEO: "receive_timeout", SO_RCVTIMEO_NEW: "receive_timeout",
             SO_SNDTIMEO: "send_timeout", SO_SNDTIMEO_NEW: "send_timeout"}  # fmt: skip
_TIMESTAMPS = (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW)
_JIFFY = 4_000_000  # ns: time-outs are kept in these


class Options:
    """The generic options of one socket; times in ns (None: no limit), sizes in bytes."""

    __slots__ = (
        "filter", "filter_locked", "kept", "linger", "mark", "peek_off", "priority", "rcvbuf", "rcvlowat",
        "receive_timeout", "send_timeout", "sndbuf", "switches", "timestamp", "type",
    )  # fmt: skip

    def __init__(self, type: int) -> None:
        self.type = type
        self.sndbuf = BUFFER_DEFAULT
        self.rcvbuf = BUFFER_DEFAULT
        self.rcvlowat = 1
        self.receive_timeout: int | None = None
        self.send_timeout: int | None = None
        self.linger = (0, 0)
        self.priority = 0
        self.mark = 0
        self.switches: set[int] = {SO_PASSRIGHTS}
        self.peek_off = -1  # where MSG_PEEK begins (SO_PEEK_OFF); -1: always at the start
        self.timestamp = 0  # which of SO_TIMESTAMP and its kin is on
        self.filter: SocketFilter | None = None  # SO_ATTACH_FILTER
        self.filter_locked = False
        self.kept: dict[int, int] = {}  # sentry.socket.kept_options

    @property
    def passcred(self) -> bool:
        return SO_PASSCRED in self.switches

    @property
    def wants_creds(self) -> bool:
        """Whether messages for this socket must say who sent them."""
        return SO_PASSCRED in self.switches or SO_PASSPIDFD in self.switches


def get_option(task: Task, socket: Socket, level: int, name: int) -> bytes:
    """getsockopt(2): the value in full.  Raises Errno(ENOPROTOOPT), and what the family raises."""
    if level != SOL_SOCKET:
        return socket.get_option(task, level, name)
    options = socket.options
    if name in _SWITCHES:
        return INT.pack(name in options.switches)
    if name in _TIMEOUTS:
        time: int = getattr(options, _TIMEOUTS[name]) or 0
        return TIMEVAL.pack(time // NSEC, time % NSEC // 1000)
    if name in _TIMESTAMPS:
        return INT.pack(name == options.timestamp)
    if name == SO_LOCK_FILTER:
        return INT.pack(options.filter_locked)
    if name == SO_LINGER:
        return LINGER.pack(*options.linger)
    if name == SO_PEEK_OFF:
        return INT.pack(options.peek_off)
    if name == SO_COOKIE:
        return COOKIE.pack(socket.inode.ino if socket.inode is not None else 0)
    if name == SO_MEMINFO:
        received, sent = socket.memory()
        return MEMINFO.pack(received, options.rcvbuf, sent, options.sndbuf)
    numbers = {
        SO_TYPE: options.type, SO_DOMAIN: socket.family, SO_PROTOCOL: socket.protocol,
        SO_SNDBUF: options.sndbuf, SO_RCVBUF: options.rcvbuf, SO_RCVLOWAT: options.rcvlowat, SO_SNDLOWAT: 1,
        SO_PRIORITY: options.priority, SO_MARK: options.mark,
    }  # fmt: skip
    if name in numbers:
        return INT.pack(numbers[name])
    if name == SO_ERROR:
        return INT.pack(socket.take_error())
    if name == SO_ACCEPTCONN:
        return INT.pack(socket.is_listening())
    kept = get_kept(options, name)
    if kept is not None:
        return kept
    return socket.get_option(task, level, name)


def set_option(task: Task, socket: Socket, level: int, name: int, value: bytes) -> None:
    """setsockopt(2).  Raises Errno: EINVAL (too short), ENOPROTOOPT, EPERM, EDOM."""
    if level != SOL_SOCKET:
        socket.set_option(task, level, name, value)
        return
    options = socket.options
    if name in _TIMEOUTS:
        setattr(options, _TIMEOUTS[name], _timeout(value))
        return
    if name == SO_BINDTODEVICE:
        bind_to_device(task, options, value)
        return
    if len(value) < INT.size:
        raise Errno(errno.EINVAL)
    if name in (SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER):
        _set_filter(task, options, name, value)
        return
    number: int = INT.unpack_from(value)[0]
    if name == SO_REUSEPORT and number and socket.family not in (AF_INET, AF_INET6):
        raise Errno(errno.EOPNOTSUPP)
    if name in _SWITCHES:
        (options.switches.add if number else options.switches.discard)(name)
    elif name == SO_LINGER:
        if len(value) < LINGER.size:
            raise Errno(errno.EINVAL)
        options.linger = LINGER.unpack_from(value)
    elif name in (SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        _set_buffer(task, options, name, number)
    elif name == SO_RCVLOWAT:
        options.rcvlowat = number if number > 0 else 0x7FFFFFFF if number < 0 else 1
    elif name == SO_PRIORITY:
        if not 0 <= number <= 6 and not task.creds.has_cap(CAP_NET_ADMIN):
            raise Errno(errno.EPERM)
        options.priority = number
    elif name == SO_MARK:
        if not task.creds.has_cap(CAP_NET_ADMIN):
            raise Errno(errno.EPERM)
        options.mark = number
    elif name in _TIMESTAMPS:
        options.timestamp = name if number else 0
    elif name == SO_PEEK_OFF:
        socket.set_peek_off(number)
    elif name in (SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_SNDLOWAT):
        raise Errno(errno.ENOPROTOOPT)
    elif not set_kept(task, options, name, number):
        socket.set_option(task, level, name, value)


def _set_filter(task: Task, options: Options, name: int, value: bytes) -> None:
    locked = options.filter_locked
    if name == SO_LOCK_FILTER:
        if locked and not INT.unpack_from(value)[0]:
            raise Errno(errno.EPERM)
        options.filter_locked = bool(INT.unpack_from(value)[0])
    elif name == SO_ATTACH_FILTER:
        if locked:
            raise Errno(errno.EPERM if len(value) == SOCK_FPROG.size else errno.EINVAL)
        options.filter = read_filter(task, value)
    elif locked:
        raise Errno(errno.EPERM)
    elif options.filter is None:
        raise Errno(errno.ENOENT)
    else:
        options.filter = None


def timestamp(options: Options) -> list[tuple[int, int, bytes]]:
    """The control message that says when a datagram was received, where that is wanted."""
    name, now = options.timestamp, _core.realtime()
    if not name:
        return []
    if name in (SO_TIMESTAMPNS, SO_TIMESTAMPNS_NEW):
        return [(SOL_SOCKET, name, TIMESPEC.pack(now // NSEC, now % NSEC))]
    return [(SOL_SOCKET, name, TIMEVAL.pack(now // NSEC, now % NSEC // 1000))]


def _set_buffer(task: Task, options: Options, name: int, number: int) -> None:
    if name in (SO_SNDBUFFORCE, SO_RCVBUFFORCE) and not task.creds.has_cap(CAP_NET_ADMIN):
        raise Errno(errno.EPERM)
    # The forced forms pass over the limit in Linux; here the memory is the host's.
    size = 2 * (min(number, BUFFER_MAX) if number >= 0 else BUFFER_MAX)
    if name in (SO_SNDBUF, SO_SNDBUFFORCE):
        options.sndbuf = max(size, SEND_MIN)
    else:
        options.rcvbuf = max(size, RECEIVE_MIN)


def _timeout(value: bytes) -> int | None:
    if len(value) < TIMEVAL.size:
        raise Errno(errno.EINVAL)
    seconds, microseconds = TIMEVAL.unpack_from(value)
    if not 0 <= microseconds < 1_000_000:
        raise Errno(errno.EDOM)
    if seconds < 0:
        return 0
    time: int = seconds * NSEC + microseconds * 1000
    if not 0 < time < 1 << 62:
        return None
    return (time + _JIFFY - 1) // _JIFFY * _JIFFY
