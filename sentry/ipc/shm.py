"""System V shared memory (shmget(2), shmop(2), shmctl(2)).

A segment's bytes are a memfd's.  Each shmat makes a `SegmentFile`, which the mappings keep alive: when the
last mapping of the last attachment goes - shmdt, munmap, execve, exit - so does the file, and a segment that
was removed goes with it.  How many attachments there are is not counted but looked up, as Linux counts
mappings, and those change without our knowing (munmap(2) of a part makes two).
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOMEM, ENOSPC, EPERM

from sentry.abi.capability import CAP_IPC_LOCK
from sentry.abi.fcntl import O_RDONLY, O_RDWR
from sentry.abi.ipc import (
    SHM_DEST,
    SHM_EXEC,
    SHM_HUGE_MASK,
    SHM_HUGE_SHIFT,
    SHM_HUGETLB,
    SHM_LOCKED,
    SHM_NORESERVE,
    SHM_RDONLY,
    SHM_REMAP,
    SHM_RND,
    SHMALL,
    SHMID_DS,
    SHMMAX,
    SHMMNI,
)
from sentry.abi.mman import (
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_NORESERVE,
    MAP_SHARED,
    PAGE_MASK,
    PAGE_SIZE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    TASK_SIZE,
)
from sentry.abi.resource import RLIMIT_MEMLOCK
from sentry.errors import Errno
from sentry.ipc.ids import IpcIds, IpcObject, seconds
from sentry.mm.vma import VM_HUGETLB, SharedMemory
from sentry.vfs.file import File
from sentry.vfs.hugetlb import HUGE_SIZES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.ipc.namespace import IpcNamespace
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.kernel.thread_group import ThreadGroup
    from sentry.mm.space import AddressSpace
    from sentry.vfs.file import MapSource


class SegmentMemory(SharedMemory):
    """The identity of a segment's memory, and the host descriptor of its bytes."""

    __slots__ = ()

    def __init__(self, id: int, key: int) -> None:
        super().__init__(b"/SYSV%08x (deleted)" % (key & 0xFFFFFFFF))
        self.ino = id

    def allocate(self, size: int) -> None:
        """Have a descriptor; ENOMEM."""
        try:
            super().allocate(size)
        except OSError:
            raise Errno(ENOMEM) from None


class Segment(IpcObject):
    """One shared memory segment; `size` in bytes."""

    __slots__ = ("atime", "attached", "cpid", "creator", "dtime", "lpid", "memory", "page", "pages", "size")

    def __init__(self, task: Task, key: int, size: int, flags: int) -> None:
        super().__init__(task, key, flags)
        self.size = size
        self.page = PAGE_SIZE  # the size of one
        self.pages = (size + PAGE_SIZE - 1) // PAGE_SIZE
        self.memory: SegmentMemory | None = None
        self.atime = self.dtime = 0
        self.cpid = task.group.tgid
        self.lpid = 0
        self.creator: ThreadGroup | None = task.group  # None once it has exited
        self.attached = 0  # the SegmentFiles that exist

    def make_huge(self, page: int) -> None:
        """Have pages of that size."""
        self.page = page
        self.pages = (self.size + page - 1) // page * page // PAGE_SIZE

    def resident(self) -> int:
        """How many of its pages exist."""
        if self.memory is None or self.memory.fd < 0:
            return 0
        return os.fstat(self.memory.fd).st_blocks * 512 // PAGE_SIZE

    def pack(self, task: Task, attachments: int) -> bytes:
        """struct shmid64_ds, for `task`."""
        return self.pack_perm(task) + SHMID_DS.pack(
            self.size,
            self.atime,
            self.dtime,
            self.ctime,
            task.number(self.cpid),
            task.number(self.lpid),
            attachments,
        )


class SegmentFile(File):
    """One attachment of a segment: what its mappings have in common."""

    __slots__ = ("ids", "pid", "segment")

    def __init__(self, flags: int, ids: SegmentIds, segment: Segment, pid: int) -> None:
        super().__init__(flags)
        self.ids = ids
        self.segment = segment
        self.pid = pid
        segment.attached += 1

    def mmap(self, task: Task, prot: int, flags: int, offset: int, length: int) -> MapSource:
        memory = self.segment.memory
        assert memory is not None
        return memory

    def release(self) -> None:
        segment = self.segment
        segment.attached -= 1
        if not segment.attached:
            segment.dtime = seconds()
            segment.lpid = self.pid
            self.ids.detached(segment)


