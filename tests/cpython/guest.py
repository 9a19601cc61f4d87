"""Runs one module of CPython's test suite: `python3 guest.py MODULE RECORD`.  It is the program under test.

It adds a line to the file RECORD when a test starts and another when it ends, at once, so that the record
holds what was known when the interpreter crashed or hung; a test that has a line there, or matches the
pattern of one, is not run.
What the tests themselves print goes to standard output and error, where nobody reads it.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import resource
import sys
import termios
import unittest
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

STARTED, DONE = "started", "done"
PASSED, SKIPPED, FAILED, EXPECTED_FAILURE, UNEXPECTED_SUCCESS = (
    "passed",
    "skipped",
    "failed",
    "expected failure",
    "unexpected success",
)
# Of the things that a test may ask for, those that it gets: not hours of computing.
RESOURCES = ["curses", "largefile", "network", "subprocess"]


class Record(unittest.TestResult):
    """Writes what becomes of each test."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.owner = os.getpid()
        self.worst: tuple[str, str] | None = None

    def write(self, test: str, outcome: str, reason: str = "") -> None:
        if os.getpid() != self.owner:
            return  # a test forked, and the child came back here
        line = "\t".join([test, outcome, " ".join(reason.split())])
        with open(self.path, "a", encoding="utf-8", errors="backslashreplace") as record:
            record.write(line + "\n")

    def startTest(self, test: unittest.TestCase) -> None:
        self.worst = None
        self.write(test.id(), STARTED)
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.write(test.id(), *(self.worst or (PASSED, "")))

    def note(self, test: Any, outcome: str, reason: str = "") -> None:
        """The first thing that goes wrong counts; outside a test (setUpClass) it is a line of its own."""
        if not isinstance(test, unittest.TestCase):
            self.write(test.id(), outcome, reason)
        elif self.worst is None or (outcome == FAILED and self.worst[0] != FAILED):
            self.worst = (outcome, reason)

    def note_error(self, test: Any, error: Any) -> None:
        text = self._exc_info_to_string(error, test)  # type: ignore[attr-defined]
        print(test.id(), text, sep="\n", file=sys.__stderr__, flush=True)
        self.note(test, FAILED, f"{error[0].__name__}: {error[1]}"[:300])

    def addError(self, test: Any, err: Any) -> None:
        self.note_error(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        self.note_error(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.note_error(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        self.note(test, SKIPPED, reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        self.note(test, EXPECTED_FAILURE)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.note(test, UNEXPECTED_SUCCESS)


def each(suite: Iterable[Any]) -> Iterable[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def take_terminal() -> int:
    """Makes a new terminal the session's and standard input, since tests skip without; its other end."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(slave, 0)
    os.close(slave)
    return master


def main(module: str, path: str) -> None:
    from test import support

    take_terminal()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))  # some tests open as many as there can be
    support.use_resources = RESOURCES
    support.record_original_stdout(sys.stdout)
    faulthandler.enable()
    with open(path, encoding="utf-8") as record:
        known = [line.split("\t")[0] for line in record]
    result = Record(path)
    try:
        found = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
    except unittest.SkipTest as skipped:  # the whole module says that it does not apply
        result.write(module, SKIPPED, str(skipped))
    else:
        left = [test for test in each(found) if not any(fnmatchcase(test.id(), name) for name in known)]
        unittest.TestSuite(left).run(result)
    result.write(module, DONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
