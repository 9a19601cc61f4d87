"""mmap(2) and what changes mappings."""

from errno import EINVAL

from sentry.abi.mman import MAP_ANONYMOUS, PAGE_MASK
from sentry.errors import Errno
from sentry.mm import brk as heap
from sentry.mm import mapping, protect, remap
from sentry.syscalls.args import Fd, Int, Ptr, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def mmap(task: "Task", addr: Ptr, length: Size, prot: Int, flags: Int, fd: Fd, offset: Size) -> int:
    if offset & ~PAGE_MASK:
        raise Errno(EINVAL)
    file = None if flags & MAP_ANONYMOUS else task.files.get(fd)
    return mapping.mmap(task.mm, task, addr, length, prot, flags, file, 0 if file is None else offset)


def munmap(task: "Task", addr: Ptr, length: Size) -> int:
    mapping.munmap(task.mm, task, addr, length)
    return 0


def mprotect(task: "Task", addr: Ptr, length: Size, prot: Size) -> int:
    protect.mprotect(task.mm, task, addr, length, prot)
    return 0


def pkey_mprotect(task: "Task", addr: Ptr, length: Size, prot: Size, pkey: Int) -> int:
    if pkey != -1:
        raise Errno(EINVAL)  # no key was ever allocated
    protect.mprotect(task.mm, task, addr, length, prot)
    return 0


def mremap(task: "Task", addr: Ptr, old: Size, new: Size, flags: Size, target: Ptr) -> int:
    return remap.mremap(task.mm, task, addr, old, new, flags, target)


def brk(task: "Task", addr: Ptr) -> int:
    return heap.brk(task.mm, task, addr)
