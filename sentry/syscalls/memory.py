"""Advice, locking and what else is asked about memory: madvise(2), msync(2), mincore(2), mlock(2), ..."""

from errno import EACCES, EINTR, EINVAL, ENOMEM, EOVERFLOW, EPERM, ESRCH

from sentry.abi.capability import CAP_SYS_NICE
from sentry.abi.mman import (
    MADV_COLD,
    MADV_COLLAPSE,
    MADV_PAGEOUT,
    MADV_WILLNEED,
    MAP_FIXED,
    MAP_NONBLOCK,
    MAP_POPULATE,
    MAP_SHARED,
    MLOCK_ONFAULT,
    PAGE_MASK,
    PAGE_SIZE,
)
from sentry.abi.stat import ACCESS_WRITE
from sentry.errors import Errno
from sentry.kernel import membarrier
from sentry.kernel.pidfd import group_of
from sentry.kernel.tracing.trace_access import may_access
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.mm import advise, lock, mapping
from sentry.mm.vma import SharedMemory
from sentry.syscalls.args import Int, Ptr, Size, UInt
from sentry.vfs import page_cache
from sentry.vfs.permissions import is_owner, permitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sentry.kernel.task import Task
    from sentry.mm.vma import Vma

_CHUNK = 1024 * PAGE_SIZE  # what mincore looks at in one go: each page may be a mapping of its own
_SELF = (-10000, -10001)  # PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP


def madvise(task: "Task", addr: Ptr, length: Size, advice: Int) -> int:
    advise.madvise(task.mm, task, addr, length, advice)
    return 0


def process_madvise(
    task: "Task", pidfd: Int, iov: Ptr, count: Size, advice: Int, flags: UInt
) -> "int | Coroutine[None, None, int]":
    if flags:
        raise Errno(EINVAL)
    vector = task.read_iovec(iov, count)
    group = task.group if pidfd in _SELF else group_of(task, pidfd)
    if group.dead or group.exiting:
        raise Errno(ESRCH)
    if group is task.group:
        return _advise(task, vector, advice)
    target = group.tasks[0]
    if not may_access(task, target, real=False):
        raise Errno(EACCES)
    if not vector:
        return 0
    if advice not in (MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE):
        raise Errno(EINVAL)
    if not task.creds.has_cap(CAP_SYS_NICE):
        raise Errno(EPERM)
    living = [thread for thread in group.tasks if thread.state != "dead"]
    for thread in living:
        if not thread.ctx.running:
            return _advise(thread, vector, advice)
    return _advise_running(task, living[0], vector, advice)


def _advise(task: "Task", vector: list[tuple[int, int]], advice: int) -> int:
    """Apply advice by a stopped task; the bytes of the pieces before the first that fails."""
    done = 0
    for addr, length in vector:
        try:
            advise.madvise(task.mm, task, addr, length, advice)
        except Errno:
            if not done:
                raise
            break
        done += length
    return done


async def _advise_running(task: "Task", target: "Task", vector: list[tuple[int, int]], advice: int) -> int:
    answer: list[int] = []

    def act() -> None:
        try:
            answer.append(_advise(target, vector, advice))
        except Errno as error:
            answer.append(-error.code)

    await membarrier.have_done(task, target, act)
    if not answer:
        raise Errno(ESRCH)  # it has died
    if answer[0] < 0:
        raise Errno(-answer[0])
    return answer[0]


def msync(task: "Task", addr: Ptr, length: Size, flags: Int) -> int:
    advise.msync(task.mm, task, addr, length, flags)
    return 0


def mseal(task: "Task", addr: Ptr, length: Size, flags: Size) -> int:
    if flags:
        raise Errno(EINVAL)
    advise.mseal(task.mm, addr, length)
    return 0


def mincore(task: "Task", addr: Ptr, length: Size, vector: Ptr) -> "int | Coroutine[None, None, int]":
    if addr & ~PAGE_MASK:
        raise Errno(EINVAL)
    end = (addr + length + PAGE_SIZE - 1) & PAGE_MASK
    if end - addr > _CHUNK:
        return _mincore_in_turns(task, addr, end, vector)
    _tell_residency(task, addr, end, vector)
    return 0


