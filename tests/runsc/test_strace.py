"""--strace: the calls of a small program, as a reader expects to see them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.modes import Mode
from tests.sandbox import ENVIRONMENT, ask_for_report, run, runsc, started

pytestmark = pytest.mark.usefixtures("mode")

PROGRAM = """
import os, signal, socket, time
open("/etc/hostname").close()
read, write = os.pipe()
os.write(write, b'say "hi"\\n' + bytes(100))
os.read(read, 200)
try:
    os.mkdir("/proc/new", 0o750)
except OSError:
    pass
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(0.001)
one, two = socket.socketpair()
child = os.fork()
if child == 0:
    os.execv("/bin/sh", ["sh", "-c", "exit 7"])
os.waitpid(child, 0)
"""
EXPECTED = [
    r'openat\(AT_FDCWD, "/etc/hostname", O_RDONLY\|O_CLOEXEC, 0(666)?\) = 3',
    r'(newfstatat\(3, "", |fstat\(3, )\{S_IFREG\|0644, size=\d+, ...\}(, AT_EMPTY_PATH)?\) = 0',
    r"mmap\((NULL|0), \d+, PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_ANONYMOUS, -1, 0\) = 0x[0-9a-f]+",
    r"pipe2\(\[3, 4\], O_CLOEXEC\) = 0",
    r'write\(4, "say \\"hi\\"\\n(\\x00){23}"\.\.\., 109\) = 109',
    r'read\(3, "say \\"hi\\"\\n(\\x00){23}"\.\.\., 200\) = 109',
    r'mkdir\("/proc/new", 0750\) = -1 E[A-Z]+ \([A-Z][a-z ]+\)',
    r"kill\(1, SIGUSR1\) = 0",
    r"--- SIGUSR1 from 1 ---",
    r"clock_nanosleep\(CLOCK_MONOTONIC, TIMER_ABSTIME, \{\d+\.\d{9}\}, NULL\) = 0",
    r"socketpair\(AF_UNIX, SOCK_STREAM\|SOCK_CLOEXEC, 0, \[5, 6\]\) = 0",
    r'execve\("/bin/sh", \["sh", "-c", "exit 7"\], 0x[0-9a-f]+ /\* environment \*/\) = 0',
    r"exit_group\(7\) = \?",
    r"\+\+\+ exited with 7 \+\+\+",
    r"wait4\(\d+, \[exited with 7\], 0, NULL\) = \d+",
]


@pytest.fixture(scope="module")
def trace(mode: Mode) -> list[str]:
    result = run(runsc("--strace", "do", "--", "/usr/bin/python3", "-c", PROGRAM), env=ENVIRONMENT)
    assert result.returncode == 0
    assert result.stdout == b""
    return result.stderr.decode().splitlines()


@pytest.mark.parametrize("pattern", EXPECTED)
def test_a_call_is_shown_decoded(trace: list[str], pattern: str) -> None:
    assert any(re.search(f"({pattern})$", line) for line in trace), "\n".join(trace[-80:])


def test_every_line_has_the_process_and_a_call_its_duration(trace: list[str]) -> None:
    for line in trace:
        assert re.match(r"\[ *\d+\] (\d+\.\d{6} \w+\(.*\) = |--- \w|\+\+\+ \w)", line), line


def test_it_goes_to_the_debug_log_instead(work_directory: Path) -> None:
    log = work_directory / "log"
    result = run(runsc("--strace", "--debug-log", str(log), "do", "--", "true"), env=ENVIRONMENT)
    assert (result.returncode, result.stderr) == (0, b"")
    assert log.read_text().splitlines()[-1] == "[    1] +++ exited with 0 +++"


def test_a_json_log_has_json_lines(work_directory: Path) -> None:
    log = work_directory / "log"
    options = ["--strace", "--debug", "--debug-log", str(log), "--log-format=json"]
    assert run(runsc(*options, "do", "--", "true"), env=ENVIRONMENT).returncode == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert {record["level"] for record in records} >= {"debug", "strace"}


def test_a_reader_that_leaves_does_not_disturb_the_guest() -> None:
    command = runsc("--strace", "do", "--", "sh", "-c", "read line; exit 4")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait() == 4


def test_a_signal_has_the_sentry_write_what_its_tasks_do(tmp_path: Path, mode: Mode) -> None:
    log = tmp_path / "log"
    command = runsc("--debug-log", str(log), "do", "--", "/bin/sh", "-c", "sleep 1000 & echo started; wait")
    with started(command, env=None, cwd=None, user=None, stdin=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        for _ in range(50):  # until both are where they will stay
            ask_for_report(process.pid)
            report = log.read_text().rpartition(" warning: tasks:\n")[2]
            if "(sleep)" in report and "wait.py" in report:
                break
    assert "  process 1 (sh), parent 0: alive\n    thread 1: waiting, interruptible" in report
    assert "  process 2 (sleep), parent 1: alive\n    thread 2: waiting, interruptible" in report
    assert "sentry/kernel/wait.py:" in report
