"""Files of huge pages (memfd_create(2) with MFD_HUGETLB, mmap(2) with MAP_HUGETLB), on a machine whose pool
of huge pages is empty (vm.nr_hugepages is 0).

So such a file never has a page: to read it gives zeros, to reserve pages for a mapping fails, and to touch a
mapping that reserved none is SIGBUS.  The mapping shows the host's memfd of the file, which stays empty.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENFILE, ENOMEM, ENOSPC, ENOTTY, ENXIO, EOPNOTSUPP, EPERM

from sentry.abi.fcntl import (
    F_SEAL_GROW,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    O_DIRECT,
    SEEK_DATA,
    SEEK_HOLE,
    SEEK_SET,
)
from sentry.abi.mman import MAP_NORESERVE, PROT_WRITE
from sentry.abi.stat import HUGETLBFS_MAGIC
from sentry.errors import Errno
from sentry.mm.vma import VM_HUGETLB
from sentry.vfs.file import File
from sentry.vfs.memfd import Memfd, MemfdFs, open_new
from sentry.vfs.mounts.mount import StatFs
from sentry.vfs.regular import FIONREAD, Contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.path import Path

_DEFAULT = 21  # log2 of Hugepagesize


class HugeFs(MemfdFs):
    """Where the files of one size of pages are."""

    def __init__(self, page: int) -> None:
        super().__init__(b"hugetlbfs", HUGETLBFS_MAGIC)
        self.page = page  # bytes

    def statfs(self) -> StatFs:
        return StatFs(bsize=self.page)


class HugeInode(Memfd):
    """One file; `size` is the guest's view, the host's file is empty."""

    __slots__ = ()

    fs: HugeFs

    def __init__(self, fs: HugeFs, creds: Creds, sealable: bool, executable: bool) -> None:
        super().__init__(fs, creds, sealable, executable)
        self.blksize = fs.page
        self.flags_kept = 0
        self.pinned = True

    def contents(self, write: bool) -> int:
        if self.fd < 0:
            try:
                self.fd = os.memfd_create("huge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            except OSError:
                raise Errno(ENFILE) from None
        return self.fd

    def resize(self, size: int) -> None:
        if size % self.fs.page:
            raise Errno(EINVAL)
        if self.seals & (F_SEAL_SHRINK if size < self.size else F_SEAL_GROW if size > self.size else 0):
            raise Errno(EPERM)
        self.size = size
        self.modified()

    def cache_fd(self) -> int:
        return -1

    def getxattr(self, name: bytes) -> bytes:
        raise Errno(EOPNOTSUPP)

    def setxattr(self, name: bytes, value: bytes, flags: int) -> None:
        raise Errno(EOPNOTSUPP)

    def listxattr(self) -> list[bytes]:
        return []

    def removexattr(self, name: bytes) -> None:
        raise Errno(EOPNOTSUPP)

    def open(self, task: Task, path: Path, flags: int) -> File:
        if flags & O_DIRECT:
            raise Errno(EINVAL)
        return HugeFile(flags, path)


class HugeFile(File):
    """An open file of huge pages."""

    __slots__ = ("page_size",)

    inode: HugeInode
    whole = True
    seekable = True
    mapping_flags = VM_HUGETLB

    def __init__(self, flags: int, path: Path) -> None:
        super().__init__(flags, path)
        self.page_size = self.inode.fs.page

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        at = self.pos if pos is None else pos
        data = bytes(max(min(count, self.inode.size - at), 0))
        if pos is None:
            self.pos = at + len(data)
        return data

    def seek(self, task: Task, offset: int, whence: int) -> int:
        size = self.inode.size
        if whence in (SEEK_DATA, SEEK_HOLE):
            if not 0 <= offset < size:
                raise Errno(ENXIO)
            offset, whence = size if whence == SEEK_HOLE else offset, SEEK_SET
        return self.move(offset, whence, size)

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if request == FIONREAD:
            task.write_u32(arg, min(max(self.inode.size - self.pos, 0), 0x7FFFFFFF))
            return 0
        raise Errno(ENOTTY)

    def fsync(self) -> None:
        pass

    def truncate(self, length: int) -> None:
        self.inode.setattr(size=length)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        if mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE):
            raise Errno(EOPNOTSUPP)
        if mode & FALLOC_FL_PUNCH_HOLE:
            if self.inode.seals & F_SEAL_WRITE:
                raise Errno(EPERM)
            return
        if self.inode.seals & F_SEAL_GROW and offset + length > self.inode.size:
            raise Errno(EPERM)
        raise Errno(ENOSPC)

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> Contents:
        inode = self.inode
        if offset % inode.fs.page:
            raise Errno(EINVAL)
        if not flags & MAP_NORESERVE:
            raise Errno(ENOMEM)
        fd = inode.contents(False)
        if prot & PROT_WRITE:
            inode.size = max(inode.size, offset + length)
        return Contents(fd, inode)


_file_systems = {size: HugeFs(1 << size) for size in (21, 30)}
HUGE_SIZES = (0, *_file_systems)  # the logarithms to base 2 of the sizes of pages; 0: Hugepagesize


def make_huge(task: Task, name: bytes, size: int, sealable: bool, executable: bool) -> HugeFile:
    """A new empty file of huge pages of one of HUGE_SIZES, called `name` in /proc."""
    inode = HugeInode(_file_systems[size or _DEFAULT], task.creds, sealable, executable)
    return open_new(inode, name, HugeFile)
