"""tmpfs: a file system in memory (tmpfs(5))."""

from __future__ import annotations

import os
from errno import EINVAL

from sentry.abi.stat import S_IFDIR, TMPFS_MAGIC
from sentry.errors import Errno
from sentry.fs.memory import MemoryFileSystem as MemoryFileSystem
from sentry.fs.memory_directory import MemoryDirectory as MemoryDirectory
from sentry.fs.memory_file import MemoryFile as MemoryFile
from sentry.vfs.mounts.mount import StatFs
from sentry.vfs.mounts.options import any_text, flag, number, octal, parse, size, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.vfs.mounts.mount import FileSystem

PAGE = 4096
RAMFS_MAGIC = 0x858458F6


def _size(text: str | None) -> int:
    """Bytes, or a part of the memory in percent."""
    if text is not None and text.endswith("%"):
        return os.sysconf("SC_PHYS_PAGES") * PAGE * number(text[:-1]) // 100
    return size(text)


PARAMETERS = {
    "gid": number,
    "huge": word("never"),
    "inode32": flag,
    "inode64": flag,
    "mode": octal,
    "mpol": any_text,
    "noswap": flag,
    "nr_blocks": size,
    "nr_inodes": size,
    "size": _size,
    "uid": number,
}
RAMFS_PARAMETERS = {"mode": octal}


class Tmpfs(MemoryFileSystem):
    """One tmpfs instance; `pages` and `inodes` None: half of the memory, 0: no limit but that, not told."""

    can_idmap = True

    def __init__(self, mode: int = 0o1777, uid: int | None = None, gid: int | None = None,
                 pages: int | None = None, inodes: int | None = None) -> None:  # fmt: skip
        super().__init__(b"tmpfs", TMPFS_MAGIC, pages or None, inodes or None)
        self.unlimited = pages == 0, inodes == 0
        self._owner_given = uid is not None, gid is not None
        self.set_root(self.new_directory(mode, uid or 0, gid or 0))

    def unused(self) -> None:
        if self.shows is not None:
            return  # it may be found and mounted again
        waiting = [self.root]
        while waiting:
            directory = waiting.pop()
            waiting += [child for child in (directory.children or {}).values() if child.children]
            directory.bury()
        self.root.inode = None

    def mounted_by(self, creds: Creds) -> None:
        root = self.root.inode
        assert root is not None
        if not self._owner_given[0]:
            root.uid = creds.fsuid
        if not self._owner_given[1]:
            root.gid = creds.fsgid

    def new_directory(self, mode: int, uid: int, gid: int) -> MemoryDirectory:
        return MemoryDirectory(self, S_IFDIR | mode, uid, gid)

    def options(self) -> bytes:
        root = self.root.inode
        assert root is not None
        text = b""
        if self.pages is not None or self.unlimited[0]:
            text += b",size=%dk" % ((self.pages or 0) * 4)
        if self.inodes is not None or self.unlimited[1]:
            text += b",nr_inodes=%d" % (self.inodes or 0)
        if root.mode & 0o7777 != 0o1777:
            text += b",mode=%o" % (root.mode & 0o7777)
        if root.uid:
            text += b",uid=%d" % root.uid
        return text + b",gid=%d" % root.gid if root.gid else text

    def statfs(self) -> StatFs:
        found = super().statfs()
        if self.unlimited[0]:
            found.blocks = found.bfree = found.bavail = 0
        if self.unlimited[1]:
            found.files = found.ffree = 0
        return found

    def reconfigure(self, options: list[str]) -> None:
        """New sizes (mode and owner of the root stay); EINVAL: too small for what is there, or a limit where
        there was none."""
        values = parse(options, PARAMETERS)
        pages, inodes = _limits(values)
        if pages and (self.unlimited[0] or self.pool.used > pages):
            raise Errno(EINVAL)
        if inodes and (self.unlimited[1] or self.inodes_used > inodes):
            raise Errno(EINVAL)
        if pages is not None:
            self.limit_pages(pages or None)
        if inodes is not None:
            self.limit_inodes(inodes or None)
        self.unlimited = (
            self.unlimited[0] if pages is None else not pages,
            self.unlimited[1] if inodes is None else not inodes,
        )


def _limits(values: dict[str, int | str]) -> tuple[int | None, int | None]:
    """Pages and inodes that options ask for; None: they don't."""
    pages = None
    for name in values:  # the last one counts
        if name == "size":
            pages = -(-int(values[name]) // PAGE)
        elif name == "nr_blocks":
            pages = int(values[name])
    return pages, int(values["nr_inodes"]) if "nr_inodes" in values else None


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A tmpfs by its mount options (tmpfs(5)); EINVAL."""
    values = parse(options, PARAMETERS)
    uid, gid = (int(values[name]) if name in values else None for name in ("uid", "gid"))
    return Tmpfs(int(values.get("mode", 0o1777)) & 0o7777, uid, gid, *_limits(values))


def mount_ramfs(kernel: Kernel, options: list[str]) -> FileSystem:
    """A ramfs: as tmpfs, and takes no size; here it is bounded all the same."""
    values = parse(options, RAMFS_PARAMETERS)
    fs = Tmpfs(int(values.get("mode", 0o755)) & 0o7777, pages=0, inodes=0)
    fs.can_idmap = False
    fs.name, fs.magic = b"ramfs", RAMFS_MAGIC
    return fs
