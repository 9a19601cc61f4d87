"""Which file systems one who is less privileged may mount (mount_namespaces(7), user_namespaces(7)).

proc and sysfs show the kernel.  In a user namespace of one's own they may be mounted anew only where a mount
of them is seen already with nothing hidden, lest that uncovers what somebody has covered or made read-only.
"""

from __future__ import annotations

from errno import EPERM

from sentry.abi.mount import MS_ATIME, MS_RDONLY
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import FileSystem, Mount


def check_revealing(task: Task, fs: FileSystem, attributes: int) -> int:
    """The flags that are to be locked on a new mount of `fs` with these attributes; EPERM."""
    namespace = task.ns.mnt
    if namespace.owner is None or namespace.owner.parent is None or not fs.revealing:
        return 0
    for mount in namespace.mounts:
        if mount.fs.name == fs.name and mount.root is mount.fs.root and _is_open(mount, attributes):
            return _locked(mount) & (MS_RDONLY | MS_ATIME)
    raise Errno(EPERM)


def _locked(mount: Mount) -> int:
    return mount.locked_flags | mount.fs.flags & MS_RDONLY


def _is_open(mount: Mount, attributes: int) -> bool:
    """Whether it shows at least what a new mount with `attributes` would."""
    locked = _locked(mount)
    if locked & MS_RDONLY & ~attributes:
        return False
    if locked & MS_ATIME and (mount.attributes ^ attributes) & MS_ATIME:
        return False
    return all(not upper.locked or _covers_nothing(upper) for upper in mount.mounts.values())


def _covers_nothing(mount: Mount) -> bool:
    point = mount.point
    assert point is not None
    inode = point.inode
    return inode is not None and inode.is_dir() and not inode.entries()
