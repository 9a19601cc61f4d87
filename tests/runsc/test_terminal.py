"""The command at a terminal: what is typed there reaches the guest, and ends it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time

import pytest

from tests.sandbox import HANG_GUARD, RUNSC, runsc

pytestmark = pytest.mark.usefixtures("mode")

INTERRUPT, QUIT, SUSPEND, END = b"\x03", b"\x1c", b"\x1a", b"\x04"


class Terminal:
    """A command line at a new terminal."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(RUNSC, runsc(*arguments))
        self.seen = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)

    def read_until(self, text: bytes) -> None:
        """Read until `text` has come; empty: until the last process has closed the terminal."""
        deadline = time.monotonic() + HANG_GUARD
        while not text or text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come: {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:  # closed
                break
        assert text in self.seen

    def type(self, text: bytes) -> None:
        os.write(self.fd, text)

    def wait(self) -> int:
        """The exit status; negative when a signal ended the command line."""
        self.read_until(b"")
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize(("key", "signo"), [(INTERRUPT, signal.SIGINT), (QUIT, signal.SIGQUIT)])
@pytest.mark.parametrize("wait", ["sleep 1000", "<STDIN>", "1 while 1"])
def test_a_key_ends_a_program_that_does_not_handle_its_signal(
    wait: str, key: bytes, signo: signal.Signals
) -> None:
    with Terminal("do", "--", "perl", "-e", f'$| = 1; print "ready\\n"; {wait}') as terminal:
        terminal.read_until(b"ready\r\n")
        terminal.type(key)
        assert terminal.wait() == 128 + signo


def test_a_handler_gets_the_typed_signal() -> None:
    script = "trap 'echo got; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    with Terminal("do", "--", "sh", "-c", script) as terminal:
        terminal.read_until(b"ready\r\n")
        terminal.type(INTERRUPT)
        assert terminal.wait() == 5
        assert b"got\r\n" in terminal.seen


def test_suspend_does_not_make_the_sandbox_deaf() -> None:
    with Terminal("do", "--", "sh", "-c", "echo ready; exec cat") as terminal:
        terminal.read_until(b"ready\r\n")
        terminal.type(SUSPEND)
        terminal.type(b"still here\n")
        terminal.read_until(b"still here\r\nstill here\r\n")
        terminal.type(END)
        assert terminal.wait() == 0


def test_job_control_of_a_shell() -> None:
    with Terminal("do", "--env", "PS1=# ", "--", "dash", "-i") as terminal:
        terminal.read_until(b"# ")
        terminal.type(b"sh -c 'echo run''ning; exec sleep 1000'\n")
        terminal.read_until(b"running\r\n")
        terminal.type(INTERRUPT)
        terminal.read_until(b"^C")
        terminal.type(b"echo status=$?\n")
        terminal.read_until(b"status=130\r\n")
        # One process: a shell that is just forking a child can't be stopped (vfork(2)).
        loop = r'$| = 1; $SIG{CONT} = sub { print "contin", "ued\n" }; print "ag", "ain\n"; sleep 1 while 1'
        terminal.type(f"perl -e '{loop}'\n".encode())
        terminal.read_until(b"again\r\n")
        terminal.type(SUSPEND)
        terminal.read_until(b"Stopped")
        terminal.type(b"fg\n")
        terminal.read_until(b"continued\r\n")
        terminal.type(INTERRUPT)
        terminal.read_until(b"^C")
        terminal.type(b"exit $?\n")
        assert terminal.wait() == 130


def test_a_command_line_under_nohup_outlives_its_terminal() -> None:
    script = f"trap '' HUP; exec {' '.join(runsc())} do -- sh -c 'echo ready; read line; echo survived'"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate(b"\n")[0] == b"survived\n"
        assert process.returncode == 0
