"""What differs between two runs of a module."""

from __future__ import annotations

from tests.cpython.guest import FAILED
from tests.cpython.record import Record, Result

ABSENT = Result("not run")


def differences(expected: Record, seen: Record) -> dict[str, tuple[Result, Result]]:
    """The tests with another result than expected; what fails natively is nobody's difference."""
    found = {}
    for test in {**expected.results, **seen.results}:
        pair = expected.results.get(test, ABSENT), seen.results.get(test, ABSENT)
        if pair[0].outcome not in (pair[1].outcome, FAILED):
            found[test] = pair
    return found
