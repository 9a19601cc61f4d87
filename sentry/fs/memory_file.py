"""Regular files in memory: the bytes are in a memfd, made when first needed, so that they can be mapped."""

from __future__ import annotations

import os
from errno import ENOSPC, EPERM

from sentry.abi.fcntl import F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE
from sentry.errors import Errno
from sentry.fs.memory import MemoryFileSystem, Node
from sentry.vfs.host_call import host
from sentry.vfs.regular import RegularInode, descriptors
from sentry.vfs.xattr import CAPABILITY

PAGE = 4096
PARKED_MAX = 1 << 20  # files up to this size can give up their memfd when there are too many
PREALLOCATE_MAX = 256 << 20  # fallocate sets aside at most this much at once: the host's memory is shared


class MemoryFile(Node, RegularInode):
    """A regular file; `seals` are memfd_create(2)'s."""

    __slots__ = ("_parked", "seals")

    def __init__(self, fs: MemoryFileSystem, mode: int, uid: int, gid: int, ino: int = 0) -> None:
        super().__init__(fs, mode, uid, gid, ino)
        self._parked: bytes | None = None
        self.seals = F_SEAL_SEAL
        self.pool = fs.pool

    def contents(self, write: bool) -> int:
        if write and self.seals & F_SEAL_WRITE:
            raise Errno(EPERM)
        if self.fd < 0:
            try:
                self.fd = os.memfd_create("file", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                if self._parked is not None:
                    os.pwrite(self.fd, self._parked, 0)
                    self._parked = None
                if self.size:
                    os.ftruncate(self.fd, self.size)
            except OSError:
                raise Errno(ENOSPC) from None
            self.writable = not self.seals & (F_SEAL_WRITE | F_SEAL_GROW)
            descriptors.add(self)
        return self.fd

    def park(self) -> bool:
        if self.pinned or self.size > PARKED_MAX or self.fd < 0:
            return False
        self._parked = os.pread(self.fd, self.size, 0)
        self.fd = -1
        return True

    def room(self, pos: int, count: int) -> int:
        if self.seals & F_SEAL_WRITE or (self.seals & F_SEAL_GROW and pos + count > self.size):
            raise Errno(EPERM)
        free = self.fs.pool.limit - self.fs.pool.used
        wanted = (pos + count + PAGE - 1) // PAGE - pos // PAGE
        if wanted <= free:
            return count
        # Some of these pages may be there already: count on them only as far as that is sure.
        there = self._pages_from(pos // PAGE, wanted)
        count = min(count, (pos // PAGE + there + free) * PAGE - pos)
        if count <= 0:
            raise Errno(ENOSPC)
        return count

    def _pages_from(self, first: int, wanted: int) -> int:
        """How many pages, from page `first` on and without a gap, hold data."""
        if self.fd < 0 or first * PAGE >= self.size:
            return 0
        hole = os.lseek(self.fd, first * PAGE, os.SEEK_HOLE)
        return min((hole + PAGE - 1) // PAGE - first, wanted)

    def changed(self) -> None:
        self.modified()
        if self.xattrs:
            dropped = self.xattrs.pop(CAPABILITY, None)
            if dropped is not None:
                self.keep(-len(CAPABILITY) - len(dropped))
        self._charge()

    def _charge(self) -> None:
        pages = self.blocks() // 8
        self.fs.pool.used += pages - self.charged
        self.charged = pages

    def resize(self, size: int) -> None:
        forbidden = F_SEAL_SHRINK if size < self.size else F_SEAL_GROW if size > self.size else 0
        if self.seals & forbidden:
            raise Errno(EPERM)
        if size or self.fd >= 0:
            host(os.ftruncate, self.contents(False), size)
        self._parked = None
        self.size = size
        self.changed()

    def preallocate(self, offset: int, length: int) -> None:
        if self.room(offset, length) < length:
            raise Errno(ENOSPC)
        if 0 < length <= PREALLOCATE_MAX:
            host(os.posix_fallocate, self.contents(False), offset, length)

    def mapped(self) -> None:
        """A mapping shares the memfd's pages: it must stay."""
        self.pinned = True

    def __del__(self) -> None:
        super().__del__()
        if self.charged:
            self.fs.pool.used -= self.charged
