"""mremap(2)."""

from __future__ import annotations

from errno import EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM

from sentry.abi.mman import (
    MADV_DONTFORK,
    MADV_WIPEONFORK,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PAGE_MASK,
    PAGE_SIZE,
)
from sentry.errors import Errno
from sentry.mm.layout import GUEST_END, GUEST_START, MAX_MAP_COUNT
from sentry.mm.mapping import check_lock_limit, find_room, munmap
from sentry.mm.vma import (
    VM_DONTFORK,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKONFAULT,
    VM_NORESERVE,
    VM_SPECIAL,
    VM_WIPEONFORK,
    Vma,
    map_kind,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import Context
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace


def mremap(mm: AddressSpace, task: Task, addr: int, old: int, new: int, flags: int, target: int) -> int:
    """Shrink, grow or move a mapping; its address.

    Args:
        old, new: lengths in bytes, rounded up to pages; old 0 makes a second view of a shared mapping.
        target: the new address with MREMAP_FIXED.

    Raises Errno: EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM (sealed).
    """
    fixed = bool(flags & MREMAP_FIXED)
    keep = bool(flags & MREMAP_DONTUNMAP)
    if flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) or addr & ~PAGE_MASK:
        raise Errno(EINVAL)
    if (fixed or keep) and not flags & MREMAP_MAYMOVE:
        raise Errno(EINVAL)
    old = (old + PAGE_SIZE - 1) & PAGE_MASK
    new = (new + PAGE_SIZE - 1) & PAGE_MASK
    if not 0 < new < GUEST_END or (keep and old != new):
        raise Errno(EINVAL)
    vma = mm.areas.find(addr)
    if vma is None:
        raise Errno(EFAULT)
    if vma.flags & VM_HUGETLB:
        page = vma.file.page_size
        old, new = (old + page - 1) & -page, (new + page - 1) & -page
        if (addr | target * fixed) % page or new > old:
            raise Errno(EINVAL)
    if mm.sealed:
        mm.check_sealed(addr, addr + max(old, PAGE_SIZE), EPERM)
        mm.check_split(addr, addr + old)
    if fixed:
        _check_target(mm, addr, old, new, target)
        munmap(mm, task, target, new)
    if old > new and not keep:
        munmap(mm, task, addr + new, old - new)
        old = new
    if old == new and not fixed and not keep:
        return addr
    found = mm.areas.find(addr)
    if found is None:  # the target's unmapping took it
        raise Errno(EFAULT)
    vma = found
    _check_growth(mm, task, vma, addr, old, new, keep)
    if not fixed:
        if not keep and _grow_in_place(mm, task, vma, addr, old, new):
            return addr
        if not flags & MREMAP_MAYMOVE:
            raise Errno(ENOMEM)
        target = find_room(mm, 0, new, 0)
    _move(mm, task, vma, addr, old, new, keep, target)
    return target


def _check_target(mm: AddressSpace, addr: int, old: int, new: int, target: int) -> None:
    if target & ~PAGE_MASK or target > GUEST_END - new:
        raise Errno(EINVAL)
    if addr + old > target and target + new > addr:
        raise Errno(EINVAL)
    if target < GUEST_START:
        raise Errno(EPERM)
    if mm.areas.is_reserved(target, target + new) or len(mm.areas) >= MAX_MAP_COUNT - 3:
        raise Errno(ENOMEM)
    mm.check_sealed(target, target + new, EPERM)


def _check_growth(mm: AddressSpace, task: Task, vma: Vma, addr: int, old: int, new: int, keep: bool) -> None:
    if not old and not vma.shared:
        raise Errno(EINVAL)
    if old > vma.end - addr:
        raise Errno(EFAULT)
    growth = new if keep else new - old
    if not growth:
        return
    if vma.flags & VM_SPECIAL:
        raise Errno(EINVAL if keep else EFAULT)
    if vma.flags & VM_LOCKED and not keep:
        check_lock_limit(mm, task, growth, EAGAIN)
    mm.check_limits(task, growth, growth if vma.is_data() else 0)


def _grow_in_place(mm: AddressSpace, task: Task, vma: Vma, addr: int, old: int, new: int) -> bool:
    end, new_end = addr + old, addr + new
    if not old or end != vma.end or new_end > GUEST_END or not mm.areas.is_free(end, new_end):
        return False
    length = new_end - end
    flags = MAP_FIXED | (MAP_NORESERVE if vma.flags & VM_NORESERVE else 0)
    if vma.file is not None:
        flags |= map_kind(vma.flags, True)
        offset = vma.offset + end - vma.start
        source = vma.file.mmap(task, vma.prot, flags, offset, length)
        task.ctx.map(end, length, vma.prot, flags, source.fd, offset)
    elif vma.source is None:
        task.ctx.map(end, length, vma.prot, flags | MAP_PRIVATE | MAP_ANONYMOUS)
    else:
        return False  # shared anonymous memory has no descriptor to map more of: it moves
    try:
        if vma.flags & VM_DONTFORK:
            task.ctx.advise(end, length, MADV_DONTFORK)
        if vma.flags & VM_WIPEONFORK:
            task.ctx.advise(end, length, MADV_WIPEONFORK)
    except Errno:
        task.ctx.unmap(end, length)
        raise
    mm.areas.insert(vma.part(end, new_end))
    return True


def _move(
    mm: AddressSpace, task: Task, vma: Vma, addr: int, old: int, new: int, keep: bool, target: int
) -> None:  # fmt: skip
    areas = mm.areas
    splits = (vma.start < addr) + (vma.end > addr + old)
    if len(areas) + splits > MAX_MAP_COUNT:
        raise Errno(ENOMEM)
    offset = vma.offset + addr - vma.start if vma.source is not None else 0
    if vma.file is not None and not old and map_kind(vma.flags, True) == MAP_PRIVATE:
        # A second view, but not to the host, which has a private mapping there.
        source = vma.file.mmap(task, vma.prot, MAP_SHARED, offset, new)
        task.ctx.map(target, new, vma.prot, MAP_FIXED | MAP_PRIVATE, source.fd, offset)
    else:
        _move_pages(task.ctx, addr, old, new, MREMAP_DONTUNMAP if keep else 0, target)
    moved = Vma(target, target + new, vma.prot, vma.flags, vma.file, vma.source, offset, vma.name)
    if keep:
        if vma.flags & VM_LOCKED:  # what stays behind is empty and no longer locked
            areas.update(
                addr, addr + old, lambda v: v.changed(v.prot, v.flags & ~(VM_LOCKED | VM_LOCKONFAULT))
            )
    elif old:
        areas.clear(addr, addr + old)
    areas.insert(moved)


def _move_pages(ctx: Context, addr: int, old: int, new: int, flags: int, target: int) -> None:
    """Have the host move a range.  What is one mapping here may be several there (whose pages have different
    histories), which it refuses to move at once: then by halves."""
    try:
        ctx.remap(addr, old, new, flags, target)
        return
    except Errno as error:
        if error.code != EFAULT or old <= PAGE_SIZE:
            raise
    half = (old // 2 + PAGE_SIZE - 1) & PAGE_MASK
    _move_pages(ctx, addr, half, half, flags, target)
    try:
        _move_pages(ctx, addr + half, old - half, new - half, flags, target + half)
    except Errno:
        if not flags:
            _move_pages(ctx, target, half, half, 0, addr)
        raise
