"""The ordered list of an address space's mappings: what exists, where, and where there is room.

What must hold: the mappings are sorted, never overlap, and no two neighbours could be one (Vma.joins);
`total` and `data` are the sums of their lengths.  Nothing here knows the host, tasks or limits.

Room is looked for from `base` downwards, as Linux places mappings.  So that this doesn't look at thousands of
mappings each time, the list remembers that every gap between `_gap_floor` and `base` is shorter than
`_gap_size`; unmapping raises the floor to the end of the gap it makes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from sentry.abi.mman import PAGE_SIZE
from sentry.mm.vma import VM_GROWSDOWN, Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUARD_GAP = 256 * PAGE_SIZE  # kept free below a mapping that grows down


class VmaList:
    """The mappings of one address space.

    Args:
        lowest: no mapping is placed below this address.
        base: room is looked for below this address.
    """

    __slots__ = ("_gap_floor", "_gap_size", "_starts", "base", "data", "lowest", "total", "vmas")

    def __init__(self, lowest: int, base: int) -> None:
        self.lowest = lowest
        self.base = base
        self.vmas: list[Vma] = []
        self._starts: list[int] = []
        self.total = 0
        self.data = 0
        self._gap_floor = base
        self._gap_size = PAGE_SIZE

    def copy(self) -> VmaList:
        new = VmaList(self.lowest, self.base)
        new.vmas = self.vmas[:]
        new._starts = self._starts[:]
        new.total = self.total
        new.data = self.data
        new._gap_floor = self._gap_floor
        new._gap_size = self._gap_size
        return new

    def __len__(self) -> int:
        return len(self.vmas)

    def __iter__(self) -> Iterator[Vma]:
        return iter(self.vmas)

    # Looking

    def find(self, addr: int) -> Vma | None:
        """The mapping that holds `addr`."""
        index = bisect_right(self._starts, addr) - 1
        if index >= 0:
            vma = self.vmas[index]
            if addr < vma.end:
                return vma
        return None

    def index(self, addr: int) -> int:
        """The position of the first mapping that ends after `addr`."""
        index = bisect_right(self._starts, addr) - 1
        return index if index >= 0 and addr < self.vmas[index].end else index + 1

    def overlapping(self, start: int, end: int) -> list[Vma]:
        """The mappings that have an address in [start, end)."""
        return self.vmas[self.index(start) : bisect_left(self._starts, end)]

    def covered(self, start: int, end: int) -> int:
        """How far the mappings reach from `start` without a hole, at most to `end`."""
        for vma in self.overlapping(start, end):
            if vma.start > start:
                return start
            start = vma.end
        return min(start, end)

    def is_free(self, start: int, end: int) -> bool:
        """Whether nothing is in [start, end), nor in the guard gap of a mapping above that grows down."""
        index = self.index(start)
        if index == len(self.vmas):
            return True
        vma = self.vmas[index]
        return vma.start >= end and not (vma.flags & VM_GROWSDOWN and vma.start - GUARD_GAP < end)

    # Room

    def room_below(self, length: int) -> int | None:
        """The start of the highest gap of `length` bytes below `base`: of its top end."""
        if length >= self._gap_size:
            top = self._gap_floor
        else:
            top = self.base
            self._gap_size = PAGE_SIZE
        vmas = self.vmas
        index = bisect_left(self._starts, top)
        if index < len(vmas):
            top = min(top, _gap_end(vmas[index]))
        longest = 0
        while index:
            index -= 1
            vma = vmas[index]
            gap = top - vma.end
            if gap >= length:
                break
            if gap > longest:
                longest = gap
            start = _gap_end(vma)
            if start < top:
                top = start
        else:
            if top - self.lowest < length:
                return None
        # Whoever asked may not map there after all: the gap found stays above what is remembered.
        self._gap_floor = top
        if longest >= self._gap_size:
            self._gap_size = longest + PAGE_SIZE
        return top - length

    def room_above(self, length: int, low: int, high: int) -> int | None:
        """The lowest free range of `length` bytes within [low, high)."""
        start = low
        for vma in self.vmas[self.index(low) :]:
            if _gap_end(vma) - start >= length:
                break
            start = max(start, vma.end)
            if start >= high:
                return None
        return start if start + length <= high else None

    # Changing

    def insert(self, vma: Vma) -> None:
        """Add a mapping where nothing is, joined with its neighbours."""
        starts, vmas = self._starts, self.vmas
        length = vma.end - vma.start
        self.total += length
        if vma.is_data():
            self.data += length
        index = bisect_left(starts, vma.start)
        if index < len(vmas) and vma.joins(vmas[index]):
            vma = vma.part(vma.start, vmas[index].end)
            if index and vmas[index - 1].joins(vma):
                vmas[index - 1] = vmas[index - 1].part(starts[index - 1], vma.end)
                del vmas[index], starts[index]
            else:
                vmas[index] = vma
                starts[index] = vma.start
        elif index and vmas[index - 1].joins(vma):
            vmas[index - 1] = vmas[index - 1].part(starts[index - 1], vma.end)
        else:
            vmas.insert(index, vma)
            starts.insert(index, vma.start)

    def clear(self, start: int, end: int) -> None:
        """Take away everything in [start, end), splitting the mappings that straddle its ends."""
        self.replace(start, end, [])

    def replace(self, start: int, end: int, pieces: list[Vma]) -> None:
        """Put `pieces` (sorted) in place of all in [start, end); there are none, or no new hole is left."""
        starts, vmas = self._starts, self.vmas
        low = self.index(start)
        high = bisect_left(starts, end)
        old = vmas[low:high]
        new: list[Vma] = pieces
        if old:
            first, last = old[0], old[-1]
            if first.start < start:
                new = [first.part(first.start, start), *new]
            if last.end > end:
                new = [*new, last.part(end, last.end)]
        if pieces:
            # The neighbours may join what is new.
            if low and vmas[low - 1].end == new[0].start:
                low -= 1
                new = [vmas[low], *new]
            if high < len(vmas) and vmas[high].start == new[-1].end:
                new = [*new, vmas[high]]
                high += 1
            new = _joined(new)
            old = vmas[low:high]
        self._account(old, -1)
        self._account(new, 1)
        vmas[low:high] = new
        starts[low:high] = [vma.start for vma in new]
        if not pieces:
            self._raise_floor(end)

    def update(self, start: int, end: int, change: Callable[[Vma], Vma]) -> None:
        """Replace the part of each mapping within [start, end) by change(part)."""
        pieces = []
        for vma in self.overlapping(start, end):
            if vma.start < start or vma.end > end:
                vma = vma.part(max(vma.start, start), min(vma.end, end))
            pieces.append(change(vma))
        self.replace(start, end, pieces)

    def _raise_floor(self, end: int) -> None:
        index = bisect_left(self._starts, end)
        gap_end = self._starts[index] if index < len(self._starts) else self.base
        if gap_end > self._gap_floor:
            self._gap_floor = min(gap_end, self.base)

    def _account(self, vmas: list[Vma], sign: int) -> None:
        for vma in vmas:
            length = (vma.end - vma.start) * sign
            self.total += length
            if vma.is_data():
                self.data += length


def _gap_end(vma: Vma) -> int:
    return vma.start - GUARD_GAP if vma.flags & VM_GROWSDOWN else vma.start


def _joined(vmas: list[Vma]) -> list[Vma]:
    result = [vmas[0]]
    for vma in vmas[1:]:
        last = result[-1]
        if last.joins(vma):
            result[-1] = last.part(last.start, vma.end)
        else:
            result.append(vma)
    return result
