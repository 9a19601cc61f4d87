"""madvise(2), msync(2), mseal(2) and the names of anonymous memory (PR_SET_VMA_ANON_NAME)."""

from __future__ import annotations

from errno import EACCES, EBADF, EBUSY, EINVAL, ENOMEM, EOPNOTSUPP, EPERM

from sentry.abi.mman import (
    MADV_COLD,
    MADV_COLLAPSE,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_DONTNEED_LOCKED,
    MADV_FREE,
    MADV_GUARD_INSTALL,
    MADV_GUARD_REMOVE,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_NORMAL,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_RANDOM,
    MADV_REMOVE,
    MADV_SEQUENTIAL,
    MADV_UNMERGEABLE,
    MADV_WILLNEED,
    MADV_WIPEONFORK,
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_WRITE,
)
from sentry.errors import Errno
from sentry.mm.vma import (
    VM_DONTDUMP,
    VM_DONTFORK,
    VM_HUGEPAGE,
    VM_HUGETLB,
    VM_LOCKED,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_RANDOM,
    VM_SEALED,
    VM_SECRET,
    VM_SEQUENTIAL,
    VM_SHARED,
    VM_SPECIAL,
    VM_WIPEONFORK,
    Vma,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace

# Advice that is remembered: the flags it clears and those it sets.
_REMEMBERED = {
    MADV_NORMAL: (VM_RANDOM | VM_SEQUENTIAL, 0),
    MADV_RANDOM: (VM_SEQUENTIAL, VM_RANDOM),
    MADV_SEQUENTIAL: (VM_RANDOM, VM_SEQUENTIAL),
    MADV_DONTFORK: (0, VM_DONTFORK),
    MADV_DOFORK: (VM_DONTFORK, 0),
    MADV_MERGEABLE: (0, VM_MERGEABLE),
    MADV_UNMERGEABLE: (VM_MERGEABLE, 0),
    MADV_HUGEPAGE: (VM_NOHUGEPAGE, VM_HUGEPAGE),
    MADV_NOHUGEPAGE: (VM_HUGEPAGE, VM_NOHUGEPAGE),
    MADV_DONTDUMP: (0, VM_DONTDUMP),
    MADV_DODUMP: (VM_DONTDUMP, 0),
    MADV_WIPEONFORK: (0, VM_WIPEONFORK),
    MADV_KEEPONFORK: (VM_WIPEONFORK, 0),
}
# Advice that makes the host do something now.
_DONE = (
    MADV_WILLNEED, MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_PAGEOUT,
    MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLLAPSE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE,
)  # fmt: skip
_OURS = (MADV_DONTDUMP, MADV_DODUMP)  # of no interest to the host: it dumps no stub
ANON_NAME_MAX = 80  # bytes, the NUL included
_DISCARDS = (
    MADV_DONTNEED,
    MADV_DONTNEED_LOCKED,
    MADV_FREE,
    MADV_DONTFORK,
    MADV_WIPEONFORK,
    MADV_GUARD_INSTALL,
)


def check_range(addr: int, length: int) -> int:
    """The page-aligned end of a range; EINVAL when `addr` isn't aligned or the end is past all addresses."""
    end = (addr + length + PAGE_SIZE - 1) & PAGE_MASK
    if addr & ~PAGE_MASK or end >= 2**64:
        raise Errno(EINVAL)
    return end


def runs(mm: AddressSpace, start: int, end: int) -> Iterator[Vma]:
    """The mappings within [start, end), each cut to it."""
    for vma in mm.areas.overlapping(start, end):
        if vma.start < start or vma.end > end:
            vma = vma.part(max(vma.start, start), min(vma.end, end))
        yield vma


def madvise(mm: AddressSpace, task: Task, addr: int, length: int, advice: int) -> None:
    """Apply `advice` to a range; holes are an error, but only after all that is mapped has had it.

    Raises Errno: EACCES, EBADF, EINVAL, ENOMEM, EPERM, and what the host says.
    """
    if advice not in _REMEMBERED and advice not in _DONE:
        raise Errno(EINVAL)
    end = check_range(addr, length)
    hole = mm.areas.covered(addr, end) < end
    position = addr
    while position < end:
        # As many neighbours as the advice fits, in one order to the host.
        start = stop = position
        error = 0
        for vma in runs(mm, position, end):
            error = _refusal(vma, advice)
            if error or (stop > start and vma.start > stop):
                break
            if stop == start:
                start = vma.start
            stop = vma.end
        if stop > start:
            _apply(mm, task, start, stop, advice)
            position = stop
        elif error:
            raise Errno(error)
        else:
            break
    if hole:
        raise Errno(ENOMEM)


def _apply(mm: AddressSpace, task: Task, start: int, end: int, advice: int) -> None:
    if advice not in _OURS:
        task.ctx.advise(start, end - start, advice)
    if advice in _REMEMBERED:
        clear, add = _REMEMBERED[advice]
        mm.areas.update(start, end, lambda vma: vma.changed(vma.prot, vma.flags & ~clear | add))


def _refusal(vma: Vma, advice: int) -> int:
    """The errno with which Linux refuses the advice for a mapping, 0: it doesn't."""
    flags = vma.flags
    anonymous = vma.source is None
    if flags & VM_SEALED and advice in _DISCARDS and anonymous and not vma.prot & PROT_WRITE:
        return EPERM
    if flags & VM_SPECIAL and advice not in (MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_DONTFORK):
        return EINVAL
    if (
        advice in (MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_REMOVE, MADV_GUARD_INSTALL)
        and flags & VM_LOCKED
    ):
        return EINVAL
    if advice in (MADV_FREE, MADV_WIPEONFORK) and not anonymous:
        return EINVAL
    if flags & VM_SECRET and advice in (MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLLAPSE):
        return EINVAL
    if flags & VM_HUGETLB:
        if advice in (MADV_COLD, MADV_PAGEOUT, MADV_COLLAPSE, MADV_GUARD_INSTALL):
            return EINVAL
        if advice in (MADV_DONTNEED, MADV_DONTNEED_LOCKED) and vma.start % vma.file.page_size:
            return EINVAL
    if advice == MADV_REMOVE:
        if flags & VM_SECRET:
            return EOPNOTSUPP
        if anonymous:
            return EINVAL
        if not (flags & VM_SHARED and vma.prot & PROT_WRITE):
            return EACCES
    return 0


def msync(mm: AddressSpace, task: Task, addr: int, length: int, flags: int) -> None:
    """Write a range's changes back to the files.  Raises Errno: EBUSY, EINVAL, ENOMEM."""
    if flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) or addr & ~PAGE_MASK:
        raise Errno(EINVAL)
    if flags & MS_ASYNC and flags & MS_SYNC:
        raise Errno(EINVAL)
    end = addr + ((length + PAGE_SIZE - 1) & PAGE_MASK & 2**64 - 1)  # the length alone may wrap, to nothing
    if end >= 2**64:
        raise Errno(ENOMEM)
    hole = mm.areas.covered(addr, end) < end
    for vma in runs(mm, addr, end):
        if flags & MS_INVALIDATE and vma.flags & VM_LOCKED:
            raise Errno(EBUSY)
        if flags & MS_SYNC and vma.flags & VM_SECRET:
            raise Errno(EINVAL)
        if flags & MS_SYNC and vma.file is not None and vma.shared:
            task.ctx.sync(vma.start, vma.end - vma.start, flags)
    if hole:
        raise Errno(ENOMEM)


