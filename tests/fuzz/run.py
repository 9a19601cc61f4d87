"""Random guest programs in the sandbox, for a while: `python -m tests.fuzz.run --seconds N --seed S`.

A finding is a record of a bug in the sentry's log, a sandbox that does not end by itself, or one that ends
with anything but the word that its kernel is still alive.  Each program is known by its seed:
`--count 1 --seed S --mode M` runs it again, `--list` prints it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import modes
from tests.fuzz.program import SECTION, SOURCE, listing, make
from tests.sandbox import Hung, run, sandbox_argv

SECTIONS = 16
STEPS = 160  # of 5 ms, for a pair of sections
KNOWN = {mode.name: mode for mode in modes.EVERY}
FLAGS = ["-D_GNU_SOURCE", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result"]


def build(directory: Path) -> None:
    """The interpreter, in `directory`."""
    command = ["gcc", *FLAGS, "-static", "-o", str(directory / "interpreter"), str(SOURCE)]
    subprocess.run(command, check=True)


def run_program(
    seed: int, mode: modes.Mode, directory: Path, sections: int = SECTIONS, strace: bool = False
) -> str:
    """Runs the program of that seed in that mode; what is wrong, or nothing."""
    log = directory / f"log.{seed}"
    shared = directory / f"host.{seed}"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o777)
    options = ["--debug-log", str(log)] + (["--strace"] if strace else [])
    with modes.using(mode):
        command = sandbox_argv(
            ["/t/interpreter", str(SECTION), str(STEPS)],
            volumes=[f"{directory}:/t:ro", f"{shared}:/host"],
            options=options,
        )
    wrong = []
    try:
        done = run(
            command, stdin=make(seed, sections).bytes(), timeout=60 + sections * STEPS * 0.01, reports=True
        )
    except Hung:
        wrong += ["hung", log.read_text(errors="replace").partition(" warning: tasks:\n")[2]]
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
    parser.add_argument("--mode", choices=KNOWN, help="always this one; else each has its turn")
    parser.add_argument("--platform", choices=modes.WORKING, help="only the modes of this one")
    parser.add_argument("--strace", metavar="DIR", type=Path, help="write each call to DIR/log.SEED")
    parser.add_argument("--list", action="store_true", help="print the program in place of running it")
    arguments = parser.parse_args()
    if arguments.list:
        print(listing(make(arguments.seed, arguments.sections)))
        return 0
    chosen = [mode for mode in modes.EVERY if arguments.platform in (None, mode.platform)]
    if arguments.mode:
        chosen = [KNOWN[arguments.mode]]
    findings = programs = 0
    end = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="runsc-fuzz-") as name:
        directory = arguments.strace or Path(name)
        directory.chmod(0o777)
        build(directory)
        while time.monotonic() < end and programs < arguments.count:
            seed = arguments.seed + programs
            programs += 1
            mode = chosen[seed % len(chosen)]
            wrong = run_program(seed, mode, directory, arguments.sections, arguments.strace is not None)
            if wrong:
                findings += 1
                print(f"seed {seed}, {mode.name}:\n{wrong}", flush=True)
    print(f"{programs} programs, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
