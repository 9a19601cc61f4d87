"""SIGKILL at any moment, to the sentry or to the command: no process, mount, file or state is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.isolation.support import children, eventually, namespace, processes_in
from tests.runsc import bundles
from tests.sandbox import runsc, sandbox_argv

pytestmark = pytest.mark.usefixtures("mode")

MARK = "RUNSC_TEST_MARK"
STORM = "while :; do (sleep 1 & : | : & exit 3) & (exit 1); /bin/true | /bin/true; done"
GUESTS = {
    "a start": ["/bin/true"],
    "forks and execs": ["/bin/sh", "-c", STORM],
    "threads": ["/usr/bin/python3", "-c", "import threading\nwhile 1: threading.Thread(target=int).start()"],
    "an end": ["/bin/sh", "-c", "sleep 100 & sleep 0.01"],
}
LATEST = {"a start": 0.12, "forks and execs": 0.5, "threads": 0.4, "an end": 0.16}  # seconds


def marked(mark: str) -> list[int]:
    """The processes whose environment has our mark: the command and, forked from it, the sentry."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                if f"{MARK}={mark}\0".encode() in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
    return found


def kill_after(delay: float, command: list[str], mark: str, whom: str, temporary: Path) -> None:
    """Starts the command, kills it or its sentry after a while and sees that nothing lives on."""
    process = subprocess.Popen(
        command,
        env={**os.environ, MARK: mark, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(delay)
    inside, victim = "", process.pid
    for child in children(process.pid):  # it may be trying a platform out with a child of its own
        with contextlib.suppress(OSError):
            if namespace(child, "pid") != namespace("self", "pid"):
                inside = namespace(child, "pid")
                victim = child if whom == "sentry" else process.pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    process.wait(20)
    assert eventually(lambda: not marked(mark)), "a process is left"
    if inside:
        assert eventually(lambda: not processes_in(inside)), "a stub is left"


def mounts() -> list[str]:
    """Our mounts that a sandbox could have made."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if " - tmpfs empty " in line or " - tmpfs mask " in line]


@pytest.mark.parametrize("whom", ["sentry", "command"])
@pytest.mark.parametrize("guest", GUESTS)
def test_nothing_is_left(guest: str, whom: str, tmp_path: Path) -> None:
    moments = random.Random(guest + whom)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    for turn in range(12):
        mark = f"{os.getpid()}-{guest}-{whom}-{turn}"
        command = sandbox_argv(GUESTS[guest], options=["--root", str(tmp_path / "state")])
        kill_after(moments.uniform(0.0, LATEST[guest]), command, mark, whom, temporary)
    assert mounts() == []
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(not bundles.BUSYBOX.exists(), reason="needs busybox-static")
@pytest.mark.parametrize("whom", ["sentry", "command"])
def test_no_state_is_left_after_the_next_command(whom: str, work_directory: Path) -> None:
    bundle = work_directory / "bundle"
    bundles.write(bundle, bundles.base("/bin/sh", "-c", "sleep 100"))
    state = work_directory / "state"
    moments = random.Random(whom)
    before = sorted(path.relative_to(bundle) for path in bundle.rglob("*"))
    for turn in range(10):
        command = runsc("--root", str(state), "run", "--bundle", str(bundle), f"killed-{turn}")
        kill_after(moments.uniform(0.0, 0.2), command, f"{os.getpid()}-state-{turn}", whom, work_directory)
    again = runsc("--root", str(state), "run", "--bundle", str(bundle), "last")
    bundles.change(bundle, "process.args", ["/bin/true"])
    assert subprocess.run(again, check=False, timeout=60).returncode == 0
    assert [path.name for path in state.rglob("*") if path.name.startswith(("killed", "last"))] == []
    assert sorted(path.relative_to(bundle) for path in bundle.rglob("*")) == before
