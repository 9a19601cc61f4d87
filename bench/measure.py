"""How a row is measured: the micro-benchmarks, the wall time of a workload, a sandbox that does nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.columns import Column

ROUNDS = 5
PATIENCE = 8.0  # seconds for the rounds of a row, all columns together; one round there always is
GUARD = 120.0  # a run that takes longer has failed


def micro(column: Column, program: Path, cwd: Path, rows: list[str]) -> dict[str, float]:
    """Nanoseconds by row name, of those rows or all."""
    command = column.command([str(program), *rows])
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=GUARD)
    if result.returncode:
        print(f"{column.name}: micro failed ({result.returncode}): {result.stderr.strip()}", file=sys.stderr)
    lines = [line.split() for line in result.stdout.splitlines()]
    return {line[0]: float(line[1]) for line in lines if len(line) == 2}


def workload(script: str | list[str], sandboxed: bool) -> list[str]:
    """The command that runs a workload, in an empty directory."""
    if isinstance(script, list):
        return script
    return ["/bin/sh", "-c", f"d=$(mktemp -d) && cd $d && {{ {script}\n}}" if sandboxed else script]


def wall(
    columns: list[Column], script: str | list[str], scratch: Path, rounds: int = ROUNDS
) -> list[float | None]:
    """The best wall times of a workload in seconds, a column each; None where it failed.

    A round goes through all columns, so that a machine that is busy for a while disturbs them alike.
    """
    best: list[float | None] = [None] * len(columns)
    failed = set()
    started = time.monotonic()
    for turn in range(rounds):
        if turn and time.monotonic() - started > PATIENCE:
            break
        for index, column in enumerate(columns):
            if index not in failed:
                took = once(column, script, scratch)
                if took is None:
                    failed.add(index)
                before = best[index]
                best[index] = took if before is None or took is None else min(before, took)
    return best


def once(column: Column, script: str | list[str], scratch: Path) -> float | None:
    """The wall time of one run, None when it failed."""
    with tempfile.TemporaryDirectory(dir=scratch) as empty:
        command = column.command(workload(script, column.sandboxed))
        started = time.monotonic()
        result = subprocess.run(command, cwd=empty, capture_output=True, check=False, timeout=GUARD)
        took = time.monotonic() - started
    if result.returncode:
        print(f"{column.name}: {script}: {result.stderr.decode()[-300:]}", file=sys.stderr)
        return None
    return took


def family(pid: int) -> list[int]:
    """pid and all its descendants, from /proc."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, queue = [], [pid]
    while queue:
        member = queue.pop()
        found.append(member)
        queue += children.get(member, [])
    return found


def idle(column: Column) -> tuple[float, float]:
    """(PSS in MB, CPU seconds burnt in three idle seconds) of a sandbox that sleeps, all its processes."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(column.command(["/bin/sleep", "1000"]), stdout=nowhere, stderr=nowhere)
    time.sleep(1.5)
    members = family(process.pid)
    pss = 0
    for member in members:
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1]) * 1024
    before = sum(cpu_ticks(member) for member in members)
    time.sleep(3)
    burnt = sum(cpu_ticks(member) for member in members) - before
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.wait()
    return pss / 1e6, burnt / os.sysconf("SC_CLK_TCK")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
