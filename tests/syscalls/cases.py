"""Compiles a guest test program, runs its cases and reads what became of each."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.sandbox import ENVIRONMENT, HANG_GUARD, Hung, run_lines, sandbox_argv

SOURCES = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in SOURCES.glob("*.c"))
FLAGS = ["-D_GNU_SOURCE", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]

# How many cases of a program may hang before the rest are given up.
MOST_HANGS = 3

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Result(NamedTuple):
    """What became of a case, and why if it did not pass."""

    outcome: str
    reason: str = ""


Results = Mapping[str, Result]
# Makes the command line that runs a program with these arguments.
Launcher = Callable[[str, list[str]], list[str]]


def compile_program(program: str, directory: Path) -> Path:
    """Compiles program.c into the directory unless that has been done, and returns the executable's path."""
    target = directory / program
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        unfinished = directory / f"{program}.{os.getpid()}"
        command = ["gcc", *FLAGS, "-o", str(unfinished), str(SOURCES / f"{program}.c")]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode != 0:
            raise AssertionError(f"{program}.c does not compile:\n{built.stderr}")
        unfinished.rename(target)
    return target


def list_cases(executable: Path) -> list[str]:
    """The names of the program's cases, in the order in which they run."""
    listing = subprocess.run([executable, "--list"], capture_output=True, text=True, check=True)
    return [line.partition("\t")[0] for line in listing.stdout.splitlines()]


def native(executable: Path) -> Launcher:
    """Runs on the host's kernel."""
    return lambda _program, arguments: [str(executable), *arguments]


def sandboxed(directory: Path) -> Launcher:
    """Runs on the sentry, the directory of executables mounted read-only at /t."""
    return lambda program, arguments: sandbox_argv(
        [f"/t/{program}", *arguments], volumes=[f"{directory}:/t:ro"]
    )


def run_cases(
    launch: Launcher,
    program: str,
    cases: list[str],
    *,
    cwd: Path | None = None,
    user: int | None = None,
    patience: float = HANG_GUARD,
) -> Results:
    """Runs all cases of a program; a case that hangs has failed, and those after it run in a new process."""
    results: dict[str, Result] = {}
    hangs = 0
    arguments: list[str] = []

    def read_line(line: str) -> None:
        parsed = parse_line(line)
        if parsed is not None:
            results[parsed[0]] = parsed[1]

    while True:
        try:
            done = run_lines(
                launch(program, arguments), read_line, cwd=cwd, env=ENVIRONMENT, patience=patience, user=user
            )
        except Hung as hung:
            stopped_by = Result(FAILED, f"hung; stderr: {tail(hung.stderr)}")
            hangs += 1
        else:
            stopped_by = Result(FAILED, f"not run: ended with {done.returncode}: {tail(done.stderr)}")
            hangs = MOST_HANGS
        missing = [case for case in cases if case not in results]
        if not missing:
            return results
        results[missing[0]] = stopped_by
        if hangs >= MOST_HANGS:
            return results | {case: Result(FAILED, "not run") for case in missing[1:]}
        arguments = ["--after", missing[0]]


def parse_line(line: str) -> tuple[str, Result] | None:
    """A line of a program's output as (case, result); None if it is not a result."""
    if line.startswith("ok "):
        name, skipped, reason = line[3:].partition(" # SKIP ")
        return name, Result(SKIPPED, reason) if skipped else Result(PASSED)
    if line.startswith("not ok "):
        name, _, reason = line[7:].partition(": ")
        return name, Result(FAILED, reason)
    return None


def tail(output: bytes, most: int = 2000) -> str:
    """The end of some output, for a message."""
    return output[-most:].decode(errors="replace").strip() or "(empty)"
