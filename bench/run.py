"""`make bench`: native, the bare ptrace loop, this project and a gVisor `runsc` in PATH, side by side.

    python -m bench.run [--rounds N] [ROW...]

Each row is measured in every column one after the other, in one run: only ratios within it mean anything.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.workloads import ROUNDS, WORKLOADS

HERE = Path(__file__).resolve().parent
RUNSC_PY = Path(sys.executable).with_name("runsc-py")


class Column:
    """One way to run a command: natively or in a sandbox."""

    def __init__(self, name: str, prefix: list[str]) -> None:
        self.name = name
        self.prefix = prefix

    def command(self, argv: list[str]) -> list[str]:
        return self.prefix + argv


def columns(work: Path) -> list[Column]:
    """Those that exist here; every sandbox gets the host's root and an in-memory /tmp."""
    volume = f"{work}:{work}:ro"
    found = [
        Column("native", []),
        Column("ptrace", [str(RUNSC_PY), "--platform=ptrace", "do", "--cwd=/tmp", "--volume", volume, "--"]),
    ]
    peer = shutil.which("runsc")
    if peer and os.geteuid() == 0:
        flags = ["--platform=ptrace", "--network=none", "--ignore-cgroups", f"--root={work}/runsc-state"]
        found.append(Column("gVisor ptrace", [peer, *flags, "do", "--cwd", "/tmp"]))
    return found


def compile_c(sources: list[Path], target: Path, *flags: str) -> None:
    strict = ["-Wall", "-Wextra", "-Werror"]
    command = ["gcc", "-O2", "-std=gnu11", "-pthread", *strict, *flags, *map(str, sources), "-o", str(target)]
    subprocess.run(command, check=True)


def floor(work: Path) -> str:
    """What ptrace_floor prints: the bare PTRACE_SYSEMU loop in C, and the back-end's operations beside it."""
    backend = HERE.parent / "platform" / "ptrace"
    sources = [HERE / "ptrace_floor.c", *(path for path in backend.glob("*.c") if path.name != "module.c")]
    program, stub = work / "floor", work / "stub.elf"
    compile_c(sources, program, f"-I{backend}", f"-I{backend.parent / 'include'}")
    where = "from sentry.platform.base import stub_path; print(stub_path('ptrace'))"
    installed = subprocess.run([sys.executable, "-Pc", where], capture_output=True, text=True, check=True)
    shutil.copy(installed.stdout.strip(), stub)
    return subprocess.run([program, stub], capture_output=True, text=True, check=True).stdout


def micro(column: Column, program: Path, cwd: Path, rows: list[str]) -> dict[str, float]:
    """Nanoseconds by row name."""
    command = column.command([str(program), *rows])
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        print(f"{column.name}: micro failed ({result.returncode}): {result.stderr.strip()}", file=sys.stderr)
    lines = [line.split() for line in result.stdout.splitlines()]
    return {line[0]: float(line[1]) for line in lines if len(line) == 2}


def workload(script: str | list[str], sandboxed: bool) -> list[str]:
    """The command that runs a workload, in an empty directory."""
    if isinstance(script, list):
        return script
    return ["/bin/sh", "-c", f"d=$(mktemp -d) && cd $d && {{ {script}; }}" if sandboxed else script]


def wall(column: Column, script: str | list[str], rounds: int, cwd: Path) -> float | None:
    """The best wall time of a workload in seconds, None when it failed."""
    best = None
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=cwd) as empty:
            command = column.command(workload(script, bool(column.prefix)))
            started = time.monotonic()
            result = subprocess.run(command, cwd=empty, capture_output=True, check=False)
            took = time.monotonic() - started
        if result.returncode:
            print(f"{column.name}: {script}: {result.stderr.decode()[-300:]}", file=sys.stderr)
            return None
        best = took if best is None else min(best, took)
    return best


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
    """(PSS in MiB, CPU seconds burnt in three idle seconds) of a sandbox that sleeps, all its processes."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(column.command(["/bin/sleep", "1000"]), stdout=nowhere, stderr=nowhere)
    time.sleep(1.5)
    members = family(process.pid)
    pss = 0
    for member in members:
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1])
    before = sum(cpu_ticks(member) for member in members)
    time.sleep(3)
    burnt = sum(cpu_ticks(member) for member in members) - before
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return pss / 1024, burnt / os.sysconf("SC_CLK_TCK")


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def show(name: str, values: list[float | None], unit: str) -> None:
    native = values[0]
    cells = []
    for value in values:
        if value is None:
            cells.append(f"{'-':>12} {'':>8}")
        else:
            ratio = f"{value / native:.2f} x" if native else ""
            cells.append(f"{value:>12.4g} {ratio:>8}")
    print(f"{name:<26}{''.join(cells)}  {unit}", flush=True)


def main(arguments: list[str]) -> int:
    work = Path(tempfile.mkdtemp(prefix="runsc-py-bench-"))
    try:
        run(work, arguments)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


def run(work: Path, rows: list[str]) -> None:
    program = work / "micro"
    compile_c([HERE / "micro.c"], program, "-static")
    ways = columns(work)
    print(f"{'':<26}" + "".join(f"{way.name:>12} {'':>8}" for way in ways))
    print(floor(work))
    names = [row for row in rows if row not in WORKLOADS]
    if names or not rows:
        results = [micro(way, program, work, names) for way in ways]
        for name in results[0]:
            show(name, [result.get(name) for result in results], "ns")
    bare = min(wall_python() for _ in range(9))
    print(f"{'python3 -I -c pass':<26}{bare:>12.4g}{'':>9}  s")
    for name, script in WORKLOADS.items():
        if not rows or name in rows:
            rounds = ROUNDS.get(name, 5)
            show(name, [wall(way, script, rounds, work) for way in ways], "s")
    if not rows:
        for way in ways[1:]:
            pss, burnt = idle(way)
            print(f"{way.name}: sandbox of sleep: {pss:.1f} MiB PSS, {burnt:.2f} s of CPU in 3 s")


def wall_python() -> float:
    started = time.monotonic()
    subprocess.run(["/usr/bin/python3", "-I", "-c", "pass"], check=True)
    return time.monotonic() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
