"""The sandbox process: making it, telling it about signals, and learning how it ended.

It is forked from the command line, which has the interpreter and half the modules already in memory.  Two
pipes tie them: over one the command line says `go` and then a byte for each signal, over the other the
sandbox process reports why it could not start.
"""

from __future__ import annotations

import _signal
import gc
import os
import select

from runsc import _boot, archive, boot, idmap, resources, terminal
from runsc.errors import FAILED, RuntimeFailure, failed
from sentry.errors import StartError
from sentry.platform.base import stub_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runsc.description import Description
    from sentry.kernel.kernel import Kernel

# Signals that are passed on to the guest's first program: all but those that a program brings upon itself,
# and those that the host's job control sends to a background job.
FORWARDED = frozenset(_signal.valid_signals()) - {
    _signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGTTIN, _signal.SIGTTOU,
    _signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGTRAP, _signal.SIGABRT,
    _signal.SIGSYS,
}  # fmt: skip
REPORT_MAX = 4096  # bytes of a report: one atomic write to a pipe


class SandboxProcess:
    """A running sandbox, seen from the command line."""

    __slots__ = ("_control", "_report", "pid")

    def __init__(self, pid: int, control: int, report: int) -> None:
        self.pid = pid
        self._control = control
        self._report = report

    def go(self) -> None:
        """Let it run.  Raises RuntimeFailure when its ids can't be mapped."""
        try:
            idmap.write(self.pid)
        except OSError as error:
            self.kill()
            raise failed("user namespace: mapping ids", error) from None
        self.signal(_signal.SIGCONT)

    def signal(self, number: int) -> None:
        """Pass a signal on to the guest; one that finds the pipe full or the sandbox gone is lost."""
        try:
            os.write(self._control, bytes((number,)))
        except (BlockingIOError, BrokenPipeError):
            pass

    def kill(self) -> None:
        """End it and all in it at once, and reap it."""
        os.kill(self.pid, _signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def wait(self) -> int:
        """Forward signals until it ends; its exit status.  Raises RuntimeFailure with its own report.

        SIGCHLD and what is forwarded are blocked (see `start`), so that none is missed between two looks.
        """
        awaited = _awaited()
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return self._outcome(status)
            number = _signal.sigwait(awaited)
            if number != _signal.SIGCHLD:
                self.signal(number)

    def _outcome(self, status: int) -> int:
        report = os.read(self._report, REPORT_MAX)
        if report:
            code, _, message = report.decode(errors="replace").partition(" ")
            raise RuntimeFailure(message, int(code))
        if not os.WIFSIGNALED(status):
            return os.WEXITSTATUS(status)
        number = os.WTERMSIG(status)
        why = f" by signal {number}"
        if number == _signal.SIGSYS:
            why = ": it made a forbidden system call (SIGSYS)"
        raise RuntimeFailure(f"the sandbox was killed{why}", 128 + number)


def run(description: Description, started: Callable[[int], None] = lambda pid: None) -> int:
    """Run a sandbox to its end; its exit status.  `started` is told the pid before anything runs.

    Raises RuntimeFailure when it can't be started or was killed.
    """
    saved = terminal.save(description.config.stdio)
    try:
        sandbox = start(description)
        started(sandbox.pid)
        sandbox.go()
        return sandbox.wait()
    finally:
        terminal.restore(saved)


def start(description: Description) -> SandboxProcess:
    """Make the sandbox process; it waits for `go`.  Raises RuntimeFailure when the host refuses."""
    # On the host's file system, while there is one; and before any process exists that could be left over.
    config = description.config
    stub = _open_stub(config.platform)
    control_read, control_write = os.pipe2(os.O_CLOEXEC)
    report_read, report_write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(control_write, False)
    config.stub_fd, config.control_fd, config.status_fd = stub, control_read, report_write
    guest = _Guest(description)

    flags = 0
    for flag in boot.NAMESPACES.values():
        flags |= flag
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _awaited())
    try:
        pid = _boot.clone(flags)
    except OSError as error:
        raise RuntimeFailure(f"new namespaces: {error.strerror}; see runsc-py doctor") from None
    if pid == 0:
        guest.main()
    for fd in (stub, control_read, report_write):
        os.close(fd)
    return SandboxProcess(pid, control_write, report_read)


def _awaited() -> frozenset[int]:
    """What the command line waits for.  Under nohup(1), SIGHUP stays ignored."""
    awaited = FORWARDED | {_signal.SIGCHLD}
    return awaited - {_signal.SIGHUP} if _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN else awaited


class _Guest:
    """What runs in the sandbox process."""

    __slots__ = ("_config", "_kernel", "_steps")

    def __init__(self, description: Description) -> None:
        self._config = description.config
        self._kernel: Kernel | None = None
        self._steps = boot.plan(description, self._prepare, self._watch)

    def main(self) -> None:
        """Carry out the plan, run the guest, leave.  Never returns."""
        status = FAILED
        try:
            status = self._run()
        except StartError as error:
            status = self._report(error.message, error.status)
        except RuntimeFailure as error:
            status = self._report(error.message, error.status)
        except BaseException as error:  # noqa: BLE001  the border of the process: reported, then the end
            status = self._report(f"sentry: {_where(error)}{type(error).__name__}: {error}", FAILED)
        finally:
            os._exit(status)

    def _run(self) -> int:
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        _boot.die_with_parent()
        self._close_others()
        from sentry import boot as sentry

        if not os.read(self._config.control_fd, 1):
            return FAILED  # the command line is gone
        os.set_blocking(self._config.control_fd, False)
        for step in self._steps:
            try:
                step.run()
            except OSError as error:
                raise failed(step.describe(), error) from error
        assert self._kernel is not None
        if self._is_left_alone():
            return FAILED
        gc.enable()
        return sentry.run(self._kernel)

    def _is_left_alone(self) -> bool:
        """Whether the command line died before `die_with_parent` could end us with it."""
        waiting = select.poll()
        waiting.register(self._config.control_fd, 0)
        return bool(waiting.poll(0))  # POLLHUP: nobody has the other end

    def _prepare(self) -> None:
        from sentry import boot as sentry
        from sentry.kernel import control

        usable = os.sched_getaffinity(0)
        wanted = resources.cpus(self._config.resources, usable)
        if wanted != usable:
            os.sched_setaffinity(0, wanted)
        self._kernel = sentry.prepare(self._config)
        if not archive.hold():
            self._kernel.preload()
        control.listen(self._kernel, self._config.control_fd)

    def _watch(self) -> None:
        from sentry import boot as sentry

        assert self._kernel is not None
        sentry.watch(self._kernel)

    def _close_others(self) -> None:
        """Descriptors that were inherited from whoever started the command line."""
        config = self._config
        known = {0, 1, 2, config.stub_fd, config.control_fd, config.status_fd}
        known |= {config.log_fd, config.strace_fd}
        first = 0
        for fd in sorted(known - {-1}):
            if first < fd:
                _boot.close_range(first, fd - 1)
            first = fd + 1
        _boot.close_range(first, 2**32 - 1)

    def _report(self, message: str, status: int) -> int:
        os.write(self._config.status_fd, f"{status} {message}".encode(errors="replace")[:REPORT_MAX])
        return status


def _where(error: BaseException) -> str:
    """File and line of an unexpected exception's origin."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}: "


def _open_stub(platform: str) -> int:
    path = stub_path(platform)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise failed(path, error) from None
