"""Socket filters: classic BPF programs over what a socket is sent (SO_ATTACH_FILTER, socket(7)).

Checking and running them is C's (`core/socket_filter.c`).
"""

from __future__ import annotations

import errno

from sentry._core import SocketFilter
from sentry.abi.seccomp import BPF_MAXINSNS, SOCK_FILTER_SIZE, SOCK_FPROG
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def read_filter(task: Task, value: bytes) -> SocketFilter:
    """What the value of SO_ATTACH_FILTER, a struct sock_fprog, describes: EFAULT, EINVAL, ENOMEM."""
    if len(value) != SOCK_FPROG.size:
        raise Errno(errno.EINVAL)
    length, code = SOCK_FPROG.unpack(value)
    if not code or not 0 < length <= BPF_MAXINSNS:
        raise Errno(errno.EINVAL)
    return SocketFilter(task.copy_in(code, length * SOCK_FILTER_SIZE))
