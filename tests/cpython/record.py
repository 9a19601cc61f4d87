"""Runs a module of CPython's test suite until each of its tests has a result."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.cpython import guest
from tests.programs.program import PYTHON
from tests.sandbox import ENVIRONMENT, sandbox_argv, started

GUEST = Path(guest.__file__)
PATIENCE = 150  # seconds that a test may take; the slowest one takes a third of that natively
MOST_STOPS = 8  # tests of a module that hang or crash before the rest is given up
HUNG, CRASHED, LEFT_OUT = "hung", "crashed", "left out"

Launcher = Callable[[str, Path], list[str]]
"""Makes the command line that runs a module and writes this record."""


class Result(NamedTuple):
    """What became of a test, and why if it did not pass."""

    outcome: str
    reason: str = ""


class Record(NamedTuple):
    """What became of a module's tests, by name."""

    results: dict[str, Result]
    running: str | None  # the test that has not ended
    done: bool


def read(path: Path) -> Record:
    results: dict[str, Result] = {}
    running, done = None, False
    for line in path.read_text(errors="replace").splitlines():
        test, outcome, reason = line.split("\t", 2)
        if outcome == guest.DONE:
            done = True
        elif outcome == guest.STARTED:
            running = test
        else:
            results.setdefault(test, Result(outcome, reason))
            running = None
    return Record(results, running, done)


def native(module: str, record: Path) -> list[str]:
    """Runs on the host's kernel."""
    return [PYTHON, str(record.parent / GUEST.name), module, str(record)]


def sandboxed(module: str, record: Path) -> list[str]:
    """Runs on the sentry, in the current mode."""
    argv = [PYTHON, f"/record/{GUEST.name}", module, f"/record/{record.name}"]
    return sandbox_argv(argv, volumes=[f"{record.parent}:/record"])


def run_module(
    launch: Launcher,
    module: str,
    path: Path,
    cwd: Path,
    *,
    leave_out: Mapping[str, str],
    patience: float = PATIENCE,
) -> Record:
    """Runs a module; `path` is its record, `path` with .log what it printed, `cwd` an empty directory.

    `leave_out` has patterns of the tests that are not run, and why.  A test that hangs or crashes has that as
    its result, and those after it run in a new process.
    """
    mine = {name: why for name, why in leave_out.items() if name.startswith(f"test.{module}.")}
    path.write_text("".join(f"{name}\t{LEFT_OUT}\t{why}\n" for name, why in mine.items()))
    shutil.copy(GUEST, path.parent)  # whose folder is in sys.path, and some tests write there
    environment = {**ENVIRONMENT, "TMPDIR": str(cwd)}
    for _ in range(MOST_STOPS):
        with path.with_suffix(".log").open("ab") as log:
            ended = run_once(launch(module, path), path, log.fileno(), environment, cwd, patience)
        record = read(path)
        if record.done:
            return record
        with path.open("a") as file:
            outcome = CRASHED if ended else HUNG
            file.write(f"{record.running or f'{module} (between tests)'}\t{outcome}\t\n")
        if record.running is None:
            break
    return read(path)


def run_once(
    argv: Sequence[str], path: Path, log: int, environment: dict[str, str], cwd: Path, patience: float
) -> bool:
    """False when nothing was added to the record for so long."""
    with started(argv, env=environment, cwd=cwd, user=None, stdin=subprocess.DEVNULL, output=log) as process:
        size, since = -1, time.monotonic()
        while process.poll() is None:
            time.sleep(0.05)
            if path.stat().st_size != size:
                size, since = path.stat().st_size, time.monotonic()
            elif time.monotonic() - since > patience:
                return False
    return True
