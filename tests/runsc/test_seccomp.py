"""The sentry's seccomp filter: what the build stored is the list, and the list is enforced."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import tempfile
from collections.abc import Callable

import pytest

from runsc import _boot, seccomp

libc = ctypes.CDLL(None, use_errno=True)


def sealed(attempt: Callable[[], object]) -> int:
    """The wait status of a child that seals itself and then tries something; 42 when it gets past that."""
    pid = os.fork()
    if pid == 0:
        try:
            _boot.no_new_privileges()
            _boot.seal(seccomp.load())
            attempt()
        except OSError:
            os._exit(1)
        os._exit(42)
    return os.waitpid(pid, 0)[1]


def test_the_stored_program_is_what_libseccomp_makes_of_the_list() -> None:
    pytest.importorskip("pyseccomp")
    with tempfile.TemporaryFile() as file:
        seccomp.generate(file)
        file.seek(0)
        assert file.read() == seccomp.load()


def test_an_allowed_call_goes_through() -> None:
    assert os.waitstatus_to_exitcode(sealed(lambda: os.fstat(0))) == 42


def clone() -> None:
    _boot.clone(0)


def ptrace_attach() -> None:
    libc.ptrace(16, 1, None, None)


def map_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)


FORBIDDEN: dict[str, Callable[[], object]] = {
    "open": lambda: os.open("/", os.O_RDONLY),
    "execve": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "clone3": clone,
    "setsid": os.setsid,
    "setuid": lambda: os.setuid(0),
    "chroot": lambda: os.chroot("/"),
    "getcwd": os.getcwd,
    "mount": lambda: _boot.mount("", "/", "", 0, ""),
    "unlink by path": lambda: os.unlink("/nowhere"),
    "kill, SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "setxattr": lambda: os.setxattr("/nowhere", b"user.a", b""),
    "prctl": _boot.undumpable,
    "ptrace, PTRACE_ATTACH": ptrace_attach,
    "mmap, PROT_EXEC": map_code,
    "getdents by number of a 32-bit call": lambda: libc.syscall(0x40000000 | 78, 0, None, 0),
    "a second filter": lambda: _boot.seal(seccomp.load()),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_forbidden_call_kills(name: str) -> None:
    status = sealed(FORBIDDEN[name])
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGSYS


@pytest.mark.parametrize("request_number", [0x5412, 0x5437, 0x890B], ids=["TIOCSTI", "TIOCSETD", "SIOCADDRT"])
def test_only_harmless_terminal_requests_are_allowed(request_number: int) -> None:
    import fcntl

    assert os.WIFSIGNALED(sealed(lambda: fcntl.ioctl(0, request_number, b"\0" * 8)))


def test_malformed_programs_are_refused() -> None:
    for program in (b"", b"1234567", b"\0" * 8 * 5000):
        with pytest.raises(OSError, match="Invalid argument"):
            _boot.seal(program)
