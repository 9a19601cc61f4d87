"""Real programs: the same output and exit status in the sandbox as natively.

On the host's root, read-only and with a tmpfs at /tmp, as `runsc-py do` gives it; and in a root file system
of busybox alone, as an OCI bundle.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.programs.program import OPTIONAL, PACKAGES, Program
from tests.programs.programs import BUSYBOX, PROGRAMS
from tests.sandbox import ENVIRONMENT, bundle_run, need_runsc, run, sandbox_run

# Where in the sandbox a program runs; natively the directory's own name stands in its place.
DIRECTORY = "/tmp"


Completed = subprocess.CompletedProcess[bytes]


class Outcome(NamedTuple):
    """What is compared."""

    status: int
    stdout: str
    stderr: str


def outcome(program: Program, done: Completed, directory: str = DIRECTORY) -> Outcome:
    """What a run comes to: a death by signal as 128 + its number, as a shell and the sandbox have it."""
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    stdout, stderr = (
        output.decode(errors="backslashreplace").replace(directory, DIRECTORY)
        for output in (done.stdout, done.stderr)
    )
    return Outcome(status, stdout, stderr if program.stderr else "")


def check_can_run(program: Program) -> None:
    if program.root and os.geteuid() != 0:
        pytest.skip("needs root natively")
    missing = {PACKAGES[name] for name in program.needs if not (shutil.which(name) or os.path.exists(name))}
    message = f"not installed: apt-get install {' '.join(sorted(missing))}"
    assert missing <= OPTIONAL, message
    if missing:
        pytest.skip(message)


NativeRun = Callable[[Program, Path], Outcome]


@pytest.fixture(scope="session")
def native_run() -> NativeRun:
    """Runs a program natively, once a session."""
    known: dict[str, Outcome] = {}

    def once(program: Program, directory: Path) -> Outcome:
        if program.name not in known:
            known[program.name] = run_natively(program, directory)
        return known[program.name]

    return once


def run_natively(program: Program, directory: Path) -> Outcome:
    """Runs a program in a new directory below the given one."""
    check_can_run(program)
    place = directory / f"run{len(os.listdir(directory))}"
    place.mkdir()
    done = run(program.argv, stdin=program.stdin, env={**ENVIRONMENT, "HOME": str(place)}, cwd=place)
    return outcome(program, done, str(place))


def named(programs: list[Program]) -> pytest.MarkDecorator:
    values = [
        pytest.param(program, id=program.name, marks=[pytest.mark.slow] if program.slow else [])
        for program in programs
    ]
    return pytest.mark.parametrize("program", values)


@named(PROGRAMS)
def test_native(program: Program, native_run: NativeRun, work_directory: Path) -> None:
    """The proof of the table: the expected status, and the same output twice."""
    first = native_run(program, work_directory)
    assert first.status == program.status, first.stderr
    assert run_natively(program, work_directory) == first


@pytest.mark.usefixtures("mode")
@named(PROGRAMS)
def test_sandbox(program: Program, native_run: NativeRun, work_directory: Path) -> None:
    need_runsc()
    expected = native_run(program, work_directory)
    seen = outcome(program, sandbox_run(program.argv, stdin=program.stdin))
    assert seen == expected


def make_root(root: Path) -> None:
    """A root file system of busybox and a link for each of its applets."""
    busybox = shutil.which("busybox")
    assert busybox is not None, f"not installed: apt-get install {PACKAGES['busybox']}"
    for name in ("bin", "dev", "etc", "proc", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")


def make_bundle(bundle: Path, argv: list[str]) -> None:
    """A bundle that runs this in the busybox root."""
    make_root(bundle / "rootfs")
    config = {
        "ociVersion": "1.3.0",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": argv,
            "env": ["PATH=/bin", "HOME=/tmp"],
            "cwd": "/",
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "busybox",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")]},
    }
    (bundle / "config.json").write_text(json.dumps(config))


def run_in_chroot(program: Program, directory: Path) -> Outcome:
    """Runs a program natively in a busybox root of its own."""
    make_root(directory / "native")
    (directory / "native/dev/null").touch()
    change = ["chroot"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "chroot"]
    if subprocess.run([*change, directory / "native", "/bin/true"], capture_output=True).returncode != 0:
        pytest.skip("no chroot without root or user namespaces")
    environment = {"PATH": f"{ENVIRONMENT['PATH']}:/bin", "HOME": "/tmp"}
    done = run(
        [*change, str(directory / "native"), "/bin/env", "-i", "PATH=/bin", "HOME=/tmp", *program.argv],
        stdin=program.stdin,
        env=environment,
    )
    return outcome(program, done)


@pytest.mark.usefixtures("mode")
@named(BUSYBOX)
def test_busybox_bundle(program: Program, work_directory: Path) -> None:
    """In a bundle as in a chroot; and what the bundle's program wrote stayed in memory."""
    need_runsc()
    expected = run_in_chroot(program, work_directory)
    assert expected.status == program.status, expected.stderr
    make_bundle(work_directory / "bundle", program.argv)
    before = listing(work_directory / "bundle/rootfs")
    seen = outcome(program, bundle_run(work_directory / "bundle", stdin=program.stdin))
    assert seen == expected
    assert listing(work_directory / "bundle/rootfs") == before


def listing(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
