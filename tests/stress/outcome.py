"""What became of a run of stress-ng; how it is run, natively or in the sandbox, the sentry watched."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.sandbox import ENVIRONMENT, sandbox_argv, started
from tests.stress.stressors import PATIENCE, STRESS_NG, UNPRIVILEGED

GUARD = 60.0  # seconds that a run may last, unless PATIENCE says otherwise
INTERVAL = 0.05  # seconds between two looks at the sentry's memory
OPTIONS = ("--timeout", "1s", "--oomable", "--metrics-brief")

PASSED = "passed"
SKIPPED = "skipped"
FAILED = "failed"
HUNG = "hung"
# The exit status of stress-ng, see stress-ng(1), EXIT STATUS.
STATUSES = {0: PASSED, 3: SKIPPED, 4: SKIPPED}
SKIPPING = re.compile(r"skipp|disabled '|cannot (?:determine|read)|not supported")
LINE = re.compile(r"stress-ng: (\w+):\s+\[\d+\] (.*)")


class Outcome(NamedTuple):
    """Of one run: the kind above, stress-ng's own words on it, and what the sentry logged and needed."""

    kind: str
    words: str = ""
    seconds: float = 0.0
    log: tuple[str, ...] = ()  # records of bugs
    peak: int = 0  # anonymous memory of the sentry at its largest, KiB

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}" if self.words else self.kind


def judge(status: int, text: str) -> tuple[str, str]:
    """Reads the exit status and the output of stress-ng: the kind of the outcome, and its reason."""
    lines = [(match[1], match[2]) for match in LINE.finditer(text)]
    failures = [words for level, words in lines if level in ("fail", "error")]
    skips = [words for level, words in lines if level in ("info", "error", "fail") and SKIPPING.search(words)]
    kind = STATUSES.get(status, FAILED)
    if (kind == PASSED and any("skipp" in words for words in skips)) or "disabled '" in "".join(skips[:1]):
        kind = SKIPPED
    if kind == PASSED:
        return kind, ""
    reasons = (skips or failures) if kind == SKIPPED else (failures or skips)
    return kind, reasons[0] if reasons else f"exit status {status}: {text[-200:].strip()}"


def _argv(arguments: Sequence[str], directory: str) -> list[str]:
    argv = [STRESS_NG, *arguments, *OPTIONS, "--temp-path", directory]
    if arguments[0].removeprefix("--") in UNPRIVILEGED:
        argv = ["/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *argv]
    return argv


def native(arguments: Sequence[str], directory: Path) -> Outcome:
    """Runs stress-ng on the host, its temporary files in `directory`."""
    with started(
        _argv(arguments, str(directory)),
        env=ENVIRONMENT,
        cwd=directory,
        user=None,
        stdin=subprocess.DEVNULL,
    ) as process:
        begin = time.monotonic()
        try:
            output = b"".join(process.communicate(timeout=GUARD))
        except subprocess.TimeoutExpired:
            return Outcome(HUNG, seconds=GUARD)
        kind, words = judge(process.returncode, output.decode(errors="replace"))
        return Outcome(kind, words, time.monotonic() - begin)


def sandboxed(arguments: Sequence[str], directory: Path, guard: float | None = None) -> Outcome:
    """Runs stress-ng in the current mode in a sandbox's /tmp; the sentry's log is kept in `directory`."""
    log = directory / f"{'-'.join(arguments).strip('-')}.log"
    log.unlink(missing_ok=True)
    if guard is None:
        guard = PATIENCE.get(arguments[0].removeprefix("--"), GUARD)
    output = directory / "output"
    argv = [*_argv(arguments, "/tmp"), "--pathological"]
    command = sandbox_argv(argv, options=["--debug-log", str(log)])
    begin = time.monotonic()
    peak = 0
    with output.open("wb") as file:
        process: subprocess.Popen[bytes]
        with started(
            command, env=None, cwd=None, user=None, stdin=subprocess.DEVNULL, output=file.fileno()
        ) as process:
            while (status := process.poll()) is None and time.monotonic() - begin < guard:
                peak = max(peak, _sentry_memory(process.pid))
                time.sleep(INTERVAL)
    records = log.read_text(errors="replace").splitlines() if log.exists() else []
    bugs = tuple(line for line in records if " error: " in line or "Traceback" in line)
    kind, words = (HUNG, "") if status is None else judge(status, output.read_text(errors="replace"))
    return Outcome(kind, words, time.monotonic() - begin, bugs, peak)


def _sentry_memory(pid: int) -> int:
    """Anonymous resident memory of the sentry of the command `pid`, which is its child, in KiB."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        texts = [Path(f"/proc/{child}/status").read_text() for child in children]
    except OSError:  # it has just ended
        return 0
    found = [int(match[1]) for text in texts if (match := re.search(r"RssAnon:\s+(\d+)", text))]
    return max(found, default=0)


def root() -> bool:
    """Whether this is root, without whom most stressors skip themselves."""
    return os.geteuid() == 0
