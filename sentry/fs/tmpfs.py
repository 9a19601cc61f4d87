"""tmpfs: a file system in memory (tmpfs(5))."""

from __future__ import annotations

import os
from errno import EINVAL

from sentry.abi.stat import S_IFDIR, TMPFS_MAGIC
from sentry.errors import Errno
from sentry.fs.memory import MemoryFileSystem as MemoryFileSystem
from sentry.fs.memory_directory import MemoryDirectory as MemoryDirectory
from sentry.fs.memory_file import MemoryFile as MemoryFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel
    from sentry.vfs.mount import FileSystem

PAGE = 4096
RAMFS_MAGIC = 0x858458F6


class Tmpfs(MemoryFileSystem):
    """One tmpfs instance."""

    def __init__(self, mode: int = 0o1777, uid: int = 0, gid: int = 0, pages: int | None = None,
                 inodes: int | None = None) -> None:  # fmt: skip
        super().__init__(b"tmpfs", TMPFS_MAGIC, pages, inodes)
        self.set_root(self.new_directory(mode, uid, gid))

    def new_directory(self, mode: int, uid: int, gid: int) -> MemoryDirectory:
        return MemoryDirectory(self, S_IFDIR | mode, uid, gid)

    def options(self) -> bytes:
        text = b""
        if self.pages is not None:
            text += b",size=%dk" % (self.pages * 4)
        if self.inodes is not None:
            text += b",nr_inodes=%d" % self.inodes
        mode = self.root.inode.mode & 0o7777 if self.root.inode is not None else 0
        return text + (b",mode=%o" % mode if mode != 0o1777 else b"")


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A tmpfs by its mount options (tmpfs(5): size, nr_blocks, nr_inodes, mode, uid, gid); EINVAL.

    Options that aren't tmpfs's own are for the caller (ro, nosuid, ...) and are passed over.
    """
    values: dict[str, int | None] = {"mode": 0o1777, "uid": 0, "gid": 0, "size": None, "nr_inodes": None}
    for option in options:
        name, _, text = option.partition("=")
        if name == "nr_blocks":
            values["size"] = _number(text) * PAGE
        elif name == "mode":
            values["mode"] = _number(text, 8) & 0o7777
        elif name == "size" and text.endswith("%"):
            values["size"] = os.sysconf("SC_PHYS_PAGES") * PAGE * _number(text[:-1]) // 100
        elif name in values:
            values[name] = _number(text)
    size = values["size"]
    return Tmpfs(
        values["mode"] or 0,
        values["uid"] or 0,
        values["gid"] or 0,
        -(-size // PAGE) if size else None,  # 0: no limit
        values["nr_inodes"] or None,
    )


def mount_ramfs(kernel: Kernel, options: list[str]) -> FileSystem:
    """A ramfs: as tmpfs, and takes no size; here it is bounded all the same.  Its only option is mode."""
    modes = [_number(option[5:], 8) for option in options if option.startswith("mode=")]
    fs = Tmpfs(modes[-1] & 0o7777 if modes else 0o755)
    fs.name, fs.magic = b"ramfs", RAMFS_MAGIC
    return fs


def _number(text: str, base: int = 10) -> int:
    """An unsigned number with an optional k, m or g behind it."""
    shift = {"k": 10, "m": 20, "g": 30, "t": 40}.get(text[-1:].lower(), 0)
    try:
        value = int(text[:-1] if shift else text, base)
    except ValueError:
        raise Errno(EINVAL) from None
    if value < 0:
        raise Errno(EINVAL)
    return value << shift
