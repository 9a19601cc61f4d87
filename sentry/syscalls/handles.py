"""name_to_handle_at, open_by_handle_at."""

from errno import EBADF, EINVAL, EOPNOTSUPP, EOVERFLOW, EPERM
from struct import Struct

from sentry.abi.capability import CAP_DAC_READ_SEARCH
from sentry.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_FOLLOW,
    O_ACCMODE,
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_KNOWN,
    O_LARGEFILE,
    O_NONBLOCK,
    O_PATH,
    O_RDWR,
)
from sentry.abi.pidfd import FD_PIDFS_ROOT
from sentry.errors import Errno
from sentry.kernel.pidfd import pidfs
from sentry.syscalls.args import Fd, Int, Path, Ptr
from sentry.syscalls.open import install
from sentry.vfs import handles
from sentry.vfs.namei import open_path, walk_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.syscalls.open import Opened

AT_HANDLE_MNT_ID_UNIQUE = 0x001
AT_HANDLE_CONNECTABLE = 0x002
AT_HANDLE_FID = 0x200
_KNOWN = AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID | AT_HANDLE_MNT_ID_UNIQUE | AT_HANDLE_CONNECTABLE
_HEAD = Struct("=Ii")  # struct file_handle: handle_bytes handle_type, then the handle
_ID, _UNIQUE_ID = Struct("=i"), Struct("=Q")
_TYPE_MASK = 0xFF  # above are flags of the user's: connectable, directory
_USER_FLAGS = 0x30000
_PIDFD_FLAGS = O_ACCMODE | O_NONBLOCK | O_CLOEXEC | O_EXCL


def name_to_handle_at(task: "Task", dirfd: Fd, name: Path, handle: Ptr, mount_id: Ptr, flags: Int) -> int:
    if flags & ~_KNOWN or (flags & AT_HANDLE_CONNECTABLE and flags & (AT_HANDLE_FID | AT_EMPTY_PATH)):
        raise Errno(EINVAL)
    place = walk_at(task, dirfd, name, flags, bool(flags & AT_SYMLINK_FOLLOW))
    if flags & AT_HANDLE_CONNECTABLE:
        raise Errno(EOPNOTSUPP)
    kind, data = handles.encode(place, not flags & AT_HANDLE_FID)
    room = _HEAD.unpack(task.copy_in(handle, _HEAD.size))[0]
    if room > handles.MAX_HANDLE_SIZE:
        raise Errno(EINVAL)
    fits = room >= len(data)
    if flags & AT_HANDLE_MNT_ID_UNIQUE:
        task.copy_out(mount_id, _UNIQUE_ID.pack(place.mount.unique_id))
    else:
        task.copy_out(mount_id, _ID.pack(place.mount.id))
    task.copy_out(handle, _HEAD.pack(len(data), kind if fits else 0xFF) + (data if fits else b""))
    if not fits:
        raise Errno(EOVERFLOW)
    return 0


def open_by_handle_at(task: "Task", mount_fd: Fd, handle: Ptr, flags: Int) -> "Opened":
    size, kind = _HEAD.unpack(task.copy_in(handle, _HEAD.size))
    if not 0 < size <= handles.MAX_HANDLE_SIZE or kind < 0 or kind & ~_TYPE_MASK & ~_USER_FLAGS:
        raise Errno(EINVAL)
    if mount_fd == FD_PIDFS_ROOT:
        return _open_pidfd(task, kind, task.copy_in(handle + _HEAD.size, size), flags)
    if mount_fd == AT_FDCWD:
        path = task.fs.cwd
    else:
        file = task.files.get(mount_fd)
        if file.flags & O_PATH or file.path is None:
            raise Errno(EBADF)
        path = file.path
    if path.mount.fs is pidfs:
        return _open_pidfd(task, kind, task.copy_in(handle + _HEAD.size, size), flags)
    if not task.creds.has_cap(CAP_DAC_READ_SEARCH):
        raise Errno(EPERM)
    data = task.copy_in(handle + _HEAD.size, size)
    found = handles.decode(path.mount, kind & _TYPE_MASK, data)
    flags &= O_KNOWN & ~(O_CREAT | O_EXCL)
    return install(task, open_path(task, found, flags | O_LARGEFILE), bool(flags & O_CLOEXEC))


def _open_pidfd(task: "Task", kind: int, data: bytes, flags: int) -> "Opened":
    """Whoever sees a process may open it; the flags are those that a pidfd can have."""
    if flags & ~_PIDFD_FLAGS:
        raise Errno(EINVAL)
    found = handles.decode_pidfd(task, kind & _TYPE_MASK, data)
    return install(task, found.inode.open(task, found, flags & ~O_CLOEXEC | O_RDWR), bool(flags & O_CLOEXEC))
