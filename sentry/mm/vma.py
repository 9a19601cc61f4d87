"""What a mapping has: its flags, which the C dispatcher shares, and the identity of what is mapped.

The mappings themselves and the list of them are _core.Vma and _core.VmaList.
"""

from __future__ import annotations

import os

from sentry._core import (
    VM_DONTDUMP,
    VM_DONTFORK,
    VM_GROWSDOWN,
    VM_HUGEPAGE,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKONFAULT,
    VM_MAYALL,
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_MAYWRITE,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
    VM_RANDOM,
    VM_SEALED,
    VM_SECRET,
    VM_SEQUENTIAL,
    VM_SHARED,
    VM_SPECIAL,
    VM_WIPEONFORK,
    Vma,
    VmaList,
)
from sentry.abi.mman import MAP_PRIVATE, MAP_SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from sentry.vfs.inode import Inode

    class Source(Protocol):
        """What is kept of a MapSource: its identity for futexes, its name and inode for /proc."""

        @property
        def key(self) -> Any: ...
        @property
        def name(self) -> bytes: ...
        @property
        def inode(self) -> Inode | None: ...


__all__ = [
    "VM_DONTDUMP", "VM_DONTFORK", "VM_GROWSDOWN", "VM_HUGEPAGE", "VM_HUGETLB", "VM_LOCKED", "VM_LOCKONFAULT",
    "VM_MAYALL", "VM_MAYEXEC", "VM_MAYREAD", "VM_MAYWRITE", "VM_MERGEABLE", "VM_NOHUGEPAGE", "VM_NORESERVE",
    "VM_RANDOM", "VM_SEALED", "VM_SECRET", "VM_SEQUENTIAL", "VM_SHARED", "VM_SPECIAL", "VM_WIPEONFORK",
    "SharedMemory", "Vma", "VmaList",
]  # fmt: skip


class SharedMemory:
    """The identity of shared anonymous memory, and the host's memfd of its pages; `fd` is -1 as long as there
    is none, and where no descriptor was left for it.
    """

    __slots__ = ("fd", "ino", "inode", "name")

    last_ino = 0
    held = 0  # descriptors
    held_max = 64  # vfs.mounts.setup sets it by RLIMIT_NOFILE

    def __init__(self, name: bytes = b"/dev/zero (deleted)") -> None:
        SharedMemory.last_ino += 1
        self.ino = SharedMemory.last_ino
        self.name = name
        self.inode: Inode | None = None
        self.fd = -1

    def allocate(self, size: int) -> None:
        """Have a descriptor; OSError."""
        if self.fd < 0:
            fd = os.memfd_create("shared", os.MFD_CLOEXEC)
            try:
                os.ftruncate(fd, size)
            except OSError:
                os.close(fd)
                raise
            self.fd = fd
            SharedMemory.held += 1

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            SharedMemory.held -= 1

    @property
    def key(self) -> SharedMemory:
        return self


def map_kind(vma_flags: int, is_file: bool) -> int:
    """MAP_SHARED or MAP_PRIVATE, for the host.

    A shared mapping that may never be written is private there: nothing but our refusal keeps a guest whose
    stub has been taken over from making it writable (mprotect(2)), and the descriptor mapped may be good for
    writing even though the guest's own is not.  As long as nobody writes to them, the pages of a private
    mapping are the file's, so that both look the same, later changes of the file included.
    """
    if vma_flags & VM_SHARED and (vma_flags & VM_MAYWRITE or not is_file):
        return MAP_SHARED
    return MAP_PRIVATE
