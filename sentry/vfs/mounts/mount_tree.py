"""Trees of mounts: joining, parting, copying them.  No permissions, no propagation, no namespaces.

What must hold: `upper.parent is lower` and `upper.point is dentry` exactly when `lower.mounts[dentry]` is
`upper`, and `dentry.mounted` counts these.  Two mounts on one place are a chain: the later is on the root of
the earlier.
"""

from __future__ import annotations

from errno import EPERM

from sentry.abi.mount import MS_ATIME, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from sentry.errors import Errno
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Pairs = list[tuple[Mount, Mount]]

_LOCKABLE = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC


def top(path: Path) -> Path:
    """The place that a walk reaches at `path`: the root of the topmost mount on it, or `path`."""
    mount, dentry = path.mount, path.dentry
    while dentry.mounted:
        upper = mount.mounts.get(dentry)
        if upper is None:
            break
        mount, dentry = upper, upper.root
    return path if mount is path.mount else Path(mount, dentry)


def topmost(mount: Mount) -> Mount:
    """The last of the mounts that cover the root of `mount`."""
    while (upper := mount.mounts.get(mount.root)) is not None:
        mount = upper
    return mount


def connect(mount: Mount, parent: Mount, point: Dentry) -> None:
    """Put `mount`, which is nowhere, on a dentry of `parent` that has no mount on it."""
    mount.parent, mount.point = parent, point
    parent.mounts[point] = mount
    point.mounted += 1


def disconnect(mount: Mount) -> None:
    """Take `mount` and all that is mounted on it from its place."""
    parent, point = mount.parent, mount.point
    if parent is None or point is None:
        return
    if parent.mounts.get(point) is mount:
        del parent.mounts[point]
    point.mounted -= 1
    mount.parent = mount.point = None


def subtree(mount: Mount) -> Iterator[Mount]:
    """`mount` and all mounts on it, parents first."""
    waiting = [mount]
    while waiting:
        mount = waiting.pop()
        yield mount
        waiting += reversed(mount.mounts.values())


def is_above(mount: Mount, other: Mount) -> bool:
    """Whether `mount` is `other` or one of those below it."""
    here: Mount | None = other
    while here is not None:
        if here is mount:
            return True
        here = here.parent
    return False


def clone(mount: Mount, root: Dentry) -> Mount:
    """One more mount of the same kind, nowhere yet and in no peer group."""
    new = Mount(mount.fs, root, mount.attributes, mount.source, mount.idmap)
    new.locked_flags = mount.locked_flags
    return new


def copy(mount: Mount, root: Dentry, recursive: bool, unbindable: bool = False) -> tuple[Mount, Pairs]:
    """A copy of the tree below `root`, nowhere yet, and each (mount, its copy).

    Args:
        recursive: with the mounts on it; `unbindable`: with unbindable ones as well.

    Raises Errno: EPERM, an unbindable mount hides something that must stay hidden.
    """
    first = clone(mount, root)
    pairs = [(mount, first)]
    if not recursive:
        return first, pairs
    index = 0
    while index < len(pairs):
        old, new = pairs[index]
        index += 1
        for point, upper in old.mounts.items():
            if old is mount and not point.is_below(root):
                continue
            if upper.unbindable and not unbindable:
                if upper.locked:
                    raise Errno(EPERM)
                continue
            made = clone(upper, upper.root)
            made.locked = upper.locked
            made.unbindable = upper.unbindable and unbindable
            connect(made, new, point)
            pairs.append((upper, made))
    return first, pairs


def has_locked_children(mount: Mount, root: Dentry) -> bool:
    """Whether a copy of `mount` from `root` on, without what is on it, would reveal what must stay hidden."""
    return any(upper.locked and point.is_below(root) for point, upper in mount.mounts.items())


def lock(tree: Mount) -> None:
    """The tree gets into a less privileged namespace (mount_namespaces(7), Restrictions)."""
    for mount in subtree(tree):
        mount.locked_flags |= mount.attributes & _LOCKABLE | MS_ATIME
        if mount is not tree:
            mount.locked = True
