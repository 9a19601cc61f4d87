"""getrandom(2)."""

import errno
import os

from sentry.errors import Errno
from sentry.syscalls.args import Ptr, Size, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_GRND_RANDOM = 2
_GRND_INSECURE = 4
_KNOWN = 7
_MOST = 1 << 25  # bytes of one call: a partial answer is allowed, a long one would stop everybody
_CHUNK = 1 << 16


def getrandom(task: "Task", address: Ptr, count: Size, flags: UInt) -> int:
    if flags & ~_KNOWN or flags & (_GRND_RANDOM | _GRND_INSECURE) == _GRND_RANDOM | _GRND_INSECURE:
        raise Errno(errno.EINVAL)
    count = min(count, _MOST)
    done = 0
    while done < count:
        size = min(_CHUNK, count - done)
        try:
            written = task.copy_out_some(address + done, os.urandom(size))
        except Errno:
            if done:
                break
            raise
        done += written
        if written < size:
            break
    return done
