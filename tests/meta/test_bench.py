"""The benchmarks' own programs build and run: a figure that nobody can take again is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import measure, run
from bench.aims import ABSOLUTE, AIMS, Aim
from bench.columns import Column, Native
from bench.workloads import WORKLOADS


def test_the_floor_of_the_ptrace_platform_can_be_measured(tmp_path: Path) -> None:
    rows = run.floor(tmp_path, rounds=1)
    assert "bare loop, one CPU" in rows
    assert "x bare on one CPU" in rows


def test_a_micro_benchmark_prints_its_row(work_directory: Path, build_directory: Path) -> None:
    program = build_directory / "micro"
    run.compile_c([run.HERE / "micro.c"], program, "-static")
    found = measure.micro(Native("native"), program, work_directory, ["getppid", "lseek"])
    assert set(found) == {"getppid", "lseek"}


def test_every_row_has_an_aim_and_every_aim_its_row() -> None:
    micro = set(re.findall(r'^\t\{"(\S+)", \w+, \d+\},$', (run.HERE / "micro.c").read_text(), re.MULTILINE))
    assert micro | {workload.name for workload in WORKLOADS} | {"memory of sleep"} == {*AIMS, *ABSOLUTE}


@pytest.mark.parametrize(("value", "verdict"), [(0.9, "aim"), (1.02, "aim"), (1.9, "reach"), (2.1, "MISSED")])
def test_a_row_is_judged(value: float, verdict: str) -> None:
    assert Aim(reach=2, aim=1).verdict(value) == verdict


def test_a_table_counts_what_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    table = run.Table([Native("native"), Column("ptrace")], values=False)
    table.judged = 1
    table.row("mprotect", [1000.0, 4500.0])  # 4.5 x: between 5 and 3
    table.row("lseek", [1000.0, 11000.0])
    table.row("start of true", [1e6, 50e6])
    table.row("open-close", [1000.0, None])
    table.memory([None, 60.0])
    table.summary()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:-1]] == ["reach", "MISSED", "aim", "failed", "MISSED"]
    assert lines[-1] == "5 rows: 2 reached, 1 of them at their aim"


def test_a_workload_that_fails_has_no_time(work_directory: Path) -> None:
    columns = [Native("native"), Column("sh", "/bin/false")]
    assert measure.wall(columns, ["/bin/true"], work_directory)[1] is None


def test_every_workload_runs_natively(work_directory: Path) -> None:
    for name, script, needs in WORKLOADS:
        if name != "cpu loop" and all(shutil.which(need) for need in needs):
            place = work_directory / name.replace("/", "-")
            place.mkdir()
            command = measure.workload(script, sandboxed=False)
            done = subprocess.run(command, cwd=place, capture_output=True, check=False)
            assert done.returncode == 0, (name, done.stderr)
