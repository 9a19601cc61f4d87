"""Times copied in and out: struct timespec and timeval as nanoseconds."""

import errno

from sentry.abi.time import NSEC, TIMESPEC, TIMEVAL, USEC
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_FOREVER = 2**62  # ns: later than any deadline that can be reached


def checked_timespec(seconds: int, nanoseconds: int) -> int:
    """Nanoseconds; EINVAL for a negative time or nanoseconds outside a second."""
    if seconds < 0 or not 0 <= nanoseconds < NSEC:
        raise Errno(errno.EINVAL)
    return min(seconds * NSEC + nanoseconds, _FOREVER)


def checked_timeval(seconds: int, microseconds: int) -> int:
    """The same for seconds and microseconds."""
    if seconds < 0 or not 0 <= microseconds < USEC:
        raise Errno(errno.EINVAL)
    return min(seconds * NSEC + microseconds * 1000, _FOREVER)


def read_timespec(task: "Task", address: int) -> int:
    """The struct timespec at `address` in ns; EFAULT, EINVAL."""
    return checked_timespec(*TIMESPEC.unpack(task.copy_in(address, TIMESPEC.size)))


def pack_timespec(time: int) -> bytes:
    """A struct timespec of `time` ns."""
    return TIMESPEC.pack(time // NSEC, time % NSEC)


def pack_timeval(time: int) -> bytes:
    """A struct timeval of `time` ns."""
    return TIMEVAL.pack(time // NSEC, time % NSEC // 1000)
