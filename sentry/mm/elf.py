"""ELF headers, read and judged: every number in them is hostile.

What must hold: an `Elf` that `parse` returns can be mapped as it says: its segments lie within the guest's
addresses, offsets and addresses agree, no sum overflows.  Whether a program is good depends on the bytes of
its headers alone, so the few programs that run again and again are remembered by those bytes, and nothing has
to be invalidated.
"""

from __future__ import annotations

from errno import EIO, ENOEXEC

from sentry.abi.elf import (
    EHDR,
    ELF_MAGIC,
    ELFCLASS64,
    ELFDATA2LSB,
    EM_X86_64,
    ET_DYN,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PHDR,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
)
from sentry.abi.mman import PAGE_MASK, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE
from sentry.errors import Errno
from sentry.mm.layout import GUEST_END, GUEST_START, page_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[int, int], bytes]  # (count, offset): the file's bytes, short at its end

HEADER_BYTES = 1024  # enough for the headers and the interpreter's name of nearly all programs
_MAX_HEADERS = 65536  # bytes of program headers, as Linux
_PATH_MAX = 4096
_MAX_ALIGNMENT = 1 << 30
_REMEMBERED = 64


class Segment:
    """What one PT_LOAD asks for, in pages; addresses are relative to the load bias.

    file bytes [offset, offset + length) at `start`; `zero_count` bytes at `zero_start` are to be zero in the
    last of these pages; `anon_length` bytes of zero pages at `anon_start`.
    """

    __slots__ = ("anon_length", "anon_start", "length", "offset", "prot", "start", "zero_count", "zero_start")

    def __init__(self, flags: int, offset: int, vaddr: int, filesz: int, memsz: int) -> None:
        self.prot = (
            (PROT_READ if flags & PF_R else 0)
            | (PROT_WRITE if flags & PF_W else 0)
            | (PROT_EXEC if flags & PF_X else 0)
        )
        self.start = vaddr & PAGE_MASK
        self.offset = offset & PAGE_MASK
        file_end = vaddr + filesz
        self.anon_start = page_up(file_end) if filesz else self.start
        self.length = self.anon_start - self.start
        self.anon_length = max(page_up(vaddr + memsz) - self.anon_start, 0)
        self.zero_start = file_end
        self.zero_count = (
            min(self.anon_start, page_up(vaddr + memsz)) - file_end if filesz and memsz > filesz else 0
        )


class Elf:
    """A program that can be loaded.

    Args:
        low, high: the page-aligned range of its segments, before the load bias.
        end: the last address of any segment, not aligned: the heap comes after it.
        code, data: (start, end) of the code, and of the initialised data.
        interp: the interpreter's path, None for a static program.
    """

    __slots__ = (
        "alignment",
        "code",
        "data",
        "end",
        "entry",
        "exec_stack",
        "high",
        "interp",
        "low",
        "phdr",
        "phnum",
        "relocatable",
        "segments",
    )

    def __init__(self, relocatable: bool, entry: int, phnum: int) -> None:
        self.relocatable = relocatable
        self.entry = entry
        self.phnum = phnum
        self.phdr = 0
        self.interp: bytes | None = None
        self.exec_stack = False
        self.alignment = PAGE_SIZE
        self.segments: list[Segment] = []
        self.low = self.high = self.end = 0
        self.code = (0, 0)
        self.data = (0, 0)


_known: dict[bytes, Elf] = {}


def is_elf(head: bytes) -> bool:
    return head[:4] == ELF_MAGIC


def parse(head: bytes, read: Reader, error: int = ENOEXEC) -> Elf:
    """Read a program's headers.

    Args:
        head: the first HEADER_BYTES bytes of the file, fewer when it is shorter.
        error: what a file that is none of ours raises: ENOEXEC, or ELIBBAD for an interpreter.
    """
    known = _known.get(head)
    if known is not None:
        return known
    if len(head) < EHDR.size or not is_elf(head):
        raise Errno(error)
    ident, kind, machine, _, entry, phoff, _, _, _, phentsize, phnum, _, _, _ = EHDR.unpack_from(head)
    if (
        ident[4] != ELFCLASS64
        or ident[5] != ELFDATA2LSB
        or machine != EM_X86_64
        or kind not in (ET_EXEC, ET_DYN)
    ):
        raise Errno(error)
    size = phnum * PHDR.size
    if phentsize != PHDR.size or not 0 < size <= _MAX_HEADERS or phoff > 2**62 or entry > GUEST_END:
        raise Errno(error)
    table = _bytes(head, read, size, phoff)
    if len(table) < size:
        raise Errno(error)
    elf = Elf(kind == ET_DYN, entry, phnum)
    whole = phoff + size <= len(head)
    for p_type, flags, offset, vaddr, _, filesz, memsz, align in PHDR.iter_unpack(table):
        if p_type == PT_LOAD:
            _add_segment(elf, flags, offset, vaddr, filesz, memsz, align, error)
            if offset <= phoff < offset + filesz:
                elf.phdr = phoff - offset + vaddr
        elif p_type == PT_INTERP and elf.interp is None:
            elf.interp = _interpreter(head, read, offset, filesz)
            whole = whole and offset + filesz <= len(head)
        elif p_type == PT_GNU_STACK:
            elf.exec_stack = bool(flags & PF_X)
    if not elf.segments:
        raise Errno(error)
    if not elf.relocatable and elf.low < GUEST_START:
        raise Errno(error)
    if whole:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[head] = elf
    return elf


def _bytes(head: bytes, read: Reader, count: int, offset: int) -> bytes:
    return head[offset : offset + count] if offset + count <= len(head) else read(count, offset)


def _interpreter(head: bytes, read: Reader, offset: int, size: int) -> bytes:
    if not 2 <= size <= _PATH_MAX or offset > 2**62:
        raise Errno(ENOEXEC)
    name = _bytes(head, read, size, offset)
    if len(name) < size:
        raise Errno(EIO)
    if name[-1]:
        raise Errno(ENOEXEC)
    return name[: name.index(0)]


def _add_segment(
    elf: Elf, flags: int, offset: int, vaddr: int, filesz: int, memsz: int, align: int, error: int
) -> None:  # fmt: skip
    if filesz > memsz or memsz > GUEST_END or vaddr > GUEST_END - memsz or offset > 2**62:
        raise Errno(error)
    if not memsz:
        return
    if filesz and (vaddr - offset) & ~PAGE_MASK:
        raise Errno(error)
    segment = Segment(flags, offset, vaddr, filesz, memsz)
    end = vaddr + memsz
    if not elf.segments:
        elf.low, elf.code = segment.start, (vaddr, vaddr + filesz)
        elf.data = (vaddr, vaddr + filesz)
    elf.segments.append(segment)
    elf.low = min(elf.low, segment.start)
    elf.high = max(elf.high, page_up(end))
    elf.end = max(elf.end, end)
    if align <= _MAX_ALIGNMENT and not align & (align - 1):
        elf.alignment = max(elf.alignment, align)
    # As Linux: the code starts at the lowest segment and ends with the last executable one, the data is the
    # last.
    code_start, code_end = elf.code
    elf.code = (min(code_start, vaddr), max(code_end, vaddr + filesz) if flags & PF_X else code_end)
    elf.data = (max(elf.data[0], vaddr), max(elf.data[1], vaddr + filesz))
