"""The benchmarks' own programs build and run: a figure that nobody can take again is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench import run


def test_the_floor_of_the_ptrace_platform_can_be_measured(tmp_path: Path) -> None:
    rows = run.floor(tmp_path)
    assert "bare loop, one CPU" in rows
    assert "x bare on one CPU" in rows


def test_a_micro_benchmark_prints_its_row(work_directory: Path, build_directory: Path) -> None:
    program = build_directory / "micro"
    run.compile_c([run.HERE / "micro.c"], program, "-static")
    assert set(run.micro(run.Column("native", []), program, work_directory, ["getppid", "lseek"])) == {
        "getppid",
        "lseek",
    }


def test_every_workload_runs_natively(work_directory: Path) -> None:
    for name, script in run.WORKLOADS.items():
        if name != "cpu loop":
            command = run.workload(script, sandboxed=False)
            done = subprocess.run(command, cwd=work_directory, capture_output=True, check=False)
            assert done.returncode == 0, (name, done.stderr)
