"""fanotify_init, fanotify_mark."""

import errno

from sentry.abi.capability import CAP_AUDIT_WRITE, CAP_SYS_ADMIN
from sentry.abi.fanotify import (
    ALL_EVENTS,
    DIRENT_EVENTS,
    EVENT_FLAGS,
    FAN_CLASS_CONTENT,
    FAN_CLASSES,
    FAN_CLOEXEC,
    FAN_ENABLE_AUDIT,
    FAN_EVENT_ON_CHILD,
    FAN_FS_ERROR,
    FAN_MARK_ADD,
    FAN_MARK_DONT_FOLLOW,
    FAN_MARK_EVICTABLE,
    FAN_MARK_FILESYSTEM,
    FAN_MARK_FLUSH,
    FAN_MARK_IGNORE,
    FAN_MARK_IGNORED_MASK,
    FAN_MARK_IGNORED_SURV_MODIFY,
    FAN_MARK_MNTNS,
    FAN_MARK_MOUNT,
    FAN_MARK_ONLYDIR,
    FAN_MARK_REMOVE,
    FAN_NONBLOCK,
    FAN_ONDIR,
    FAN_PRE_ACCESS,
    FAN_RENAME,
    FAN_REPORT_DIR_FID,
    FAN_REPORT_FD_ERROR,
    FAN_REPORT_FID,
    FAN_REPORT_MNT,
    FAN_REPORT_NAME,
    FAN_REPORT_PIDFD,
    FAN_REPORT_TARGET_FID,
    FAN_REPORT_TID,
    FD_EVENTS,
    INIT_KNOWN,
    INIT_PRIVILEGED,
    MARK_COMMANDS,
    MARK_IGNORES,
    MARK_KNOWN,
    MARK_TYPES,
    MOUNT_EVENTS,
    PERMISSION_EVENTS,
    REPORT_IDS,
)
from sentry.abi.fcntl import (
    O_ACCMODE,
    O_APPEND,
    O_CLOEXEC,
    O_DSYNC,
    O_LARGEFILE,
    O_NOATIME,
    O_NONBLOCK,
    O_PATH,
    O_SYNC,
)
from sentry.abi.stat import ACCESS_READ
from sentry.errors import Errno
from sentry.fs.nsfs import NamespaceInode
from sentry.syscalls.args import Fd, Ptr, Size, UInt
from sentry.vfs.file import wrong_kind
from sentry.vfs.idmap import acting
from sentry.vfs.mounts.mount_namespace import MountNamespace
from sentry.vfs.namei import walk
from sentry.vfs.notify.fanotify import FanotifyFile
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.kernel.task import Task
    from sentry.vfs.notify.fanotify import Group, Marked
    from sentry.vfs.path import Path

_EVENT_FILE_FLAGS = (
    O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_CLOEXEC | O_LARGEFILE | O_NOATIME
)  # fmt: skip
_NAMED = FAN_REPORT_DIR_FID | FAN_REPORT_NAME
_TARGET = FAN_REPORT_FID | FAN_REPORT_NAME


def fanotify_init(task: "Task", flags: UInt, event_flags: UInt) -> int:
    privileged = task.creds.has_cap(CAP_SYS_ADMIN)
    if not privileged and (flags & INIT_PRIVILEGED or not flags & (REPORT_IDS | FAN_REPORT_MNT)):
        raise Errno(errno.EPERM)
    if (
        flags & ~INIT_KNOWN
        or (flags & FAN_REPORT_PIDFD and flags & FAN_REPORT_TID)
        or (flags & FAN_REPORT_MNT and flags & (FAN_CLASSES | REPORT_IDS | FAN_REPORT_FD_ERROR))
        or event_flags & ~_EVENT_FILE_FLAGS
        or event_flags & O_ACCMODE == O_ACCMODE
        or (flags & REPORT_IDS and flags & FAN_CLASSES)
        or (flags & FAN_REPORT_NAME and flags & _NAMED != _NAMED)
        or (flags & FAN_REPORT_TARGET_FID and flags & _TARGET != _TARGET)
        or flags & FAN_CLASSES == FAN_CLASSES
    ):
        raise Errno(errno.EINVAL)
    if flags & FAN_ENABLE_AUDIT and not task.creds.has_cap(CAP_AUDIT_WRITE):
        raise Errno(errno.EPERM)
    open_flags = O_NONBLOCK if flags & FAN_NONBLOCK else 0
    file = FanotifyFile(flags & ~FAN_CLOEXEC, open_flags, event_flags | O_LARGEFILE, task.creds, privileged)
    return task.files.install(file, bool(flags & FAN_CLOEXEC))


