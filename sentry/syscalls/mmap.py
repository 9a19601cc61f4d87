"""mmap(2) and what changes mappings."""

from errno import EINVAL

from sentry.abi.mman import MAP_ANONYMOUS, MAP_HUGE_MASK, MAP_HUGE_SHIFT, MAP_HUGETLB, PAGE_MASK
from sentry.errors import Errno
from sentry.mm import brk as heap
from sentry.mm import mapping, protect, remap
from sentry.syscalls.args import Fd, Int, Ptr, Size
from sentry.vfs.hugetlb import HUGE_SIZES, make_huge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File


def mmap(task: "Task", addr: Ptr, length: Size, prot: Int, flags: Int, fd: Fd, offset: Size) -> int:
    if offset & ~PAGE_MASK:
        raise Errno(EINVAL)
    if not flags & MAP_ANONYMOUS:
        file = task.files.get(fd)
    else:
        file, offset = _huge_memory(task, flags) if flags & MAP_HUGETLB else None, 0
    return mapping.mmap(task.mm, task, addr, length, prot, flags, file, offset)


def _huge_memory(task: "Task", flags: int) -> "File":
    """What MAP_HUGETLB maps without a file: one that nobody can open."""
    size = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK
    if size not in HUGE_SIZES:
        raise Errno(EINVAL)
    return make_huge(task, b"/anon_hugepage", size, False, True)


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
