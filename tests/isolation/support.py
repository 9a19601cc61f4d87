"""Guest programs compiled for these tests, sandboxes with a log, and how a sandbox looks from the host."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sandbox import HANG_GUARD, Hung, run, sandbox_argv

GUESTS = Path(__file__).parent / "guests"
FLAGS = ["-D_GNU_SOURCE", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
NAMESPACES = ("user", "mnt", "pid", "ipc", "uts", "cgroup", "net")
LOOKS_INSIDE = pytest.mark.skipif(
    os.geteuid() != 0, reason="the sentry is not dumpable: only root looks inside"
)


def compile_guest(name: str, directory: Path, *options: str) -> Path:
    """The executable of guests/name.c in `directory`, compiled unless that has been done."""
    target = directory / name
    if not target.exists():
        command = ["gcc", *FLAGS, *options, "-o", str(target), str(GUESTS / f"{name}.c")]
        subprocess.run(command, check=True)
    return target


class Logged(NamedTuple):
    """A finished run of a sandbox, with what its sentry had to report."""

    status: int
    stdout: str
    stderr: str
    bugs: list[str]


def logged_run(
    directory: Path,
    argv: Sequence[str],
    *,
    volumes: Sequence[str] = (),
    stdin: bytes = b"",
    timeout: float = HANG_GUARD,
    user: int | None = None,
) -> Logged:
    """Runs `argv` in a sandbox that sees `directory` as /t; raises Hung."""
    log = directory / f"log.{time.monotonic_ns()}"
    command = sandbox_argv(argv, volumes=[f"{directory}:/t:ro", *volumes], options=["--debug-log", str(log)])
    done = run(command, stdin=stdin, timeout=timeout, user=user)
    text = log.read_text(errors="replace")
    log.unlink()
    bugs = [line for line in text.splitlines() if " error: " in line]
    return Logged(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"), bugs)


class Running(NamedTuple):
    """A sandbox at work, by the host's process ids."""

    command: subprocess.Popen[bytes]
    sentry: int

    @property
    def stubs(self) -> list[int]:
        return children(self.sentry)


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, volumes: Sequence[str] = (), options: Sequence[str] = (), user: int | None = None
) -> Iterator[Running]:
    """A sandbox whose guest has written a line to its standard output."""
    command = subprocess.Popen(
        sandbox_argv(argv, volumes=volumes, options=options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    try:
        assert command.stdout is not None
        assert command.stdout.readline(), "the guest did not start"
        (sentry,) = children(command.pid)
        yield Running(command, sentry)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
        command.wait()
        for stream in (command.stdin, command.stdout):
            if stream is not None:
                stream.close()


def children(pid: int) -> list[int]:
    """The child processes of a process, zombies not counted; of all its threads."""
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += [int(text) for text in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()]
    return found


def status_of(pid: int | str) -> dict[str, str]:
    """/proc/PID/status as a dictionary."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def namespace(pid: int | str, kind: str) -> str:
    """The name of the namespace that a process is in."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def descriptors(pid: int) -> dict[int, str]:
    """What the descriptors of a process are, by number."""
    directory = f"/proc/{pid}/fd"
    return {int(name): os.readlink(f"{directory}/{name}") for name in os.listdir(directory)}


def processes_in(pid_namespace: str) -> list[int]:
    """The processes of a pid namespace; zombies, which only wait for their new parent, are not counted."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if namespace(name, "pid") == pid_namespace and status_of(name)["State"][0] not in "ZX":
                    found.append(int(name))
    return found


def eventually(condition: Callable[[], bool], patience: float = 10.0) -> bool:
    """Has the condition become true before the patience ended?"""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


__all__ = ["Hung"]
