"""A running sandbox seen from the host: what its processes hold, and what they could still do."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.modes import Mode
from tests.runsc.test_run import descendants
from tests.sandbox import runsc

pytestmark = pytest.mark.usefixtures("mode")

# Two processes that do nothing more once `ready` was said.
NESTED = "sh -c 'echo ready; read line'; exit"


@pytest.fixture(scope="module")
def sandbox(mode: Mode) -> Iterator[tuple[int, list[int]]]:
    """The sentry's pid and those of its stubs, while the guest waits for its input."""
    command = runsc("do", "--", "sh", "-c", NESTED)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        pids = descendants(process.pid)
        parents = {pid: int(status(pid)["PPid"]) for pid in pids}
        (sentry,) = [pid for pid in pids if parents[pid] == process.pid]
        yield sentry, sorted(pids - {sentry})
        process.kill()


def status(pid: int, thread: int | None = None) -> dict[str, str]:
    path = f"/proc/{pid}/status" if thread is None else f"/proc/{pid}/task/{thread}/status"
    return dict(line.split(":\t", 1) for line in Path(path).read_text().splitlines())


def everyone(sandbox: tuple[int, list[int]]) -> list[int]:
    return [sandbox[0], *sandbox[1]]


def test_there_is_a_stub_for_each_process_of_the_guest(sandbox: tuple[int, list[int]]) -> None:
    assert len(sandbox[1]) >= 3  # two shells, and one for new ones at least


def test_no_thread_has_a_capability(sandbox: tuple[int, list[int]]) -> None:
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    for pid in everyone(sandbox):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found = status(pid, int(thread))
            assert {found[name] for name in sets} == {"0" * 16}, (pid, thread)


def test_every_thread_is_under_a_filter_and_no_new_privs(sandbox: tuple[int, list[int]]) -> None:
    for pid in everyone(sandbox):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found = status(pid, int(thread))
            assert (found["Seccomp"], found["NoNewPrivs"]) == ("2", "1"), (pid, thread)


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes that are not dumpable")
def test_root_and_working_directory_are_the_empty_directory(sandbox: tuple[int, list[int]]) -> None:
    for pid in everyone(sandbox):
        assert [line.split()[0] for line in Path(f"/proc/{pid}/mounts").read_text().splitlines()] == ["empty"]
        assert os.listdir(f"/proc/{pid}/root/") == []
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.listdir(f"/proc/{pid}/cwd/") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes that are not dumpable")
def test_no_namespace_is_the_hosts(sandbox: tuple[int, list[int]]) -> None:
    for pid in everyone(sandbox):
        for name in ("user", "mnt", "pid", "ipc", "uts", "cgroup", "net"):
            assert os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name


@pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes that are not dumpable")
def test_a_stub_maps_nothing_that_is_not_the_guests(sandbox: tuple[int, list[int]]) -> None:
    for pid in sandbox[1]:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if line.endswith("/stub.elf"):
                continue  # wherever that is installed
            assert "python" not in line
            assert "runsc" not in line


def test_the_stubs_die_with_the_sentry() -> None:
    command = runsc("do", "--", "sh", "-c", NESTED)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pids = descendants(process.pid)
        (sentry,) = [pid for pid in pids if status(pid)["PPid"] == str(process.pid)]
        os.kill(sentry, signal.SIGKILL)
        assert process.wait() == 128 + signal.SIGKILL
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
