"""Random guest programs in the sandbox, for a while: `python -m tests.fuzz.run --seconds N --seed S`.

A finding is a record of a bug in the sentry's log, a sandbox that does not end by itself, or one that ends
with anything but the word that its kernel is still alive.  Each program is known by its seed:
`--count 1 --seed S` runs it again, `--list` prints it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.program import SECTION, SOURCE, listing, make
from tests.sandbox import Hung, run, sandbox_argv

SECTIONS = 16
STEPS = 160  # of 5 ms, for a pair of sections
FLAGS = ["-D_GNU_SOURCE", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result"]


def build(directory: Path) -> None:
    """The interpreter, in `directory`."""
    command = ["gcc", *FLAGS, "-static", "-o", str(directory / "interpreter"), str(SOURCE)]
    subprocess.run(command, check=True)


def run_program(seed: int, directory: Path, sections: int = SECTIONS, strace: bool = False) -> str:
    """Runs the program of that seed; what is wrong, or nothing."""
    log = directory / f"log.{seed}"
    shared = directory / f"host.{seed}"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o777)
    options = ["--debug-log", str(log)] + (["--strace"] if strace else [])
    command = sandbox_argv(
        ["/t/interpreter", str(SECTION), str(STEPS)],
        hot=seed % 3 != 0,
        volumes=[f"{directory}:/t:ro", f"{shared}:/host"],
        options=options,
    )
    wrong = []
    try:
        done = run(command, stdin=make(seed, sections).bytes(), timeout=60 + sections * STEPS * 0.01)
    except Hung:
        wrong.append("hung")
    else:
        if done.returncode != 0 or b"alive\n" not in done.stderr:
            wrong.append(f"ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}")
    text = log.read_text(errors="replace") if log.exists() else ""
    if not strace:
        wrong += [line for line in text.splitlines() if " error: " in line]
        log.unlink(missing_ok=True)
    subprocess.run(["rm", "-rf", str(shared)], check=False)
    return "\n".join(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--count", type=int, default=1 << 62, help="so many programs at most")
    parser.add_argument("--seed", type=int, default=1, help="of the first program; the next has the next")
    parser.add_argument("--sections", type=int, default=SECTIONS)
    parser.add_argument("--strace", metavar="DIR", type=Path, help="write each call to DIR/log.SEED")
    parser.add_argument("--list", action="store_true", help="print the program in place of running it")
    arguments = parser.parse_args()
    if arguments.list:
        print(listing(make(arguments.seed, arguments.sections)))
        return 0
    findings = programs = 0
    end = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="runsc-fuzz-") as name:
        directory = arguments.strace or Path(name)
        directory.chmod(0o777)
        build(directory)
        while time.monotonic() < end and programs < arguments.count:
            seed = arguments.seed + programs
            programs += 1
            wrong = run_program(seed, directory, arguments.sections, arguments.strace is not None)
            if wrong:
                findings += 1
                print(f"seed {seed}:\n{wrong}", flush=True)
    print(f"{programs} programs, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
