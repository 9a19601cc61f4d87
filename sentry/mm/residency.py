"""What is in memory of each mapping, as the host tells of the process that has the address space (smaps)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.host_proc import HostProc
    from sentry.mm.vma import Vma

_PAGE = 4096
_SMAPS_MAX = 32 << 20
# The fields whose sums are told, in KiB (proc_pid_smaps(5)).
FIELDS = (
    b"Rss", b"Pss", b"Pss_Dirty", b"Shared_Clean", b"Shared_Dirty", b"Private_Clean", b"Private_Dirty",
    b"Referenced", b"Anonymous", b"KSM", b"LazyFree", b"AnonHugePages", b"ShmemPmdMapped", b"FilePmdMapped",
    b"Shared_Hugetlb", b"Private_Hugetlb", b"Swap", b"SwapPss", b"Locked",
)  # fmt: skip
_KNOWN = frozenset(FIELDS)


class Residency:
    """One look at a host process."""

    __slots__ = ("_areas", "_host", "_pid")

    def __init__(self, host: HostProc, pid: int, areas: list[tuple[int, int, dict[bytes, int]]]) -> None:
        self._host = host
        self._pid = pid
        self._areas = areas  # (start, end, fields), by address

    def of(self, vma: Vma, at: int) -> tuple[dict[bytes, int], int]:
        """The fields' sums over a mapping, and where to go on looking for the next one (begin with 0).

        The host may have split or joined what is one mapping here: an area that reaches beyond it counts
        with the share that this mapping has of the area's pages that are there.
        """
        sums = dict.fromkeys(FIELDS, 0)
        areas = self._areas
        while at < len(areas) and areas[at][1] <= vma.start:
            at += 1
        index = at
        while index < len(areas) and areas[index][0] < vma.end:
            start, end, fields = areas[index]
            low, high = max(vma.start, start), min(end, vma.end)
            inside, whole = high - low, end - start
            if inside < whole and fields.get(b"Rss"):
                inside, whole = self._present(low, high), fields[b"Rss"]
            for name, value in fields.items():
                sums[name] += min(value, value * inside // whole)
            index += 1
        return sums, at

    def _present(self, start: int, end: int) -> int:
        """KiB of the range that are in memory."""
        return sum(self._host.pages(self._pid, start, end) or b"") * 4


def look(host: HostProc, pid: int) -> Residency | None:
    """What the host says about process `pid`, None where it says nothing."""
    text = host.read_at(b"%d/smaps" % pid, 0, _SMAPS_MAX) if pid > 0 else b""
    if not text:
        return None
    areas: list[tuple[int, int, dict[bytes, int]]] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(b":")
        if name in _KNOWN:
            if not rest.endswith(b" 0 kB"):  # as most are
                areas[-1][2][name] = int(rest[:-3])
        elif colon and b"-" in name and b" " in name:
            start, _, end = name.split()[0].partition(b"-")
            areas.append((int(start, 16), int(end, 16), {}))
    return Residency(host, pid, areas)
