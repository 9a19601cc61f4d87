"""Changes to the tree: make, link, rename and remove names.

Each function takes a directory that a walk has found searchable and the last component of the name, checks
what Linux checks in Linux's order, lets the directory's inode do it, and keeps the dentries true.
"""

from __future__ import annotations

from errno import (
    EBUSY,
    EEXIST,
    EINVAL,
    EISDIR,
    EMLINK,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
    EROFS,
    EXDEV,
)

from sentry.abi.capability import CAP_MKNOD
from sentry.abi.fcntl import RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT
from sentry.abi.inotify import IN_ATTRIB
from sentry.abi.stat import (
    ACCESS_READ,
    ACCESS_WRITE,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
    S_ISGID,
    S_ISUID,
    S_IXGRP,
)
from sentry.errors import Errno
from sentry.kernel import settings
from sentry.vfs import landlock, posix_acl
from sentry.vfs.idmap import acting, check_mapped
from sentry.vfs.mounts.mount_namespace import abandon
from sentry.vfs.namei import child_of
from sentry.vfs.notify import notify
from sentry.vfs.path import Dentry, NamelessDentry, Path
from sentry.vfs.permissions import check, check_create, check_delete, check_mutable, is_owner, permitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode

LINK_MAX = 65000
_DOTS = (b"", b".", b"..")


def _new(task: Task, parent: Path, name: bytes, mode: int, slash: bool = False) -> Inode:
    """The directory's inode once it is sure that `name` may be made in it, checked in Linux's order.

    `mode` is of what type; `slash`: the name ended in one, as only a directory's may.
    """
    inode = _free(parent, name, slash)
    landlock.check_make(task, parent, mode)
    check_create(acting(task, parent.mount), inode)
    return inode


def _free(parent: Path, name: bytes, slash: bool) -> Inode:
    """The directory's inode, if it has no such name and could get it; whether the task may isn't asked."""
    if name in _DOTS or child_of(parent, name).inode is not None:
        raise Errno(EEXIST)
    if slash:
        raise Errno(ENOENT)
    if parent.mount.readonly:
        raise Errno(EROFS)
    inode = parent.inode
    if parent.dentry.deleted or inode.nlink == 0:
        raise Errno(ENOENT)
    return inode


def mkdir(task: Task, parent: Path, name: bytes, mode: int) -> None:
    """mkdir(2): EEXIST, EROFS, EACCES, ENOSPC, EMLINK; the umask is applied here."""
    directory = _new(task, parent, name, S_IFDIR)
    if directory.nlink >= LINK_MAX:
        raise Errno(EMLINK)
    inode = directory.mkdir(
        name, posix_acl.masked(directory, mode & 0o1777, task.fs.umask), acting(task, parent.mount)
    )
    posix_acl.inherit(directory, inode)
    parent.dentry.attach(name, inode)
    notify.created(directory, name, inode)


def mknod(task: Task, parent: Path, name: bytes, mode: int, rdev: int, slash: bool = False) -> None:
    """mknod(2), not for directories and links: EPERM for devices (but whiteouts) without CAP_MKNOD."""
    kind = mode & S_IFMT or S_IFREG
    directory = _new(task, parent, name, kind, slash)
    if (kind == S_IFBLK or (kind == S_IFCHR and rdev)) and not task.creds.has_cap(CAP_MKNOD):
        raise Errno(EPERM)
    creds = acting(task, parent.mount)
    permissions = posix_acl.masked(directory, mode & 0o7777, task.fs.umask)
    if kind == S_IFREG:
        inode = directory.create(name, permissions, creds)
    else:
        inode = directory.mknod(name, kind | permissions, rdev, creds)
    posix_acl.inherit(directory, inode)
    parent.dentry.attach(name, inode)
    notify.created(directory, name, inode)


def bind_socket(task: Task, parent: Path, name: bytes, mode: int) -> Path:
    """The socket file that bind(2) makes for a UNIX socket (unix(7)); EEXIST is EADDRINUSE to the caller."""
    mknod(task, parent, name, S_IFSOCK | mode & 0o777, 0)
    return Path(parent.mount, child_of(parent, name))


