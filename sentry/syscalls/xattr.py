"""getxattr, setxattr, listxattr, removexattr, with their l, f and at forms."""

from errno import E2BIG, EBADF, EINVAL, ENAMETOOLONG, EPERM, ERANGE, EROFS
from struct import Struct

from sentry.abi.capability import CAP_SETFCAP
from sentry.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_PATH
from sentry.abi.inotify import IN_ATTRIB
from sentry.errors import Errno
from sentry.kernel import file_caps
from sentry.syscalls.args import Fd, File, Int, Path, Ptr, Size, UInt
from sentry.syscalls.structs import copy_in_struct
from sentry.vfs import posix_acl
from sentry.vfs.idmap import acting
from sentry.vfs.namei import walk
from sentry.vfs.notify import notify
from sentry.vfs.permissions import ACL_ACCESS, ACL_DEFAULT, check_mutable
from sentry.vfs.xattr import (
    CAPABILITY,
    LIST_MAX,
    NAME_MAX,
    VALUE_MAX,
    XATTR_CREATE,
    XATTR_REPLACE,
    check_access,
    check_value,
    visible,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place

    Find = Callable[[], Place]  # Linux looks at the name and the value first, then for the file

_XATTR_ARGS = Struct("=QII")  # value size flags
_ACLS = (ACL_ACCESS, ACL_DEFAULT)


def _place(file: File) -> "Place":
    if file.flags & O_PATH or file.path is None:
        raise Errno(EBADF)
    path: Place = file.path
    return path


def _named(task: "Task", name: int, follow: bool = True) -> "Place":
    return walk(task, AT_FDCWD, task.copy_in_str(name), follow)


def place_at(task: "Task", dirfd: int, name: int, flags: int) -> "Place":
    """The file of the at forms, whose name may be absent (getxattrat(2))."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    text = task.copy_in_str(name) if name or not flags & AT_EMPTY_PATH else b""
    if not text and flags & AT_EMPTY_PATH:
        return task.fs.cwd if dirfd == AT_FDCWD else _place(task.files.get(dirfd))
    return walk(task, dirfd, text, not flags & AT_SYMLINK_NOFOLLOW)


def _name(task: "Task", name: int) -> bytes:
    try:
        text = task.copy_in_str(name, NAME_MAX + 1)
    except Errno as error:
        raise Errno(ERANGE) if error.code == ENAMETOOLONG else error from None
    if not text:
        raise Errno(ERANGE)
    return text


def _give(task: "Task", data: bytes, address: int, size: int, most: int) -> int:
    """What getxattr and listxattr answer: the length alone without a buffer."""
    if size:
        if len(data) > size:
            raise Errno(E2BIG if size >= most else ERANGE)
        task.copy_out(address, data)
    return len(data)


def _get(task: "Task", find: "Find", name: int, value: int, size: int) -> int:
    text = _name(task, name)
    path = find()
    if text in _ACLS:
        data = posix_acl.get(acting(task, path.mount), path.inode, text)
    else:
        creds = acting(task, path.mount)
        check_access(creds, path.inode, text, write=False)
        data = path.inode.getxattr(text)
        if text == CAPABILITY:
            data = file_caps.to_tell(creds, data)
    return _give(task, data, value, size, VALUE_MAX)


def _set(task: "Task", find: "Find", name: int, value: int, size: int, flags: int) -> int:
    if flags & ~(XATTR_CREATE | XATTR_REPLACE):
        raise Errno(EINVAL)
    text = _name(task, name)
    if size > VALUE_MAX:
        raise Errno(E2BIG)
    data = task.copy_in(value, size) if size else b""
    path = find()
    creds = acting(task, path.mount)
    acl = posix_acl.parse(creds, data) if text in _ACLS else None
    if path.mount.readonly:
        raise Errno(EROFS)
    if text == CAPABILITY and data:
        check_value(text, data)
        if not creds.has_cap_over(CAP_SETFCAP, path.inode):
            raise Errno(EPERM)
        data = file_caps.to_store(creds, path.mount.fs.owner, data)
    check_mutable(path.inode, True)
    if text in _ACLS:
        posix_acl.set(creds, path.inode, text, acl)
    else:
        check_access(creds, path.inode, text, write=True)
        path.inode.setxattr(text, data, flags)
    notify.tell(path, IN_ATTRIB)
    return 0


def _list(task: "Task", path: "Place", buf: int, size: int) -> int:
    data = b"".join(name + b"\0" for name in visible(task.creds, path.inode.listxattr()))
    return _give(task, data, buf, size, LIST_MAX)


def _remove(task: "Task", find: "Find", name: int) -> int:
    text = _name(task, name)
    path = find()
    if path.mount.readonly:
        raise Errno(EROFS)
    check_mutable(path.inode, True)
    if text in _ACLS:
        posix_acl.set(acting(task, path.mount), path.inode, text, None)
    else:
        check_access(acting(task, path.mount), path.inode, text, write=True)
        path.inode.removexattr(text)
    notify.tell(path, IN_ATTRIB)
    return 0


def getxattr(task: "Task", path: Ptr, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, lambda: _named(task, path), name, value, size)


def lgetxattr(task: "Task", path: Ptr, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, lambda: _named(task, path, False), name, value, size)


def fgetxattr(task: "Task", fd: Fd, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, lambda: _place(task.files.get(fd)), name, value, size)


def getxattrat(task: "Task", dirfd: Fd, path: Ptr, flags: UInt, name: Ptr, args: Ptr, size: Size) -> int:
    value, length, zero = copy_in_struct(task, _XATTR_ARGS, args, size)
    if zero:
        raise Errno(EINVAL)
    return _get(task, lambda: place_at(task, dirfd, path, flags), name, value, length)


def setxattr(task: "Task", path: Ptr, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, lambda: _named(task, path), name, value, size, flags)


def lsetxattr(task: "Task", path: Ptr, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, lambda: _named(task, path, False), name, value, size, flags)


def fsetxattr(task: "Task", fd: Fd, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, lambda: _place(task.files.get(fd)), name, value, size, flags)


def setxattrat(task: "Task", dirfd: Fd, path: Ptr, flags: UInt, name: Ptr, args: Ptr, size: Size) -> int:
    value, length, how = copy_in_struct(task, _XATTR_ARGS, args, size)
    return _set(task, lambda: place_at(task, dirfd, path, flags), name, value, length, how)


def listxattr(task: "Task", path: Path, buf: Ptr, size: Size) -> int:
    return _list(task, walk(task, AT_FDCWD, path), buf, size)


def llistxattr(task: "Task", path: Path, buf: Ptr, size: Size) -> int:
    return _list(task, walk(task, AT_FDCWD, path, False), buf, size)


def flistxattr(task: "Task", file: File, buf: Ptr, size: Size) -> int:
    return _list(task, _place(file), buf, size)


def listxattrat(task: "Task", dirfd: Fd, path: Ptr, flags: UInt, buf: Ptr, size: Size) -> int:
    return _list(task, place_at(task, dirfd, path, flags), buf, size)


def removexattr(task: "Task", path: Ptr, name: Ptr) -> int:
    return _remove(task, lambda: _named(task, path), name)


def lremovexattr(task: "Task", path: Ptr, name: Ptr) -> int:
    return _remove(task, lambda: _named(task, path, False), name)


def fremovexattr(task: "Task", fd: Fd, name: Ptr) -> int:
    return _remove(task, lambda: _place(task.files.get(fd)), name)


def removexattrat(task: "Task", dirfd: Fd, path: Ptr, flags: UInt, name: Ptr) -> int:
    return _remove(task, lambda: place_at(task, dirfd, path, flags), name)
