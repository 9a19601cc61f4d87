"""What could not run where the tests ran, and why: told in few lines, so that failures stay in sight."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class LeftOut(NamedTuple):
    """A case that did not run: where, the program that it belongs to, and the reason."""

    where: str
    program: str
    reason: str


def summary(left_out: Iterable[LeftOut]) -> Iterator[str]:
    """A line for each reason, with the programs and how many of their cases it kept from running."""
    programs: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for entry in left_out:
        programs[entry.where, entry.reason][entry.program] += 1
    for (where, reason), counts in programs.items():
        named = ", ".join(f"{name} ({count})" for name, count in counts.items())
        yield f"{where}: {reason}: {counts.total()}: {named}"
