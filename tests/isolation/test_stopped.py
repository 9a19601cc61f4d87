"""The host stops a sandbox's processes and lets them go on, as a frozen cgroup does: no guest notices."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.isolation.support import compile_guest, running
from tests.sandbox import need_runsc

pytestmark = pytest.mark.usefixtures("mode")

TURNS = 100


def send(pids: list[int], signo: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signo)


@pytest.mark.parametrize("whom", ["stubs", "all"])
def test_births_go_on_after_a_stop(whom: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("births", build_directory)
    chance = random.Random(1)
    with running(["/t/births"], volumes=[f"{build_directory}:/t:ro"]) as sandbox:
        assert sandbox.command.stdin is not None
        assert sandbox.command.stdout is not None
        for _ in range(TURNS):
            stopped = sandbox.stubs + ([sandbox.sentry] if whom == "all" else [])
            send(stopped, signal.SIGSTOP)
            time.sleep(chance.random() * 0.01)
            send(stopped, signal.SIGCONT)
            time.sleep(chance.random() * 0.03)
        sandbox.command.stdin.close()
        said = sandbox.command.stdout.read().decode()
        assert (sandbox.command.wait(60), said) == (0, "")
