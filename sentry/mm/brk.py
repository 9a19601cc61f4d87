"""brk(2): the heap."""

from __future__ import annotations

from errno import EAGAIN, ENOMEM

from sentry.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_POPULATE,
    MAP_PRIVATE,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from sentry.abi.resource import RLIMIT_DATA
from sentry.errors import Errno
from sentry.mm.layout import GUEST_END, MAX_MAP_COUNT
from sentry.mm.mapping import check_lock_limit, munmap
from sentry.mm.vma import VM_MAYALL, Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace


def brk(mm: AddressSpace, task: Task, addr: int) -> int:
    """Move the end of the heap to `addr`; the end as it then is: the old one when it can't move (NOTES)."""
    if not mm.brk_start <= addr < GUEST_END - PAGE_SIZE:
        return mm.brk_end
    size = addr - mm.brk_start + mm.data_end - mm.data_start
    if size > task.group.rlimits[RLIMIT_DATA][0]:
        return mm.brk_end
    old = (mm.brk_end + PAGE_SIZE - 1) & PAGE_MASK
    new = (addr + PAGE_SIZE - 1) & PAGE_MASK
    try:
        if new < old:
            munmap(mm, task, new, old - new)
        elif new > old:
            _grow(mm, task, old, new)
    except Errno:
        return mm.brk_end
    mm.brk_end = addr
    return addr


def _grow(mm: AddressSpace, task: Task, start: int, end: int) -> None:
    areas = mm.areas
    # One page stays free above the heap, and the guard gap of a stack.
    if not areas.is_free(start, end + PAGE_SIZE) or len(areas) >= MAX_MAP_COUNT:
        raise Errno(ENOMEM)
    mm.check_limits(task, end - start, end - start)
    flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS
    if mm.lock_future:
        check_lock_limit(mm, task, end - start, EAGAIN)
        mm.locked = True
        flags |= MAP_POPULATE
    prot = PROT_READ | PROT_WRITE | (PROT_EXEC if task.reads_execute else 0)
    task.ctx.map(start, end - start, prot, flags)
    areas.insert(Vma(start, end, prot, VM_MAYALL | mm.lock_future))
