"""An address space: its mappings, its limits, and what exec(2) has put where.

What must hold: `areas` is the truth about what exists.  Every change is ordered from the host first
(task.ctx.map, unmap, ... at addresses chosen here) and noted after it was done, so that a refusal by the host
leaves the list true.
The verbs have files of their own: mapping, protect, remap, advise, lock, brk.
"""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOMEM

from sentry import _core
from sentry.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_MASK, PAGE_SIZE, PROT_NONE, PROT_WRITE
from sentry.abi.prctl import PR_MDWE_NO_INHERIT
from sentry.abi.resource import RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK
from sentry.errors import Errno
from sentry.mm import mapping, protect
from sentry.mm.layout import GUARD_GAP, GUEST_START
from sentry.mm.vma import VM_GROWSDOWN, VM_HUGETLB, VM_SEALED, VM_SECRET, Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.text_busy import ProgramPath

_STACK_STEP = 128 * 1024  # a growing stack gets at least this much: each growth costs a fault

FUTEX_SHARED_CALL = 2  # in the key of a word in private memory, whose address is a multiple of 4


class AddressSpace(_core.SpaceBase):
    """One guest address space; `users` counts the tasks that share it (CLONE_VM).

    Args:
        mmap_base: mappings are placed below this address, or above it (bottom_up).
        reserved: (start, end) of what is not the guest's to map although it lies among its addresses; nothing
            is shown there.
    """

    __slots__ = ("membarrier",)

    exe: ProgramPath | None
    membarrier: int  # the registrations of membarrier(2)

    def __new__(
        cls, mmap_base: int, reserved: tuple[int, int] = (0, 0), bottom_up: bool = False
    ) -> AddressSpace:
        self = super().__new__(cls, GUEST_START, mmap_base)
        self.areas.bottom_up = bottom_up
        self.areas.reserve(*reserved)
        self.membarrier = 0
        return self

    @property
    def vmas(self) -> list[Vma]:
        """The mappings, by address."""
        return self.areas.vmas

    def find(self, addr: int) -> Vma | None:
        """The mapping that holds `addr`."""
        return self.areas.find(addr)

    def fork(self, task: Task, child: Task) -> AddressSpace:
        """The list for fork(2)'s child; the host's copy is ctx.fork(), which leaves out the same mappings."""
        space = self.copy()
        space.membarrier = self.membarrier
        space.mdwe = self.inherited_mdwe()
        return space

    def inherited_mdwe(self) -> int:
        """PR_MDWE_* of a child, or of the next program (PR_SET_MDWE in prctl(2))."""
        return 0 if self.mdwe & PR_MDWE_NO_INHERIT else self.mdwe

    # What others order

    def mmap(
        self,
        task: Task,
        addr: int,
        length: int,
        prot: int,
        flags: int,
        file: File | None = None,
        offset: int = 0,
    ) -> int:
        """mmap(2): see mapping.mmap."""
        return mapping.mmap(self, task, addr, length, prot, flags, file, offset)

    def munmap(self, task: Task, addr: int, length: int) -> None:
        """munmap(2): see mapping.munmap."""
        mapping.munmap(self, task, addr, length)

    def mprotect(self, task: Task, addr: int, length: int, prot: int) -> None:
        """mprotect(2): see protect.mprotect."""
        protect.mprotect(self, task, addr, length, prot)

    # Limits

    def check_limits(self, task: Task, growth: int, data: int) -> None:
        """ENOMEM when `growth` more bytes pass RLIMIT_AS, or `data` private writable ones RLIMIT_DATA."""
        if self.areas.total + growth > task.group.rlimits[RLIMIT_AS][0]:
            raise Errno(ENOMEM)
        self.check_data_limit(task, data)

    def check_data_limit(self, task: Task, data: int) -> None:
        """ENOMEM when `data` more private writable bytes pass RLIMIT_DATA."""
        if data > 0 and self.areas.data + data > task.group.rlimits[RLIMIT_DATA][0]:
            raise Errno(ENOMEM)

    # Faults and futexes

    def fault_in(self, task: Task, addr: int, write: bool) -> bool:
        """Grow the stack that `addr` lies below, if one does; True when memory was added."""
        areas = self.areas
        index = areas.index(addr)
        if index == len(areas):
            return False
        vma = areas[index]
        if vma.start <= addr or not vma.flags & VM_GROWSDOWN or addr < GUEST_START:
            return False
        if vma.prot == PROT_NONE or (write and not vma.prot & PROT_WRITE):
            return False
        lowest = max(vma.end - task.group.rlimits[RLIMIT_STACK][0], GUEST_START)
        if index:
            below = areas[index - 1]
            if below.prot != PROT_NONE and not below.flags & VM_GROWSDOWN:
                lowest = max(lowest, below.end + GUARD_GAP)
            else:
                lowest = max(lowest, below.end)
        lowest = (lowest + PAGE_SIZE - 1) & PAGE_MASK
        start = addr & PAGE_MASK
        if areas.is_reserved(lowest, vma.start):
            lowest = areas.reserved_end
        if start < lowest:
            return False
        start = max(min(start, vma.start - _STACK_STEP), lowest)
        try:
            self.check_limits(task, vma.start - start, 0)
            task.ctx.map(start, vma.start - start, vma.prot, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS)
        except Errno:
            return False
        areas.insert(vma.part(start, vma.start))
        return True

    def futex_key(self, addr: int, shared: bool) -> tuple[Hashable, int]:
        """What tells the futex at `addr` from all others; `shared`: without FUTEX_PRIVATE_FLAG.  EFAULT.

        Private memory has two: a wait and a wake meet only when both or neither are FUTEX_PRIVATE_FLAG.
        """
        if shared:
            vma = self.areas.find(addr)
            if vma is None or vma.flags & VM_SECRET:
                raise Errno(EFAULT)
            if vma.source is not None and vma.shared:
                return (vma.source.key, vma.offset + addr - vma.start)
            if vma.prot == PROT_NONE or (vma.source is None and not vma.prot & PROT_WRITE):
                raise Errno(EFAULT)  # Linux wants a page that is its owner's alone
            return (self, addr | FUTEX_SHARED_CALL)
        return (self, addr)

    def check_sealed(self, start: int, end: int, error: int) -> None:
        """Errno(error) when [start, end) has an address of a sealed mapping."""
        if self.sealed and any(vma.flags & VM_SEALED for vma in self.areas.overlapping(start, end)):
            raise Errno(error)

    def check_split(self, start: int, end: int) -> None:
        """EINVAL when an end of [start, end) is within a huge page."""
        for vma in self.areas.overlapping(start, end) if self.sealed else ():
            if vma.flags & VM_HUGETLB and vma.file is not None:
                page = vma.file.page_size
                if (start > vma.start and start % page) or (end < vma.end and end % page):
                    raise Errno(EINVAL)
