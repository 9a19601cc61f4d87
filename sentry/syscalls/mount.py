"""mount, umount2, pivot_root."""

from errno import EFAULT, EINVAL

from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.mount import (
    MNT_DETACH,
    MNT_EXPIRE,
    MNT_FORCE,
    MS_ATIME,
    MS_BIND,
    MS_MAGIC,
    MS_MAGIC_MASK,
    MS_MOVE,
    MS_NOATIME,
    MS_NOUSER,
    MS_OF_FILE_SYSTEM,
    MS_OF_MOUNT,
    MS_PROPAGATION,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    MS_SILENT,
    MS_STRICTATIME,
    UMOUNT_NOFOLLOW,
)
from sentry.errors import Errno
from sentry.syscalls.args import Int, Path, Ptr, Size
from sentry.vfs.mounts import mount_sharing, mounting, pivot, unmounting
from sentry.vfs.mounts.file_systems import open_type
from sentry.vfs.mounts.mount_tree import top
from sentry.vfs.namei import arrive, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import Mount

_PAGE = 4096


def _string(task: "Task", address: int) -> bytes | None:
    """A string of at most one page; EFAULT, EINVAL."""
    if not address:
        return None
    data = task.copy_in_some(address, _PAGE)
    end = data.find(b"\0")
    if end < 0:
        raise Errno(EINVAL if len(data) == _PAGE else EFAULT)
    return data[:end]


def _options(task: "Task", address: int) -> list[str]:
    """The words of the data argument; what lies beyond the page is cut off."""
    if not address:
        return []
    data = task.copy_in_some(address, _PAGE)
    text = data[: _PAGE - 1].split(b"\0", 1)[0]
    return [word for word in text.decode("latin-1").split(",") if word]


def _attributes(flags: int, mount: "Mount") -> int:
    """What the mount is to remember of mount(2)'s flags; relatime unless something else is said."""
    if flags & MS_REMOUNT and not flags & (MS_ATIME | MS_STRICTATIME):
        return flags & MS_OF_MOUNT | mount.attributes & MS_ATIME
    kept = flags & MS_OF_MOUNT & ~MS_RELATIME
    if flags & MS_STRICTATIME:
        return kept & ~MS_NOATIME
    return kept if kept & MS_NOATIME else kept | MS_RELATIME


def mount(task: "Task", source: Ptr, target: Path, kind: Ptr, flags: Size, data: Ptr) -> int:
    type_name, name = _string(task, kind), _string(task, source)
    options = _options(task, data)
    place = walk(task, AT_FDCWD, target)
    if flags & MS_MAGIC_MASK == MS_MAGIC:
        flags &= ~MS_MAGIC_MASK
    if flags & MS_NOUSER:
        raise Errno(EINVAL)
    mounting.may_mount(task)
    attributes = _attributes(flags, place.mount)
    if flags & MS_REMOUNT:
        if flags & MS_BIND:
            mounting.remount_attributes(task, place, attributes)
        else:
            mounting.remount(task, place, attributes, flags & MS_OF_FILE_SYSTEM, options)
    elif flags & (MS_BIND | MS_MOVE) and not (flags & MS_PROPAGATION and not flags & MS_BIND):
        if not name:
            raise Errno(EINVAL)
        origin = walk(task, AT_FDCWD, name)
        if flags & MS_BIND:
            mounting.bind(task, origin, place, bool(flags & MS_REC))
        else:
            mounting.move(task, origin, place)
    elif flags & MS_PROPAGATION:
        known = MS_PROPAGATION | MS_REC | MS_SILENT
        if flags & ~known:
            raise Errno(EINVAL)
        mount_sharing.change_propagation(task, place, flags & MS_PROPAGATION, bool(flags & MS_REC))
    else:
        if type_name is None:
            raise Errno(EINVAL)
        fs = open_type(task, type_name, options, flags & MS_OF_FILE_SYSTEM)
        mounting.add(task, fs, place, attributes, b"none" if name is None else name)
    return 0


def umount2(task: "Task", target: Path, flags: Int) -> int:
    if flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW):
        raise Errno(EINVAL)
    unmounting.umount(task, top(arrive(task, target, not flags & UMOUNT_NOFOLLOW)), flags)
    return 0


def pivot_root(task: "Task", new_root: Path, put_old: Path) -> int:
    mounting.may_mount(task)
    new = walk(task, AT_FDCWD, new_root)
    pivot.pivot_root(task, new, walk(task, AT_FDCWD, put_old))
    return 0
