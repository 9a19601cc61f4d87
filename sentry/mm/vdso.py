"""The vDSO of programs whose monotonic clocks are not the machine's (vdso(7), time_namespaces(7)).

The host's vDSO knows the host's clocks alone.  Where a time namespace shifts them, its clock_gettime is
overwritten, in that address space only, with the system call, which then is answered as any other.  No stub
may call it there: what it is told of such a task (core/facts.c) is nothing.  Who has moved its vDSO elsewhere
(mremap(2)) is left with the host's clocks there.

What must hold: what is read and overwritten is the vDSO, which no guest can write to, and never what a guest
has mapped in its place: what is found in one is written to others.
"""

from __future__ import annotations

from sentry.abi.elf import DT_STRTAB, DT_SYMTAB, DYN, EHDR, PHDR, PT_DYNAMIC, SYM
from sentry.abi.mman import PROT_READ, PROT_WRITE
from sentry.mm.vma import VM_MAYEXEC, VM_SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import Context
    from sentry.mm.space import AddressSpace
    from sentry.mm.vma import Vma

_NAMES = (b"__vdso_clock_gettime", b"clock_gettime")
_CALL = b"\xb8\xe4\x00\x00\x00\x0f\x05\xc3"  # mov eax, SYS_clock_gettime; syscall; ret

_found: tuple[int, int, bytes] | None = (
    None  # the vDSO's start, where clock_gettime is (0: nowhere), its code
)


def set_clocks(ctx: Context, mm: AddressSpace, vdso: tuple[int, int, int], shifted: bool) -> bool:
    """Have the vDSO in the address space of `ctx`, which is stopped, ask for the time, or not any more.

    Args:
        mm: what is mapped there.
        vdso: as `Machine.vdso` tells.

    Returns False where there is none, or none that is understood.  Raises Errno: what the host refuses.
    """
    _, start, end = vdso
    vma = mm.areas.find(start) if start else None
    if vma is None or not _is_whole(vma, start, end):
        return False
    ctx.protect(start, end - start, PROT_READ | PROT_WRITE)  # a mapping that can't be split
    at, code = _clock_gettime(ctx, start, end)
    written = ctx.write(at, _CALL if shifted else code) if at else 0
    ctx.protect(start, end - start, vma.prot)
    return written == len(_CALL)


def _is_whole(vma: Vma, start: int, end: int) -> bool:
    return bool(vma.flags & VM_SPECIAL and vma.flags & VM_MAYEXEC) and (vma.start, vma.end) == (start, end)


def _clock_gettime(ctx: Context, start: int, end: int) -> tuple[int, bytes]:
    """Its address, looked up once, while no space has another; 0: not found.  And how its code begins."""
    global _found
    if _found is None:
        image = ctx.read(start, end - start)
        offset = find(image)
        _found = start, start + offset if offset else 0, image[offset : offset + len(_CALL)]
    return _found[1:]


def find(image: bytes) -> int:
    """Where in a vDSO clock_gettime is; 0: it has none of our kind."""
    tables = _dynamic(image)
    symbols, names = tables.get(DT_SYMTAB, 0), tables.get(DT_STRTAB, 0)
    for at in range(symbols, min(names, len(image)) - SYM.size + 1, SYM.size):  # the names follow
        name, _, _, _, value, size = SYM.unpack_from(image, at)
        end = image.find(b"\0", names + name)
        if image[names + name : end] in _NAMES and len(_CALL) <= size <= len(image) - value:
            return int(value)
    return 0


def _dynamic(image: bytes) -> dict[int, int]:
    """The dynamic section by tag: addresses are offsets, since the vDSO is linked to 0."""
    tables: dict[int, int] = {}
    headers, count = EHDR.unpack_from(image)[5], EHDR.unpack_from(image)[10]
    for at in range(headers, headers + count * PHDR.size, PHDR.size):
        kind, _, offset, _, _, size = PHDR.unpack_from(image, at)[:6]
        if kind == PT_DYNAMIC:
            tables.update(DYN.iter_unpack(image[offset : offset + size // DYN.size * DYN.size]))
    return tables
