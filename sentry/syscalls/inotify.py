"""inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch."""

import errno

from sentry.abi.fcntl import AT_FDCWD, O_CLOEXEC, O_NONBLOCK
from sentry.abi.inotify import IN_DONT_FOLLOW, IN_KNOWN, IN_MASK_ADD, IN_MASK_CREATE, IN_ONLYDIR
from sentry.abi.stat import ACCESS_READ
from sentry.errors import Errno
from sentry.syscalls.args import Fd, File, Int, Ptr, UInt
from sentry.vfs.file import wrong_kind
from sentry.vfs.idmap import acting
from sentry.vfs.namei import walk
from sentry.vfs.notify.inotify import InotifyFile
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def inotify_init(task: "Task") -> int:
    return inotify_init1(task, 0)


def inotify_init1(task: "Task", flags: Int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(errno.EINVAL)
    return task.files.install(InotifyFile(task.creds.uid, flags & O_NONBLOCK), bool(flags & O_CLOEXEC))


def inotify_add_watch(task: "Task", fd: Fd, name: Ptr, mask: UInt) -> int:
    # Linux looks at the mask first, then at the descriptor, then at the name.
    if not mask & IN_KNOWN or mask & ~IN_KNOWN:
        raise Errno(errno.EINVAL)
    file = task.files.get(fd)
    both = IN_MASK_ADD | IN_MASK_CREATE
    if mask & both == both:
        raise Errno(errno.EINVAL)
    if not isinstance(file, InotifyFile):
        raise wrong_kind(file)
    path = walk(task, AT_FDCWD, task.copy_in_str(name), not mask & IN_DONT_FOLLOW)
    inode = path.inode
    if mask & IN_ONLYDIR and not inode.is_dir():
        raise Errno(errno.ENOTDIR)
    if inode.volatile:
        inode.getattr()
    check(acting(task, path.mount), inode, ACCESS_READ)
    return file.state.add(inode, mask)


def inotify_rm_watch(task: "Task", file: File, wd: Int) -> int:
    if not isinstance(file, InotifyFile):
        raise wrong_kind(file)
    file.state.remove(wd)
    return 0
