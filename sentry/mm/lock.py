"""mlock(2) and its family: what is locked, and the limit on it.

Locked pages are brought into memory, but nothing pins them in the host's: that needs a privilege the sandbox
gave up.
"""

from __future__ import annotations

from errno import EINVAL, ENOMEM, EPERM

from sentry.abi.capability import CAP_IPC_LOCK
from sentry.abi.mman import (
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MCL_CURRENT,
    MCL_FUTURE,
    MCL_ONFAULT,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_NONE,
    PROT_WRITE,
)
from sentry.abi.resource import RLIMIT_MEMLOCK
from sentry.errors import Errno
from sentry.mm.advise import check_range
from sentry.mm.mapping import locked_bytes, may_lock
from sentry.mm.vma import VM_HUGETLB, VM_LOCKED, VM_LOCKONFAULT, VM_SECRET, VM_SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace


def mlock(mm: AddressSpace, task: Task, addr: int, length: int, on_fault: bool = False) -> None:
    """Lock the pages that hold any byte of the range; Errno: EINVAL, ENOMEM (limit, holes), EPERM."""
    start = addr & PAGE_MASK
    end = check_range(start, _whole_pages(addr, length))
    if not may_lock(task):
        raise Errno(EPERM)
    if end == start:
        return
    already = sum(
        min(vma.end, end) - max(vma.start, start)
        for vma in mm.areas.overlapping(start, end)
        if vma.flags & VM_LOCKED
    )
    wanted = locked_bytes(mm) + end - start - already
    if wanted > task.group.rlimits[RLIMIT_MEMLOCK][0] and not task.creds.has_cap(CAP_IPC_LOCK):
        raise Errno(ENOMEM)
    _set(mm, start, mm.areas.covered(start, end), VM_LOCKED | (VM_LOCKONFAULT if on_fault else 0))
    if not on_fault:
        _populate(mm, task, start, end)
    if mm.areas.covered(start, end) < end or (
        (mm.secret or mm.sealed)
        and any(vma.flags & (VM_SECRET | VM_HUGETLB) for vma in mm.areas.overlapping(start, end))
    ):
        raise Errno(ENOMEM)  # not all is there, or can't be brought in by us


def munlock(mm: AddressSpace, addr: int, length: int) -> None:
    """Unlock the pages that hold any byte of the range; Errno: EINVAL, ENOMEM (holes)."""
    start = addr & PAGE_MASK
    end = check_range(start, _whole_pages(addr, length))
    reached = mm.areas.covered(start, end)
    _set(mm, start, reached, 0)
    if reached < end:
        raise Errno(ENOMEM)


def mlockall(mm: AddressSpace, task: Task, flags: int) -> None:
    """Lock what is mapped (MCL_CURRENT), what will be (MCL_FUTURE), or both; Errno: EINVAL, ENOMEM, EPERM."""
    if not flags or flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) or flags == MCL_ONFAULT:
        raise Errno(EINVAL)
    if not may_lock(task):
        raise Errno(EPERM)
    limit = task.group.rlimits[RLIMIT_MEMLOCK][0]
    if flags & MCL_CURRENT and mm.areas.total > limit and not task.creds.has_cap(CAP_IPC_LOCK):
        raise Errno(ENOMEM)
    locked = VM_LOCKED | (VM_LOCKONFAULT if flags & MCL_ONFAULT else 0)
    mm.lock_future = locked if flags & MCL_FUTURE else 0
    if flags & MCL_CURRENT and mm.vmas:
        start, end = mm.vmas[0].start, mm.vmas[-1].end
        _set(mm, start, end, locked)
        if not flags & MCL_ONFAULT:
            _populate(mm, task, start, end)


def munlockall(mm: AddressSpace) -> None:
    """Unlock everything and lock nothing that comes."""
    mm.lock_future = 0
    if mm.locked and mm.vmas:
        _set(mm, mm.vmas[0].start, mm.vmas[-1].end, 0)
        mm.locked = mm.secret  # which stays locked


def _whole_pages(addr: int, length: int) -> int:
    """The length of the pages that hold any byte of the range; as in Linux it wraps around, to nothing."""
    return (length + (addr & ~PAGE_MASK) + ~PAGE_MASK) % 2**64 & PAGE_MASK


def _set(mm: AddressSpace, start: int, end: int, flags: int) -> None:
    if flags:
        mm.locked = True
    elif not mm.locked:
        return
    if end - start >= PAGE_SIZE:
        mm.areas.update(
            start,
            end,
            lambda vma: (
                vma
                if vma.flags & (VM_SPECIAL | VM_SECRET | VM_HUGETLB)
                else vma.changed(vma.prot, vma.flags & ~(VM_LOCKED | VM_LOCKONFAULT) | flags)
            ),
        )


def _populate(mm: AddressSpace, task: Task, start: int, end: int) -> None:
    for vma in mm.areas.overlapping(start, end):
        if vma.prot == PROT_NONE or vma.flags & (VM_SPECIAL | VM_SECRET):
            continue
        write = vma.prot & PROT_WRITE and not vma.shared
        low, high = max(vma.start, start), min(vma.end, end)
        try:
            task.ctx.advise(low, high - low, MADV_POPULATE_WRITE if write else MADV_POPULATE_READ)
        except Errno:
            # Past a file's end, or no memory now: mlock's failure to bring a page in is none that a caller
            # can act on.
            continue
