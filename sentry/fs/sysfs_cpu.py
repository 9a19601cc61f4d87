"""/sys/devices/system/cpu: the sandbox's CPUs, as lscpu(1), hwloc and language runtimes read it."""

from __future__ import annotations

import os

from sentry.kernel import cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.pseudo import Tree

# Caches: type, level, and the first of sysconf(3)'s numbers for size, associativity and line size.
_CACHES = ((b"Instruction", 1, 185), (b"Data", 1, 188), (b"Unified", 2, 191), (b"Unified", 3, 194))


def cpu_directory(mask: int) -> Tree:
    """The directory for the CPUs of a set."""
    present = cpus.list_text(mask) + b"\n"
    caches = [(kind, level, *_geometry(first)) for kind, level, first in _CACHES]
    tree: dict[bytes, Tree | bytes] = {
        b"cpu%d" % number: {
            b"online": b"1\n",
            b"cache": _caches(number, mask, [cache for cache in caches if cache[2]]),
            b"topology": _topology(number, mask),
        }
        for number in cpus.numbers(mask)
    }
    tree[b"isolated"] = tree[b"nohz_full"] = tree[b"offline"] = b"\n"
    tree[b"kernel_max"] = b"8191\n"
    tree[b"online"] = tree[b"possible"] = tree[b"present"] = tree[b"enabled"] = present
    tree[b"smt"] = {b"active": b"0\n", b"control": b"notsupported\n"}
    return tree


def _topology(number: int, mask: int) -> Tree:
    """One package of cores with one thread each."""
    own_mask, own = cpus.mask_text(1 << number, mask) + b"\n", b"%d\n" % number
    all_mask, every = cpus.mask_text(mask, mask) + b"\n", cpus.list_text(mask) + b"\n"
    return {
        b"cluster_cpus": own_mask, b"cluster_cpus_list": own, b"cluster_id": b"65535\n",
        b"core_cpus": own_mask, b"core_cpus_list": own, b"core_id": own,
        b"core_siblings": all_mask, b"core_siblings_list": every,
        b"die_cpus": all_mask, b"die_cpus_list": every, b"die_id": b"0\n",
        b"package_cpus": all_mask, b"package_cpus_list": every, b"physical_package_id": b"0\n",
        b"thread_siblings": own_mask, b"thread_siblings_list": own,
    }  # fmt: skip


def _geometry(first: int) -> tuple[int, int, int]:
    """Size, associativity and line size in bytes, zeros where the C library doesn't know the processor."""
    try:
        size, ways, line = (os.sysconf(first + offset) for offset in range(3))
    except (OSError, ValueError):
        return 0, 0, 0
    return (size, ways, line) if size > 0 and ways > 0 and line > 0 else (0, 0, 0)


def _caches(number: int, mask: int, caches: list[tuple[bytes, int, int, int, int]]) -> Tree:
    tree: dict[bytes, Tree] = {}
    for index, (kind, level, size, ways, line) in enumerate(caches):
        sharing = mask if level > 2 else 1 << number
        tree[b"index%d" % index] = {
            b"coherency_line_size": b"%d\n" % line,
            b"id": b"%d\n" % (0 if level > 2 else number),
            b"level": b"%d\n" % level,
            b"number_of_sets": b"%d\n" % (size // (ways * line)),
            b"physical_line_partition": b"1\n",
            b"shared_cpu_list": cpus.list_text(sharing) + b"\n",
            b"shared_cpu_map": cpus.mask_text(sharing, mask) + b"\n",
            b"size": b"%dK\n" % (size // 1024),
            b"type": kind + b"\n",
            b"ways_of_associativity": b"%d\n" % ways,
        }
    return tree