async def _mincore_in_turns(task: "Task", addr: int, end: int, vector: int) -> int:
    """Others run between the parts, and a fatal signal ends it."""
    for start in range(addr, end, _CHUNK):
        _tell_residency(task, start, min(start + _CHUNK, end), vector + (start - addr) // PAGE_SIZE)
        if await suspend(task, 0, interruptible=False) == INTERRUPTED:
            raise Errno(EINTR)
    return 0


def _tell_residency(task: "Task", start: int, end: int, vector: int) -> None:
    """Write a byte for each page, up to the first that is not mapped: ENOMEM."""
    reached = task.mm.areas.covered(start, end)
    pages = (reached - start) // PAGE_SIZE
    host, pid = task.kernel.host_proc, task.group.usage.host_pid
    present = bytearray(host.pages(pid, start, reached) or b"\1" * pages)
    for vma in task.mm.areas.overlapping(start, reached):
        low, high = max(vma.start, start), min(vma.end, reached)
        for index, there in enumerate(_cached(task, vma, low, high), (low - start) // PAGE_SIZE):
            present[index] |= there
    task.copy_out(vector, present)
    if reached < end:
        raise Errno(ENOMEM)


def _cached(task: "Task", vma: "Vma", start: int, end: int) -> bytes:
    """A byte for each page of a mapping's part: 1 where memory has it, mapped by this process or not."""
    source, pages = vma.source, (end - start) // PAGE_SIZE
    if source is None:
        return b""
    inode = source.inode
    if inode is None:
        fd = source.fd if isinstance(source, SharedMemory) else -1
    elif is_owner(task.creds, inode) or permitted(task.creds, inode, ACCESS_WRITE):
        fd = inode.cache_fd()
    else:
        return b"\1" * pages  # as Linux since 5.2: what others read is nobody's business
    return page_cache.present(fd, (vma.offset + start - vma.start) // PAGE_SIZE, pages) if fd >= 0 else b""


def mlock(task: "Task", addr: Ptr, length: Size) -> int:
    lock.mlock(task.mm, task, addr, length)
    return 0


def mlock2(task: "Task", addr: Ptr, length: Size, flags: Int) -> int:
    if flags & ~MLOCK_ONFAULT:
        raise Errno(EINVAL)
    lock.mlock(task.mm, task, addr, length, bool(flags & MLOCK_ONFAULT))
    return 0


def munlock(task: "Task", addr: Ptr, length: Size) -> int:
    lock.munlock(task.mm, addr, length)
    return 0


def mlockall(task: "Task", flags: Int) -> int:
    lock.mlockall(task.mm, task, flags)
    return 0


def munlockall(task: "Task") -> int:
    lock.munlockall(task.mm)
    return 0


def remap_file_pages(task: "Task", addr: Ptr, length: Size, prot: Size, page: Size, flags: Size) -> int:
    addr &= PAGE_MASK
    length &= PAGE_MASK
    if prot or not length or addr + length >= 2**64 or page + length // PAGE_SIZE >= 2**64:
        raise Errno(EINVAL)
    vma = task.mm.find(addr)
    if vma is None or not vma.shared or addr + length > vma.end:
        raise Errno(EINVAL)
    if page * PAGE_SIZE + length >= 2**63:
        raise Errno(EOVERFLOW)
    if vma.file is not None:
        kind = MAP_SHARED | MAP_FIXED | MAP_POPULATE | int(flags) & MAP_NONBLOCK
        mapping.mmap(task.mm, task, addr, length, vma.prot, kind, vma.file, page * PAGE_SIZE)
    else:
        mapping.show_pages(task.mm, task, vma, addr, length, page * PAGE_SIZE)
    return 0


def pkey_alloc(task: "Task", flags: Size, rights: Size) -> int:
    if flags or rights & ~3:
        raise Errno(EINVAL)
    raise Errno(EINVAL)  # as Linux on a CPU without protection keys


def pkey_free(task: "Task", pkey: Int) -> int:
    raise Errno(EINVAL)
