"""Changing attributes: who may, and what changes along (chmod(2), chown(2), utimensat(2), truncate(2))."""

from __future__ import annotations

from errno import EACCES, EFBIG, EINVAL, EISDIR, EOVERFLOW, EPERM, EROFS

from sentry._core import now
from sentry.abi.capability import CAP_CHOWN, CAP_FSETID
from sentry.abi.inotify import IN_ACCESS, IN_ATTRIB, IN_MODIFY
from sentry.abi.landlock import FS_TRUNCATE
from sentry.abi.signal import SIGXFSZ
from sentry.abi.stat import ACCESS_WRITE, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP
from sentry.errors import Errno
from sentry.vfs import landlock, leases, posix_acl, text_busy
from sentry.vfs.idmap import acting, check_mapped
from sentry.vfs.notify import notify
from sentry.vfs.permissions import check, check_mutable, check_owner, is_owner, permitted
from sentry.vfs.regular import drop_privileges
from sentry.vfs.xattr import CAPABILITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2


def _changeable(path: Path) -> Inode:
    if path.mount.readonly:
        raise Errno(EROFS)
    inode = path.inode
    if inode.unchangeable:
        raise Errno(inode.unchangeable)
    if inode.volatile:
        inode.getattr()
    return inode


def chmod(task: Task, path: Path, mode: int) -> None:
    """EROFS, EPERM."""
    inode = _changeable(path)
    creds = acting(task, path.mount)
    check_mutable(inode, True)
    check_mapped(path.mount, inode)
    check_owner(creds, inode)
    if mode & S_ISGID and not creds.in_group(inode.gid) and not creds.has_cap_over(CAP_FSETID, inode):
        mode &= ~S_ISGID
    inode.setattr(mode=mode & 0o7777)
    posix_acl.mode_changed(inode)
    notify.tell(path, IN_ATTRIB)


def chown(task: Task, path: Path, uid: int, gid: int) -> None:
    """Ids as unsigned 32-bit numbers, 0xffffffff (-1) to leave one; EROFS, EPERM, EINVAL (an id
    without a meaning in the user namespace), EOVERFLOW (an id that can't own files on an idmapped mount)."""
    inode = _changeable(path)
    creds, namespace = acting(task, path.mount), task.creds.user_ns
    if (uid != 0xFFFFFFFF and namespace.kuid(uid) < 0) or (gid != 0xFFFFFFFF and namespace.kgid(gid) < 0):
        raise Errno(EINVAL)
    new_uid = None if uid == 0xFFFFFFFF else creds.user_ns.kuid(uid)
    new_gid = None if gid == 0xFFFFFFFF else creds.user_ns.kgid(gid)
    check_mutable(inode, True)
    if -1 in (new_uid, new_gid):
        raise Errno(EOVERFLOW)  # a file can't be theirs through this mount
    if None in (new_uid, new_gid):
        check_mapped(path.mount, inode)
    if not creds.has_cap_over(CAP_CHOWN, inode):
        mine = creds.fsuid == inode.uid
        if new_uid is not None and not (mine and new_uid == inode.uid):
            raise Errno(EPERM)
        if new_gid is not None and not (mine and (new_gid == inode.gid or creds.in_group(new_gid))):
            raise Errno(EPERM)
    mode = inode.mode
    if not inode.is_dir():
        mode &= ~S_ISUID
        if mode & S_IXGRP:
            mode &= ~S_ISGID
    if inode.has_caps and not inode.is_dir():
        inode.removexattr(CAPABILITY)
    inode.setattr(uid=new_uid, gid=new_gid, mode=mode & 0o7777 if mode != inode.mode else None)
    notify.tell(path, IN_ATTRIB)


def set_times(task: Task, path: Path, times: tuple[tuple[int, int], tuple[int, int]] | None) -> None:
    """utimensat(2): None for now, else access and modification time as (seconds, nanoseconds or UTIME_*)."""
    if times is not None:
        for _, nanoseconds in times:
            if not 0 <= nanoseconds < 1_000_000_000 and nanoseconds not in (UTIME_NOW, UTIME_OMIT):
                raise Errno(EINVAL)
        if times[0][1] == times[1][1] == UTIME_OMIT:
            return
    inode = _changeable(path)
    creds = acting(task, path.mount)
    touches = times is None or times[0][1] == times[1][1] == UTIME_NOW
    check_mutable(inode, not touches)
    if touches:
        if not is_owner(creds, inode) and not permitted(creds, inode, ACCESS_WRITE):
            raise Errno(EACCES)
    else:
        check_owner(creds, inode)
    check_mapped(path.mount, inode)
    # A host's file may have been given a finer time than our clock's tick: time must not go back.
    moment = max(now(), inode.ctime)
    if times is None:
        inode.setattr(atime=moment, mtime=moment)
    else:
        inode.setattr(atime=_time(times[0], moment), mtime=_time(times[1], moment))
    kept = () if times is None else (times[0][1] == UTIME_OMIT, times[1][1] == UTIME_OMIT)
    notify.tell(path, IN_MODIFY if kept[:1] == (True,) else IN_ACCESS if kept[1:] == (True,) else IN_ATTRIB)


def _time(time: tuple[int, int], moment: int) -> int | None:
    seconds, nanoseconds = time
    if nanoseconds == UTIME_OMIT:
        return None
    if nanoseconds == UTIME_NOW:
        return moment
    # Kept as 64-bit nanoseconds: what lies beyond the years 1678 to 2262 is cut to that.
    return max(-(1 << 63), min(seconds * 1_000_000_000 + nanoseconds, (1 << 63) - 1))


def truncate(task: Task, path: Path, length: int) -> Coroutine[None, None, None] | None:
    """truncate(2) by name: EINVAL, EISDIR, EACCES, EROFS, ETXTBSY, EFBIG; waits until leases are broken."""
    inode = path.inode
    if inode.is_dir():
        raise Errno(EISDIR)
    if length < 0 or inode.mode & S_IFMT != S_IFREG:
        raise Errno(EINVAL if length < 0 else inode.unchangeable or EINVAL)
    if path.mount.readonly:
        raise Errno(EROFS)
    check(acting(task, path.mount), inode, ACCESS_WRITE)
    check_mutable(inode, True)
    landlock.check(task, path, FS_TRUNCATE)
    if inode.wary:
        text_busy.check_writable(inode)
        if leases.conflicts(inode, True):
            return _truncate_later(task, path, length)
    _truncate(task, path, length)
    return None


async def _truncate_later(task: Task, path: Path, length: int) -> None:
    await leases.broken(task, path.inode, True)
    _truncate(task, path, length)


def _truncate(task: Task, path: Path, length: int) -> None:
    inode = path.inode
    check_size(task, length)
    drop_privileges(task, inode)
    inode.setattr(size=length)
    notify.tell(path, IN_MODIFY)


def check_size(task: Task, length: int) -> None:
    """EFBIG, with SIGXFSZ, for a size beyond RLIMIT_FSIZE."""
    if length > task.group.fsize_limit:
        from sentry.kernel.signals.signals import send_self  # a cycle at module level

        send_self(task, SIGXFSZ)
        raise Errno(EFBIG)
