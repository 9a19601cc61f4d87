"""What /proc tells of an address space: maps, smaps, statm (proc(5)).

Which pages are in memory is known to the host alone (mm.residency).  Where it doesn't tell, what is
accessible counts as resident, except where MAP_NORESERVE says that most of it never will be.
"""

from __future__ import annotations

from sentry.abi.mman import PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE
from sentry.abi.stat import major, minor
from sentry.mm.mapping import locked_bytes
from sentry.mm.residency import FIELDS
from sentry.mm.vma import (
    VM_DONTDUMP,
    VM_DONTFORK,
    VM_GROWSDOWN,
    VM_HUGEPAGE,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKONFAULT,
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_MAYWRITE,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_NORESERVE,
    VM_RANDOM,
    VM_SEALED,
    VM_SEQUENTIAL,
    VM_SHARED,
    VM_SPECIAL,
    VM_WIPEONFORK,
    SharedMemory,
    Vma,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.mm.residency import Residency
    from sentry.mm.space import AddressSpace
    from sentry.mm.vma import Source
    from sentry.vfs.file import File
    from sentry.vfs.path import Path

_NAME_COLUMN = 73

_VM_FLAGS: tuple[tuple[Callable[[Vma], int], str], ...] = (
    (lambda v: v.prot & PROT_READ, "rd"),
    (lambda v: v.prot & PROT_WRITE, "wr"),
    (lambda v: v.prot & PROT_EXEC, "ex"),
    (lambda v: v.flags & VM_SHARED and v.flags & VM_MAYWRITE, "sh"),
    (lambda v: v.flags & VM_MAYREAD, "mr"),
    (lambda v: v.flags & VM_MAYWRITE, "mw"),
    (lambda v: v.flags & VM_MAYEXEC, "me"),
    (lambda v: v.flags & VM_SHARED, "ms"),
    (lambda v: v.flags & VM_GROWSDOWN, "gd"),
    (lambda v: v.flags & VM_LOCKED, "lo"),
    (lambda v: v.flags & VM_SEQUENTIAL, "sr"),
    (lambda v: v.flags & VM_RANDOM, "rr"),
    (lambda v: v.flags & VM_DONTFORK, "dc"),
    (lambda v: v.flags & (VM_SPECIAL | VM_HUGETLB), "de"),
    (lambda v: v.flags & VM_LOCKONFAULT, "lf"),
    (lambda v: not v.flags & (VM_NORESERVE | VM_SPECIAL) and not v.shared and v.prot & PROT_WRITE, "ac"),
    (lambda v: v.flags & VM_NORESERVE, "nr"),
    (lambda v: v.flags & VM_HUGETLB, "ht"),
    (lambda v: v.flags & VM_WIPEONFORK, "wf"),
    (lambda v: v.flags & VM_DONTDUMP, "dd"),
    (lambda v: v.flags & VM_HUGEPAGE, "hg"),
    (lambda v: v.flags & VM_NOHUGEPAGE, "nh"),
    (lambda v: v.flags & VM_MERGEABLE, "mg"),
    (lambda v: v.flags & VM_SEALED, "sl"),
)


def maps_text(mm: AddressSpace, root: Path) -> bytes:
    """/proc/PID/maps; paths are told as seen from `root`."""
    return b"".join([_line(mm, vma, root) for vma in mm.areas])


def smaps_text(mm: AddressSpace, root: Path, residency: Residency | None = None) -> bytes:
    """/proc/PID/smaps."""
    parts: list[bytes] = []
    at = 0
    for vma in mm.areas:
        if residency is None:
            sums = _estimate(vma)
        else:
            sums, at = residency.of(vma, at)
        parts += (_line(mm, vma, root), _details(vma, sums))
    return b"".join(parts)


def statm(mm: AddressSpace) -> tuple[int, int, int, int, int, int, int]:
    """size, resident, shared, text, lib, data, dt: all in pages."""
    resident = shared = data = 0
    for vma in mm.areas:
        length = vma.end - vma.start
        if vma.prot != PROT_NONE and not vma.flags & VM_NORESERVE:
            resident += length
            if vma.source is not None:
                shared += length
        if vma.is_data() or vma.flags & VM_GROWSDOWN:
            data += length
    text = (mm.code_end + PAGE_SIZE - 1) // PAGE_SIZE - mm.code_start // PAGE_SIZE
    return (
        mm.areas.total // PAGE_SIZE,
        resident // PAGE_SIZE,
        shared // PAGE_SIZE,
        text,
        0,
        data // PAGE_SIZE,
        0,
    )


class Totals:
    """The sizes in /proc/PID/status, in bytes."""

    __slots__ = ("data", "executable", "library", "locked", "resident", "size", "stack")

    def __init__(self, mm: AddressSpace) -> None:
        self.size = mm.areas.total
        self.data = mm.areas.data
        self.locked = locked_bytes(mm)
        self.resident = statm(mm)[1] * PAGE_SIZE
        self.stack = sum(vma.length for vma in mm.areas if vma.flags & VM_GROWSDOWN)
        code = sum(vma.length for vma in mm.areas if vma.prot & (PROT_EXEC | PROT_WRITE) == PROT_EXEC)
        self.executable = min(mm.code_end - mm.code_start, code)
        self.library = code - self.executable


def name_of(mm: AddressSpace, vma: Vma, root: Path) -> bytes:
    """What a mapping is called: a path, [heap], [stack], [vdso], ...; empty for nameless memory."""
    file: File | None = vma.file
    if file is not None and file.path is not None:
        return file.path.shown(root).replace(b"\n", b"\\012")
    source: Source | None = vma.source
    if source is not None:
        return source.name if vma.name is None else b"[anon_shmem:%b]" % vma.name
    if vma.start < mm.brk_end and vma.end > mm.brk_start:
        return b"[heap]"
    if vma.start <= mm.stack_start <= vma.end:
        return b"[stack]"
    return b"" if vma.name is None else b"[anon:%b]" % vma.name


def _line(mm: AddressSpace, vma: Vma, root: Path) -> bytes:
    prot = vma.prot
    letters = (
        ("r" if prot & PROT_READ else "-")
        + ("w" if prot & PROT_WRITE else "-")
        + ("x" if prot & PROT_EXEC else "-")
        + ("s" if vma.flags & VM_SHARED else "p")
    )
    dev = ino = 0
    source = vma.source
    if source is not None and source.inode is not None:
        dev, ino = source.inode.dev, source.inode.ino
    elif isinstance(source, SharedMemory) and not vma.flags & VM_SPECIAL:
        dev, ino = 1, source.ino
    text = (
        f"{vma.start:08x}-{vma.end:08x} {letters} {vma.offset:08x} {major(dev):02x}:{minor(dev):02x} {ino} "
    )
    name = name_of(mm, vma, root)
    if name:
        text = text.ljust(_NAME_COLUMN)
    return text.encode() + name + b"\n"


def _estimate(vma: Vma) -> dict[bytes, int]:
    """What might be in memory of a mapping, in KiB."""
    size = vma.length // 1024
    resident = 0 if vma.prot == PROT_NONE or vma.flags & VM_NORESERVE else size
    clean = resident if vma.source is not None and not vma.prot & PROT_WRITE else 0
    dirty = resident - clean
    sums = dict.fromkeys(FIELDS, 0)
    sums[b"Rss"] = sums[b"Pss"] = sums[b"Referenced"] = resident
    sums[b"Pss_Dirty"] = dirty
    sums[b"Shared_Clean" if vma.shared else b"Private_Clean"] = clean
    sums[b"Shared_Dirty" if vma.shared else b"Private_Dirty"] = dirty
    sums[b"Anonymous"] = resident if vma.source is None else 0
    return sums


_DETAILS = b"".join(
    [b"%-16b%%8d kB\n" % (label + b":") for label in (b"Size", b"KernelPageSize", b"MMUPageSize", *FIELDS)]
)
_FLAG_LINES_MAX = 1024
_flag_lines: dict[tuple[int, int], bytes] = {}  # by protection and flags: mappings are of a few kinds


def _details(vma: Vma, sums: dict[bytes, int]) -> bytes:
    sums[b"Locked"] = sums[b"Pss"] if vma.flags & VM_LOCKED else 0
    page = (PAGE_SIZE if vma.file is None else vma.file.page_size) // 1024
    kind = (vma.prot, vma.flags)
    flags = _flag_lines.get(kind)
    if flags is None:
        if len(_flag_lines) >= _FLAG_LINES_MAX:
            _flag_lines.clear()
        letters = "".join(letters + " " for test, letters in _VM_FLAGS if test(vma))
        flags = _flag_lines[kind] = b"THPeligible:           0\nVmFlags: %b\n" % letters.encode()
    return _DETAILS % (vma.length // 1024, page, page, *sums.values()) + flags
