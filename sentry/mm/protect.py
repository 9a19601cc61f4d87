"""mprotect(2)."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOMEM, EPERM

from sentry.abi.mman import (
    PAGE_MASK,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_GROWSDOWN,
    PROT_GROWSUP,
    PROT_READ,
    PROT_SEM,
    PROT_WRITE,
)
from sentry.errors import Errno
from sentry.mm.layout import MAX_MAP_COUNT
from sentry.mm.vma import VM_GROWSDOWN, VM_MAYALL, VM_MAYEXEC, VM_SHARED, Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace

_ACCESS = PROT_READ | PROT_WRITE | PROT_EXEC


def mprotect(mm: AddressSpace, task: Task, addr: int, length: int, prot: int) -> None:
    """Set the protection of a range.

    What comes before the first hole, or before the first mapping that can't have `prot`, is changed even so.

    Raises Errno: EACCES, EINVAL, ENOMEM (holes, limits), EPERM (sealed).
    """
    grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP)
    prot &= ~grows
    if grows == PROT_GROWSDOWN | PROT_GROWSUP or addr & ~PAGE_MASK:
        raise Errno(EINVAL)
    if not length:
        return
    end = (addr + length + PAGE_SIZE - 1) & PAGE_MASK
    if end >= 2**64:
        raise Errno(ENOMEM)
    if prot & ~(_ACCESS | PROT_SEM):
        raise Errno(EINVAL)
    prot &= _ACCESS
    areas = mm.areas
    vmas = areas.overlapping(addr, end)
    if not vmas:
        raise Errno(ENOMEM)
    if task.reads_execute and prot & PROT_READ and all(vma.flags & VM_MAYEXEC for vma in vmas):
        prot |= PROT_EXEC
    if grows:
        if grows == PROT_GROWSUP or not vmas[0].flags & VM_GROWSDOWN:
            raise Errno(EINVAL)
        addr = vmas[0].start
    if mm.sealed:
        mm.check_sealed(addr, end, EPERM)
    stop, error = _reach(vmas, addr, end, prot, bool(mm.mdwe))
    vmas = [vma for vma in vmas if vma.start < stop] if stop > addr else []
    if any(vma.prot != prot for vma in vmas):
        mm.check_split(addr, stop)
        if prot & PROT_WRITE:
            growth = sum(
                min(vma.end, stop) - max(vma.start, addr)
                for vma in vmas
                if not vma.prot & PROT_WRITE and not vma.flags & (VM_SHARED | VM_GROWSDOWN)
            )
            mm.check_data_limit(task, growth)
        splits = (vmas[0].start < addr) + (vmas[-1].end > stop)
        if splits and len(areas) + splits > MAX_MAP_COUNT:
            raise Errno(ENOMEM)
        _apply(mm, task, vmas, addr, stop, prot)
    if error:
        raise Errno(error)


def _reach(vmas: list[Vma], start: int, end: int, prot: int, strict: bool) -> tuple[int, int]:
    """Up to where `prot` may be set, and the error that stops it there (0: none)."""
    for vma in vmas:
        if vma.start > start:
            return start, ENOMEM
        if prot & ~(vma.flags & VM_MAYALL) or (strict and _gains_exec(vma.prot, prot)):
            return start, EACCES
        start = vma.end
    return (end, 0) if start >= end else (start, ENOMEM)


def _gains_exec(old: int, new: int) -> bool:
    """What PR_SET_MDWE forbids (prctl(2))."""
    return bool(new & PROT_EXEC and (new & PROT_WRITE or not old & PROT_EXEC))


def _apply(mm: AddressSpace, task: Task, vmas: list[Vma], start: int, end: int, prot: int) -> None:
    def change(vma: Vma) -> Vma:
        return vma.changed(prot, vma.flags)

    try:
        task.ctx.protect(start, end - start, prot)
    except Errno:
        # The host may have stopped halfway.  One mapping at a time, it does all or nothing.
        if len(vmas) == 1:
            raise
        for vma in vmas:
            low, high = max(vma.start, start), min(vma.end, end)
            task.ctx.protect(low, high - low, prot)
            mm.areas.update(low, high, change)
        return
    mm.areas.update(start, end, change)
