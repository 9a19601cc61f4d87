"""membarrier(2).

The barrier of the commands for restartable sequences (rseq(2)) is the others': a thread that was interrupted
is no longer within one.  On which CPU a thread runs only the host knows, so that MEMBARRIER_CMD_FLAG_CPU
interrupts all.
"""

import errno

from sentry.errors import Errno
from sentry.kernel import membarrier as barriers
from sentry.syscalls.args import Int, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task

QUERY = 0
GLOBAL = 1
GLOBAL_EXPEDITED = 2
REGISTER_GLOBAL_EXPEDITED = 4
PRIVATE_EXPEDITED = 8
REGISTER_PRIVATE_EXPEDITED = 0x10
PRIVATE_EXPEDITED_SYNC_CORE = 0x20
REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 0x40
PRIVATE_EXPEDITED_RSEQ = 0x80
REGISTER_PRIVATE_EXPEDITED_RSEQ = 0x100
GET_REGISTRATIONS = 0x200
FLAG_CPU = 1
_PRIVATE = {
    PRIVATE_EXPEDITED: REGISTER_PRIVATE_EXPEDITED,
    PRIVATE_EXPEDITED_SYNC_CORE: REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
    PRIVATE_EXPEDITED_RSEQ: REGISTER_PRIVATE_EXPEDITED_RSEQ,
}
_REGISTER = REGISTER_GLOBAL_EXPEDITED | sum(_PRIVATE.values())
_SUPPORTED = GLOBAL | GLOBAL_EXPEDITED | _REGISTER | sum(_PRIVATE) | GET_REGISTRATIONS


def membarrier(task: "Task", command: Int, flags: UInt, cpu: Int) -> "int | Coroutine[None, None, int]":
    if flags and (command != PRIVATE_EXPEDITED_RSEQ or flags != FLAG_CPU):
        raise Errno(errno.EINVAL)
    if command == QUERY:
        return _SUPPORTED
    if command == GET_REGISTRATIONS:
        return task.mm.membarrier
    if command and command & _REGISTER == command and not command & command - 1:
        task.mm.membarrier |= command
        return 0
    if command == GLOBAL:
        return barriers.run(task, task.kernel.tasks.values())
    if command == GLOBAL_EXPEDITED:
        registered = REGISTER_GLOBAL_EXPEDITED
        everyone = task.kernel.tasks.values()
        return barriers.run(task, [t for t in everyone if t.mm is not None and t.mm.membarrier & registered])
    if command not in _PRIVATE:
        raise Errno(errno.EINVAL)
    if not task.mm.membarrier & _PRIVATE[command]:
        raise Errno(errno.EPERM)
    return barriers.run(task, [t for t in task.kernel.tasks.values() if t.mm is task.mm])
