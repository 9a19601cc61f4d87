"""A task's memory as a debugger has it: page protection is no obstacle (ptrace(2), /proc/PID/mem in proc(5)).

The host honours protection whoever asks, so a page that the guest may not read or write is opened for the
moment of the copy.  That takes a stopped context, which a traced task that is asked has.
"""

from __future__ import annotations

from errno import EFAULT

from sentry.abi.mman import PAGE_MASK, PAGE_SIZE, PROT_READ, PROT_WRITE
from sentry.errors import Errno
from sentry.mm.vma import VM_MAYREAD, VM_MAYWRITE, VM_SECRET, VM_SHARED, VM_SPECIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sentry.kernel.task import Task
    from sentry.mm.vma import Vma

    T = TypeVar("T")


def peek(task: Task, addr: int, count: int) -> bytes:
    """What there is at `addr`, at most `count` bytes, up to the first hole; EFAULT when nothing is."""
    pieces = []
    end = addr + count
    while addr < end:
        vma = task.mm.find(addr)
        if vma is None:
            break
        step = min(end, vma.end) - addr
        try:
            piece = _reading(task, vma, addr, step)
        except Errno:
            break
        pieces.append(piece)
        addr += len(piece)
        if len(piece) < step:
            break
    if not pieces and count:
        raise Errno(EFAULT)
    return b"".join(pieces)


def poke(task: Task, addr: int, data: bytes) -> int:
    """Write, to private copies of pages that the guest may not write; the count up to the first hole or
    mapping that must not change.  EFAULT when that is 0.
    """
    done = 0
    while done < len(data):
        vma = task.mm.find(addr + done)
        if vma is None:
            break
        piece = data[done : done + vma.end - addr - done]
        try:
            written = _writing(task, vma, addr + done, piece)
        except Errno:
            break
        done += written
        if written < len(piece):
            break
    if not done and data:
        raise Errno(EFAULT)
    return done


def _reading(task: Task, vma: Vma, addr: int, count: int) -> bytes:
    if vma.flags & VM_SECRET:
        raise Errno(EFAULT)
    if vma.prot & PROT_READ or vma.flags & VM_SPECIAL:
        return task.copy_in_some(addr, count)
    if not vma.flags & VM_MAYREAD:
        raise Errno(EFAULT)
    return _opened(task, vma, addr, count, PROT_READ, lambda: task.copy_in_some(addr, count))


def _writing(task: Task, vma: Vma, addr: int, data: bytes) -> int:
    if vma.flags & VM_SECRET:
        raise Errno(EFAULT)
    if vma.prot & PROT_WRITE:
        return task.copy_out_some(addr, data)
    if vma.flags & (VM_SHARED | VM_SPECIAL) or not vma.flags & VM_MAYWRITE:
        raise Errno(EFAULT)
    access = PROT_READ | PROT_WRITE
    return _opened(task, vma, addr, len(data), access, lambda: task.copy_out_some(addr, data))


def _opened(task: Task, vma: Vma, addr: int, count: int, prot: int, act: Callable[[], T]) -> T:
    ctx = task.ctx
    if ctx.running:
        ctx = next((other.ctx for other in task.group.tasks if not other.ctx.running), ctx)
    if ctx.running:
        raise Errno(EFAULT)
    start = addr & PAGE_MASK
    length = (addr + count - start + PAGE_SIZE - 1) & PAGE_MASK
    ctx.protect(start, length, prot)
    try:
        return act()
    finally:
        ctx.protect(start, length, vma.prot)
