"""What is in memory of each mapping, as the host tells of the process that has the address space (smaps)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.host_proc import HostProc
    from sentry.mm.vma import Vma

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

    __slots__ = ("_areas",)

    def __init__(self, areas: list[tuple[int, int, dict[bytes, int]]]) -> None:
        self._areas = areas  # (start, end, fields), by address

    def of(self, vma: Vma, at: int) -> tuple[dict[bytes, int], int]:
        """The fields' sums over a mapping, and where to go on looking for the next one (begin with 0).

        The host may have split or joined what is one mapping here: an area that reaches beyond it counts
        with its share.
        """
        sums = dict.fromkeys(FIELDS, 0)
        areas = self._areas
        while at < len(areas) and areas[at][1] <= vma.start:
            at += 1
        index = at
        while index < len(areas) and areas[index][0] < vma.end:
            start, end, fields = areas[index]
            inside = min(end, vma.end) - max(start, vma.start)
            for name, value in fields.items():
                sums[name] += value * inside // (end - start)
            index += 1
        return sums, at


def look(host: HostProc, pid: int) -> Residency | None:
    """What the host says about process `pid`, None where it says nothing."""
    text = host.read_at(b"%d/smaps" % pid, 0, _SMAPS_MAX) if pid > 0 else b""
    if not text:
        return None
    areas: list[tuple[int, int, dict[bytes, int]]] = []
    for line in text.splitlines():
        name, colon, rest = line.partition(b":")
        if name in _KNOWN and areas:
            areas[-1][2][name] = int(rest.split()[0])
        elif colon and b"-" in name and b" " in name:
            start, _, end = name.split()[0].partition(b"-")
            areas.append((int(start, 16), int(end, 16), {}))
    return Residency(areas)
