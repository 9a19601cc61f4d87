"""What differs between two runs of a module."""

from __future__ import annotations

from fnmatch import fnmatchcase

from tests.cpython.guest import FAILED
from tests.cpython.modules import LEFT_OUT
from tests.cpython.record import Record, Result

ABSENT = Result("not run")


def left_out(test: str) -> bool:
    return any(fnmatchcase(test, pattern) for pattern in LEFT_OUT)


def differences(expected: Record, seen: Record) -> dict[str, tuple[Result, Result]]:
    """The tests with another result than expected; not what is left out or fails natively."""
    found = {}
    for test in {**expected.results, **seen.results}:
        pair = expected.results.get(test, ABSENT), seen.results.get(test, ABSENT)
        if pair[0].outcome not in (pair[1].outcome, FAILED) and not left_out(test):
            found[test] = pair
    return found
