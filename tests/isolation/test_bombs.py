"""Guests that take all that they can get: it ends in their own errors, and the sentry's memory is bounded."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.isolation.support import (
    LOOKS_INSIDE,
    compile_guest,
    eventually,
    namespace,
    processes_in,
    running,
)
from tests.runsc.test_run import descendants
from tests.sandbox import need_runsc, sandbox_argv

pytestmark = pytest.mark.usefixtures("mode")

# name: least and most that are given, the error that ends it, and the sentry's memory at most (MiB)
BOMBS = {
    "mappings": (60_000, 65_530, "ENOMEM", 100),
    "splits": (30_000, 32_765, "ENOMEM", 100),
    "pipes": (300, 100_000, "ENFILE", 700),
    "sockets": (1, 10_000, "ENOBUFS", 600),
    "pairs": (60_000, 65_536, "ENFILE", 400),
    "epolls": (500, 1024, "EMFILE", 60),
    "inotify": (128, 128, "EMFILE", 60),
    "timers": (4000, 4096, "EAGAIN", 60),
    "signals": (1000, 4096, "EAGAIN", 60),
    "directories": (5000, 5000, "ERANGE", 100),
    "links": (40, 40, "ELOOP", 60),
}
# The same for root who has lifted all limits: what then ends it is the kernel's own bound.
HOARDS = {
    "processes": (8000, 8192, "EAGAIN", 400),
    "zombies": (8000, 8192, "EAGAIN", 200),
    "interests": (60_000, 1 << 16, "ENOSPC", 200),
    "signals": (200_000, 1 << 18, "EAGAIN", 300),
    "timers": (200_000, 1 << 18, "EAGAIN", 200),
    "links": (1000, 999_999, "ENOSPC", 1000),
    "attributes": (1000, 999_999, "ENOSPC", 1000),
    "ranges": (200_000, 1 << 18, "ENOLCK", 150),
    "connections": (1000, 131_072, "ENFILE", 800),
    "groups": (32, 64, "ENOMEM", 400),
}
# ... and for an ordinary user, who can't.
USERS = {
    "processes": (4000, 4096, "EAGAIN", 250),
    "signals": (4000, 4096, "EAGAIN", 60),
    "timers": (4000, 4096, "EAGAIN", 60),
    "groups": (0, 0, "EPERM", 60),
}
FORK_BOMB = "bomb() { bomb | bomb & }; bomb; echo started; while :; do sleep 1; done"
BLOWN_UP = 1000  # processes


def peak(pid: int) -> int:
    """The most that a process ever had in memory, MiB."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:
        pass  # it has just ended
    return 0


def explode(command: str, expected: tuple[int, int, str, int], build_directory: Path) -> None:
    """Runs a bomb, of those above, and looks at the sentry once it has gone off."""
    # A shell that waits afterwards: the sentry is still there to be looked at.
    script = f"{command} || echo 0 0 killed; read line"
    argv = sandbox_argv(["/bin/sh", "-c", script], volumes=[f"{build_directory}:/t:ro"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sandbox:
        assert sandbox.stdout is not None
        assert sandbox.stdin is not None
        count, _, error = sandbox.stdout.readline().decode().split()
        processes = descendants(sandbox.pid)
        most = max(peak(pid) for pid in processes)
        sandbox.stdin.close()
        assert sandbox.wait(60) in (0, 1)
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes)), "a stub is left"
    least, limit, reason, memory = expected
    assert error == reason
    assert least <= int(count) <= limit
    assert most <= memory


@pytest.mark.parametrize("what", BOMBS)
def test_it_ends_in_an_error_of_the_guests(what: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("bombs", build_directory)
    explode(f"/t/bombs {what}", BOMBS[what], build_directory)


@pytest.mark.parametrize("what", HOARDS)
def test_roots_end_at_a_bound_of_the_kernels(what: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("hoards", build_directory)
    explode(f"/t/hoards {what}", HOARDS[what], build_directory)


@pytest.mark.parametrize("what", USERS)
def test_users_end_at_their_limits(what: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("hoards", build_directory)
    user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    explode(f"{user} /t/hoards {what}", USERS[what], build_directory)


@LOOKS_INSIDE
@pytest.mark.parametrize("whom", ["sentry", "command"])
def test_a_fork_bomb_dies_with_its_sandbox(whom: str) -> None:
    need_runsc()
    with running(["/bin/sh", "-c", FORK_BOMB]) as sandbox:
        inside = namespace(sandbox.sentry, "pid")
        assert eventually(lambda: len(sandbox.stubs) > BLOWN_UP, 60)
        assert peak(sandbox.sentry) <= HOARDS["processes"][-1]
        os.kill(sandbox.sentry if whom == "sentry" else sandbox.command.pid, signal.SIGKILL)
        sandbox.command.wait(60)
        assert eventually(lambda: not processes_in(inside), 60), "a stub is left"
