"""/proc/PID/maps, smaps, smaps_rollup, numa_maps and statm: of the address space, as mm.maps tells it."""

from __future__ import annotations

from sentry.mm import maps as mm_maps
from sentry.mm import residency

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.mm.residency import Residency

# The fields that smaps_rollup sums, in its order; the sums of the Pss parts are made from what smaps tells.
_ROLLUP = (
    b"Rss", b"Pss", b"Pss_Dirty", b"Pss_Anon", b"Pss_File", b"Pss_Shmem", b"Shared_Clean", b"Shared_Dirty",
    b"Private_Clean", b"Private_Dirty", b"Referenced", b"Anonymous", b"KSM", b"LazyFree", b"AnonHugePages",
    b"ShmemPmdMapped", b"FilePmdMapped", b"Shared_Hugetlb", b"Private_Hugetlb", b"Swap", b"SwapPss",
    b"Locked",
)  # fmt: skip


def maps(target: Task, reader: Task) -> bytes:
    """One line a mapping; nothing for a task without memory (a zombie)."""
    mm = target.mm
    return mm_maps.maps_text(mm, reader.fs.root) if mm is not None else b""


def smaps(target: Task, reader: Task) -> bytes:
    mm = target.mm
    return mm_maps.smaps_text(mm, reader.fs.root, _residency(target)) if mm is not None else b""


def _residency(target: Task) -> Residency | None:
    return residency.look(target.kernel.host_proc, target.group.usage.host_pid)


def sizes(target: Task) -> tuple[int, ...]:
    """The figures of statm in pages, what is resident and what of that is shared as the host tells."""
    mm = target.mm
    if mm is None:
        return (0,) * 7
    size, resident, shared, *rest = mm_maps.statm(mm)
    seen = target.kernel.host_proc.statm(target.group.usage.host_pid)
    if seen is not None:
        resident, shared = seen
    return size, resident, shared, *rest


def smaps_rollup(target: Task, reader: Task) -> bytes:
    """The sums over all mappings, headed by the range from the first to the last."""
    mm = target.mm
    if mm is None or not mm.vmas:
        return b""
    sums = dict.fromkeys(_ROLLUP, 0)
    for line in mm_maps.smaps_text(mm, reader.fs.root, _residency(target)).splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == b"kB":
            field = words[0][:-1]
            if field in sums:
                sums[field] += int(words[1])
    sums[b"Pss_Anon"] = sums[b"Anonymous"]
    sums[b"Pss_File"] = sums[b"Pss"] - sums[b"Anonymous"]
    head = b"%08x-%08x ---p 00000000 00:00 0 " % (mm.vmas[0].start, mm.vmas[-1].end)
    lines = [head.ljust(73) + b"[rollup]\n"]
    lines += [b"%-16b%8d kB\n" % (field + b":", value) for field, value in sums.items()]
    return b"".join(lines)


def numa_maps(target: Task, reader: Task) -> bytes:
    """Every mapping has the default policy: there is one memory node."""
    mm = target.mm
    if mm is None:
        return b""
    lines = []
    for vma in mm.vmas:
        name = mm_maps.name_of(mm, vma, reader.fs.root)
        if name in (b"[heap]", b"[stack]"):
            suffix = b" " + name[1:-1]
        else:
            suffix = b" file=" + name if vma.file is not None else b""
        lines.append(b"%08x default%b\n" % (vma.start, suffix))
    return b"".join(lines)


def statm(target: Task, reader: Task) -> bytes:
    """Sizes in pages: total, resident, shared, text, lib, data, dirty."""
    return b" ".join(b"%d" % value for value in sizes(target)) + b"\n"