def mseal(mm: AddressSpace, addr: int, length: int) -> None:
    """Forbid further changes of a range's mappings (mseal(2)).  Raises Errno: EINVAL, ENOMEM (holes)."""
    end = check_range(addr, length)
    if end == addr:
        return
    if mm.areas.covered(addr, end) < end:
        raise Errno(ENOMEM)
    mm.check_split(addr, end)
    mm.sealed = True
    mm.areas.update(addr, end, lambda vma: vma.changed(vma.prot, vma.flags | VM_SEALED))


def set_anon_name(mm: AddressSpace, addr: int, length: int, name: bytes | None) -> None:
    """Name a range of anonymous memory, None: take its name away (prctl(2), PR_SET_VMA_ANON_NAME).

    `name` is without its NUL.  Raises Errno: EBADF (a file's mapping, at which it stops), EINVAL, ENOMEM
    (holes, which it passes over).
    """
    if name is not None and (
        len(name) >= ANON_NAME_MAX or any(not 0x20 <= byte < 0x7F or byte in b"\\`$[]" for byte in name)
    ):
        raise Errno(EINVAL)
    end = check_range(addr, length)
    if end == addr:
        return
    hole = mm.areas.covered(addr, end) < end
    for vma in mm.areas.overlapping(addr, end):
        if vma.file is not None or vma.flags & VM_SPECIAL:
            if vma.start > addr:
                mm.areas.update(addr, vma.start, lambda part: part.renamed(name))
            raise Errno(EBADF)
    mm.areas.update(addr, end, lambda part: part.renamed(name))
    if hole:
        raise Errno(ENOMEM)
