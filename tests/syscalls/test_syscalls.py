"""Every guest program: natively first, which proves the cases, then in the sandbox, in each of its modes.

One item is a whole program in one mode, since what a sandbox costs is its start; a failed item names each
failed case. The native modes are also the proof that a case states what Linux does: one that fails there is a
mistake in the test, fails the native item and is not held against the sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.leftout import LeftOut
from tests.modes import Mode
from tests.sandbox import NOBODY, need_runsc
from tests.syscalls.cases import (
    FAILED,
    PASSED,
    PROGRAMS,
    SKIPPED,
    Result,
    Results,
    compile_program,
    list_cases,
    native,
    run_cases,
    sandboxed,
)

NativeRun = Callable[[str, Path], Results]


@pytest.fixture(scope="session")
def native_run(build_directory: Path) -> NativeRun:
    """Runs a program natively, once a session."""
    known: dict[str, Results] = {}

    def run(program: str, cwd: Path) -> Results:
        if program not in known:
            executable = compile_program(program, build_directory)
            known[program] = run_cases(native(executable), program, list_cases(executable), cwd=cwd)
        return known[program]

    return run


def judge(mode: str, program: str, results: Results, left_out: list[LeftOut]) -> None:
    """Fails with the list of the failed cases; notes the skipped ones."""
    left_out += [
        LeftOut(mode, program, result.reason) for result in results.values() if result.outcome == SKIPPED
    ]
    failed = [f"  {case}: {result.reason}" for case, result in results.items() if result.outcome == FAILED]
    if failed:
        heading = f"{program}, {mode}: {len(failed)} of {len(results)} failed"
        pytest.fail("\n".join([heading, *failed]), pytrace=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_native(program: str, native_run: NativeRun, work_directory: Path, left_out: list[LeftOut]) -> None:
    judge("native", program, native_run(program, work_directory), left_out)


@pytest.mark.skipif(os.geteuid() != 0, reason="the native run is an ordinary user's already")
@pytest.mark.parametrize("program", PROGRAMS)
def test_native_as_ordinary_user(
    program: str, build_directory: Path, work_directory: Path, left_out: list[LeftOut]
) -> None:
    executable = compile_program(program, build_directory)
    results = run_cases(native(executable), program, list_cases(executable), cwd=work_directory, user=NOBODY)
    judge("native as an ordinary user", program, results, left_out)


@pytest.mark.hot_and_cold
@pytest.mark.parametrize("program", PROGRAMS)
def test_sandbox(
    program: str,
    mode: Mode,
    build_directory: Path,
    native_run: NativeRun,
    work_directory: Path,
    left_out: list[LeftOut],
) -> None:
    need_runsc()
    natively = native_run(program, work_directory)
    proven = [case for case, result in natively.items() if result.outcome == PASSED]
    cases = list_cases(build_directory / program)
    results = run_cases(sandboxed(build_directory), program, cases)
    judge(mode.name, program, {case: never_skipped(results[case]) for case in proven}, left_out)


def never_skipped(result: Result) -> Result:
    """What could be checked natively must not turn out to be inapplicable in the sandbox."""
    return Result(FAILED, f"skipped in the sandbox: {result.reason}") if result.outcome == SKIPPED else result
