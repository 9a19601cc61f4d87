"""Options of level SOL_SOCKET about queues, devices and CPUs that no socket of ours has: they are kept, and
told as Linux does, but have no effect.
"""

from __future__ import annotations

import errno
from struct import Struct

from sentry.abi.capability import CAP_NET_ADMIN, CAP_NET_RAW
from sentry.abi.socket import (
    SO_ATTACH_BPF,
    SO_ATTACH_REUSEPORT_CBPF,
    SO_ATTACH_REUSEPORT_EBPF,
    SO_BINDTODEVICE,
    SO_BINDTOIFINDEX,
    SO_BPF_EXTENSIONS,
    SO_BSDCOMPAT,
    SO_BUF_LOCK,
    SO_BUSY_POLL,
    SO_BUSY_POLL_BUDGET,
    SO_CNX_ADVICE,
    SO_DETACH_REUSEPORT_BPF,
    SO_INCOMING_CPU,
    SO_INCOMING_NAPI_ID,
    SO_MAX_PACING_RATE,
    SO_NO_CHECK,
    SO_NOFCS,
    SO_PREFER_BUSY_POLL,
    SO_RCVMARK,
    SO_RCVPRIORITY,
    SO_RESERVE_MEM,
    SO_RXQ_OVFL,
    SO_SELECT_ERR_QUEUE,
    SO_TIMESTAMPING,
    SO_TIMESTAMPING_NEW,
    SO_TXREHASH,
    SO_TXTIME,
    SO_WIFI_STATUS,
    SO_ZEROCOPY,
)
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.socket.options import Options

_INT = Struct("<i")
_LONG = Struct("<q")
_SWITCHES = frozenset((
    SO_NO_CHECK, SO_RXQ_OVFL, SO_WIFI_STATUS, SO_NOFCS, SO_SELECT_ERR_QUEUE, SO_PREFER_BUSY_POLL, SO_RCVMARK,
    SO_RCVPRIORITY,
))  # fmt: skip
# What they are before they are set; the others are 0.
_NUMBERS = {
    SO_INCOMING_CPU: -1, SO_MAX_PACING_RATE: -1, SO_BUSY_POLL: 0, SO_BINDTOIFINDEX: 0, SO_TIMESTAMPING: 0,
    SO_TIMESTAMPING_NEW: 0, SO_BUF_LOCK: 0,
}  # fmt: skip
_LONGS = (SO_MAX_PACING_RATE, SO_TIMESTAMPING, SO_TIMESTAMPING_NEW)
_CONSTANTS = {
    SO_BSDCOMPAT: _INT.pack(0), SO_BPF_EXTENSIONS: _INT.pack(64), SO_INCOMING_NAPI_ID: _INT.pack(0),
    SO_ZEROCOPY: _INT.pack(0), SO_TXTIME: bytes(8), SO_RESERVE_MEM: _INT.pack(0), SO_BINDTODEVICE: b"",
}  # fmt: skip
_REFUSED = {
    SO_ZEROCOPY: errno.EOPNOTSUPP, SO_TXTIME: errno.EINVAL, SO_RESERVE_MEM: errno.EOPNOTSUPP,
    SO_TXREHASH: errno.EOPNOTSUPP, SO_DETACH_REUSEPORT_BPF: errno.EINVAL, SO_ATTACH_BPF: errno.EPERM,
    SO_ATTACH_REUSEPORT_CBPF: errno.EINVAL, SO_ATTACH_REUSEPORT_EBPF: errno.EPERM,
}  # fmt: skip
_UNSEEN = (SO_CNX_ADVICE, SO_BUSY_POLL_BUDGET)  # can be set and not asked for
_BUDGET_MAX = 0xFFFF


def get_kept(options: Options, name: int) -> bytes | None:
    """The value of one of these options; None when `name` is none of them.  Raises Errno(EOPNOTSUPP)."""
    if name in _SWITCHES or name in _NUMBERS:
        number = options.kept.get(name, _NUMBERS.get(name, 0))
        if name in _LONGS:
            return _LONG.pack(number)
        return _INT.pack(number)
    if name == SO_TXREHASH:
        raise Errno(errno.EOPNOTSUPP)
    return _CONSTANTS.get(name)


def set_kept(task: Task, options: Options, name: int, number: int) -> bool:
    """Set one; False when `name` is none of them.  Raises Errno: EINVAL, EOPNOTSUPP, EPERM."""
    if name in _REFUSED:
        raise Errno(_REFUSED[name])
    if name in _SWITCHES:
        options.kept[name] = int(number != 0)
    elif name == SO_BUF_LOCK:
        if number & ~3:
            raise Errno(errno.EINVAL)
        options.kept[name] = number
    elif name == SO_BINDTOIFINDEX:
        bound = options.kept.get(name, 0)
        if bound and not task.creds.has_cap(CAP_NET_RAW, task.ns.net.owner):
            raise Errno(errno.EPERM)
        if number < 0:
            raise Errno(errno.EINVAL)
        options.kept[name] = number
    elif name == SO_BUSY_POLL:
        if number < 0:
            raise Errno(errno.EINVAL)
        if number > options.kept.get(name, 0) and not task.creds.has_cap(CAP_NET_ADMIN):
            raise Errno(errno.EPERM)
        options.kept[name] = number
    elif name == SO_BUSY_POLL_BUDGET:
        if not 0 <= number <= _BUDGET_MAX:
            raise Errno(errno.EINVAL)
    elif name == SO_CNX_ADVICE:
        pass  # advice about a route
    elif name in _NUMBERS:
        options.kept[name] = number
    else:
        return name == SO_BSDCOMPAT
    return True


def bind_to_device(task: Task, options: Options, value: bytes) -> None:
    """SO_BINDTODEVICE: the name of an interface, "" for none.  Raises Errno: ENODEV, EPERM."""
    name = value[:15].split(b"\0", 1)[0]
    interface = task.ns.net.loopback
    if name not in (b"", interface.name):
        raise Errno(errno.ENODEV)
    set_kept(task, options, SO_BINDTOIFINDEX, interface.index if name else 0)
