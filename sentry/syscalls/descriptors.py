"""close, close_range, dup and its forms, fcntl."""

from errno import EBADF, EINVAL, EPERM
from struct import Struct

from sentry.abi.fcntl import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    F_ADD_SEALS,
    F_CREATED_QUERY,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_DUPFD_QUERY,
    F_GET_RW_HINT,
    F_GET_SEALS,
    F_GETFD,
    F_GETFL,
    F_GETLEASE,
    F_GETLK,
    F_GETOWN,
    F_GETOWN_EX,
    F_GETOWNER_UIDS,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_NOTIFY,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_OWNER_PGRP,
    F_OWNER_PID,
    F_SET_RW_HINT,
    F_SETFD,
    F_SETFL,
    F_SETLEASE,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETOWN_EX,
    F_SETPIPE_SZ,
    F_SETSIG,
    FASYNC,
    FD_CLOEXEC,
    FMODE_ASKS,
    FMODE_NONOTIFY,
    O_APPEND,
    O_CLOEXEC,
    O_DIRECT,
    O_NOATIME,
    O_PATH,
    O_SETTABLE,
)
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int, Size, UInt
from sentry.vfs import leases, locks, memfd, owner, pipe, write_hint
from sentry.vfs.idmap import acting
from sentry.vfs.notify import dnotify
from sentry.vfs.permissions import is_owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

_OWNER_EX = Struct("=ii")  # type, pid
_UIDS = Struct("=II")
_LOCKS = (F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)


def close(task: "Task", fd: Fd) -> int:
    locks.close_file(task, task.files.remove(fd))
    return 0


