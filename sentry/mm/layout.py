"""Where things go in a new address space: stack, mmap base, position-independent programs, heap; randomised.

From the bottom:
    GUEST_START
    a program with a fixed address
    PIE_BASE + r    a position-independent program, its heap above it
    ...             mappings, from mmap_base downwards
    mmap_base       below the largest stack that the limit allows
    stack_top       random, below GUEST_END and clear of [vvar] and [vdso]

In the legacy layout (personality(2), ADDR_COMPAT_LAYOUT) mmap_base is a third of the way up, the mappings
above it.
"""

from __future__ import annotations

from os import urandom
from struct import unpack

from sentry.abi.mman import PAGE_MASK, PAGE_SIZE, TASK_SIZE

GUEST_START = 0x10000  # platform.h, and Linux's usual vm.mmap_min_addr
GUEST_END = 0x7FFF80000000
MAX_MAP_COUNT = 65530  # vm.max_map_count
# Where a platform that changes call sites (config.patch) keeps what they jump to: the address is part of the
# instructions that it writes, so it is the same in every space and never the guest's.
PATCH_RANGE = (0x7F060000, 0x7F070000)

LEGACY_BASE = TASK_SIZE // 3 + PAGE_SIZE & PAGE_MASK
PIE_BASE = GUEST_END // 3 * 2 & PAGE_MASK
_MMAP_RANDOM_BITS = 28  # pages
_STACK_RANDOM_BITS = 22  # pages
_BRK_RANDOM_RANGE = 1 << 30
_POINTER_SLACK = 8192  # the first stack pointer's own randomness
_STACK_GAP_MIN = 128 << 20
_STACK_GAP_MAX = GUEST_END // 6 * 5
GUARD_GAP = 256 * PAGE_SIZE  # kept free below a mapping that grows down


def page_up(addr: int) -> int:
    """addr rounded up to a page."""
    return (addr + PAGE_SIZE - 1) & PAGE_MASK


def _pages(number: int, bits: int) -> int:
    """A multiple of the page size, below 2**bits pages."""
    return (number & ((1 << bits) - 1)) * PAGE_SIZE


class Layout:
    """The random choices of one execve(2).

    Args:
        stack_limit: RLIMIT_STACK's soft value in bytes.
        vdso: (vvar start, vDSO start, vDSO end) as the platform has placed them, zeros when there are none.
        randomize: False for personality(ADDR_NO_RANDOMIZE).
        legacy: True for personality(ADDR_COMPAT_LAYOUT): mappings go up from mmap_base.
    """

    __slots__ = ("_brk_random", "_pie_random", "legacy", "mmap_base", "stack_slack", "stack_top")

    def __init__(
        self,
        stack_limit: int,
        vdso: tuple[int, int, int] = (0, 0, 0),
        randomize: bool = True,
        legacy: bool = False,
    ) -> None:
        # One call for all of them: each costs more than what is done with it.
        chosen: tuple[int, ...] = unpack("<5Q", urandom(40)) if randomize else (0,) * 5
        stack, base, pie, brk, slack = chosen
        self._pie_random = _pages(pie, _MMAP_RANDOM_BITS)
        self._brk_random = brk % _BRK_RANDOM_RANGE & PAGE_MASK
        self.stack_slack = slack % _POINTER_SLACK  # bytes to leave free above the first stack pointer
        gap = min(max(stack_limit, _STACK_GAP_MIN), _STACK_GAP_MAX) + GUARD_GAP & PAGE_MASK
        top = GUEST_END - PAGE_SIZE - _pages(stack, _STACK_RANDOM_BITS)
        vvar_start, _, vdso_end = vdso
        if vvar_start < top and top - gap < vdso_end:
            top = vvar_start - PAGE_SIZE  # the stack must be able to grow
        self.stack_top = top
        self.legacy = legacy
        shift = _pages(base, _MMAP_RANDOM_BITS)
        self.mmap_base = LEGACY_BASE + shift if legacy else top - gap - shift & PAGE_MASK

    def pie_base(self, alignment: int) -> int:
        """The load address of a position-independent program; `alignment` is a power of two."""
        return PIE_BASE + self._pie_random & -max(alignment, PAGE_SIZE)

    def brk_start(self, end: int) -> int:
        """The heap's start, for a program (or the place of its heap) that ends at `end`."""
        return page_up(end) + self._brk_random
