"""One mapping of an address space.

What must hold: a Vma never changes once made, so that lists may share it (fork copies a list of references);
whoever wants another one makes it with `part` or `changed`.
"""

from __future__ import annotations

from sentry.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode

    class Source(Protocol):
        """What is kept of a MapSource: its identity for futexes, its name and inode for /proc."""

        @property
        def key(self) -> Any: ...
        @property
        def name(self) -> bytes: ...
        @property
        def inode(self) -> Inode | None: ...


# Vma.flags.  The low bits are the protections that mprotect(2) may give.
VM_MAYREAD = PROT_READ
VM_MAYWRITE = PROT_WRITE
VM_MAYEXEC = PROT_EXEC
VM_MAYALL = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
VM_SHARED = 0x10
VM_GROWSDOWN = 0x20
VM_LOCKED = 0x40
VM_LOCKONFAULT = 0x80
VM_NORESERVE = 0x100
VM_DONTFORK = 0x200
VM_WIPEONFORK = 0x400
VM_DONTDUMP = 0x800
VM_HUGEPAGE = 0x1000
VM_NOHUGEPAGE = 0x2000
VM_SEQUENTIAL = 0x4000
VM_RANDOM = 0x8000
VM_SPECIAL = 0x10000  # [vvar], [vdso]: the host's own; their source says so
VM_SEALED = 0x20000
VM_MERGEABLE = 0x40000


class SharedMemory:
    """The identity of shared anonymous memory; its pages are the host's."""

    __slots__ = ("ino", "inode", "name")

    last_ino = 0

    def __init__(self, name: bytes = b"/dev/zero (deleted)") -> None:
        SharedMemory.last_ino += 1
        self.ino = SharedMemory.last_ino
        self.name = name
        self.inode: Inode | None = None

    @property
    def key(self) -> SharedMemory:
        return self


class Vma:
    """A range [start, end) of page-aligned addresses that have everything in common.

    Args:
        file: the open file mapped, which the mapping keeps alive; None for anonymous memory.
        source: identity and name of what is mapped; None for private anonymous memory.
        offset: of `start` in the source, in bytes.
        name: as set by PR_SET_VMA_ANON_NAME, None otherwise.
    """

    __slots__ = ("end", "file", "flags", "name", "offset", "prot", "source", "start")

    def __init__(
        self,
        start: int,
        end: int,
        prot: int,
        flags: int,
        file: File | None = None,
        source: Source | None = None,
        offset: int = 0,
        name: bytes | None = None,
    ) -> None:
        self.start = start
        self.end = end
        self.prot = prot
        self.flags = flags
        self.file = file
        self.source = source
        self.offset = offset
        self.name = name

    def part(self, start: int, end: int) -> Vma:
        """The same over another range (within this one, or grown); the offset follows the start."""
        offset = self.offset + start - self.start if self.source is not None else 0
        return Vma(start, end, self.prot, self.flags, self.file, self.source, offset, self.name)

    def changed(self, prot: int, flags: int) -> Vma:
        """The same range with another protection and other flags."""
        return Vma(self.start, self.end, prot, flags, self.file, self.source, self.offset, self.name)

    def renamed(self, name: bytes | None) -> Vma:
        """The same with the name of PR_SET_VMA_ANON_NAME."""
        return Vma(self.start, self.end, self.prot, self.flags, self.file, self.source, self.offset, name)

    def joins(self, after: Vma) -> bool:
        """Whether this and `after` are one mapping to Linux: adjacent, alike, and one piece of one source."""
        return (
            self.end == after.start
            and self.prot == after.prot
            and self.flags == after.flags
            and self.file is after.file
            and self.name == after.name
            and (self.source is after.source or self.file is not None)
            and (self.source is None or self.offset + self.end - self.start == after.offset)
            and not self.flags & VM_SPECIAL
        )

    @property
    def shared(self) -> bool:
        return bool(self.flags & VM_SHARED)

    @property
    def length(self) -> int:
        return self.end - self.start

    def is_data(self) -> bool:
        """Whether it counts for RLIMIT_DATA: private, writable and not a stack."""
        return self.prot & PROT_WRITE != 0 and not self.flags & (VM_SHARED | VM_GROWSDOWN)

    def __repr__(self) -> str:
        letters = "".join(c if self.prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
        return f"<Vma {self.start:x}-{self.end:x} {letters} {self.flags:#x} {self.offset:x}>"
