"""chdir, fchdir, getcwd, chroot, umask."""

from errno import ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, ERANGE

from sentry.abi.capability import CAP_SYS_CHROOT
from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.stat import ACCESS_EXEC
from sentry.errors import Errno
from sentry.syscalls.args import PATH_MAX, File, Int, Path, Ptr, Size
from sentry.vfs.idmap import acting
from sentry.vfs.namei import walk
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path as Place


def _enterable(task: "Task", path: "Place") -> "Place":
    if not path.inode.is_dir():
        raise Errno(ENOTDIR)
    check(acting(task, path.mount), path.inode, ACCESS_EXEC)
    return path


def chdir(task: "Task", name: Path) -> int:
    task.fs.cwd = _enterable(task, walk(task, AT_FDCWD, name))
    return 0


def fchdir(task: "Task", file: File) -> int:
    if file.path is None:
        raise Errno(ENOTDIR)
    task.fs.cwd = _enterable(task, file.path)
    return 0


def getcwd(task: "Task", buf: Ptr, size: Size) -> int:
    cwd = task.fs.cwd
    if cwd.dentry.deleted:
        raise Errno(ENOENT)
    text = cwd.absolute(task.fs.root) + b"\0"
    if len(text) > PATH_MAX:
        raise Errno(ENAMETOOLONG)
    if len(text) > size:
        raise Errno(ERANGE)
    task.copy_out(buf, text)
    return len(text)


def chroot(task: "Task", name: Path) -> int:
    path = _enterable(task, walk(task, AT_FDCWD, name))
    if not task.creds.has_cap(CAP_SYS_CHROOT, task.creds.user_ns):
        raise Errno(EPERM)
    task.fs.root = path
    return 0


def umask(task: "Task", mask: Int) -> int:
    old = task.fs.umask
    task.fs.umask = mask & 0o777
    return old
