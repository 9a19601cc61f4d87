"""memfd_secret(2): memory that its file's holders can map, and that nobody else gets hold of.

The bytes are in a memfd of the host's, made when the size is known or the file is mapped.  What keeps them
secret is here and in mm.secret: the file has no reads and writes, can't be opened again, and the kernel pins
none of its pages for anybody.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENFILE, ENXIO, EOPNOTSUPP

from sentry.abi.fcntl import O_LARGEFILE, O_RDWR
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.stat import S_IFREG, SECRETMEM_MAGIC
from sentry.errors import Errno
from sentry.mm.vma import VM_DONTDUMP, VM_LOCKED, VM_SECRET
from sentry.vfs.anon import AnonymousFs
from sentry.vfs.file import File
from sentry.vfs.host_call import host
from sentry.vfs.inode import Inode
from sentry.vfs.path import Dentry, Path
from sentry.vfs.regular import MAP_SHARED_BIT, Contents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Attributes


class SecretFs(AnonymousFs):
    """Where they live; nothing in it is executable."""

    imposed = MS_NOEXEC


class SecretInode(Inode):
    """One of them; its size is set once."""

    __slots__ = ("_memory",)  # not `fd`, whose blocks stat(2) would count

    settable = True

    def __init__(self, fs: SecretFs, creds: Creds) -> None:
        super().__init__(fs, S_IFREG | 0o600, creds.fsuid, creds.fsgid)
        self._memory = -1

    def setattr(self, **changes: Unpack[Attributes]) -> None:
        size = changes.get("size")
        if size is not None:
            if self.size:
                raise Errno(EINVAL)
            if self._memory >= 0:
                host(os.ftruncate, self._memory, size)
            self.size = size
        self.set_fields(changes)

    def contents(self) -> int:
        """The host descriptor of the bytes; ENFILE."""
        if self._memory < 0:
            try:
                self._memory = os.memfd_create("secret", os.MFD_CLOEXEC)
            except OSError:
                raise Errno(ENFILE) from None
            host(os.ftruncate, self._memory, self.size)
        return self._memory

    def cache_fd(self) -> int:
        return self._memory

    def open(self, task: Task, path: Path, flags: int) -> File:
        raise Errno(ENXIO)

    def __del__(self) -> None:
        if self._memory >= 0:
            os.close(self._memory)


class SecretFile(File):
    """The descriptor that memfd_secret(2) gives."""

    __slots__ = ()

    inode: SecretInode
    can_read = can_write = False
    mapping_flags = VM_SECRET | VM_LOCKED | VM_DONTDUMP

    def truncate(self, length: int) -> None:
        self.inode.setattr(size=length)

    def fallocate(self, mode: int, offset: int, length: int) -> None:
        raise Errno(EOPNOTSUPP)

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> Contents:
        if not flags & MAP_SHARED_BIT:
            raise Errno(EINVAL)
        return Contents(self.inode.contents(), self.inode)


_fs = SecretFs(b"secretmem", SECRETMEM_MAGIC)


def make_secret(task: Task) -> SecretFile:
    """A new one, empty, open for reading and writing."""
    inode = SecretInode(_fs, task.creds)
    path = Path(_fs.mount, Dentry(b"/secretmem (deleted)", None, inode))
    file = SecretFile(O_LARGEFILE, path)
    file.flags |= O_RDWR
    file.readable = file.writable = True
    return file
