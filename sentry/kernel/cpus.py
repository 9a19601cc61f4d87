"""How sets of CPUs are told as text; a set is a mask, `Kernel.cpus` is the one that the sandbox has."""

from __future__ import annotations

from errno import EINVAL

from sentry.errors import Errno

_CPUS_MAX = 8192


def numbers(mask: int) -> list[int]:
    """The CPUs of a set, in rising order."""
    return [cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1]


def mask_text(mask: int, every: int) -> bytes:
    """A set as /proc tells it: hexadecimal, in groups of 32 bits; as wide as `every`, the set of all CPUs."""
    digits = f"{mask:0{(every.bit_length() + 3) // 4}x}"
    groups = [digits[max(end - 8, 0) : end] for end in range(len(digits), 0, -8)]
    return ",".join(reversed(groups)).encode()


def parse_list(text: bytes) -> int:
    """The set that a list of ranges is; EINVAL."""
    mask = 0
    for part in text.split(b",") if text else ():
        first, dash, last = part.partition(b"-")
        if not first.isdigit() or (dash and not last.isdigit()) or len(part) > 16:
            raise Errno(EINVAL)
        low, high = int(first), int(last or first)
        if not low <= high < _CPUS_MAX:
            raise Errno(EINVAL)
        mask |= (1 << high + 1) - (1 << low)
    return mask


def list_text(mask: int) -> bytes:
    """A set as a list of ranges: 0-3,8 (cpuset(7), "List format")."""
    ranges: list[list[int]] = []
    for cpu in numbers(mask):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return b",".join([b"%d" % first if first == last else b"%d-%d" % (first, last) for first, last in ranges])
