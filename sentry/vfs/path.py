"""Names in the tree: dentries, and paths (a dentry seen through a mount).

What must hold: a dentry in its parent's `children` is what that name means now (in a file system whose names
change only through us), and one with `inode` None says that nothing has this name.  A dentry that lost its
name is `deleted` and in nobody's `children`.
"""

from __future__ import annotations

from sys import getrefcount

from sentry import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import Mount

_UNREACHABLE = b"(unreachable)"


class Dentry(_core.DentryBase):
    """Dentry(name, parent, inode): one name; directories have `children`, None for everything else.

    `volatile` directories are asked at each walk: their names change without our doing.
    """

    __slots__ = ()

    parent: Dentry | None
    inode: Inode | None
    children: dict[bytes, Dentry] | None

    def attach(self, name: bytes, inode: Inode | None) -> Dentry:
        """Note that `name` in this directory is `inode` (None: absent); replaces what was known."""
        child = Dentry(name, self, inode)
        children = self.children
        assert children is not None
        known = children.get(name)
        if known is not None:
            known.deleted = True
        children[name] = child
        if inode is not None:
            fs = inode.fs
        else:
            assert self.inode is not None
            fs = self.inode.fs
        fs.dentries += 1
        if fs.dentries > fs.dentries_limit:
            fs.dentries = prune(fs.root)
            # When most are in use, not to search in vain each time.
            fs.dentries_limit = max(fs.DENTRIES_MAX, 2 * fs.dentries)
        return child

    def detach(self, absent: bool = True) -> None:
        """The name is gone.  With `absent`, remember that nothing has it (not in volatile directories)."""
        self.deleted = True
        parent = self.parent
        if parent is not None and parent.children is not None and parent.children.get(self.name) is self:
            del parent.children[self.name]
            if absent and not parent.volatile:
                parent.attach(self.name, None)

    def bury(self) -> None:
        """The directory is no more: drop its names, all absent, which keep it alive as it keeps them."""
        if self.children:
            self.children.clear()

    def move(self, target: Dentry, olddir: Dentry, newdir: Dentry, exchange: bool) -> None:
        """Say what the inodes say after a rename to where `target` is, which may be absent."""
        old, new = self.name, target.name
        assert olddir.children is not None
        assert newdir.children is not None
        target.detach(absent=False)
        self.detach(absent=not exchange)
        newdir.children[new] = self
        self.name, self.parent, self.deleted = new, newdir, False
        if exchange:
            olddir.children[old] = target
            target.name, target.parent, target.deleted = old, olddir, False
        else:
            target.bury()

    def is_below(self, other: Dentry) -> bool:
        """Whether this is `other` or somewhere below it."""
        here: Dentry | None = self
        while here is not None:
            if here is other:
                return True
            here = here.parent
        return False


class NamelessDentry(Dentry):
    """Of a file that O_TMPFILE has made without O_EXCL: the inode may get a first name (linkat(2)), once."""

    __slots__ = ("linkable",)

    def __init__(self, name: bytes, parent: Dentry, inode: Inode) -> None:
        super().__init__(name, parent, inode)
        self.linkable = True


class Path(_core.PathBase):
    """Path(mount, dentry): a place in the tree; immutable.

    It has an `inode`: only walks see negative dentries.
    """

    __slots__ = ()

    mount: Mount
    dentry: Dentry
    inode: Inode

    def parent(self) -> Path:
        """The directory above, across mounts; the root of all is its own parent."""
        mount, dentry = self.mount, self.dentry
        while dentry is mount.root:
            above, point = mount.parent, mount.point
            if above is None or point is None:
                return self
            mount, dentry = above, point
        assert dentry.parent is not None
        return Path(mount, dentry.parent)

    def reaches(self, root: Path) -> bool:
        """Whether walking up from here meets `root`."""
        here = self
        while here != root:
            above = here.parent()
            if above is here:
                return False
            here = above
        return True

    def absolute(self, root: Path) -> bytes:
        """The path from `root`, as getcwd(2) tells it.

        A deleted name ends in " (deleted)"; what isn't below `root` starts with "(unreachable)"; a file of an
        anonymous file system (pipes, sockets, ...) is its name alone, unless it is mounted somewhere.
        """
        mount, dentry = self.mount, self.dentry
        if mount.fs.anonymous and mount.parent is None:
            return dentry.name
        names: list[bytes] = []
        deleted = dentry.deleted
        reached = True
        while mount is not root.mount or dentry is not root.dentry:
            if dentry is mount.root:
                above, point = mount.parent, mount.point
                if above is None or point is None:
                    reached = False
                    break
                mount, dentry = above, point
                continue
            names.append(dentry.name)
            if dentry.parent is None:
                reached = False
                break
            dentry = dentry.parent
        names.reverse()
        text = b"/" + b"/".join(names)
        if deleted:
            text += b" (deleted)"
        return text if reached else _UNREACHABLE + text

    def shown(self, root: Path) -> bytes:
        """The path from `root`, as the links of /proc and maps tell it: as if what isn't below were."""
        return self.absolute(root).removeprefix(_UNREACHABLE)


def prune(root: Dentry) -> int:
    """Forget names that nothing uses; the count of those that stay.

    A guest may ask for names without end; whoever uses a dentry (a working directory, an open file, a mount)
    holds a reference to it, and no one who uses it must meet a second one for the same name.
    """
    kept = 0
    stack = [(root, False)]
    while stack:
        dentry, expanded = stack.pop()
        children = dentry.children
        if children and not expanded:
            stack.append((dentry, True))
            stack.extend((child, False) for child in children.values() if child.children)
            continue
        if children:
            unused = []
            inode = dentry.inode
            assert inode is not None
            for name in children:
                child = children[name]
                # Referred to by children, `child` and getrefcount's argument: by nobody else.
                idle = not child.children and not child.mounted and getrefcount(child) <= 3
                idle = idle and not (child.inode is not None and child.inode.watched)
                if idle and inode.forget(name):
                    unused.append(name)
            for name in unused:
                del children[name]
            kept += len(children)
    return kept + 1
