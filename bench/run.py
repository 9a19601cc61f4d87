"""`make bench`: native, runc, this project's platforms and a gVisor `runsc` in PATH, side by side.

    python -m bench.run [--rounds N] [--values] [--floor] [ROW...]

Each row is measured in every column in one run: only ratios within it mean anything.  The figure with a unit
is the base (runc's for a workload where there is one, else native), the others are multiples of it; then
come the multiples of bench/aims.py, and which of them the platform in the last heading has kept.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import measure
from bench.aims import ABSOLUTE, AIMS
from bench.columns import Column, find
from bench.workloads import WORKLOADS

HERE = Path(__file__).resolve().parent
UNITS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def compile_c(sources: list[Path], target: Path, *flags: str) -> None:
    strict = ["-Wall", "-Wextra", "-Werror"]
    command = ["gcc", "-O2", "-std=gnu11", "-pthread", *strict, *flags, *map(str, sources), "-o", str(target)]
    subprocess.run(command, check=True)


def floor(work: Path, rounds: int = 7) -> str:
    """What ptrace_floor prints: the bare PTRACE_SYSEMU loop in C, and the back-end's operations beside it.

    The best of that many rounds counts.
    """
    platform = HERE.parent / "platform"
    backend = [*(platform / "ptrace").glob("*.c"), *(platform / "common").glob("*.c")]
    sources = [HERE / "ptrace_floor.c", *(path for path in backend if path.name != "module.c")]
    program, stub = work / "floor", work / "stub.elf"
    compile_c(sources, program, *(f"-I{platform}/{name}" for name in ("ptrace", "common", "include")))
    where = "from sentry.platform.base import stub_path; print(stub_path('ptrace'))"
    installed = subprocess.run([sys.executable, "-Pc", where], capture_output=True, text=True, check=True)
    shutil.copy(installed.stdout.strip(), stub)
    # What it has to say when it fails goes where ours goes.
    return subprocess.run([program, stub, str(rounds)], stdout=subprocess.PIPE, text=True, check=True).stdout


class Table:
    """The rows as they come, and how many of them reached what they should."""

    def __init__(self, columns: list[Column], values: bool) -> None:
        from sentry.platform.base import PLATFORMS

        self.values = values
        names = [column.name for column in columns]
        self.judged = next((names.index(name) for name in PLATFORMS if name in names), -1)
        self.verdicts: list[str] = []
        judged = names[self.judged] if self.judged >= 0 else ""
        head = "".join(f"{name:>15}" for name in names)
        print(f"{'':<28}{head}{'reach':>8}{'aim':>7}  {judged}")

    def row(self, name: str, nanoseconds: list[float | None], base: int = 0) -> None:
        """`base` is the column whose multiples the others are."""
        unit = nanoseconds[base]
        cells = []
        for index, value in enumerate(nanoseconds):
            if value is None:
                cells.append("-")
            elif self.values or index == base or not unit or name in ABSOLUTE:
                cells.append(time_text(value))
            else:
                cells.append(f"{value / unit:.2f} x")
        value = nanoseconds[self.judged]
        if name in ABSOLUTE:
            self._print(name, cells, None if value is None else value / 1e9)
        else:
            self._print(name, cells, value / unit if unit and value else None)

    def memory(self, megabytes: list[float | None]) -> None:
        cells = ["" if value is None else f"{value:.1f} MB" for value in megabytes]
        self._print("memory of sleep", cells, megabytes[self.judged])

    def _print(self, name: str, cells: list[str], judged: float | None) -> None:
        line = f"{name:<28}" + "".join(f"{cell:>15}" for cell in cells)
        aim = AIMS.get(name) or ABSOLUTE.get(name)
        if aim and self.judged >= 0:
            verdict = "failed" if judged is None else aim.verdict(judged)
            self.verdicts.append(verdict)
            line += f"{aim.reach:>8g}{aim.aim:>7g}  {verdict}"
        print(line, flush=True)

    def summary(self) -> None:
        reached = sum(verdict in ("reach", "aim") for verdict in self.verdicts)
        aims = self.verdicts.count("aim")
        print(f"{len(self.verdicts)} rows: {reached} reached, {aims} of them at their aim")


def time_text(nanoseconds: float) -> str:
    unit = max((name for name in UNITS if UNITS[name] <= max(nanoseconds, 1)), key=UNITS.__getitem__)
    return f"{nanoseconds / UNITS[unit]:.3g} {unit}"


def run(work: Path, scratch: Path, arguments: argparse.Namespace) -> None:
    program = work / "micro"
    compile_c([HERE / "micro.c"], program, "-static")
    if arguments.floor:
        print(floor(work))
    columns = find(work)
    try:
        rows_of(columns, program, scratch, arguments)
    finally:
        for column in columns:
            column.close()


def rows_of(columns: list[Column], program: Path, scratch: Path, arguments: argparse.Namespace) -> None:
    rows: list[str] = arguments.rows
    table = Table(columns, arguments.values)
    names = [row for row in rows if row in AIMS and row not in {workload.name for workload in WORKLOADS}]
    base = next((index for index, column in enumerate(columns) if column.name == "runc"), 0)
    if names or not rows:
        direct = [column for column in columns if column.name != "runc"]
        results = {column.name: measure.micro(column, program, scratch, names) for column in direct}
        for name in results["native"]:
            table.row(name, [results.get(column.name, {}).get(name) for column in columns])
    for workload in WORKLOADS:
        if rows and workload.name not in rows:
            continue
        missing = [need for need in workload.needs if shutil.which(need) is None]
        if missing:
            print(f"{workload.name:<28}left out: {' '.join(missing)} is not installed")
            continue
        seconds = measure.wall(columns, workload.script, scratch, arguments.rounds)
        table.row(workload.name, [None if value is None else value * 1e9 for value in seconds], base)
    if not rows or "memory of sleep" in rows:
        figures = [measure.idle(column) if column.weighed else None for column in columns]
        table.memory([figure and figure[0] for figure in figures])
        burnt = [f"{c.name} {f[1]:.2f} s" for c, f in zip(columns, figures, strict=True) if f]
        print(f"CPU burnt in three seconds by that sleep: {', '.join(burnt)}")
    table.summary()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=measure.ROUNDS, help="of a workload; the best counts")
    parser.add_argument("--values", action="store_true", help="print times in place of multiples")
    parser.add_argument("--floor", action="store_true", help="the bare ptrace loop in C, too")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="these only")
    arguments = parser.parse_args(argv)
    known = {*AIMS, *ABSOLUTE}
    for row in arguments.rows:
        if row not in known:
            parser.error(f"no such row: {row}; there are: {', '.join(sorted(known))}")
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="runsc-py-bench-"))
    # What is measured natively is a tmpfs, as the sandboxes' /tmp is.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    scratch = Path(tempfile.mkdtemp(prefix="runsc-py-bench-", dir=memory))
    try:
        run(work, scratch, arguments)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    print(f"took {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
