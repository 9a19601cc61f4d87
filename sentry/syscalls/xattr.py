"""getxattr, setxattr, listxattr, removexattr, with their l and f forms."""

from errno import E2BIG, EBADF, EINVAL, ENAMETOOLONG, ERANGE, EROFS

from sentry.abi.fcntl import AT_FDCWD, O_PATH
from sentry.abi.inotify import IN_ATTRIB
from sentry.errors import Errno
from sentry.syscalls.args import File, Int, Path, Ptr, Size
from sentry.vfs import notify
from sentry.vfs.namei import walk
from sentry.vfs.xattr import NAME_MAX, VALUE_MAX, XATTR_CREATE, XATTR_REPLACE, check_access, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place


def _place(file: File) -> "Place":
    if file.flags & O_PATH or file.path is None:
        raise Errno(EBADF)
    path: Place = file.path
    return path


def _name(task: "Task", name: int) -> bytes:
    try:
        text = task.copy_in_str(name, NAME_MAX + 1)
    except Errno as error:
        raise Errno(ERANGE) if error.code == ENAMETOOLONG else error from None
    if not text:
        raise Errno(ERANGE)
    return text


def _get(task: "Task", path: "Place", name: int, value: int, size: int) -> int:
    text = _name(task, name)
    check_access(task.creds, path.inode, text, write=False)
    data = path.inode.getxattr(text)
    if size:
        if len(data) > size:
            raise Errno(ERANGE)
        task.copy_out(value, data)
    return len(data)


def _set(task: "Task", path: "Place", name: int, value: int, size: int, flags: int) -> int:
    if flags & ~(XATTR_CREATE | XATTR_REPLACE):
        raise Errno(EINVAL)
    text = _name(task, name)
    if size > VALUE_MAX:
        raise Errno(E2BIG)
    data = task.copy_in(value, size) if size else b""
    if path.mount.readonly:
        raise Errno(EROFS)
    check_access(task.creds, path.inode, text, write=True)
    path.inode.setxattr(text, data, flags)
    notify.tell(path, IN_ATTRIB)
    return 0


def _list(task: "Task", path: "Place", buf: int, size: int) -> int:
    data = b"".join(name + b"\0" for name in visible(task.creds, path.inode.listxattr()))
    if size:
        if len(data) > size:
            raise Errno(ERANGE)
        task.copy_out(buf, data)
    return len(data)


def _remove(task: "Task", path: "Place", name: int) -> int:
    text = _name(task, name)
    if path.mount.readonly:
        raise Errno(EROFS)
    check_access(task.creds, path.inode, text, write=True)
    path.inode.removexattr(text)
    notify.tell(path, IN_ATTRIB)
    return 0


def getxattr(task: "Task", path: Path, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, walk(task, AT_FDCWD, path), name, value, size)


def lgetxattr(task: "Task", path: Path, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, walk(task, AT_FDCWD, path, False), name, value, size)


def fgetxattr(task: "Task", file: File, name: Ptr, value: Ptr, size: Size) -> int:
    return _get(task, _place(file), name, value, size)


def setxattr(task: "Task", path: Path, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, walk(task, AT_FDCWD, path), name, value, size, flags)


def lsetxattr(task: "Task", path: Path, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, walk(task, AT_FDCWD, path, False), name, value, size, flags)


def fsetxattr(task: "Task", file: File, name: Ptr, value: Ptr, size: Size, flags: Int) -> int:
    return _set(task, _place(file), name, value, size, flags)


def listxattr(task: "Task", path: Path, buf: Ptr, size: Size) -> int:
    return _list(task, walk(task, AT_FDCWD, path), buf, size)


def llistxattr(task: "Task", path: Path, buf: Ptr, size: Size) -> int:
    return _list(task, walk(task, AT_FDCWD, path, False), buf, size)


def flistxattr(task: "Task", file: File, buf: Ptr, size: Size) -> int:
    return _list(task, _place(file), buf, size)


def removexattr(task: "Task", path: Path, name: Ptr) -> int:
    return _remove(task, walk(task, AT_FDCWD, path), name)


def lremovexattr(task: "Task", path: Path, name: Ptr) -> int:
    return _remove(task, walk(task, AT_FDCWD, path, False), name)


def fremovexattr(task: "Task", file: File, name: Ptr) -> int:
    return _remove(task, _place(file), name)
