"""Directories of an overlay that a guest mounted: those of all layers with the same name, merged."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTEMPTY, EPERM, EROFS, EXDEV

from sentry.abi.fcntl import RENAME_EXCHANGE, RENAME_WHITEOUT
from sentry.abi.stat import S_IFCHR, S_IFMT
from sentry.errors import Errno
from sentry.fs.layered_options import REDIRECT_ON
from sentry.fs.layers import LayeredFs, LayeredInode, is_whiteout, make
from sentry.fs.redirects import redirect_of, set_redirect
from sentry.vfs.namei import child_of
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.vfs.inode import DirEntry, Inode


class LayeredDirectory(LayeredInode):
    """A directory; `lowers` are those of the lower layers that it shows, the uppermost first.

    `names` holds the inodes that the dentry cache knows of: they are changed in place.
    """

    __slots__ = ("lowers", "names")

    def __init__(
        self, fs: LayeredFs, places: list[Path], upper: bool, parent: LayeredDirectory | None = None,
        name: bytes = b"",
    ) -> None:  # fmt: skip
        self.lowers = places[1:] if upper else places
        self.names: dict[bytes, LayeredInode] = {}
        super().__init__(fs, places[0], upper, parent, name)

    def getattr(self) -> None:
        super().getattr()
        if self.gone:
            self.nlink = 0
        elif len(self.lowers) > self.upper ^ 1:
            self.nlink = 1  # merged: nobody counts

    # Looking

    def find(self, name: bytes) -> LayeredInode | None:
        """The file called `name`, None: there is none."""
        inode = self.names.get(name)
        if inode is None:
            inode = self._seek(name)
            if inode is not None:
                self.names[name] = inode
        return inode

    def _seek(self, name: bytes) -> LayeredInode | None:
        found: list[Path] = []
        upper = False
        bases, parts = [self.real, *self.lowers] if self.upper else self.lowers, [name]
        while bases:
            base, bases = bases[0], bases[1:]
            child, hides, further = self._down(base, parts, bool(bases))
            if child is not None and not child.inode.is_dir():
                if found:
                    break
                return make(self.fs, child, base is self.real and self.upper, self, name)
            if child is not None:
                upper = upper or (base is self.real and self.upper)
                found.append(child)
            if hides:
                break
            if further[0] == b"":  # from the root, in the layers below this one
                layers = self.fs.places
                below = next(index for index, layer in enumerate(layers) if layer.mount is base.mount)
                bases, further = layers[below + 1 :], further[1:]
            parts = further
        return LayeredDirectory(self.fs, found, upper, self, name) if found else None

    def _down(self, base: Path, parts: list[bytes], more: bool) -> tuple[Path | None, bool, list[bytes]]:
        """What is at the end of a path in one layer, whether that hides the layers below, and, with `more` of
        them, the path there if not: from the root when its first name is empty.
        """
        hides = False
        further: list[bytes] = []
        for index, part in enumerate(parts):
            child = _child(base, part)
            if child is None:
                return None, hides, further + parts[index:]
            if is_whiteout(child.inode):
                return None, True, []
            if not child.inode.is_dir():
                return (child if index == len(parts) - 1 else None), True, []
            hides = hides or self._is_opaque(child.inode)
            redirect = redirect_of(self.fs, child.inode) if more and not hides else b""
            further = redirect.split(b"/") if redirect[:1] == b"/" else [*further, redirect or part]
            base = child
        return base, hides, further

    def _is_opaque(self, inode: Inode) -> bool:
        try:
            return inode.getxattr(self.fs.private + b"opaque") == b"y"
        except Errno:
            return False  # none, or a file system without

    def lookup(self, name: bytes) -> LayeredInode:
        inode = self.find(name)
        if inode is None:
            raise Errno(ENOENT)
        return inode

    def forget(self, name: bytes) -> bool:
        inode = self.names.get(name)
        if inode is None:
            return True
        if inode.is_dir() or hasattr(inode, "contents"):
            del self.names[name]
            return True
        return False  # who waits on a FIFO, or for a socket, hangs on its inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        seen: dict[bytes, tuple[bytes, int, int] | None] = {}
        for layer in [self.real, *self.lowers] if self.upper else self.lowers:
            for entry in layer.inode.entries():
                if entry[0] in seen:
                    continue
                hidden = entry[2] == S_IFCHR >> 12
                if hidden:
                    child = _child(layer, entry[0])
                    hidden = child is None or is_whiteout(child.inode)
                seen[entry[0]] = None if hidden else entry
        return [entry for entry in seen.values() if entry is not None]

    def relisted(self, entry: DirEntry) -> DirEntry | None:
        if not self.upper:
            return entry  # lower layers do not change
        name = entry[0]
        child = _child(self.real, name)
        if child is None:
            return entry if self._is_below(name) else None
        inode = child.inode
        return None if is_whiteout(inode) else (name, inode.ino, inode.mode >> 12)

    def _is_below(self, name: bytes) -> bool:
        """Whether a lower layer has something of that name to show, so that its absence needs a whiteout."""
        for layer in self.lowers:
            child = _child(layer, name)
            if child is not None:
                return not is_whiteout(child.inode)
        return False

    # Changing

    def _writable(self) -> Path:
        if not self.fs.writable:
            raise Errno(EROFS)
        self.copy_up()
        return self.real

    def _clear(self, name: bytes) -> bool:
        """Take the whiteout called `name` away; whether there was one."""
        here = self._writable()
        child = _child(here, name)
        if child is None or not is_whiteout(child.inode):
            return False
        here.inode.unlink(name)
        child.dentry.detach(absent=False)
        return True

    def _made(self, name: bytes, inode: Inode) -> Inode:
        here = self.real
        made = make(self.fs, Path(here.mount, here.dentry.attach(name, inode)), True, self, name)
        self.names[name] = made
        self.getattr()
        return made

    def create(self, name: bytes, mode: int, creds: Creds) -> Inode:
        self._clear(name)
        return self._made(name, self.real.inode.create(name, mode, creds))

    def tmpfile(self, mode: int, creds: Creds) -> Inode:
        here = self._writable()
        inode = here.inode.tmpfile(mode, creds)
        return make(
            self.fs, Path(here.mount, here.dentry.__class__(b"#", here.dentry, inode)), True, self, b"#"
        )

    def mknod(self, name: bytes, mode: int, rdev: int, creds: Creds) -> Inode:
        if mode & S_IFMT == S_IFCHR and not rdev:
            raise Errno(EPERM)  # it would mean that there is no file
        self._clear(name)
        return self._made(name, self.real.inode.mknod(name, mode, rdev, creds))

    def symlink(self, name: bytes, target: bytes, creds: Creds) -> Inode:
        self._clear(name)
        return self._made(name, self.real.inode.symlink(name, target, creds))

    def mkdir(self, name: bytes, mode: int, creds: Creds) -> Inode:
        covers = self._clear(name)
        here = self.real
        inode = here.inode.mkdir(name, mode, creds)
        if covers:
            inode.setxattr(self.fs.private + b"opaque", b"y", 0)
        place = Path(here.mount, here.dentry.attach(name, inode))
        self.getattr()
        made = self.names[name] = LayeredDirectory(self.fs, [place], True, self, name)
        return made

    def link(self, name: bytes, inode: Inode) -> None:
        assert isinstance(inode, LayeredInode)
        inode.copy_up()
        self._clear(name)
        self.real.inode.link(name, inode.real.inode)
        self.real.dentry.attach(name, inode.real.inode)
        self.names[name] = inode
        inode.getattr()
        self.getattr()

    def unlink(self, name: bytes) -> None:
        self._remove(name, directory=False)

    def rmdir(self, name: bytes) -> None:
        found = self.lookup(name)
        if found.entries():
            raise Errno(ENOTEMPTY)
        self._remove(name, directory=True)

    def _remove(self, name: bytes, directory: bool) -> None:
        here = self._writable()
        child = _child(here, name)
        if child is not None and directory:
            _empty(child)
            here.inode.rmdir(name)
            child.dentry.detach()
            child.dentry.bury()
        elif child is not None:
            here.inode.unlink(name)
            child.dentry.detach()
        self._white_out(name)
        self._lost(name)
        self.getattr()

    def _lost(self, name: bytes) -> None:
        """The inode that had this name has it no longer."""
        inode = self.names.pop(name, None)
        if inode is not None:
            inode.gone = True
            inode.getattr()

    def _white_out(self, name: bytes) -> None:
        if self._is_below(name):
            here = self.real
            here.dentry.attach(name, here.inode.mknod(name, S_IFCHR, 0, self.fs.creds))

    def rename(self, old: bytes, newdir: Inode, new: bytes, flags: int, creds: Creds) -> None:
        assert isinstance(newdir, LayeredDirectory)
        if flags & RENAME_WHITEOUT:
            raise Errno(EINVAL)
        moved, replaced = self.lookup(old), newdir.find(new)
        exchange = flags & RENAME_EXCHANGE
        both = (moved, replaced) if exchange else (moved,)
        merged = [inode for inode in both if isinstance(inode, LayeredDirectory) and inode.lowers]
        if merged and self.fs.redirect != REDIRECT_ON:
            raise Errno(EXDEV)  # what is below would have to come along
        if replaced is not None and replaced.is_dir() and not exchange and replaced.entries():
            raise Errno(ENOTEMPTY)
        moved.copy_up()
        if exchange and replaced is not None:
            replaced.copy_up()
        here, there = self._writable(), newdir._writable()
        for inode in merged:
            set_redirect(inode, self is newdir)
        target = _child(there, new)
        if target is not None and not exchange:
            if target.inode.is_dir():
                _empty(target)
            elif moved.is_dir():
                newdir._clear(new)
        here.inode.rename(old, there.inode, new, flags, creds)
        if moved.is_dir() and moved not in merged and newdir.lowers:
            moved.real.inode.setxattr(self.fs.private + b"opaque", b"y", 0)
        if exchange and replaced is not None and replaced.is_dir() and replaced not in merged and self.lowers:
            replaced.real.inode.setxattr(self.fs.private + b"opaque", b"y", 0)
        child_of(here, old).move(child_of(there, new), here.dentry, there.dentry, bool(exchange))
        del self.names[old]
        if exchange and replaced is not None:
            replaced.parent, replaced.name = self, old
            self.names[old] = replaced
        else:
            self._white_out(old)
            newdir._lost(new)
        moved.parent, moved.name = newdir, new
        newdir.names[new] = moved
        self.getattr()
        newdir.getattr()


def _child(layer: Path, name: bytes) -> Path | None:
    """What a real directory has of that name, in its own file system: nothing that is mounted there."""
    dentry = child_of(layer, name)
    return Path(layer.mount, dentry) if dentry.inode is not None else None


def _empty(directory: Path) -> None:
    """Take the whiteouts of a directory away, which hold nothing else."""
    for name, _, _ in directory.inode.entries():
        child = _child(directory, name)
        if child is not None and is_whiteout(child.inode):
            directory.inode.unlink(name)
            child.dentry.detach(absent=False)