class HugeSegmentFile(SegmentFile):
    """One of a segment of huge pages (SHM_HUGETLB)."""

    __slots__ = ("page_size",)

    mapping_flags = VM_HUGETLB

    def __init__(self, flags: int, ids: SegmentIds, segment: Segment, pid: int) -> None:
        super().__init__(flags, ids, segment, pid)
        self.page_size = segment.page


class SegmentIds(IpcIds):
    """The segments of a namespace, and their limits."""

    __slots__ = ("all_limit", "rmid_forced", "size_limit", "total")

    def __init__(self, namespace: IpcNamespace) -> None:
        super().__init__(namespace, SHMMNI)
        self.size_limit = SHMMAX  # bytes of one
        self.all_limit = SHMALL  # pages of all
        self.rmid_forced = 0
        self.total = 0  # pages

    def obtain(self, task: Task, key: int, size: int, flags: int) -> int:
        """shmget(2): the id.  EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM."""

        def make() -> Segment:
            return self._new(task, key, size, flags)

        def check(found: Segment) -> None:
            if size > found.size:
                raise Errno(EINVAL)

        return self.lookup(task, key, flags, make, check)

    def _new(self, task: Task, key: int, size: int, flags: int) -> Segment:
        if not 0 < size <= self.size_limit:
            raise Errno(EINVAL)
        segment = Segment(task, key, size, flags)
        if segment.pages > self.all_limit - self.total or segment.pages * PAGE_SIZE >= 1 << 64:
            raise Errno(ENOSPC)
        if flags & SHM_HUGETLB:
            self._check_huge(task, flags)
            segment.make_huge(1 << (flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK or 21))
        if segment.pages * PAGE_SIZE >= 1 << 63:
            raise Errno(EINVAL)  # no file is that long
        if len(self.objects) >= self.limit:
            raise Errno(ENOSPC)
        self.total += segment.pages
        return segment

    def _check_huge(self, task: Task, flags: int) -> None:
        """There are no huge pages in the pool (vm.nr_hugepages is 0), but some may be hoped for."""
        if flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK not in HUGE_SIZES:
            raise Errno(EINVAL)
        creds = task.creds
        if not self.namespace.capable(task, CAP_IPC_LOCK) and 0 not in (creds.egid, *creds.groups):
            raise Errno(EPERM)  # its group is not vm.hugetlb_shm_group
        if not flags & SHM_NORESERVE:
            raise Errno(ENOMEM)

    def lock(self, task: Task, segment: Segment, lock: bool) -> None:
        """SHM_LOCK and SHM_UNLOCK; EPERM, ENOMEM.  Nothing here is ever swapped out by us."""
        limit = task.group.rlimit(RLIMIT_MEMLOCK)
        if not self.namespace.capable(task, CAP_IPC_LOCK):
            if task.creds.euid not in (segment.uid, segment.cuid):
                raise Errno(EPERM)
            if lock and not limit:
                raise Errno(EPERM)
            if lock and segment.pages * PAGE_SIZE > limit:
                raise Errno(ENOMEM)
        segment.mode = segment.mode | SHM_LOCKED if lock else segment.mode & ~SHM_LOCKED

    def doom(self, segment: Segment) -> None:
        """IPC_RMID: gone once nobody is attached."""
        if segment.attached:
            segment.mode |= SHM_DEST
            self.forget_key(segment)
        else:
            self._destroy(segment)

    def detached(self, segment: Segment) -> None:
        """Nobody is attached any more."""
        if segment.mode & SHM_DEST or self.rmid_forced:
            self._destroy(segment)

    def creator_exited(self, group: ThreadGroup) -> None:
        """A process ends: with shm_rmid_forced its segments go with it (proc(5))."""
        for segment in list(self.objects.values()):
            if segment.creator is group:
                segment.creator = None
        if self.rmid_forced:
            self.destroy_orphans()

    def destroy_orphans(self) -> None:
        """Remove the segments that nobody is attached to and whose creator is dead."""
        for segment in list(self.objects.values()):
            if segment.creator is None and not segment.attached:
                self._destroy(segment)

    def _destroy(self, segment: Segment) -> None:
        if not segment.dead:
            self.total -= segment.pages
            self.remove(segment)


