"""Guests that take all that they can get: it ends in their own errors, and the sentry's memory is bounded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.isolation.support import compile_guest
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
    "timers": (1000, 4096, "EAGAIN", 60),
    "signals": (1000, 4096, "EAGAIN", 60),
    "directories": (5000, 5000, "ERANGE", 100),
    "links": (40, 40, "ELOOP", 60),
}


def peak(pid: int) -> int:
    """The most that a process ever had in memory, MiB."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    except OSError:
        pass  # it has just ended
    return 0


@pytest.mark.parametrize("what", BOMBS)
def test_it_ends_in_an_error_of_the_guests(what: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("bombs", build_directory)
    # A shell that waits afterwards: the sentry is still there to be looked at.
    script = f"/t/bombs {what}; read line"
    argv = sandbox_argv(["/bin/sh", "-c", script], volumes=[f"{build_directory}:/t:ro"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdin is not None
        count, _, error = command.stdout.readline().decode().split()
        most = max(peak(pid) for pid in descendants(command.pid))
        command.stdin.close()
        assert command.wait(60) in (0, 1)
    least, limit, expected, memory = BOMBS[what]
    assert error == expected
    assert least <= int(count) <= limit
    assert most <= memory
