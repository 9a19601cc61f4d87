"""rseq(2): the thread's struct rseq, which the host keeps up to date; core/rseq.c has all of it."""

from sentry.errors import Errno
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def rseq(task: "Task", address: Ptr, length: UInt, flags: Int, signature: UInt) -> int:
    result = task.register_rseq(address, length, flags, signature)
    if result < 0:
        raise Errno(-result)
    return result
