"""CPython's own tests, a few quick modules of them; `make cpython` runs all (tests/cpython/run.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import modes
from tests.cpython.compare import differences
from tests.cpython.modules import LEFT_OUT
from tests.cpython.record import native, run_module, sandboxed
from tests.cpython.run import exists
from tests.sandbox import need_runsc

SAMPLE = ["test_fcntl", "test_posix", "test_pty", "test_mmap", "test_epoll"]
AS_ROOT = ["test_posix"]
PATIENCE = 60


@pytest.mark.parametrize("module", SAMPLE)
def test_as_natively(module: str, mode: modes.Mode, work_directory: Path, tmp_path: Path) -> None:
    need_runsc()
    if module in AS_ROOT and os.geteuid() != 0:
        pytest.skip("leaves out natively what only root can do; the sandbox's user is root")
    if not exists(module):
        pytest.skip("not installed: apt-get install libpython3.11-testsuite")
    expected, seen = (
        run_module(launch, module, tmp_path / name, work_directory, leave_out=LEFT_OUT, patience=PATIENCE)
        for name, launch in (("native", native), (mode.name, sandboxed))
    )
    assert expected.done
    found = [
        f"  {test}: {wanted.outcome} natively, {got.outcome} in the sandbox: {got.reason}"
        for test, (wanted, got) in differences(expected, seen).items()
    ]
    assert not found, "\n".join(found)
