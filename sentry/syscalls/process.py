"""Making and ending tasks, and their ids."""

import errno
from struct import iter_unpack

from sentry.abi.clone import (
    CLONE3_FLAGS,
    CLONE_ARGS,
    CLONE_ARGS_SIZE_VER0,
    CLONE_INTO_CGROUP,
    CLONE_PARENT,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
    CSIGNAL,
)
from sentry.abi.fcntl import O_NONBLOCK
from sentry.abi.futex import ROBUST_LIST_HEAD_SIZE
from sentry.abi.mman import TASK_SIZE
from sentry.abi.signal import NSIG, SIGCHLD
from sentry.errors import Errno
from sentry.fs.cgroup import cgroup_of
from sentry.kernel import exit as exits
from sentry.kernel.clone import CloneArgs
from sentry.kernel.clone import clone as make_task
from sentry.kernel.namespaces import setns as entering
from sentry.kernel.namespaces import unshare as unsharing
from sentry.kernel.pidfd import PIDFD_THREAD, PidFile
from sentry.syscalls.args import Fd, Int, Ptr, Size, UInt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task

    Answer = int | Coroutine[None, None, int]

_PAGE_SIZE = 4096
_INT_MAX = 2**31 - 1


def clone(task: "Task", flags: Size, stack: Ptr, parent_tid: Ptr, child_tid: Ptr, tls: Ptr) -> "Answer":
    flags &= 0xFFFFFFFF
    args = CloneArgs(flags, flags & CSIGNAL)
    args.stack = stack
    args.parent_tid = args.pidfd = parent_tid
    args.child_tid = child_tid
    args.tls = tls
    if flags & CLONE_PIDFD and flags & CLONE_PARENT_SETTID:
        raise Errno(errno.EINVAL)
    return make_task(task, args)


def clone3(task: "Task", address: Ptr, size: Size) -> "Answer":
    if size < CLONE_ARGS_SIZE_VER0:
        raise Errno(errno.EINVAL)
    if size > _PAGE_SIZE:
        raise Errno(errno.E2BIG)
    data = task.copy_in(address, size)
    if any(data[CLONE_ARGS.size :]):
        raise Errno(errno.E2BIG)
    fields = CLONE_ARGS.unpack(data[: CLONE_ARGS.size].ljust(CLONE_ARGS.size, b"\0"))
    (
        flags,
        pidfd,
        child_tid,
        parent_tid,
        exit_signal,
        stack,
        stack_size,
        tls,
        set_tid,
        set_tid_size,
        cgroup_fd,
    ) = fields
    if (
        flags & ~CLONE3_FLAGS
        or exit_signal > NSIG
        or set_tid_size > 32
        or (set_tid == 0) != (set_tid_size == 0)
    ):
        raise Errno(errno.EINVAL)
    if flags & (CLONE_THREAD | CLONE_PARENT) and exit_signal:
        raise Errno(errno.EINVAL)
    if (stack == 0) != (stack_size == 0) or stack + stack_size >= TASK_SIZE:
        raise Errno(errno.EINVAL)
    if flags & CLONE_INTO_CGROUP and (cgroup_fd > _INT_MAX or size < CLONE_ARGS.size):
        raise Errno(errno.EINVAL)
    args = CloneArgs(flags, exit_signal)
    if flags & CLONE_INTO_CGROUP:
        args.cgroup = cgroup_of(task, cgroup_fd)
    args.stack = stack + stack_size
    args.pidfd = pidfd
    args.child_tid = child_tid
    args.parent_tid = parent_tid
    args.tls = tls
    if set_tid_size:
        args.set_tid = [number for (number,) in iter_unpack("<i", task.copy_in(set_tid, 4 * set_tid_size))]
    return make_task(task, args)


def fork(task: "Task") -> "Answer":
    return make_task(task, CloneArgs(0, SIGCHLD))


def vfork(task: "Task") -> "Answer":
    return make_task(task, CloneArgs(CLONE_VM | CLONE_VFORK, SIGCHLD))


def exit(task: "Task", code: Int) -> int | None:
    return exits.exit_thread(task, code)


def exit_group(task: "Task", code: Int) -> int | None:
    return exits.exit_group(task, code)


def getpid(task: "Task") -> int:
    return task.group.local_tgid


def gettid(task: "Task") -> int:
    return task.local_tid


def getppid(task: "Task") -> int:
    parent = task.group.parent
    return task.number(parent.tgid) if parent is not None else 0


def set_tid_address(task: "Task", address: Ptr) -> int:
    task.clear_child_tid = address
    return task.local_tid


def set_robust_list(task: "Task", head: Ptr, size: Size) -> int:
    if size != ROBUST_LIST_HEAD_SIZE:
        raise Errno(errno.EINVAL)
    task.robust_list = head
    return 0


def get_robust_list(task: "Task", pid: Int, head: Ptr, size: Ptr) -> int:
    other = task.find(pid) if pid else task
    if other is None:
        raise Errno(errno.ESRCH)
    if other.group is not task.group and not task.creds.may_signal(other.creds):
        raise Errno(errno.EPERM)
    task.write_u64(size, ROBUST_LIST_HEAD_SIZE)
    task.write_u64(head, other.robust_list)
    return 0


def unshare(task: "Task", flags: Size) -> int:
    unsharing.unshare(task, flags)
    return 0


def setns(task: "Task", fd: Fd, kind: Int) -> int:
    entering.setns(task, fd, kind)
    return 0


def pidfd_open(task: "Task", pid: Int, flags: UInt) -> int:
    if pid <= 0 or flags & ~(O_NONBLOCK | PIDFD_THREAD):
        raise Errno(errno.EINVAL)
    thread, group = task.find(pid), task.find_group(pid)
    if flags & PIDFD_THREAD and thread is not None:
        return task.files.install(PidFile(thread.group, flags, thread), cloexec=True)
    if group is None:
        raise Errno(errno.ENOENT if thread is not None else errno.ESRCH)
    return task.files.install(PidFile(group, flags), cloexec=True)


def personality(task: "Task", persona: UInt) -> int:
    old = task.personality
    if persona != 0xFFFFFFFF:
        task.set_personality(persona)
    return old