def symlink(task: Task, parent: Path, name: bytes, target: bytes, slash: bool = False) -> None:
    """symlink(2)."""
    directory = _new(task, parent, name, S_IFLNK, slash)
    inode = directory.symlink(name, target, acting(task, parent.mount))
    parent.dentry.attach(name, inode)
    notify.created(directory, name, inode)


def link(task: Task, old: Path, parent: Path, name: bytes, slash: bool = False) -> None:
    """link(2): EXDEV, EPERM (directories, protected hard links of proc(5)), EMLINK, ENOENT (no name left)."""
    inode = old.inode
    directory = _free(parent, name, slash)
    if old.mount is not parent.mount:
        raise Errno(EXDEV)
    if not _may_link(acting(task, old.mount), inode):
        raise Errno(EPERM)
    if task.creds.landlock:
        landlock.check_move(task, old.parent(), old.dentry, parent, None, removes=False)
    check_create(acting(task, parent.mount), directory)
    check_mapped(old.mount, inode)
    if inode.is_dir():
        raise Errno(EPERM)
    check_mutable(inode, True)
    # A file that never had a name (O_TMPFILE) may get one; one that lost its last may not (linkat(2)).
    nameless = old.dentry if isinstance(old.dentry, NamelessDentry) else None
    if inode.nlink == 0 and not (nameless is not None and nameless.linkable):
        raise Errno(ENOENT)
    if inode.nlink >= LINK_MAX:
        raise Errno(EMLINK)
    directory.link(name, inode)
    if nameless is not None:
        nameless.linkable = False
    parent.dentry.attach(name, inode)
    notify.linked(directory, name, inode)


def _may_link(creds: Creds, inode: Inode) -> bool:
    """/proc/sys/fs/protected_hardlinks = 1: who doesn't own a file may link it only if it is harmless."""
    if not settings.values["protected_hardlinks"] or is_owner(creds, inode):
        return True
    mode = inode.mode
    if mode & S_IFMT != S_IFREG or mode & S_ISUID or mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP:
        return False
    return permitted(creds, inode, ACCESS_READ | ACCESS_WRITE)


def _victim(task: Task, parent: Path, name: bytes) -> tuple[Dentry, Inode]:
    """What `name` is, once it is sure that it may be taken away."""
    if parent.mount.readonly:
        raise Errno(EROFS)
    dentry = child_of(parent, name)
    inode = dentry.inode
    if inode is None:
        raise Errno(ENOENT)
    landlock.check_remove(task, parent, inode)
    check_delete(acting(task, parent.mount), parent.inode, inode)
    return dentry, inode


def _check_not_mounted(task: Task, dentry: Dentry) -> None:
    """EBUSY if something is mounted on it where the task can see it; elsewhere it comes off (rename(2))."""
    if dentry.mounted and any(mount.point is dentry for mount in task.ns.mnt.mounts):
        raise Errno(EBUSY)


def unlink(task: Task, parent: Path, name: bytes, slash: bool = False) -> None:
    """unlink(2); `slash`: the name ended in one, so it must not be a directory's, nor can it be another's."""
    if name in _DOTS:
        raise Errno(EISDIR)
    if slash:
        found = child_of(parent, name).inode
        raise Errno(ENOENT if found is None else EISDIR if found.is_dir() else ENOTDIR)
    dentry, inode = _victim(task, parent, name)
    if inode.is_dir():
        raise Errno(EISDIR)
    _check_not_mounted(task, dentry)
    parent.inode.unlink(name)
    _gone(inode)
    notify.tell_inode(inode, IN_ATTRIB)
    dentry.detach()
    if dentry.mounted:
        abandon(dentry)
    del dentry  # if nobody has it open, its end is told before
    notify.deleted(parent.inode, name, inode)


