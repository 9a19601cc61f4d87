"""Mount namespaces: who sees which mounts (mount_namespaces(7))."""

from __future__ import annotations

from errno import ENOSPC

from sentry._core import WaitQueue
from sentry.abi.fanotify import FAN_MNT_ATTACH, FAN_MNT_DETACH
from sentry.abi.fcntl import POLLERR, POLLPRI
from sentry.abi.mount import MS_PRIVATE
from sentry.abi.stat import S_IFDIR
from sentry.errors import Errno
from sentry.kernel.namespaces import user_namespace
from sentry.kernel.namespaces.namespaces import Namespace
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem, Mount, mounts_alive
from sentry.vfs.mounts.mount_tree import connect, copy, disconnect, lock, subtree, top, topmost
from sentry.vfs.mounts.propagation import change, inherit, propagate, propagate_unmount, recipients
from sentry.vfs.notify import notify
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.namespaces.user_namespace import UserNamespace

MOUNTS_MAX = 16_384  # of one namespace; told in /proc/sys/fs/mount-max
ALL_MOUNTS_MAX = 131_072  # of all together, since a guest can have many namespaces
ROOTFS_MAGIC = 0x858458F6  # ramfs's, which is the root below all roots


class MountNamespace(Namespace):
    """The mounts that its tasks see.

    `base` is the mount below all others, which no task sees: the sandbox's root is mounted on it, so that
    pivot_root(2) can put another one there.  A detached tree (open_tree(2), fsmount(2)) has a namespace of
    its own, with `detached` set and the tree itself as base.
    """

    base: Mount

    def __init__(self, owner: UserNamespace | None, initial: bool = False) -> None:
        """One without mounts: `build`, `detach` and `copy` fill it."""
        super().__init__(b"mnt", owner, initial)
        self.detached = False
        self.mounts: dict[Mount, None] = {}
        self.changes = 0  # counted up with each, for poll(2) on /proc/PID/mounts
        self.queue = WaitQueue()

    @property
    def root(self) -> Mount:
        """The topmost mount at the root: what setns(2) enters."""
        return topmost(self.base)

    def mount(
        self, fs: FileSystem, path: Path, flags: int = 0, source: bytes = b"none", root: Dentry | None = None
    ) -> Mount:
        """Mount `fs` (or its part below `root`) on `path`, which is an existing file of the same kind."""
        path = top(path)
        mount = Mount(fs, root or fs.root, flags, source)
        attach(mount, path.mount, path.dentry)
        return mount

    def unmount(self, path: Path) -> None:
        """Take away the mount whose root `path` is, and all on it."""
        unmount(list(subtree(path.mount)))

    def listing(self) -> list[Mount]:
        """The mounts in the order of their ids, without the one that nobody sees."""
        return sorted([mount for mount in self.mounts if mount is not self.base], key=lambda mount: mount.id)

    def changed(self) -> None:
        self.changes += 1
        self.queue.wake(POLLERR | POLLPRI)

    def check_room(self, more: int) -> None:
        """ENOSPC if that many mounts would be too many."""
        if len(self.mounts) + more > MOUNTS_MAX or mounts_alive() + more > ALL_MOUNTS_MAX:
            raise Errno(ENOSPC)

    def add(self, tree: Mount) -> None:
        for mount in subtree(tree):
            mount.namespace = self
            self.mounts[mount] = None
        self.changed()

    def remove(self, mount: Mount) -> None:
        self.mounts.pop(mount, None)
        mount.namespace = None

    def copy(self, owner: UserNamespace) -> tuple[MountNamespace, dict[Mount, Mount]]:
        """What CLONE_NEWNS gives, and the copy of each mount, by which the caller finds its directories.

        A less privileged owner gets slaves, with everything locked that must not be revealed.  ENOSPC.
        """
        new = MountNamespace(owner)
        new.check_room(len(self.mounts))
        base, pairs = copy(self.base, self.base.root, True, unbindable=True)
        weaker = owner is not self.owner
        for old, made in pairs:
            made.unbindable = old.unbindable
        inherit(pairs, slave=weaker)
        if weaker:
            lock(base)
        new.base = base
        new.add(base)
        return new, dict(pairs)

    def __del__(self) -> None:
        """The last of its tasks is gone, and nobody can come back."""
        if notify.level > 1:
            for mount in self.mounts:
                notify.mounted(FAN_MNT_DETACH, self, mount)
        for mount in list(self.mounts):
            change(mount, MS_PRIVATE)
            if not mount.locked:
                disconnect(mount)
        self.mounts.clear()


