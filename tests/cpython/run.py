"""CPython's own test suite, test by test: natively, then in the sandbox on each platform; the same result?

    make cpython                              every module of modules.py; takes hours
    make cpython ARGS='test_os test_pty'      these
    make cpython ARGS='--mode systrap --keep DIR test_os'

It uses the system's Python (Debian: python3 and libpython3.11-testsuite).  Each test whose result differs is
printed with both results, and at the end a line for each module; the status is 1 if there was a difference.
With `--keep` records and logs stay in that directory, and a native record found there is used again; with
`--whole` even what modules.py leaves out is run.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests import modes
from tests.cpython.compare import differences
from tests.cpython.modules import LEFT_OUT, MODULES
from tests.cpython.record import PATIENCE, Launcher, Record, native, read, run_module, sandboxed
from tests.programs.program import PYTHON

KNOWN = {mode.name: mode for mode in modes.EVERY}


def exists(module: str) -> bool:
    """Whether the system's Python has that module of tests."""
    script = f"import importlib.util as u, sys; sys.exit(u.find_spec('test.{module}') is None)"
    return subprocess.run([PYTHON, "-c", script], stderr=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory on a tmpfs, as /tmp in the sandbox is."""
    path = Path(tempfile.mkdtemp(prefix="runsc-cpython-", dir="/dev/shm"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Runner(NamedTuple):
    """Where records are kept, and how modules are run."""

    results: Path
    leave_out: Mapping[str, str]
    patience: float

    def run(self, launch: Launcher, module: str, kind: str) -> Record:
        path = self.results / kind / module
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".log").unlink(missing_ok=True)
        with scratch() as cwd:
            return run_module(launch, module, path, cwd, leave_out=self.leave_out, patience=self.patience)

    def native(self, module: str) -> Record:
        path = self.results / "native" / module
        if path.exists() and (known := read(path)).done:
            return known
        return self.run(native, module, "native")

    def sandboxed(self, module: str, mode: modes.Mode) -> Record:
        with modes.using(mode):
            return self.run(sandboxed, module, mode.name)


def compare(module: str, chosen: list[modes.Mode], runner: Runner) -> int:
    """Runs a module everywhere, prints what differs and its line of the table; the number of differences."""
    begin = time.monotonic()
    expected = runner.native(module)
    line = [f"{module:36} native {len(expected.results):4} {time.monotonic() - begin:5.0f}s"]
    total = 0
    for mode in chosen:
        begin = time.monotonic()
        seen = runner.sandboxed(module, mode)
        found = differences(expected, seen)
        for test, (wanted, got) in found.items():
            print(
                f"{mode.name}: {test}: natively {wanted.outcome}, in the sandbox {got.outcome}: {got.reason}"
            )
        total += len(found)
        line.append(f"{mode.name} {len(found):3} differ {time.monotonic() - begin:5.0f}s")
    print("  ".join(line), flush=True)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", action="append", choices=sorted(KNOWN))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for a test")
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
    chosen = [KNOWN[name] for name in options.mode] if options.mode else modes.ONE_FOR_EACH_PLATFORM
    total = 0
    with contextlib.ExitStack() as stack:
        results = options.keep or stack.enter_context(scratch())
        results.mkdir(parents=True, exist_ok=True)
        runner = Runner(results.absolute(), {} if options.whole else LEFT_OUT, options.patience)
        for module in options.modules or MODULES:
            if exists(module):
                total += compare(module, chosen, runner)
            else:
                print(f"{module:36} is not in this Python's test package")
    print(f"{total} differences")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
