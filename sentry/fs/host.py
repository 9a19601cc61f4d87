"""Access to the host's files, always beneath a directory descriptor and never through a link.

What must hold: a path that a guest chose reaches the host only as the argument of openat2(2) with
RESOLVE_BENEATH, NO_SYMLINKS and NO_MAGICLINKS, or as one name without a slash relative to a directory opened
that way.  Nothing but directories and regular files is ever opened, save with O_PATH.
"""

from __future__ import annotations

import os
from errno import EIO, ENODATA, EOPNOTSUPP

from sentry import _core
from sentry.abi.fcntl import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS
from sentry.abi.stat import S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.vfs.host_call import host
from sentry.vfs.mounts.mount import StatFs, new_dev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import Inode

CONFINED = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
# Places in host_stat's tuple
MODE, INO, DEV, NLINK, UID, GID, RDEV, SIZE, ATIME, MTIME, CTIME = range(11)


class HostTree:
    """A host directory and what is beneath it."""

    def __init__(self, root_fd: int, dev: int) -> None:
        """`root_fd`: a descriptor of the directory, kept for good; `dev`: the st_dev shown for its device."""
        self.root_fd = root_fd
        self._devs = {_core.host_stat(root_fd, b"")[DEV]: dev}

    def stat(self, path: bytes) -> tuple[int, ...]:
        """host_stat's tuple; the path is relative to the root, b"" the root itself."""
        return _core.host_stat(self.root_fd, path)

    def fill(self, inode: Inode, stat: tuple[int, ...]) -> None:
        """Set the inode's fields.  Of host device numbers the guest learns only which ones differ."""
        dev = self._devs.get(stat[DEV])
        if dev is None:
            dev = self._devs[stat[DEV]] = new_dev()
        inode.fill(stat, dev)

    def open(self, path: bytes, flags: int) -> int:
        """A descriptor beneath the root; never waits and never takes a terminal."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY if not flags & os.O_PATH else os.O_NOFOLLOW
        return _core.host_open(self.root_fd, path or b".", flags, 0, CONFINED)

    def open_file(self, path: bytes, flags: int, known: tuple[int, ...] | None = None) -> int:
        """Open a regular file.

        `known` is what `stat` told about it when that can be relied on (the tree does not change); without,
        it is made sure first that opening has no side effects.  EIO when it is another file by now, or none.
        """
        if known is None:
            probe = self.open(path, os.O_PATH)
            try:
                known = _core.host_stat(probe, b"")
            finally:
                os.close(probe)
        if known[MODE] & S_IFMT != S_IFREG:
            raise Errno(EIO)
        fd = self.open(path, flags)
        found = _core.host_stat(fd, b"")
        if (found[INO], found[DEV]) != (known[INO], known[DEV]):
            os.close(fd)
            raise Errno(EIO)
        return fd

    def list(self, path: bytes) -> list[tuple[bytes, int, int]]:
        """(name, ino, DT_ type) of each entry of a directory."""
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return _core.host_list(fd)
        finally:
            os.close(fd)

    def readlink(self, path: bytes) -> bytes:
        fd = self.open(path, os.O_PATH)
        try:
            return host(os.readlink, b"", dir_fd=fd)
        finally:
            os.close(fd)

    def xattrs(self, path: bytes) -> dict[bytes, bytes]:
        """Those extended attributes of a file or directory that mean the same in the guest."""
        found: dict[bytes, bytes] = {}
        try:
            fd = self.open(path, os.O_RDONLY)
        except Errno:
            return found  # not even readable
        try:
            for text in os.listxattr(fd):
                name = os.fsencode(text)
                if name.startswith(b"user.") or name == b"security.capability":
                    found[name] = os.getxattr(fd, text)
        except OSError as error:
            if error.errno not in (EOPNOTSUPP, ENODATA):
                raise Errno(error.errno or EIO) from None
        finally:
            os.close(fd)
        return found

    def statfs(self) -> StatFs:
        found = host(os.fstatvfs, self.root_fd)
        blocks, files = (found.f_blocks, found.f_bfree, found.f_bavail), (found.f_files, found.f_ffree)
        return StatFs(*blocks, *files, found.f_frsize, found.f_namemax)


def join(directory: bytes, name: bytes) -> bytes:
    return directory + b"/" + name if directory else name
