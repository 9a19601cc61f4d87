"""open(2), openat2(2): find or create the file, then open it."""

from __future__ import annotations

from errno import EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, EROFS

from sentry.abi.fcntl import (
    O_ACCMODE,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_TMPFILE,
    O_TRUNC,
)
from sentry.abi.stat import S_IFREG
from sentry.errors import Errno
from sentry.vfs import landlock, posix_acl
from sentry.vfs.idmap import acting
from sentry.vfs.namei import open_path, origin, step, walk, walk_parent
from sentry.vfs.notify import notify
from sentry.vfs.path import Dentry, NamelessDentry, Path
from sentry.vfs.permissions import check_create, check_reuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

_TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY


def open_at(task: Task, dirfd: int, name: bytes, flags: int, mode: int, resolve: int = 0) -> File:
    """The file called `name`, opened; or a coroutine of it where opening waits (FIFOs).

    Args:
        flags: known O_* bits only.
        mode: the permission bits of a new file, the umask not yet applied.
        resolve: RESOLVE_* of openat2(2).

    Raises Errno: what walks, creation and `open_path` raise.
    """
    if flags & O_PATH:
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW
        return open_path(task, walk(task, dirfd, name, not flags & O_NOFOLLOW, resolve), flags)
    if flags & _TMPFILE_BIT:
        if flags & (O_TMPFILE | O_CREAT) != O_TMPFILE or flags & O_ACCMODE == O_RDONLY:
            raise Errno(EINVAL)
        return _open_tmpfile(task, walk(task, dirfd, name, True, resolve), flags, mode)
    if not flags & O_CREAT:
        return open_path(task, walk(task, dirfd, name, not flags & O_NOFOLLOW, resolve), flags)
    if flags & O_DIRECTORY:
        raise Errno(EINVAL)
    if not name:
        raise Errno(ENOENT)
    at = origin(task, dirfd, name, resolve)
    if name[-1:] == b"/" and walk_parent(task, dirfd, name)[1] not in (b"", b".", b".."):
        raise Errno(EISDIR)  # only a directory could have this name
    mount, dentry = step(task, at, name, not flags & (O_NOFOLLOW | O_EXCL), True, resolve)
    if dentry.inode is not None:
        if flags & O_EXCL:
            raise Errno(EEXIST)
        if dentry.parent is not None and dentry.parent.inode is not None and not dentry.inode.is_dir():
            check_reuse(acting(task, mount), dentry.parent.inode, dentry.inode)
        return open_path(task, Path(mount, dentry), flags)
    parent = dentry.parent
    assert parent is not None
    assert parent.inode is not None
    if mount.readonly:
        raise Errno(EROFS)
    if parent.deleted or parent.inode.nlink == 0:
        raise Errno(ENOENT)
    landlock.check_make(task, Path(mount, parent), S_IFREG)
    creds = acting(task, mount)
    check_create(creds, parent.inode)
    permissions = posix_acl.masked(parent.inode, mode & 0o7777, task.fs.umask)
    inode = parent.inode.create(dentry.name, permissions, creds)
    posix_acl.inherit(parent.inode, inode)
    dentry = parent.attach(dentry.name, inode)
    notify.created(parent.inode, dentry.name, inode)
    return open_path(task, Path(mount, dentry), flags & ~O_TRUNC, created=True)


def _open_tmpfile(task: Task, directory: Path, flags: int, mode: int) -> File:
    inode = directory.inode
    if not inode.is_dir():
        raise Errno(ENOTDIR)
    if directory.mount.readonly:
        raise Errno(EROFS)
    creds = acting(task, directory.mount)
    check_create(creds, inode)
    new = inode.tmpfile(posix_acl.masked(inode, mode & 0o7777, task.fs.umask), creds)
    posix_acl.inherit(inode, new)
    new.nlink = 0
    dentry = (Dentry if flags & O_EXCL else NamelessDentry)(b"#%d" % new.ino, directory.dentry, new)
    dentry.deleted = True
    file = open_path(task, Path(directory.mount, dentry), flags & ~(O_TMPFILE | O_TRUNC), created=True)
    file.flags |= O_TMPFILE  # fcntl(F_GETFL) shows it
    return file
