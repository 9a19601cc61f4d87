"""What Python would print itself goes to the log: in a sealed sandbox, printing a source line is the end."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator

import pytest

from runsc import _boot, seccomp
from sentry.kernel.log import Log


@pytest.fixture
def log() -> Iterator[tuple[Log, int]]:
    """A log that has taken over, and the descriptor to read it from."""
    hook, show = sys.unraisablehook, warnings.showwarning
    reader, writer = os.pipe()
    log = Log(writer)
    log.take_over()
    yield log, reader
    sys.unraisablehook, warnings.showwarning = hook, show
    os.close(reader)
    os.close(writer)


class Unlucky:
    def __del__(self) -> None:
        raise ValueError("in a finalizer")


async def never_awaited() -> None: ...


def misbehave() -> None:
    Unlucky()
    for _ in range(2):
        never_awaited()


@pytest.mark.filterwarnings("default")
def test_bugs_that_nobody_can_catch_are_logged(log: tuple[Log, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log[0].take_over()  # pytest has put its own in place for the test
        misbehave()
    text = os.read(log[1], 4096).decode()
    assert "error: ValueError: in a finalizer" in text
    assert text.count("warning: RuntimeWarning: coroutine 'never_awaited' was never awaited") == 1


@pytest.mark.filterwarnings("default")
def test_a_sealed_process_lives_on(log: tuple[Log, int]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            log[0].take_over()
            _boot.no_new_privileges()
            _boot.seal(seccomp.load())
            misbehave()
        finally:
            os._exit(42)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
