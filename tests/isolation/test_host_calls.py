"""A host call that is not on the list kills: the sentry by its own filter, a stub by the stubs' filter."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from pathlib import Path

import pytest

from runsc import _boot, seccomp
from sentry.platform.base import stub_path
from sentry.syscalls.table import TABLE
from tests.isolation.support import FLAGS, GUESTS
from tests.platform.sources import include, sources
from tests.sandbox import NOBODY

NUMBERS = {entry.name: entry.nr for entry in TABLE}
LISTED = {name for names in seccomp.ALLOWED.values() for name in names}.union(
    seccomp.LIMITED, seccomp.WITHOUT
)
LIBC = ctypes.CDLL(None, use_errno=True)

# ioctl requests, fcntl commands, ... that have no business in a sentry.
LIMITED = [
    *(
        ("ioctl", 0, request)
        for request in (0x5412, 0x5410, 0x540E, 0x5423, 0x541D, 0x5422, 0x8904, 0xAE00, 0)
    ),
    *(("fcntl", 0, command) for command in (5, 6, 7, 8, 10, 15, 1024, 1026)),
    *(("prctl", option, 0) for option in (1, 4, 8, 22, 23, 24, 27, 38, 47, 0x53564D41)),
    *(("kill", 99999999, number) for number in (1, 2, 10, 11, 15, 18, 64)),
    ("tgkill", 99999999, 99999999),
]


def sealed_call(*arguments: int) -> str:
    """What becomes of a process that seals itself, as the sentry does, and makes this call.

    It is an ordinary user's, so that a filter with a hole does this machine no harm.
    """
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            os.setsid()
            _boot.no_new_privileges()
            _boot.seal(seccomp.load())
            LIBC.syscall(*(ctypes.c_ulong(argument) for argument in arguments))
        finally:
            os._exit(42)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exited with {os.WEXITSTATUS(status)}"


def test_every_call_that_is_not_listed_kills_the_sentry() -> None:
    survived = [
        name
        for name, number in NUMBERS.items()
        if name not in LISTED and sealed_call(number, 0, 0, 0, 0, 0, 0) != "SIGSYS"
    ]
    assert survived == []


def test_the_list_names_only_calls_that_exist() -> None:
    assert LISTED - set(NUMBERS) == set()


def test_numbers_beyond_the_table_and_of_other_tables_kill() -> None:
    for number in (471, 511, 512, 547, 600, 0x40000000, 0x40000000 | NUMBERS["write"], 0xFFFFFFFF):
        assert sealed_call(number, 0, 0, 0, 0, 0, 0) == "SIGSYS", hex(number)


@pytest.mark.parametrize(("name", "first", "second"), LIMITED)
def test_a_limited_call_with_another_argument_kills(name: str, first: int, second: int) -> None:
    assert sealed_call(NUMBERS[name], first, second, 1, 0, 0, 0) == "SIGSYS"


def test_a_call_by_the_32_bit_entry_kills(build_directory: Path) -> None:
    source = build_directory / "int80.c"
    source.write_text(
        'int pause32(void) { int nr = 20; __asm__ volatile("int $0x80" : "+a"(nr)); return nr; }\n'
    )
    library = build_directory / "int80.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    call = ctypes.CDLL(str(library)).pause32
    pid = os.fork()
    if pid == 0:
        try:
            _boot.no_new_privileges()
            _boot.seal(seccomp.load())
            call()
        finally:
            os._exit(42)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGSYS


def test_calls_that_get_past_ptrace_kill_the_stub(build_directory: Path) -> None:
    program = build_directory / "stub_filter"
    command = ["gcc", *FLAGS, "-Wno-missing-field-initializers", *include("ptrace"), "-o", str(program)]
    subprocess.run([*command, str(GUESTS / "stub_filter.c"), *map(str, sources("ptrace"))], check=True)
    done = subprocess.run(
        [program, stub_path("ptrace")], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "done: 1002 calls\n"), done.stderr
