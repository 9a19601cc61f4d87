"""Ten thousand processes and threads, one after another, leave nothing behind: seen from the host."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.isolation.support import (
    LOOKS_INSIDE,
    Running,
    compile_guest,
    descriptors,
    eventually,
    running,
    status_of,
)

pytestmark = [pytest.mark.usefixtures("mode"), LOOKS_INSIDE]
COUNT = 10_000
KINDS = {"forks": COUNT, "vforks": COUNT, "execs": 4000, "threads": COUNT, "detached": COUNT}
# KiB that the sentry's memory may be more after the second half of them: what cycles of Python's objects
# hold is given back now and then.  A page kept for each would be five times as much and more.
GROWTH = 4096
SLACK = 10  # in number: stacks that the C library keeps, threads that are about to end


class Holdings(NamedTuple):
    """What a sandbox holds of the host's, all its processes together."""

    processes: int
    threads: int
    sentry_descriptors: int
    stub_descriptors: int
    mappings: int


def holdings(sandbox: Running) -> Holdings:
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a stub has just ended: look again
            return _look(sandbox)
    return _look(sandbox)


def _look(sandbox: Running) -> Holdings:
    everyone = [sandbox.sentry, *sandbox.stubs]
    return Holdings(
        len(everyone),
        sum(len(os.listdir(f"/proc/{pid}/task")) for pid in everyone),
        len(descriptors(sandbox.sentry)),
        sum(len(descriptors(pid)) for pid in sandbox.stubs),
        sum(len(Path(f"/proc/{pid}/maps").read_text().splitlines()) for pid in sandbox.stubs),
    )


def no_more(before: Holdings, after: Holdings) -> bool:
    return all(now <= then + SLACK for then, now in zip(before, after, strict=True))


def memory(sandbox: Running) -> int:
    """KiB, anonymous and shared, of the sentry."""
    status = status_of(sandbox.sentry)
    return sum(int(status[name].split()[0]) for name in ("RssAnon", "RssShmem"))


def another_round(sandbox: Running) -> None:
    command = sandbox.command
    assert command.stdin is not None
    assert command.stdout is not None
    command.stdin.write(b"go\n")
    command.stdin.flush()
    assert command.stdout.readline() == b"done\n"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of(kind: str, build_directory: Path) -> None:
    compile_guest("churn", build_directory)
    argv = ["/t/churn", kind, str(KINDS[kind] // 2)]
    with running(argv, volumes=[f"{build_directory}:/t:ro"]) as sandbox:
        another_round(sandbox)
        before, used = holdings(sandbox), memory(sandbox)
        another_round(sandbox)
        assert eventually(lambda: no_more(before, holdings(sandbox))), (before, holdings(sandbox))
        assert memory(sandbox) - used < GROWTH
