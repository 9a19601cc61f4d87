"""What a step of the host's clock does to those who wait for it, natively and in each mode of the sandbox.

The clock is stepped by a few milliseconds and put back; that takes a privilege which few places have.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leftout import LeftOut
from tests.modes import Mode
from tests.sandbox import ENVIRONMENT, need_runsc, run_lines
from tests.syscalls.cases import Launcher, Result, Results, compile_program, native, parse_line, sandboxed
from tests.syscalls.test_syscalls import judge

PROGRAM = "outside/clock_steps"
MOST = 100_000_000  # ns


def ahead() -> int:
    """How far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC, in ns."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def step(by: int) -> None:
    time.clock_settime_ns(time.CLOCK_REALTIME, time.clock_gettime_ns(time.CLOCK_REALTIME) + by)


@pytest.fixture
def steps() -> Iterator[None]:
    """The clock may be stepped, and is put back afterwards."""
    try:
        step(0)
    except PermissionError:
        pytest.skip("stepping the clock is not permitted here")
    before = ahead()
    yield
    step(before - ahead())


def run(launch: Launcher, cwd: Path) -> Results:
    results: dict[str, Result] = {}

    def read_line(line: str) -> None:
        if line.startswith("step "):
            step(max(-MOST, min(int(line[5:]), MOST)))
        else:
            parsed = parse_line(line)
            assert parsed is not None, line
            results[parsed[0]] = parsed[1]

    done = run_lines(launch(PROGRAM, []), read_line, cwd=cwd, env=ENVIRONMENT)
    assert results, done.stderr.decode()
    return results


@pytest.mark.usefixtures("steps")
def test_native(build_directory: Path, work_directory: Path, left_out: list[LeftOut]) -> None:
    judge("native", PROGRAM, run(native(compile_program(PROGRAM, build_directory)), work_directory), left_out)


@pytest.mark.hot_and_cold
@pytest.mark.usefixtures("steps")
def test_sandbox(mode: Mode, build_directory: Path, work_directory: Path, left_out: list[LeftOut]) -> None:
    need_runsc()
    compile_program(PROGRAM, build_directory)
    judge(mode.name, PROGRAM, run(sandboxed(build_directory), work_directory), left_out)
