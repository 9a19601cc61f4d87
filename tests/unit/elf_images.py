"""ELF files for the loader's tests, good and bad."""

from __future__ import annotations

from errno import ENOEXEC

from sentry.abi.elf import (
    EHDR,
    ELF_MAGIC,
    EM_X86_64,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
    PHDR,
    PT_INTERP,
    PT_LOAD,
)
from sentry.mm import elf

PAGE = 4096

Load = tuple[int, int, int, int, int]  # flags, offset, vaddr, filesz, memsz
TEXT: Load = (PF_R | PF_X, 0, 0x400000, 0x1234, 0x1234)
DATA: Load = (PF_R | PF_W, 0x1E00, 0x402E00, 0x400, 0x3000)


def image(
    loads: tuple[Load, ...] = (TEXT, DATA),
    kind: int = ET_EXEC,
    interp: bytes | None = None,
    others: tuple[tuple[int, ...], ...] = (),
    **header: int,
) -> bytes:
    """An ELF file; `header` overrides fields of the ELF header."""
    table = [(PT_LOAD, f, o, v, v, fs, ms, PAGE) for f, o, v, fs, ms in loads]
    table += [entry[:8] for entry in others]  # type: ignore[misc]
    if interp is not None:
        table.append((PT_INTERP, PF_R, 900, 900, 900, len(interp), len(interp), 1))
    ident = ELF_MAGIC + bytes([header.get("bits", 2), header.get("order", 1), 1]) + bytes(9)
    head = EHDR.pack(
        ident, kind, header.get("machine", EM_X86_64), 1, header.get("entry", 0x401000), header.get("phoff",
        64), 0, 0, 64, header.get("phentsize", PHDR.size), header.get("phnum", len(table)), 0, 0, 0,
    )  # fmt: skip
    content = (head + b"".join(PHDR.pack(*entry) for entry in table)).ljust(900, b"\0") + (interp or b"")
    return content.ljust(0x3000, b"\xcc")


def parse(content: bytes, error: int = ENOEXEC) -> elf.Elf:
    return elf.parse(content[: elf.HEADER_BYTES], lambda count, at: content[at : at + count], error)
