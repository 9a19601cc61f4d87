"""No path that a guest can make leads out of its root or out of a directory that was shared with it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.runsc import bundles
from tests.sandbox import run, runsc

pytestmark = pytest.mark.usefixtures("mode")

SECRET = "the host's alone"


@pytest.fixture
def bundle(work_directory: Path) -> Path:
    """A bundle with a secret beside its root, and a shared directory whose parent has one too."""
    config = bundles.base()
    outside = work_directory / "outside"
    (outside / "shared/deep/deeper").mkdir(parents=True)
    (outside / "secret").write_text(SECRET)
    shared = {"destination": "/shared", "type": "bind", "source": str(outside / "shared")}
    config["mounts"].append(shared)
    bundle = bundles.write(work_directory / "bundle", config)
    (bundle / "secret").write_text(SECRET)
    (bundle / "rootfs/up").symlink_to("../secret")
    (bundle / "rootfs/absolute").symlink_to(bundle / "secret")
    (bundle / "rootfs/directory").symlink_to(bundle)
    (outside / "shared/up").symlink_to("../secret")
    (outside / "shared/absolute").symlink_to(outside / "secret")
    return bundle


def guest(bundle: Path, text: str) -> str:
    """All that a shell script prints in the guest; $OUT is the host's path of the bundle's parent."""
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["args"] = ["sh", "-c", text]
    config["process"]["env"].append(f"OUT={bundle.parent}")
    (bundle / "config.json").write_text(json.dumps(config))
    result = run(runsc("--root", f"{bundle}/state", "run", "--bundle", str(bundle), "escape"))
    return (result.stdout + result.stderr).decode()


PATHS = [
    "/../secret",
    "../../../../../../secret",
    "/up",
    "/absolute",
    "/directory/secret",
    "/shared/../secret",
    "/shared/up",
    "/shared/absolute",
    "/shared/deep/deeper/../../../secret",
    "$OUT/bundle/secret",
    "$OUT/outside/secret",
    "/proc/1/root/../secret",
    "/proc/self/root$OUT/bundle/secret",
    "/proc/self/cwd/../secret",
    "/proc/self/fd/../../../../secret",
    "/proc/self/task/1/root/secret",
    "/proc/self/exe/../../../secret",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(bundle: Path, path: str) -> None:
    said = guest(bundle, f"cat {path}; echo status $?")
    assert SECRET not in said
    assert "status 1" in said


def test_a_directory_that_is_held_open_does_not_lead_out(bundle: Path) -> None:
    said = guest(
        bundle, "exec 7< /shared/deep; cat /proc/self/fd/7/../../secret /proc/1/fd/7/../../secret; echo end"
    )
    assert SECRET not in said
    assert "end" in said


def test_the_guest_sees_none_of_the_hosts_processes(bundle: Path) -> None:
    said = guest(bundle, "ls -d /proc/[0-9]*; cat /proc/1/cmdline")
    assert f"/proc/{os.getpid()}\n" not in said
    assert said.startswith("/proc/1\n")


# One process moves a directory in and out of another while the other walks up from inside it: a walk that
# asked the host about `..` could find itself above the directory that is shared.
RACE = """
import os, sys
os.chdir('/shared')
child = os.fork()
if child == 0:
    for _ in range(300):
        os.rename('deep/deeper', 'deeper')
        os.rename('deeper', 'deep/deeper')
    os._exit(0)
seen = set()
while os.waitpid(child, os.WNOHANG)[0] == 0:
    for path in ('deep/deeper/../../../secret', 'deep/deeper/../../../../secret', 'deep/deeper/../../up'):
        try:
            with open(path) as file:
                seen.add(file.read())
        except OSError as error:
            seen.add(error.strerror)
    try:
        os.chdir('/shared/deep/deeper')
        seen.update(name for name in os.listdir('../..') if name == 'secret')
    except OSError as error:
        seen.add(error.strerror)
    os.chdir('/shared')
print(sorted(seen))
"""


def test_a_race_of_renames_does_not_lead_out(bundle: Path) -> None:
    shared = bundle.parent / "outside/shared"
    command = runsc("do", "--volume", f"{shared}:/shared", "--", "python3", "-c", RACE)
    result = run(command)
    assert result.stderr == b""
    assert result.returncode == 0
    assert SECRET.encode() not in result.stdout
    assert b"'secret'" not in result.stdout
    assert b"No such file or directory" in result.stdout


def test_a_host_that_swaps_a_directory_for_a_link_does_not_lead_out(bundle: Path) -> None:
    shared = bundle.parent / "outside/shared"
    (shared / "door").mkdir()
    look = "for i in {1..200}; do cat /shared/door/secret 2>/dev/null && echo out; done; echo end"
    command = runsc("do", "--volume", f"{shared}:/shared", "--", "bash", "-c", look)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            (shared / "door").rmdir()
            (shared / "door").symlink_to("..")
            (shared / "door").unlink()
            (shared / "door").mkdir()
        assert process.stdout is not None
        assert process.stdout.read() == b"end\n"