def close_range(task: "Task", first: UInt, last: UInt, flags: UInt) -> int:
    if flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) or first > last:
        raise Errno(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE:
        task.files = task.files.unshare()
    for fd, file in task.files.items():
        if first <= fd <= last:
            if flags & CLOSE_RANGE_CLOEXEC:
                task.files.set_cloexec(fd, True)
            else:
                task.files.remove(fd)
                locks.close_file(task, file)
    return 0


def dup(task: "Task", fd: Fd) -> int:
    return task.files.install(task.files.get(fd))


def dup2(task: "Task", old: Fd, new: Fd) -> int:
    if old == new:
        task.files.get(old)
        return new
    return _dup_to(task, old, new, False)


def dup3(task: "Task", old: Fd, new: Fd, flags: Int) -> int:
    if flags & ~O_CLOEXEC or old == new:
        raise Errno(EINVAL)
    return _dup_to(task, old, new, bool(flags))


def _dup_to(task: "Task", old: int, new: int, cloexec: bool) -> int:
    file = task.files.get(old)
    if not 0 <= new < task.files.limit:
        raise Errno(EBADF)
    replaced = task.files.set(new, file, cloexec)
    if replaced is not None:
        locks.close_file(task, replaced)
    return new


def fcntl(task: "Task", fd: Fd, cmd: Int, arg: Size) -> "int | Coroutine[None, None, Any]":
    files = task.files
    file = files.get(fd)
    if cmd in (F_DUPFD, F_DUPFD_CLOEXEC):
        minimum = arg & 0xFFFFFFFF
        if minimum >= files.limit:
            raise Errno(EINVAL)
        return files.install(file, cmd == F_DUPFD_CLOEXEC, minimum)
    if cmd == F_GETFD:
        return FD_CLOEXEC if files.cloexec(fd) else 0
    if cmd == F_SETFD:
        files.set_cloexec(fd, bool(arg & FD_CLOEXEC))
        return 0
    if cmd == F_GETFL:
        status: int = file.flags & ~(FMODE_NONOTIFY | FMODE_ASKS)
        return status
    if cmd == F_DUPFD_QUERY:
        return int(files.get((arg & 0xFFFFFFFF ^ 0x80000000) - 0x80000000) is file)
    if cmd == F_CREATED_QUERY:
        return int(file.created)
    if file.flags & O_PATH:
        raise Errno(EBADF)
    if cmd == F_SETFL:
        return _set_flags(task, file, fd, arg)
    if cmd in _LOCKS:
        return locks.fcntl_lock(task, file, cmd, arg)
    if cmd == F_GETPIPE_SZ:
        return pipe.get_size(file)
    if cmd == F_SETPIPE_SZ:
        return pipe.set_size(task, file, arg & 0xFFFFFFFF)
    if cmd == F_GET_SEALS:
        return memfd.get_seals(file)
    if cmd == F_ADD_SEALS:
        memfd.add_seals(file, arg & 0xFFFFFFFF)
        return 0
    if cmd == F_SETLEASE:
        leases.set_lease(task, file, fd, arg & 0xFFFFFFFF)
        return 0
    if cmd == F_GETLEASE:
        return leases.get_lease(file)
    if cmd == F_NOTIFY:
        dnotify.set_notice(task, file, fd, arg & 0xFFFFFFFF)
        return 0
    if cmd == F_GET_RW_HINT:
        task.write_u64(arg, write_hint.get(file.inode))
        return 0
    if cmd == F_SET_RW_HINT:
        write_hint.set(
            acting(task, file.path.mount if file.path is not None else None), file.inode, task.read_u64(arg)
        )
        return 0
    return _owner(task, file, cmd, arg)


def _set_flags(task: "Task", file: "File", fd: int, arg: int) -> int:
    """F_SETFL; EPERM (O_NOATIME on another's file), EINVAL (no O_DIRECT there)."""
    if (arg ^ file.flags) & O_APPEND and file.inode is not None and file.inode.fs_flags & FS_APPEND_FL:
        raise Errno(EPERM)
    wants_noatime = arg & O_NOATIME and not file.flags & O_NOATIME
    creds = acting(task, file.path.mount if file.path is not None else None)
    if wants_noatime and file.inode is not None and not is_owner(creds, file.inode):
        raise Errno(EPERM)
    if arg & O_DIRECT and not file.can_direct:
        raise Errno(EINVAL)
    if (arg ^ file.flags) & FASYNC and file.can_signal:
        owner.set_async(task, file, fd, bool(arg & FASYNC))
    settable = O_SETTABLE & ~FASYNC
    file.flags = file.flags & ~settable | arg & settable
    return 0


def _owner(task: "Task", file: "File", cmd: int, arg: int) -> int:
    """Who gets the file's signals, and which."""
    if cmd == F_GETOWN:
        kind, number = owner.get_owner(task, file)
        return -number if kind == F_OWNER_PGRP else number
    if cmd == F_SETOWN:
        number = (arg & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
        if number == -0x80000000:
            raise Errno(EINVAL)
        owner.set_owner(task, file, F_OWNER_PID if number >= 0 else F_OWNER_PGRP, abs(number))
        return 0
    if cmd == F_GETOWN_EX:
        task.copy_out(arg, _OWNER_EX.pack(*owner.get_owner(task, file)))
        return 0
    if cmd == F_SETOWN_EX:
        owner.set_owner(task, file, *_OWNER_EX.unpack(task.copy_in(arg, _OWNER_EX.size)))
        return 0
    if cmd == F_GETOWNER_UIDS:
        ns = task.creds.user_ns
        setter = file.owner.creds if file.owner is not None and file.owner.setter else None
        uids = (setter.uid, setter.euid) if setter is not None else (0, 0)
        task.copy_out(arg, _UIDS.pack(*map(ns.show_uid, uids)))
        return 0
    if cmd == F_SETSIG:
        owner.set_signal(task, file, (arg & 0xFFFFFFFF ^ 0x80000000) - 0x80000000)
        return 0
    if cmd == F_GETSIG:
        return file.owner.signal if file.owner is not None else 0
    raise Errno(EINVAL)