def rmdir(task: Task, parent: Path, name: bytes) -> None:
    """rmdir(2): EINVAL for ".", ENOTEMPTY for "..", EBUSY for the root and for what is mounted on."""
    if name in _DOTS:
        raise Errno(EBUSY if not name else EINVAL if name == b"." else ENOTEMPTY)
    dentry, inode = _victim(task, parent, name)
    if not inode.is_dir():
        raise Errno(ENOTDIR)
    _check_not_mounted(task, dentry)
    parent.inode.rmdir(name)
    _gone(inode)
    dentry.detach()
    dentry.bury()
    if dentry.mounted:
        abandon(dentry)
    del dentry
    notify.deleted(parent.inode, name, inode)


def _gone(inode: Inode) -> None:
    """A name was taken away: files of the host don't hear of it by themselves."""
    if inode.volatile and inode.nlink:
        inode.nlink = 0 if inode.is_dir() else inode.nlink - 1


def rename(
    task: Task, olddir: Path, old: bytes, newdir: Path, new: bytes, flags: int, slashes: tuple[bool, bool]
) -> None:
    """renameat2(2).

    Args:
        flags: RENAME_*; invalid combinations are the caller's to refuse.
        slashes: whether the two names ended in a slash, which only directories' may.
    """
    if olddir.mount is not newdir.mount:
        raise Errno(EXDEV)
    if old in _DOTS or new in _DOTS:
        raise Errno(EEXIST if new in _DOTS and flags & RENAME_NOREPLACE and old not in _DOTS else EBUSY)
    if olddir.mount.readonly:
        raise Errno(EROFS)
    source, target = child_of(olddir, old), child_of(newdir, new)
    moved, replaced = source.inode, target.inode
    if moved is None:
        raise Errno(ENOENT)
    if flags & RENAME_NOREPLACE and replaced is not None:
        raise Errno(EEXIST)
    exchange = bool(flags & RENAME_EXCHANGE)
    if exchange:
        if replaced is None:
            raise Errno(ENOENT)
        if slashes[1] and not replaced.is_dir():
            raise Errno(ENOTDIR)
    if not moved.is_dir() and (slashes[0] or (slashes[1] and not exchange)):
        raise Errno(ENOTDIR)
    if newdir.dentry.is_below(source):
        raise Errno(EINVAL)
    if olddir.dentry.is_below(target) and target.inode is not None:
        raise Errno(EINVAL if exchange else ENOTEMPTY)
    if task.creds.landlock:
        landlock.check_move(task, olddir, source, newdir, target, removes=True, exchange=exchange)
    if moved is replaced:
        return  # two names of one file: nothing happens
    _check_rename(task, olddir.inode, moved, newdir, replaced, exchange)
    _check_not_mounted(task, source)
    _check_not_mounted(task, target)
    olddir.inode.rename(old, newdir.inode, new, flags, acting(task, newdir.mount))
    if replaced is not None and not exchange:
        _gone(replaced)
    source.move(target, olddir.dentry, newdir.dentry, exchange)
    if target.mounted and not exchange:
        abandon(target)
    notify.moved(olddir.inode, old, newdir.inode, new, moved, None if exchange else replaced)
    if exchange:
        assert replaced is not None
        notify.moved(newdir.inode, new, olddir.inode, old, replaced)
    if flags & RENAME_WHITEOUT and not olddir.dentry.volatile:
        olddir.dentry.attach(old, olddir.inode.lookup(old))


def _check_rename(
    task: Task, olddir: Inode, moved: Inode, newdir: Path, replaced: Inode | None, exchange: bool
) -> None:
    creds = acting(task, newdir.mount)
    check_delete(creds, olddir, moved)
    if replaced is None:
        if newdir.dentry.deleted or newdir.inode.nlink == 0:
            raise Errno(ENOENT)
        check_create(creds, newdir.inode)
    else:
        check_delete(creds, newdir.inode, replaced)
        if not exchange and moved.is_dir() != replaced.is_dir():
            raise Errno(ENOTDIR if moved.is_dir() else EISDIR)
    # ".." of a directory that changes its parent is written to.
    if olddir is not newdir.inode:
        for inode in (moved, replaced) if exchange else (moved,):
            if inode is not None and inode.is_dir():
                check(creds, inode, ACCESS_WRITE)
