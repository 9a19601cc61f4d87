"""mount and umount2: within the sandbox, for those with CAP_SYS_ADMIN."""

from errno import EINVAL, ENODEV, ENOTDIR, EPERM

from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.fcntl import AT_FDCWD
from sentry.errors import Errno
from sentry.syscalls.args import Int, Path, Ptr, Size
from sentry.vfs.mount import (
    MS_BIND,
    MS_KEPT,
    MS_MOVE,
    MS_NOATIME,
    MS_PROPAGATION,
    MS_RELATIME,
    MS_REMOUNT,
)
from sentry.vfs.namei import walk
from sentry.vfs.setup import make_file_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

MNT_FORCE = 1
MNT_DETACH = 2
MNT_EXPIRE = 4
UMOUNT_NOFOLLOW = 8
_PAGE = 4096


def _string(task: "Task", address: int) -> bytes:
    return task.copy_in_str(address, _PAGE) if address else b""


def mount(task: "Task", source: Ptr, target: Path, kind: Ptr, flags: Size, data: Ptr) -> int:
    name, type_name = _string(task, source), _string(task, kind)
    options = _string(task, data)
    place = walk(task, AT_FDCWD, target)
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    kept = flags & MS_KEPT
    if not kept & MS_NOATIME:
        kept |= MS_RELATIME
    namespace = task.ns.mnt
    if flags & MS_REMOUNT:
        if place.dentry is not place.mount.root:
            raise Errno(EINVAL)
        place.mount.flags = kept
    elif flags & MS_BIND:
        origin = walk(task, AT_FDCWD, name)
        if origin.inode.is_dir() != place.inode.is_dir():
            raise Errno(ENOTDIR)
        namespace.mount(origin.mount.fs, place, origin.mount.flags, origin.mount.source, origin.dentry)
    elif flags & MS_PROPAGATION:
        # One namespace, so there is nowhere to propagate to.
        if place.dentry is not place.mount.root:
            raise Errno(EINVAL)
    elif flags & MS_MOVE:
        raise Errno(EINVAL)
    else:
        if not place.inode.is_dir():
            raise Errno(ENOTDIR)
        words = [word for word in options.decode("latin-1").split(",") if word]
        fs = make_file_system(task.kernel, type_name.decode("latin-1"), words)
        if fs is None:
            raise Errno(ENODEV)
        namespace.mount(fs, place, kept, name or b"none")
    return 0


def umount2(task: "Task", target: Path, flags: Int) -> int:
    if flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW):
        raise Errno(EINVAL)
    place = walk(task, AT_FDCWD, target, not flags & UMOUNT_NOFOLLOW)
    if not task.creds.has_cap(CAP_SYS_ADMIN):
        raise Errno(EPERM)
    task.ns.mnt.unmount(place, bool(flags & MNT_DETACH))
    return 0
