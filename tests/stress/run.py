"""stress-ng's stressors one by one: natively where that is harmless, and in the sandbox on each platform.

    make stress                                  every stressor of the classes of stressors.py: half an hour
    make stress ARGS='pipe fifo'                 these
    make stress ARGS='--class os --mode systrap'
    make stress ARGS='--sequential'              the classes as stress-ng runs them itself, one by one

A line for each: the outcome natively and in the sandbox, the seconds, the sentry's largest memory.  A
stressor must pass wherever reasons.py does not tell why it can't, and it must not hang, be logged as a bug of
the sentry or need more memory than `MEMORY`; the status is 1 if one did.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import modes
from tests.stress.outcome import GUARD, HUNG, PASSED, Outcome, native, root, sandboxed
from tests.stress.reasons import REASONS
from tests.stress.stressors import CLASSES, DANGEROUS, PATIENCE, all_of, of_class

KNOWN = {mode.name: mode for mode in modes.EVERY}
MEMORY = 256 * 1024  # KiB
USUAL = 5.0  # seconds for a stressor in a sequence


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory on a tmpfs, as /tmp in the sandbox is."""
    path = Path(tempfile.mkdtemp(prefix="runsc-stress-", dir="/dev/shm"))
    path.chmod(0o777)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wrong(stressor: str, outcome: Outcome) -> list[str]:
    """What is not as it must be in a stressor's run in the sandbox."""
    found = [f"logged: {line}" for line in outcome.log]
    if outcome.peak > MEMORY:
        found.append(f"the sentry needed {outcome.peak // 1024} MiB")
    expected = REASONS.get(stressor)
    if outcome.kind == HUNG:
        found.append(HUNG)
    elif outcome.kind != (expected.kind if expected else PASSED):
        found.append(f"{outcome}, expected: {expected.kind if expected else PASSED}")
    elif expected and expected.words not in outcome.words:
        found.append(f"for another reason than {expected.words!r}: {outcome.words}")
    return found


def one_by_one(stressors: list[str], chosen: list[modes.Mode], with_native: bool) -> int:
    """Runs each natively and in each mode, and prints its line; how many were wrong."""
    bad = 0
    for stressor in stressors:
        line = [f"{stressor:16}"]
        found: list[str] = []
        with scratch() as directory:
            if stressor in DANGEROUS:
                line.append(f"native not run ({DANGEROUS[stressor]})")
            elif with_native:
                line.append(f"native {native([f'--{stressor}', '1'], directory)}")
            for mode in chosen:
                with modes.using(mode):
                    outcome = sandboxed([f"--{stressor}", "1"], directory)
                line.append(f"{mode.name} {outcome} ({outcome.seconds:.0f} s, {outcome.peak // 1024} MiB)")
                found += [f"    WRONG: {mode.name}: {text}" for text in wrong(stressor, outcome)]
        print(" | ".join(line), *found, sep="\n", flush=True)
        bad += bool(found)
    return bad


def in_sequence(classes: list[str], chosen: list[modes.Mode]) -> int:
    """Runs whole classes with `--sequential 1`, and prints a line for each; how many were wrong."""
    bad = 0
    for name in classes:
        guard = GUARD + sum(PATIENCE.get(stressor, USUAL) for stressor in of_class(name))
        for mode in chosen:
            with scratch() as directory, modes.using(mode):
                outcome = sandboxed(["--class", name, "--sequential", "1"], directory, guard)
            found = [f"    WRONG: {line}" for line in outcome.log]
            if outcome.kind == HUNG or outcome.peak > MEMORY:
                found.append(f"    WRONG: {outcome}")
            print(
                f"{name:16} {mode.name} {outcome} ({outcome.seconds:.0f} s, {outcome.peak // 1024} MiB)",
                *found,
                sep="\n",
                flush=True,
            )
            bad += bool(found)
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", action="append", choices=sorted(KNOWN))
    parser.add_argument("--class", dest="classes", action="append", choices=CLASSES)
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--no-native", action="store_true", help="in the sandbox only")
    parser.add_argument("stressors", nargs="*")
    options = parser.parse_args()
    chosen = [KNOWN[name] for name in options.mode] if options.mode else modes.ONE_FOR_EACH_PLATFORM
    classes = options.classes or list(CLASSES)
    if not root():
        print("not root: some stressors will skip themselves")
    if options.sequential:
        bad = in_sequence(classes, chosen)
    else:
        stressors = options.stressors or all_of(tuple(classes))
        bad = one_by_one(stressors, chosen, not options.no_native)
    print(f"{bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
