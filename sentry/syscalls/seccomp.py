"""seccomp(2), and prctl(2)'s older way to it."""

import errno

from sentry.abi.seccomp import (
    ACTIONS,
    SECCOMP_DATA,
    SECCOMP_FILTER_FLAG_LOG,
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_TSYNC,
    SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    SECCOMP_FILTER_FLAGS,
    SECCOMP_GET_ACTION_AVAIL,
    SECCOMP_GET_NOTIF_SIZES,
    SECCOMP_MODE_FILTER,
    SECCOMP_MODE_STRICT,
    SECCOMP_NOTIF,
    SECCOMP_NOTIF_RESP,
    SECCOMP_NOTIF_SIZES,
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_SET_MODE_STRICT,
)
from sentry.errors import Errno
from sentry.kernel.tracing import seccomp as filters
from sentry.kernel.tracing.seccomp_notify import Listener, Notifier
from sentry.syscalls.args import Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def seccomp(task: "Task", operation: UInt, flags: UInt, address: Ptr) -> int:
    if operation == SECCOMP_SET_MODE_FILTER:
        return _set_filter(task, flags, address)
    if flags or (operation == SECCOMP_SET_MODE_STRICT and address):
        raise Errno(errno.EINVAL)
    if operation == SECCOMP_SET_MODE_STRICT:
        filters.set_strict(task)
    elif operation == SECCOMP_GET_ACTION_AVAIL:
        if task.read_u32(address) not in ACTIONS:
            raise Errno(errno.EOPNOTSUPP)
    elif operation == SECCOMP_GET_NOTIF_SIZES:
        sizes = (SECCOMP_NOTIF.size, SECCOMP_NOTIF_RESP.size, SECCOMP_DATA.size)
        task.copy_out(address, SECCOMP_NOTIF_SIZES.pack(*sizes))
    else:
        raise Errno(errno.EINVAL)
    return 0


def set_mode(task: "Task", mode: int, address: int) -> int:
    """prctl(PR_SET_SECCOMP)."""
    if mode == SECCOMP_MODE_STRICT:
        filters.set_strict(task)
        return 0
    if mode != SECCOMP_MODE_FILTER:
        raise Errno(errno.EINVAL)
    return _set_filter(task, 0, address)


def _set_filter(task: "Task", flags: int, address: int) -> int:
    sync = bool(flags & SECCOMP_FILTER_FLAG_TSYNC)
    listening = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER
    if (
        flags & ~SECCOMP_FILTER_FLAGS
        or (sync and listening and not flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
        or (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV and not listening)
    ):
        raise Errno(errno.EINVAL)
    program = filters.read_program(task, address)
    new = filters.make(task, program)
    if listening:
        task.files.lowest_free()
        if filters.has_listener(task):
            raise Errno(errno.EBUSY)
    filters.check_length(new)
    straggler = filters.out_of_sync(task) if sync else 0
    if straggler:
        if flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH:
            raise Errno(errno.ESRCH)
        return straggler
    new.wait_killable = bool(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
    new.logs = bool(flags & SECCOMP_FILTER_FLAG_LOG)
    filters.install(task, new, sync)
    if not listening:
        return 0
    new.notifier = Notifier(new)
    return task.files.install(Listener(new.notifier), cloexec=True)
