"""The memory manager on a real stub process of the ptrace platform."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("seed", range(3))
def test_the_list_and_the_host_agree_after_random_calls(seed: int) -> None:
    # In a process of its own: a tracer waits for all of its children.
    command = [sys.executable, "-P", "-m", "tests.unit.mm_on_host", str(seed), "300"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # the installed packages first, as here
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
