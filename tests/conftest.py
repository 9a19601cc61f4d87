"""What all tests share: a place to work in, and an account of what was left out."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import modes
from tests.leftout import LeftOut, summary

LEFT_OUT = pytest.StashKey[list[LeftOut]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-modes", action="store_true", help="every combination of platform and switches")
    parser.addoption("--slow", action="store_true", help="what is marked as slow, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: run with --slow only")
    config.addinivalue_line("markers", "hot_and_cold: once more for each switch that turns a short cut off")
    config.stash[LEFT_OUT] = [
        LeftOut(f"platform {name}", "every test", reason) for name, reason in modes.REASONS.items()
    ]
    # A shell's background job, or nohup's, starts with these ignored, and so would every program under test.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `mode` is one for each platform, or for each of more modes (tests/modes.py)."""
    if "mode" in metafunc.fixturenames:
        chosen = modes.ONE_FOR_EACH_PLATFORM
        if metafunc.config.getoption("--all-modes"):
            chosen = modes.EVERY
        elif metafunc.definition.get_closest_marker("hot_and_cold"):
            chosen = modes.HOT_AND_COLD
        names = [mode.name for mode in chosen]
        metafunc.parametrize("mode", chosen, indirect=True, ids=names, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says what could not run here (for want of root, mostly)."""
    left_out = config.stash[LEFT_OUT]
    if left_out:
        terminalreporter.section(f"left out here: {len(left_out)}")
        for line in summary(left_out):
            terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def mode(request: pytest.FixtureRequest) -> Iterator[modes.Mode]:
    """Sandboxes are started in this mode as long as the test runs."""
    with modes.using(request.param) as mode:
        yield mode


@pytest.fixture
def left_out(request: pytest.FixtureRequest) -> list[LeftOut]:
    """What is appended here is told at the end of the run."""
    return request.config.stash[LEFT_OUT]


def directory_for_all(parent: str | None = None) -> Iterator[Path]:
    """A new directory that every user may enter and write to, removed afterwards.

    pytest's own tmp_path lies below a directory closed to other users.
    """
    path = Path(tempfile.mkdtemp(prefix="runsc-test-", dir=parent))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def work_directory() -> Iterator[Path]:
    """An empty world-writable directory, on a tmpfs where there is one."""
    yield from directory_for_all("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


@pytest.fixture(scope="session")
def build_directory() -> Iterator[Path]:
    """Where compiled test programs are kept for the session."""
    yield from directory_for_all()
