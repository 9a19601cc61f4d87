"""The options of level SOL_SOCKET that mean the same for every family (socket(7))."""

from __future__ import annotations

import errno
from struct import Struct

from sentry.abi.capability import CAP_NET_ADMIN
from sentry.abi.socket import (
    LINGER,
    SO_ACCEPTCONN,
    SO_BROADCAST,
    SO_DEBUG,
    SO_DOMAIN,
    SO_DONTROUTE,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_MARK,
    SO_OOBINLINE,
    SO_PASSCRED,
    SO_PASSSEC,
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
    SO_TIMESTAMPNS,
    SO_TYPE,
    SOL_SOCKET,
)
from sentry.abi.time import NSEC, TIMEVAL
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.socket.base import Socket

INT = Struct("<i")
BUFFER_DEFAULT = 212992  # /proc/sys/net/core/{r,w}mem_default
BUFFER_MAX = 212992  # ... {r,w}mem_max; an option's value is doubled
SEND_MIN = 4608
RECEIVE_MIN = 2304

# Options that are remembered and told; the families look at those that matter to them.
_SWITCHES = (SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_REUSEPORT,
             SO_PASSCRED, SO_PASSSEC, SO_TIMESTAMP, SO_TIMESTAMPNS)  # fmt: skip
_TIMEOUTS = {SO_RCVTIMEO: "receive_timeout", SO_RCVTIMEO_NEW: "receive_timeout",
             SO_SNDTIMEO: "send_timeout", SO_SNDTIMEO_NEW: "send_timeout"}  # fmt: skip


class Options:
    """The generic options of one socket; times in ns (None: no limit), sizes in bytes."""

    __slots__ = (
        "linger", "mark", "priority", "rcvbuf", "rcvlowat", "receive_timeout", "send_timeout", "sndbuf",
        "switches", "type",
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
        self.switches: set[int] = set()

    @property
    def passcred(self) -> bool:
        return SO_PASSCRED in self.switches


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
    if name == SO_LINGER:
        return LINGER.pack(*options.linger)
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
    if len(value) < INT.size:
        raise Errno(errno.EINVAL)
    number: int = INT.unpack_from(value)[0]
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
    elif name in (SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_SNDLOWAT):
        raise Errno(errno.ENOPROTOOPT)
    else:
        socket.set_option(task, level, name, value)


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
    return time if 0 < time < 1 << 62 else None
