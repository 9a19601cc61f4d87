"""link, symlink, unlink, rename and their *at forms."""

from errno import EINVAL, ENOENT

from sentry.abi.capability import CAP_DAC_READ_SEARCH
from sentry.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT,
)
from sentry.errors import Errno
from sentry.syscalls.args import Fd, Int, Path, UInt
from sentry.vfs import namespace
from sentry.vfs.namei import walk_at, walk_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File


def link(task: "Task", old: Path, new: Path) -> int:
    return linkat(task, AT_FDCWD, old, AT_FDCWD, new, 0)


def linkat(task: "Task", olddir: Fd, old: Path, newdir: Fd, new: Path, flags: Int) -> int:
    if flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    if flags & AT_EMPTY_PATH and not old:
        _check_own(task, olddir)
    source = walk_at(task, olddir, old, flags, bool(flags & AT_SYMLINK_FOLLOW))
    parent, last = walk_parent(task, newdir, new)
    namespace.link(task, source, parent, last, new.endswith(b"/"))
    return 0


def _check_own(task: "Task", fd: int) -> None:
    """ENOENT for the descriptor of a file that was opened with other credentials (since Linux 6.10)."""
    if fd == AT_FDCWD:
        return
    file: File = task.files.get(fd)
    if file.opener is task.creds or (file.path is not None and file.path.mount.fs.anonymous):
        return  # pipes and the like are not of the file system: EXDEV
    if not task.creds.has_cap(CAP_DAC_READ_SEARCH):
        raise Errno(ENOENT)


def symlink(task: "Task", target: Path, name: Path) -> int:
    return symlinkat(task, target, AT_FDCWD, name)


def symlinkat(task: "Task", target: Path, dirfd: Fd, name: Path) -> int:
    if not target:
        raise Errno(ENOENT)
    parent, last = walk_parent(task, dirfd, name)
    namespace.symlink(task, parent, last, target, name.endswith(b"/"))
    return 0


def unlink(task: "Task", name: Path) -> int:
    return unlinkat(task, AT_FDCWD, name, 0)


def unlinkat(task: "Task", dirfd: Fd, name: Path, flags: Int) -> int:
    if flags & ~AT_REMOVEDIR:
        raise Errno(EINVAL)
    parent, last = walk_parent(task, dirfd, name)
    if flags & AT_REMOVEDIR:
        namespace.rmdir(task, parent, last)
    else:
        namespace.unlink(task, parent, last, name.endswith(b"/"))
    return 0


def rename(task: "Task", old: Path, new: Path) -> int:
    return renameat2(task, AT_FDCWD, old, AT_FDCWD, new, 0)


def renameat(task: "Task", olddir: Fd, old: Path, newdir: Fd, new: Path) -> int:
    return renameat2(task, olddir, old, newdir, new, 0)


def renameat2(task: "Task", olddir: Fd, old: Path, newdir: Fd, new: Path, flags: UInt) -> int:
    if flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT):
        raise Errno(EINVAL)
    if flags & RENAME_EXCHANGE and flags & (RENAME_NOREPLACE | RENAME_WHITEOUT):
        raise Errno(EINVAL)
    source, old_last = walk_parent(task, olddir, old)
    target, new_last = walk_parent(task, newdir, new)
    slashes = old.endswith(b"/"), new.endswith(b"/")
    namespace.rename(task, source, old_last, target, new_last, flags, slashes)
    return 0
