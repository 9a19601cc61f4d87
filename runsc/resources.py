"""linux.resources of config.json as the files of the sandbox's root control group (cgroup v2).

The conversions from version 1's units are those of the OCI runtimes.
"""

from __future__ import annotations

import os

from runsc.errors import RuntimeFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PERIOD = 100_000  # us of a CPU quota
_FIELDS = {"memory", "cpu", "pids", "unified", "blockIO"}


def convert(resources: dict[str, Any]) -> dict[bytes, bytes]:
    """The files to write, by name.  Raises RuntimeFailure for values that make no sense."""
    files: dict[str, str] = {}
    memory = resources.get("memory") or {}
    limit = memory.get("limit")
    if limit is not None:
        files["memory.max"] = _or_max(limit)
    if memory.get("reservation") is not None:
        files["memory.low"] = _or_max(memory["reservation"])
    if memory.get("swap") is not None:
        files["memory.swap.max"] = _swap(memory["swap"], limit)
    cpu = resources.get("cpu") or {}
    if cpu.get("shares"):
        files["cpu.weight"] = str(1 + (max(2, min(cpu["shares"], 262144)) - 2) * 9999 // 262142)
    if cpu.get("quota") is not None or cpu.get("period") is not None:
        files["cpu.max"] = f"{_or_max(cpu.get('quota') or -1)} {cpu.get('period') or _PERIOD}"
    for field, name in (("cpus", "cpuset.cpus"), ("mems", "cpuset.mems")):
        if cpu.get(field):
            files[name] = cpu[field]
    pids = resources.get("pids") or {}
    if pids.get("limit") is not None:
        files["pids.max"] = _or_max(pids["limit"])
    weight = (resources.get("blockIO") or {}).get("weight")
    if weight:
        files["io.weight"] = str(1 + (max(10, min(weight, 1000)) - 10) * 9999 // 990)
    files.update(resources.get("unified") or {})
    return {os.fsencode(name): os.fsencode(value) for name, value in files.items()}


def unserved(resources: dict[str, Any]) -> list[str]:
    """The fields that have no effect."""
    return sorted(set(resources) - _FIELDS)


def _or_max(value: int) -> str:
    return str(value) if value > 0 else "max"


def _swap(swap: int, limit: int | None) -> str:
    """Version 1 counts memory and swap together."""
    if swap <= 0:
        return "max"
    if limit is None or limit <= 0 or swap < limit:
        raise RuntimeFailure("config.json: linux.resources.memory.swap: less than the memory limit")
    return str(swap - limit)


def cpus(files: dict[bytes, bytes], usable: set[int]) -> set[int]:
    """The CPUs that a sandbox with these limits is to run on: as many as its quota can keep busy."""
    chosen = sorted(usable & _parse(files[b"cpuset.cpus"]) if b"cpuset.cpus" in files else usable)
    if not chosen:
        raise RuntimeFailure("config.json: linux.resources.cpu.cpus: none of them can be used here")
    quota, _, period = files.get(b"cpu.max", b"max").partition(b" ")
    count = len(chosen)
    if quota.isdigit():
        count = -(-int(quota) // int(period or _PERIOD)) or 1
    return set(chosen[:count])


def _parse(text: bytes) -> set[int]:
    found: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b"-")
        try:
            found.update(range(int(first), min(int(last or first), 8191) + 1))
        except ValueError:
            raise RuntimeFailure("config.json: linux.resources.cpu.cpus: not a list of CPUs") from None
    return found
