"""Waiting for children."""

import errno

from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.signal import SIGINFO_SIZE
from sentry.abi.wait import (
    P_ALL,
    P_PGID,
    P_PID,
    P_PIDFD,
    WALL,
    WCLONE,
    WCONTINUED,
    WEXITED,
    WNOHANG,
    WNOTHREAD,
    WNOWAIT,
    WSTOPPED,
    WUNTRACED,
)
from sentry.errors import Errno
from sentry.kernel import pidfd, reap
from sentry.syscalls.args import Int, Ptr, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]

_INT_MIN = -(2**31)
_NO_CHILD_INFO = bytes(SIGINFO_SIZE)
# struct siginfo as waitid writes it: signo, errno, code, pid, uid, status; the rest is left as it was.
_WAITID_WRITTEN = 28


def wait4(task: "Task", pid: Int, status: Ptr, options: UInt, rusage: Ptr) -> "Answer":
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL):
        raise Errno(errno.EINVAL)
    if pid == _INT_MIN:
        raise Errno(errno.ESRCH)
    if pid == -1:
        which = (P_ALL, 0)
    elif pid > 0:
        which = (P_PID, task.group.pid_ns.pid(pid))
    else:
        which = (P_PGID, task.group.pid_ns.pid(-pid) if pid else task.group.pgid)
    found = reap.look(task, *which, options | WEXITED)
    if isinstance(found, reap.Reaped):
        return _tell_wait4(task, found, status, rusage)
    if options & WNOHANG:
        return 0

    async def wait() -> int:
        return _tell_wait4(task, await reap.wait(task, *which, options | WEXITED), status, rusage)

    return wait()


def _tell_wait4(task: "Task", found: reap.Reaped, status: int, rusage: int) -> int:
    if status:
        task.write_u32(status, found.status)
    if rusage:
        task.copy_out(rusage, found.rusage)
    return found.info.pid


def waitid(task: "Task", id_type: Int, identity: Int, infop: Ptr, options: UInt, rusage: Ptr) -> "Answer":
    try:
        return _waitid(task, id_type, identity, infop, options, rusage)
    except Errno:
        _tell_waitid(task, None, infop, 0)  # Linux clears it when it fails, too
        raise


def _waitid(task: "Task", id_type: int, identity: int, infop: int, options: int, rusage: int) -> "Answer":
    if options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL):
        raise Errno(errno.EINVAL)
    if not options & (WEXITED | WSTOPPED | WCONTINUED):
        raise Errno(errno.EINVAL)
    nonblocking = False
    if id_type == P_PIDFD:
        if identity < 0:
            raise Errno(errno.EINVAL)
        file = pidfd.of(task, identity)
        id_type, identity = P_PID, file.pid
        if file.flags & O_NONBLOCK:
            nonblocking = not options & WNOHANG
            options |= WNOHANG
    elif id_type == P_PGID:
        if identity < 0:
            raise Errno(errno.EINVAL)
        identity = task.group.pid_ns.pid(identity) if identity else task.group.pgid
    elif id_type == P_PID:
        if identity <= 0:
            raise Errno(errno.EINVAL)
        identity = task.group.pid_ns.pid(identity)
    elif id_type != P_ALL:
        raise Errno(errno.EINVAL)
    found = reap.look(task, id_type, identity, options)
    if isinstance(found, reap.Reaped):
        return _tell_waitid(task, found, infop, rusage)
    if nonblocking:
        raise Errno(errno.EAGAIN)
    if options & WNOHANG:
        return _tell_waitid(task, None, infop, rusage)

    async def wait() -> int:
        try:
            found = await reap.wait(task, id_type, identity, options)
        except Errno:
            _tell_waitid(task, None, infop, 0)
            raise
        return _tell_waitid(task, found, infop, rusage)

    return wait()


def _tell_waitid(task: "Task", found: reap.Reaped | None, infop: int, rusage: int) -> int:
    if found is not None and rusage:
        task.copy_out(rusage, found.rusage)
    if infop:
        info = found.info.pack() if found is not None else _NO_CHILD_INFO
        task.copy_out(infop, info[:_WAITID_WRITTEN])
    return 0