def fanotify_mark(task: "Task", fd: Fd, flags: UInt, mask: Size, dirfd: Fd, name: Ptr) -> int:
    kind, command, ignores = flags & MARK_TYPES, flags & MARK_COMMANDS, flags & MARK_IGNORES
    if (
        mask >> 32
        or flags & ~MARK_KNOWN
        or command not in (FAN_MARK_ADD, FAN_MARK_REMOVE, FAN_MARK_FLUSH)
        or (command == FAN_MARK_FLUSH and flags & ~(MARK_TYPES | FAN_MARK_FLUSH))
        or (command != FAN_MARK_FLUSH and not mask)
        or mask & ~(ALL_EVENTS | EVENT_FLAGS)
        or ignores == MARK_IGNORES
    ):
        raise Errno(errno.EINVAL)
    if ignores == FAN_MARK_IGNORED_MASK:
        mask &= ~EVENT_FLAGS
    file = task.files.get(fd)
    if not isinstance(file, FanotifyFile):
        raise wrong_kind(file)
    group = file.state
    if kind and not task.creds.has_cap(CAP_SYS_ADMIN, group.user_ns):
        raise Errno(errno.EPERM)
    _check_mask(group, kind, mask, flags)
    if command == FAN_MARK_FLUSH:
        group.flush(kind)
        return 0
    path = _find(task, dirfd, name, flags)
    if kind == FAN_MARK_MNTNS:
        _change(group, command, _namespace_of(task, path), mask, flags)
        return 0
    if command == FAN_MARK_ADD:
        _check_target(group, path, kind, mask, flags)
    is_dir = path.inode.is_dir()
    if kind or not is_dir:
        mask &= ~FAN_EVENT_ON_CHILD
    marked = path.mount if kind == FAN_MARK_MOUNT else path.inode.fs if kind else path.inode
    if kind:
        _check_owner(task, path.inode.fs.owner)
    _change(group, command, marked, mask, flags)
    return 0


def _change(group: "Group", command: int, marked: "Marked", mask: int, flags: int) -> None:
    if command == FAN_MARK_REMOVE:
        group.remove(marked, mask, flags)
    else:
        group.add(marked, mask, flags)


def _namespace_of(task: "Task", path: "Path") -> MountNamespace:
    inode = path.inode
    namespace = inode.namespace if isinstance(inode, NamespaceInode) else None
    if not isinstance(namespace, MountNamespace):
        raise Errno(errno.EINVAL)
    _check_owner(task, namespace.owner)
    return namespace


def _check_owner(task: "Task", owner: "UserNamespace | None") -> None:
    """EPERM where the caller is not privileged over what it wants to mark."""
    creds = task.creds
    if not (creds.has_cap(CAP_SYS_ADMIN) if owner is None else creds.has_cap(CAP_SYS_ADMIN, owner)):
        raise Errno(errno.EPERM)


def _check_mask(group: "Group", kind: int, mask: int, flags: int) -> None:
    of_mounts = group.flags & FAN_REPORT_MNT
    if (
        (of_mounts and (mask & ~MOUNT_EVENTS or kind != FAN_MARK_MNTNS))
        or (not of_mounts and (mask & MOUNT_EVENTS or kind == FAN_MARK_MNTNS))
        or (mask & PERMISSION_EVENTS and not group.flags & FAN_CLASSES)
        or (mask & FAN_PRE_ACCESS and (group.flags & FAN_CLASS_CONTENT or mask & FAN_ONDIR))
        or (mask & FAN_FS_ERROR and kind != FAN_MARK_FILESYSTEM)
        or (flags & FAN_MARK_EVICTABLE and kind)
        or (
            mask & ~(FD_EVENTS | PERMISSION_EVENTS | MOUNT_EVENTS | EVENT_FLAGS)
            and (not group.flags & REPORT_IDS or kind == FAN_MARK_MOUNT)
        )
        or (mask & FAN_RENAME and not group.flags & FAN_REPORT_NAME)
    ):
        raise Errno(errno.EINVAL)


def _find(task: "Task", dirfd: int, name: int, flags: int) -> "Path":
    if name:
        path = walk(task, dirfd, task.copy_in_str(name), not flags & FAN_MARK_DONT_FOLLOW)
    else:
        file = task.files.get(dirfd)
        if file.flags & O_PATH or file.path is None:
            raise Errno(errno.EBADF)
        path = file.path
    inode = path.inode
    if inode.volatile:
        inode.getattr()
    if flags & FAN_MARK_ONLYDIR and not inode.is_dir():
        raise Errno(errno.ENOTDIR)
    check(acting(task, path.mount), inode, ACCESS_READ)
    return path


def _check_target(group: "Group", path: "Path", kind: int, mask: int, flags: int) -> None:
    is_dir = path.inode.is_dir()
    if mask & FAN_PRE_ACCESS:
        raise Errno(errno.EOPNOTSUPP)  # none of our file systems is one for hierarchical storage
    if mask & PERMISSION_EVENTS and path.inode.fs.name == b"proc":
        raise Errno(errno.EINVAL)  # whoever answers would use it
    if kind and path.inode.fs.anonymous and not isinstance(path.inode, NamespaceInode):
        raise Errno(errno.EINVAL)
    strict = group.flags & FAN_REPORT_TARGET_FID or flags & FAN_MARK_IGNORE or mask & FAN_RENAME
    if strict and not kind and not is_dir and mask & (DIRENT_EVENTS | EVENT_FLAGS):
        raise Errno(errno.ENOTDIR)
    if flags & FAN_MARK_IGNORE and not flags & FAN_MARK_IGNORED_SURV_MODIFY:
        if kind:
            raise Errno(errno.EINVAL)
        if is_dir:
            raise Errno(errno.EISDIR)