# Attaching


def attach(task: Task, ids: SegmentIds, id: int, addr: int, flags: int) -> int:
    """shmat(2): the address.  EACCES, EINVAL, ENOMEM, EPERM."""
    if id < 0:
        raise Errno(EINVAL)
    map_flags = MAP_SHARED
    if addr:
        if addr & ~PAGE_MASK:
            if not flags & SHM_RND:
                raise Errno(EINVAL)
            addr &= PAGE_MASK
            if not addr and flags & SHM_REMAP:
                raise Errno(EINVAL)
        map_flags |= MAP_FIXED if flags & SHM_REMAP else MAP_FIXED_NOREPLACE
    elif flags & SHM_REMAP:
        raise Errno(EINVAL)
    prot, wanted, mode = PROT_READ | PROT_WRITE, 0o666, O_RDWR
    if flags & SHM_RDONLY:
        prot, wanted, mode = PROT_READ, 0o444, O_RDONLY
    if flags & SHM_EXEC:
        prot |= PROT_EXEC
        wanted |= 0o111
    segment: Segment = ids.get(id)
    ids.check_access(task, segment, wanted)
    if segment.memory is None:
        segment.memory = SegmentMemory(segment.id, segment.key)
    huge = segment.page > PAGE_SIZE
    segment.memory.allocate(0 if huge else segment.pages * PAGE_SIZE)  # of huge pages there are none
    map_flags |= MAP_NORESERVE if huge else 0
    if map_flags & MAP_FIXED_NOREPLACE and (
        addr + segment.size >= 1 << 64 or task.mm.areas.overlapping(addr, addr + segment.size)
    ):
        raise Errno(EINVAL)
    file = (HugeSegmentFile if huge else SegmentFile)(mode, ids, segment, task.group.tgid)
    where = task.mm.mmap(task, addr, segment.size, prot, map_flags, file)
    task.mm.attached = True
    segment.atime = seconds()
    segment.lpid = task.group.tgid
    return where


def detach(task: Task, addr: int) -> None:
    """shmdt(2); EINVAL when nothing is attached at `addr`."""
    if addr & ~PAGE_MASK:
        raise Errno(EINVAL)
    mm = task.mm
    file: File | None = None
    parts: list[tuple[int, int]] = []
    for vma in mm.areas.overlapping(addr, TASK_SIZE):
        if isinstance(vma.file, SegmentFile) and vma.start - addr == vma.offset:
            if file is None:
                file = vma.file
            if vma.file is file and vma.end - addr <= file.segment.pages * PAGE_SIZE:
                parts.append((vma.start, vma.end))
    if not isinstance(file, SegmentFile):
        raise Errno(EINVAL)
    file.pid = task.group.tgid
    left(file.segment, task)
    for start, end in parts:
        mm.munmap(task, start, end - start)


def left(segment: Segment, task: Task) -> None:
    """Note who went, and when."""
    segment.dtime = seconds()
    segment.lpid = task.group.tgid


def attached_files(mm: AddressSpace) -> list[SegmentFile]:
    """The attachments that an address space has, one for each mapping."""
    if not mm.attached:
        return []
    return [vma.file for vma in mm.areas if isinstance(vma.file, SegmentFile)]


def inherited(task: Task, mm: AddressSpace) -> None:
    """fork(2): the child's address space `mm` is attached as the parent's is."""
    for file in attached_files(mm):
        file.segment.atime = seconds()
        file.segment.lpid = task.group.tgid


def leave_space(task: Task) -> None:
    """The task leaves its address space as the last one (exit, execve)."""
    for file in attached_files(task.mm):
        file.pid = task.group.tgid
        left(file.segment, task)


def count_attachments(kernel: Kernel) -> dict[Segment, int]:
    """shm_nattch of the segments that are attached at all."""
    counts: dict[Segment, int] = {}
    seen: set[int] = set()
    for task in kernel.tasks.values():
        mm = task.mm
        if mm is not None and mm.attached and id(mm) not in seen:
            seen.add(id(mm))
            for file in attached_files(mm):
                counts[file.segment] = counts.get(file.segment, 0) + 1
    return counts
