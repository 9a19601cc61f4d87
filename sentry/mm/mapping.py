"""mmap(2) and munmap(2)."""

from __future__ import annotations

from errno import (
    EACCES,
    EAGAIN,
    EBADF,
    EEXIST,
    EINVAL,
    ENOMEM,
    EOPNOTSUPP,
    EOVERFLOW,
    EPERM,
)

from sentry.abi.capability import CAP_IPC_LOCK
from sentry.abi.fcntl import O_PATH
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.abi.mman import (
    MAP_32BIT,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_HUGETLB,
    MAP_LOCKED,
    MAP_NONBLOCK,
    MAP_NORESERVE,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_TYPE,
    MAP_VALIDATED,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    TASK_SIZE,
)
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.resource import RLIMIT_MEMLOCK
from sentry.errors import Errno
from sentry.mm.layout import GUEST_END, GUEST_START, LEGACY_BASE, MAX_MAP_COUNT
from sentry.mm.vma import (
    VM_GROWSDOWN,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKONFAULT,
    VM_MAYALL,
    VM_MAYEXEC,
    VM_MAYWRITE,
    VM_NORESERVE,
    VM_SECRET,
    VM_SHARED,
    SharedMemory,
    Vma,
    map_kind,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.space import AddressSpace
    from sentry.mm.vma import Source
    from sentry.vfs.file import File

_PROT_ACCESS = PROT_READ | PROT_WRITE | PROT_EXEC
_FIXED = MAP_FIXED | MAP_FIXED_NOREPLACE
_MAX_OFFSET = 2**63 - 1
_LOW_START, _LOW_END = 0x40000000, 0x80000000  # where MAP_32BIT places


def mmap(
    mm: AddressSpace,
    task: Task,
    addr: int,
    length: int,
    prot: int,
    flags: int,
    file: File | None = None,
    offset: int = 0,
) -> int:
    """Map memory or `file`; the address.

    Args:
        addr: a hint, or the place itself with MAP_FIXED or MAP_FIXED_NOREPLACE.
        length, offset: bytes; the length is rounded up to pages, the offset must be a multiple of them.
        file: None with MAP_ANONYMOUS alone.

    Raises Errno as mmap(2) tells: EACCES, EAGAIN, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW,
    EPERM.
    """
    if not length or offset & ~PAGE_MASK:
        raise Errno(EINVAL)
    page = PAGE_SIZE if file is None else file.page_size
    length = (length + page - 1) & -page
    areas = mm.areas
    if length > GUEST_END or len(areas) >= MAX_MAP_COUNT:
        raise Errno(ENOMEM)
    if file is not None and offset + length > _MAX_OFFSET:
        raise Errno(EOVERFLOW)
    prot &= _PROT_ACCESS
    if task.reads_execute and prot & PROT_READ and not (file is not None and _is_noexec(file)):
        prot |= PROT_EXEC
    if mm.mdwe and prot & PROT_EXEC and prot & PROT_WRITE:
        raise Errno(EACCES)

    # Where
    occupied = False
    if flags & _FIXED:
        if addr + length > GUEST_END:
            raise Errno(ENOMEM)
        if addr & (page - 1):
            raise Errno(EINVAL)
        if addr < GUEST_START:
            raise Errno(EPERM)
        if areas.is_reserved(addr, addr + length):
            raise Errno(EEXIST if flags & MAP_FIXED_NOREPLACE else ENOMEM)
        occupied = bool(areas.overlapping(addr, addr + length))
        if occupied:
            if flags & MAP_FIXED_NOREPLACE:
                raise Errno(EEXIST)
            mm.check_sealed(addr, addr + length, EPERM)
            mm.check_split(addr, addr + length)
    else:
        addr = find_room(mm, addr, length, flags, page)
    end = addr + length

    # What
    if file is not None:
        vm_flags = _check_file(file, prot, flags)
    elif flags & MAP_TYPE == MAP_PRIVATE:
        vm_flags = VM_MAYALL
    elif flags & MAP_TYPE == MAP_SHARED and not flags & MAP_GROWSDOWN:
        vm_flags = VM_MAYALL | VM_SHARED
    else:
        raise Errno(EINVAL)
    if flags & (MAP_GROWSDOWN | MAP_NORESERVE | MAP_LOCKED) or mm.lock_future:
        vm_flags |= _rare_flags(mm, task, flags, length)
    if vm_flags & VM_SECRET:
        check_lock_limit(mm, task, length, EAGAIN)
        mm.locked = mm.secret = True
    if vm_flags & VM_HUGETLB:
        vm_flags &= ~(VM_LOCKED | VM_LOCKONFAULT)
        mm.sealed = True  # against what would split its pages
    growth = length
    if occupied:
        growth -= sum(min(vma.end, end) - max(vma.start, addr) for vma in areas.overlapping(addr, end))
    is_data = prot & PROT_WRITE and not vm_flags & (VM_SHARED | VM_GROWSDOWN)
    mm.check_limits(task, growth, growth if is_data else 0)

    # The host's turn
    host_flags = MAP_FIXED | map_kind(vm_flags, file is not None) | flags & MAP_NORESERVE
    if (
        (flags & MAP_POPULATE and not flags & MAP_NONBLOCK) or vm_flags & VM_LOCKED
    ) and not vm_flags & VM_SECRET:
        host_flags |= MAP_POPULATE
    fd = -1
    source: Source | None = None
    if file is not None:
        found = file.mmap(task, prot, flags, offset, length)
        fd = found.fd
        if fd >= 0:
            source = found
    if fd < 0:
        host_flags |= MAP_ANONYMOUS
        file = None
        offset = 0
        if vm_flags & VM_SHARED:
            source = shared = SharedMemory()
            fd = _memory_of(shared, length)
            if fd >= 0:
                host_flags &= ~MAP_ANONYMOUS
    vma = Vma(addr, end, prot, vm_flags, file, source, offset)
    try:
        task.ctx.map(addr, length, prot, host_flags, fd, offset)
    except Errno as error:
        if occupied and error.code in (ENOMEM, EAGAIN):
            _lose(mm, task, addr, end)
        raise
    if occupied:
        areas.replace(addr, end, [vma])
    else:
        areas.insert(vma)
    return addr


def _memory_of(shared: SharedMemory, length: int) -> int:
    """A descriptor for new shared anonymous memory, -1: the host's own must do."""
    if SharedMemory.held >= SharedMemory.held_max:
        return -1
    try:
        shared.allocate(length)
    except OSError:
        return -1
    return shared.fd


def show_pages(mm: AddressSpace, task: Task, vma: Vma, addr: int, length: int, offset: int) -> None:
    """Have a range within a mapping of shared anonymous memory show other pages of that; EINVAL."""
    source = vma.source
    if not isinstance(source, SharedMemory) or source.fd < 0:
        raise Errno(EINVAL)
    mm.check_sealed(addr, addr + length, EPERM)
    part = vma.part(addr, addr + length)
    task.ctx.map(addr, length, part.prot, MAP_FIXED | MAP_SHARED | MAP_POPULATE, source.fd, offset)
    shown = Vma(addr, addr + length, part.prot, part.flags, None, source, offset, part.name)
    mm.areas.replace(addr, addr + length, [shown])


def find_room(mm: AddressSpace, hint: int, length: int, flags: int, page: int = PAGE_SIZE) -> int:
    """A free place for `length` bytes, a multiple of `page`: at the hint if it is free, else where the layout
    has room.
    """
    if page > PAGE_SIZE:
        hint = (hint + page - 1) & -page
        if not hint or hint + length > GUEST_END or not mm.areas.is_free(hint, hint + length):
            return (find_room(mm, 0, length + page - PAGE_SIZE, flags) + page - 1) & -page
    areas = mm.areas
    if flags & MAP_32BIT:
        start = areas.room_above(length, _LOW_START, _LOW_END)
        if start is None:
            raise Errno(ENOMEM)
        return start
    hint &= PAGE_MASK
    if hint:
        hint = max(hint, GUEST_START)
        if hint + length <= GUEST_END and areas.is_free(hint, hint + length):
            return hint
    start = areas.room(length)
    if start is None and not areas.bottom_up:
        start = areas.room_above(length, LEGACY_BASE, GUEST_END)
    if start is None:
        raise Errno(ENOMEM)
    return start


def _is_noexec(file: File) -> bool:
    return file.noexec or (file.path is not None and bool(file.path.mount.flags & MS_NOEXEC))


def _check_file(file: File, prot: int, flags: int) -> int:
    """The Vma flags for a mapping of `file`; raises what its open mode, its mount or its kind forbid."""
    if file.flags & O_PATH:
        raise Errno(EBADF)
    kind = flags & MAP_TYPE
    vm_flags = VM_MAYALL
    if kind in (MAP_SHARED, MAP_SHARED_VALIDATE):
        if kind == MAP_SHARED_VALIDATE and flags & ~MAP_VALIDATED:
            raise Errno(EOPNOTSUPP)
        if not file.writable:
            if prot & PROT_WRITE:
                raise Errno(EACCES)
            vm_flags &= ~VM_MAYWRITE
        elif file.inode is not None and file.inode.fs_flags & FS_APPEND_FL:
            raise Errno(EACCES)
        vm_flags |= VM_SHARED
    elif kind != MAP_PRIVATE or file.mapping_flags & VM_SECRET:
        raise Errno(EINVAL)
    if not file.readable:
        raise Errno(EACCES)
    if _is_noexec(file):
        if prot & PROT_EXEC:
            raise Errno(EPERM)
        vm_flags &= ~VM_MAYEXEC
    if flags & MAP_HUGETLB and not file.mapping_flags & VM_HUGETLB:
        raise Errno(EINVAL)
    if flags & MAP_GROWSDOWN:
        raise Errno(EINVAL)
    return vm_flags | file.mapping_flags


def _rare_flags(mm: AddressSpace, task: Task, flags: int, length: int) -> int:
    vm_flags = 0
    if flags & MAP_GROWSDOWN:
        vm_flags |= VM_GROWSDOWN
    if flags & MAP_NORESERVE:
        vm_flags |= VM_NORESERVE
    if flags & MAP_LOCKED:
        if not may_lock(task):
            raise Errno(EPERM)
        vm_flags |= VM_LOCKED
    vm_flags |= mm.lock_future
    if vm_flags & VM_LOCKED:
        check_lock_limit(mm, task, length, EAGAIN)
        mm.locked = True
    return vm_flags


def may_lock(task: Task) -> bool:
    """Whether the task may lock any memory at all (mlock(2))."""
    return task.group.rlimits[RLIMIT_MEMLOCK][0] > 0 or task.creds.has_cap(CAP_IPC_LOCK)


def check_lock_limit(mm: AddressSpace, task: Task, length: int, error: int) -> None:
    """Errno(error) when `length` more locked bytes pass RLIMIT_MEMLOCK."""
    locked = locked_bytes(mm)
    if locked + length > task.group.rlimits[RLIMIT_MEMLOCK][0] and not task.creds.has_cap(CAP_IPC_LOCK):
        raise Errno(error)


def locked_bytes(mm: AddressSpace) -> int:
    """How much is locked (VmLck)."""
    if not mm.locked:
        return 0
    return sum(vma.end - vma.start for vma in mm.areas if vma.flags & VM_LOCKED)


def _lose(mm: AddressSpace, task: Task, start: int, end: int) -> None:
    # The host may have taken away what was there before it failed to map: make that certain.
    try:
        task.ctx.unmap(start, end - start)
    except Errno:
        return  # it refuses even that for want of memory: then it refused the mapping before any change
    mm.areas.clear(start, end)


def munmap(mm: AddressSpace, task: Task, addr: int, length: int) -> None:
    """Unmap every page in the range; no error when there is none.

    Raises Errno: EINVAL for a bad range, ENOMEM when a split would make too many mappings, EPERM when sealed.
    """
    if addr & ~PAGE_MASK or not length or addr > TASK_SIZE or length > TASK_SIZE - addr:
        raise Errno(EINVAL)
    end = min(addr + length + PAGE_SIZE - 1 & PAGE_MASK, GUEST_END)
    areas = mm.areas
    old = areas.overlapping(addr, end)
    if not old:
        return
    if old[0].start < addr and old[-1].end > end and len(old) == 1 and len(areas) >= MAX_MAP_COUNT:
        raise Errno(ENOMEM)
    if mm.sealed:
        mm.check_sealed(addr, end, EPERM)
        mm.check_split(addr, end)
    _unmap(mm, task, max(addr, old[0].start), min(end, old[-1].end))
    areas.clear(addr, end)


def _unmap(mm: AddressSpace, task: Task, start: int, end: int) -> None:
    areas = mm.areas
    if areas.is_reserved(start, end):  # what is there on the host is not the guest's
        if start < areas.reserved_start:
            task.ctx.unmap(start, areas.reserved_start - start)
        start = areas.reserved_end
    if start < end:
        task.ctx.unmap(start, end - start)
