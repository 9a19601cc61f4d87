"""What can be asked of a pidfd: who the process is, how it ended, and its namespaces (ioctl_pidfd(2))."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOTTY, EREMOTE, ESRCH

from sentry.abi.ioctl import FS_IOC_GETVERSION
from sentry.abi.pidfd import (
    PIDFD_COREDUMP_ROOT,
    PIDFD_COREDUMP_SKIP,
    PIDFD_COREDUMP_USER,
    PIDFD_GET_CGROUP_NAMESPACE,
    PIDFD_GET_INFO,
    PIDFD_GET_IPC_NAMESPACE,
    PIDFD_GET_MNT_NAMESPACE,
    PIDFD_GET_NET_NAMESPACE,
    PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE,
    PIDFD_GET_PID_NAMESPACE,
    PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE,
    PIDFD_GET_TIME_NAMESPACE,
    PIDFD_GET_USER_NAMESPACE,
    PIDFD_GET_UTS_NAMESPACE,
    PIDFD_INFO,
    PIDFD_INFO_CGROUPID,
    PIDFD_INFO_COREDUMP,
    PIDFD_INFO_CREDS,
    PIDFD_INFO_EXIT,
    PIDFD_INFO_PID,
    PIDFD_INFO_SIZE_VER0,
)
from sentry.errors import Errno
from sentry.fs import nsfs
from sentry.fs.proc_access import may_inspect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.pidfd import PidFile
    from sentry.kernel.task import Task

_SIZE = 0x3FFF << 16  # where a request has the size of its argument
_OF_NSPROXY = {
    PIDFD_GET_CGROUP_NAMESPACE: "cgroup",
    PIDFD_GET_IPC_NAMESPACE: "ipc",
    PIDFD_GET_MNT_NAMESPACE: "mnt",
    PIDFD_GET_NET_NAMESPACE: "net",
    PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE: "pid_for_children",
    PIDFD_GET_TIME_NAMESPACE: "time",
    PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE: "time_for_children",
    PIDFD_GET_UTS_NAMESPACE: "uts",
}
_COREDUMP = (PIDFD_COREDUMP_SKIP, PIDFD_COREDUMP_USER, PIDFD_COREDUMP_ROOT)  # by PR_GET_DUMPABLE


def ioctl(task: Task, file: PidFile, request: int, arg: int) -> int:
    """ENOTTY, EINVAL, EFAULT, ESRCH (reaped), EACCES (namespaces are for who may ptrace the process), EREMOTE
    (of a PID namespace that is not ours or below)."""
    if request == FS_IOC_GETVERSION:
        if not arg:
            raise Errno(EINVAL)
        task.write_u32(arg, 0)
        return 0
    size = (request & _SIZE) >> 16
    if request & ~_SIZE == PIDFD_GET_INFO and size >= PIDFD_INFO_SIZE_VER0:
        _tell(task, file, arg, size)
        return 0
    if request not in _OF_NSPROXY and request not in (PIDFD_GET_PID_NAMESPACE, PIDFD_GET_USER_NAMESPACE):
        raise Errno(ENOTTY)
    target = file.thread or file.group.leader
    if file.gone:
        raise Errno(ESRCH)
    if arg:
        raise Errno(EINVAL)
    if target.ns is None:
        raise Errno(ESRCH)  # a zombie has none
    if not may_inspect(task, target):
        raise Errno(EACCES)
    namespace: Namespace
    if request == PIDFD_GET_PID_NAMESPACE:
        namespace = target.group.pid_ns
    elif request == PIDFD_GET_USER_NAMESPACE:
        namespace = target.creds.user_ns
    else:
        namespace = getattr(target.ns, _OF_NSPROXY[request])
    return nsfs.install(task, namespace)


def _tell(task: Task, file: PidFile, address: int, size: int) -> None:
    """struct pidfd_info as far as the caller knows it; what we don't know of it is 0."""
    if not address:
        raise Errno(EINVAL)
    mask = task.read_u64(address)
    group = file.group
    if not group.pid_ns.is_within(task.group.pid_ns):
        raise Errno(EREMOTE)
    told = exit_code = coredump = 0
    ids = [0] * 11
    if file.gone:
        if not mask & PIDFD_INFO_EXIT:
            raise Errno(ESRCH)
        told = PIDFD_INFO_EXIT | PIDFD_INFO_CGROUPID
        exit_code = _exit_code(file)
    else:
        target = file.thread or group.leader
        told = PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID
        ids = _ids(task, target)
        if mask & PIDFD_INFO_COREDUMP and target.mm is not None:
            coredump = _COREDUMP[group.dumpable]
    told |= mask & PIDFD_INFO_COREDUMP
    answer = PIDFD_INFO.pack(told, group.cgroup.id, *ids, exit_code, coredump)
    task.copy_out(address, answer[:size].ljust(size, b"\0"))


def _ids(task: Task, target: Task) -> list[int]:
    """pid, tgid, ppid, then the user's and group's ids in pairs, as the caller calls them."""
    group, creds, ns = target.group, target.creds, task.creds.user_ns
    parent = group.parent
    ids = [task.number(target.tid), task.number(group.tgid), task.number(parent.tgid) if parent else 0]
    uids = creds.uid, creds.euid, creds.suid, creds.fsuid
    gids = creds.gid, creds.egid, creds.sgid, creds.fsgid
    for uid, gid in zip(uids, gids, strict=True):
        ids += ns.show_uid(uid), ns.show_gid(gid)
    return ids


def _exit_code(file: PidFile) -> int:
    """A wait status: of the thread, where that is what the pidfd is of or it ended for itself."""
    thread, group = file.thread or file.group.leader, file.group
    return group.exit_code if thread.exit_code is None else thread.exit_code
