"""The harness tells apart all the ways in which a case can end: a test that cannot fail is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.syscalls.cases import (
    FAILED,
    PASSED,
    SKIPPED,
    Result,
    compile_program,
    list_cases,
    native,
    run_cases,
)

OUTCOMES = {
    "passes": Result(PASSED),
    "fails_a_check": Result(FAILED, "1 + 1 is 2, expected 3"),
    "expects_another_errno": Result(FAILED, "close(-1): EBADF, expected EINVAL"),
    "expects_an_error_of_a_success": Result(FAILED, "getpid() is "),
    "expects_a_success_of_an_error": Result(FAILED, "close(-1) failed: EBADF"),
    "fails_in_a_child_that_nobody_judges": Result(FAILED, "not true: false"),
    "fails_in_a_thread": Result(FAILED, "not true: false"),
    "is_skipped": Result(SKIPPED, "because of the weather"),
    "crashes": Result(FAILED, "killed by signal 9"),
    "exits": Result(FAILED, "wait status 0x900"),
    "leaves_a_child": Result(FAILED, "the case left a child behind"),
    "leaves_files": Result(PASSED),
    "hangs": Result(FAILED, "hung"),
    "passes_after_one_that_hung": Result(PASSED),
}


@pytest.fixture
def program(build_directory: Path) -> Path:
    return compile_program("selftest/outcomes", build_directory)


def test_each_outcome_is_told_apart(program: Path, work_directory: Path) -> None:
    cases = list_cases(program)
    results = run_cases(native(program), "outcomes", cases, cwd=work_directory, patience=2.0)
    assert cases == list(OUTCOMES)
    for case, expected in OUTCOMES.items():
        assert results[case].outcome == expected.outcome, (case, results[case])
        assert results[case].reason.startswith(expected.reason), (case, results[case])


def test_a_case_leaves_no_files(program: Path, work_directory: Path) -> None:
    subprocess.run([program, "leaves_files"], cwd=work_directory, check=True)
    assert os.listdir(work_directory) == []


@pytest.mark.parametrize(("case", "status"), [("passes", 0), ("fails_a_check", 1), ("is_skipped", 77)])
def test_a_single_case_ends_with_its_status(
    program: Path, work_directory: Path, case: str, status: int
) -> None:
    done = subprocess.run([program, case], cwd=work_directory, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert OUTCOMES[case].reason in done.stderr


def test_a_program_that_ends_early_fails_what_is_missing(work_directory: Path) -> None:
    results = run_cases(lambda *_: ["/bin/true"], "true", ["first", "second"], cwd=work_directory)
    assert [result.outcome for result in results.values()] == [FAILED, FAILED]