def build(root: FileSystem, flags: int = 0, source: bytes = b"none") -> MountNamespace:
    """The namespace that a sandbox starts with."""
    namespace = MountNamespace(user_namespace.INITIAL, initial=True)
    hidden = FileSystem(b"rootfs", ROOTFS_MAGIC)
    hidden.set_root(Inode(hidden, S_IFDIR | 0o755))
    namespace.base = Mount(hidden, hidden.root, 0, b"rootfs")
    namespace.add(namespace.base)
    attach(Mount(root, root.root, flags, source), namespace.base, hidden.root)
    return namespace


def detach(tree: Mount, owner: UserNamespace | None) -> MountNamespace:
    """A namespace of its own for `tree`, which is nowhere."""
    namespace = MountNamespace(owner)
    namespace.detached = True
    namespace.base = tree
    namespace.add(tree)
    return namespace


def attach(tree: Mount, parent: Mount, point: Dentry) -> None:
    """Put `tree`, wherever it was, on `point` of `parent`, and copies on the counterparts of that place.

    What is mounted on these places already ends up on top of the tree.

    Raises Errno: ENOSPC, and nothing has changed.
    """
    namespace = parent.namespace
    assert namespace is not None
    moved = tree.namespace is namespace
    size = sum(1 for _ in subtree(tree))
    if not moved:
        namespace.check_room(size)
    counts: dict[MountNamespace, int] = {}
    for mount in recipients(parent, point):
        other = mount.namespace
        assert other is not None
        counts[other] = counts.get(other, 0) + size
        other.check_room(counts[other])
    places = propagate(tree, parent, point)
    disconnect(tree)
    former = tree.namespace
    if former is not None and former is not namespace:
        for mount in subtree(tree):
            former.remove(mount)
    if notify.level > 1:
        _tell_attached([(tree, parent, moved), *((made, lower, False) for made, lower in places)])
    for made, lower in [(tree, parent), *places]:
        other = lower.namespace
        assert other is not None
        if other.owner is not namespace.owner:
            lock(made)
        _insert(made, lower, point)
        other.add(made)


def _tell_attached(trees: list[tuple[Mount, Mount, bool]]) -> None:
    """(tree, what it comes upon, whether it was in that namespace already): only its root moves then."""
    for tree, parent, moved in trees:
        namespace = parent.namespace
        assert namespace is not None
        if moved:
            notify.mounted(FAN_MNT_ATTACH | FAN_MNT_DETACH, namespace, tree)
        else:
            for mount in subtree(tree):
                notify.mounted(FAN_MNT_ATTACH, namespace, mount)


def _insert(tree: Mount, parent: Mount, point: Dentry) -> None:
    """Connect, under what is there already."""
    covering = parent.mounts.get(point)
    if covering is not None:
        disconnect(covering)
        upper = topmost(tree)
        connect(covering, upper, upper.root)
    connect(tree, parent, point)


def abandon(point: Dentry) -> None:
    """The name of a mount point is gone: what other namespaces have on it comes off."""
    if point.inode is not None:
        for mount in point.inode.fs.mounts():
            upper = mount.mounts.get(point)
            if upper is not None:
                unmount(list(subtree(upper)), connected=True)


def unmount(mounts: list[Mount], connected: bool = False) -> None:
    """Take these away, a tree or a part of one, and their counterparts elsewhere.

    Args:
        mounts: parents first.
        connected: it is a tree that nobody can come to any more; it stays one for those who still use it, and
            nobody else hears of it.
    """
    others = [] if connected else propagate_unmount(mounts)
    going = dict.fromkeys([*mounts, *others])
    uncovered: list[tuple[Mount, Mount | None, Dentry | None]] = []
    for mount in others:
        upper = mount.mounts.get(mount.root)
        if upper is not None and upper not in going:
            below = mount
            while below.parent is not None and below.parent in going:
                below = below.parent
            uncovered.append((upper, below.parent, below.point))
    parted = [mount for mount in going if mount.parent not in going or not (connected or mount.locked)]
    touched = {mount.namespace: None for mount in going}
    if notify.level > 1:
        for mount in going:
            if mount.namespace is not None:
                notify.mounted(FAN_MNT_DETACH, mount.namespace, mount)
    for mount in going:
        namespace = mount.namespace
        if namespace is not None:
            namespace.remove(mount)
        change(mount, MS_PRIVATE)
    for mount in [*parted, *(upper for upper, _, _ in uncovered)]:
        disconnect(mount)
    for upper, lower, point in uncovered:
        if lower is not None and point is not None:
            _insert(upper, lower, point)
    for namespace in touched:
        if namespace is not None:
            namespace.changed()
    for fs in {mount.fs for mount in going}:
        if all(mount.namespace is None for mount in fs.mounts()):
            notify.unmounted(fs)
