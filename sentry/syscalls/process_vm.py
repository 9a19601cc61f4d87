"""Other processes' memory and descriptors: process_vm_readv(2), pidfd_getfd(2), process_mrelease(2)."""

import errno

from sentry.errors import Errno
from sentry.kernel import pidfd
from sentry.kernel.tracing.trace_access import accessible, check_access
from sentry.mm.secret import pinnable
from sentry.syscalls.args import Fd, Int, Ptr, Size, UInt
from sentry.vfs.transfer import part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_STEP = 1 << 20  # bytes that are copied at a time


def process_vm_readv(
    task: "Task", pid: Int, local: Ptr, local_count: Size, remote: Ptr, remote_count: Size, flags: Size
) -> int:
    return _transfer(task, pid, (local, local_count), (remote, remote_count), flags, False)


def process_vm_writev(
    task: "Task", pid: Int, local: Ptr, local_count: Size, remote: Ptr, remote_count: Size, flags: Size
) -> int:
    return _transfer(task, pid, (local, local_count), (remote, remote_count), flags, True)


def _transfer(
    task: "Task", pid: int, local: tuple[int, int], remote: tuple[int, int], flags: int, write: bool
) -> int:
    if flags:
        raise Errno(errno.EINVAL)
    mine = task.read_iovec(*local)
    wanted = sum(length for _, length in mine)
    if not wanted:
        return 0
    theirs = task.read_iovec(*remote)
    wanted = min(wanted, sum(length for _, length in theirs))
    if not wanted:
        return 0
    target = accessible(task, pid)
    theirs = pinnable(target.mm, theirs)
    wanted = min(wanted, sum(length for _, length in theirs))
    source, sink = ((task, mine), (target, theirs)) if write else ((target, theirs), (task, mine))
    done = 0
    while done < wanted:
        step = min(_STEP, wanted - done)
        try:
            data = source[0].gather(part(source[1], done, step))
            copied = sink[0].scatter(part(sink[1], done, len(data)), data)
        except Errno:
            if not done:
                raise
            break
        done += copied
        if copied < step:
            break
    return done


def pidfd_getfd(task: "Task", fd: Fd, target_fd: Int, flags: UInt) -> int:
    if flags:
        raise Errno(errno.EINVAL)
    group = pidfd.group_of(task, fd)
    if group.dead:
        raise Errno(errno.ESRCH)
    check_access(task, group.tasks[0])
    return task.files.install(group.tasks[0].files.get(target_fd), cloexec=True)


def process_mrelease(task: "Task", fd: Fd, flags: UInt) -> int:
    if flags:
        raise Errno(errno.EINVAL)
    group = pidfd.group_of(task, fd)
    if group.dead:
        raise Errno(errno.ESRCH)
    if not group.exiting:
        raise Errno(errno.EINVAL)
    return 0  # its memory is on the way out already
