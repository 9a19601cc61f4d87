"""Runs a command natively or in the sandbox, and reads what it prints.

The only place in the tests that knows how the sandbox is started. A hang guard belongs to each run, so that
a guest that hangs is a failed test and not a stuck test run; it says nothing about speed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests import modes

RUNSC = Path(sys.executable).parent / "runsc-py"
# Seconds; RUNSC_TEST_PATIENCE shortens it for who is looking for a hang.
HANG_GUARD = float(os.environ.get("RUNSC_TEST_PATIENCE", "120"))
NOBODY = 65534

# The whole environment of a test program, natively and in the sandbox.
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/tmp",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}


class Hung(Exception):
    """The command printed nothing more for as long as the hang guard allows, and was killed."""

    def __init__(self, argv: Sequence[str], stdout: bytes, stderr: bytes) -> None:
        super().__init__(
            f"hung: {' '.join(argv)}\n--- stdout ---\n{stdout.decode(errors='replace')}"
            f"\n--- stderr ---\n{stderr.decode(errors='replace')}"
        )
        self.stdout = stdout
        self.stderr = stderr


def need_runsc() -> None:
    """Fails where the command is not installed beside the interpreter that runs the tests."""
    assert RUNSC.exists(), f"{RUNSC} is missing: run the tests with the interpreter that it is installed for"


def runsc(*arguments: str) -> list[str]:
    """The command in the current mode (tests/modes.py), with global options, a command and its arguments."""
    return [str(RUNSC), *modes.current().options, *arguments]


def sandbox_argv(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] = ENVIRONMENT,
    cwd: str = "/tmp",
    volumes: Sequence[str] = (),
    options: Sequence[str] = (),
) -> list[str]:
    """The command that runs `argv` in a sandbox whose root is the host's, read-only, with a writable /tmp.

    `volumes` are SRC:DST[:ro]; `options` are global options, beside those of the current mode.
    """
    command = runsc(*options, "do", "--cwd", cwd)
    for name, value in env.items():
        command += ["--env", f"{name}={value}"]
    for volume in volumes:
        command += ["--volume", volume]
    return [*command, "--", *argv]


def sandbox_run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] = ENVIRONMENT,
    cwd: str = "/tmp",
    volumes: Sequence[str] = (),
    timeout: float = HANG_GUARD,
) -> subprocess.CompletedProcess[bytes]:
    """Runs `argv` in the sandbox; raises `Hung` when it is still running after `timeout` seconds."""
    command = sandbox_argv(argv, env=env, cwd=cwd, volumes=volumes)
    return run(command, stdin=stdin, timeout=timeout)


def bundle_run(
    bundle: Path,
    *,
    stdin: bytes = b"",
    timeout: float = HANG_GUARD,
) -> subprocess.CompletedProcess[bytes]:
    """Runs an OCI bundle, its state kept below the bundle's own directory."""
    command = runsc("--root", f"{bundle}/state", "run", "--bundle", str(bundle), f"test-{os.getpid()}")
    return run(command, stdin=stdin, timeout=timeout)


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float = HANG_GUARD,
    user: int | None = None,
    reports: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Runs `argv` on the host in a session of its own; whatever is left of it afterwards is killed.

    `reports`: when it hangs, its sentry, which has a log, is to write there what its tasks do.
    """
    with started(argv, env=env, cwd=cwd, user=user, stdin=subprocess.PIPE) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            if reports:
                ask_for_report(process.pid)
            kill_session(process)
            stdout, stderr = process.communicate()
            raise Hung(argv, stdout, stderr) from None
        return subprocess.CompletedProcess(list(argv), process.returncode, stdout, stderr)


def ask_for_report(pid: int) -> None:
    """Has the sentry of the command `pid` write what its tasks do to its log."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGUSR2)
    time.sleep(1)


def run_lines(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    patience: float = HANG_GUARD,
    user: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs `argv`, handing over each line of its standard output as it comes.

    Raises `Hung` when neither output stream has had anything to say for `patience` seconds.
    """
    with started(argv, env=env, cwd=cwd, user=user, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        output = {process.stdout: bytearray(), process.stderr: bytearray()}
        handed_over = 0
        with selectors.DefaultSelector() as selector:
            for stream in output:
                selector.register(stream, selectors.EVENT_READ)
            deadline = time.monotonic() + patience
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    kill_session(process)
                    raise Hung(argv, bytes(output[process.stdout]), bytes(output[process.stderr]))
                for key, _ in ready:
                    stream = process.stdout if key.fileobj is process.stdout else process.stderr
                    chunk = os.read(key.fd, 65536)
                    output[stream] += chunk
                    if not chunk:
                        selector.unregister(stream)
                    if stream is process.stdout:
                        *lines, rest = bytes(output[stream][handed_over:]).split(b"\n")
                        handed_over = len(output[stream]) - len(rest)
                        for line in lines:
                            on_line(line.decode(errors="replace"))
                        deadline = time.monotonic() + patience
        return subprocess.CompletedProcess(
            list(argv), process.wait(), bytes(output[process.stdout]), bytes(output[process.stderr])
        )


@contextlib.contextmanager
def started(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None,
    cwd: str | Path | None,
    user: int | None,
    stdin: int,
    output: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a new session, killed with its whole group when the block is left."""
    process = subprocess.Popen(
        list(argv),
        stdin=stdin,
        stdout=output,
        stderr=output,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    try:
        yield process
    finally:
        kill_session(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kills the group of a process from `started`; what has already ended is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
