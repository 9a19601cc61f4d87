"""Calls that act on the whole machine: here on the sandbox, and never to be tried on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.isolation.support import logged_run
from tests.sandbox import need_runsc

pytestmark = pytest.mark.usefixtures("mode")

CALL = "import ctypes, sys; c = ctypes.CDLL(None, use_errno=True); "


def guest(script: str, directory: Path) -> tuple[int, str]:
    need_runsc()
    done = logged_run(directory, ["/usr/bin/python3", "-I", "-c", CALL + script])
    assert done.bugs == []
    return done.status, done.stdout


@pytest.mark.parametrize(("command", "signal"), [(0x01234567, 1), (0x4321FEDC, 2), (0xCDEF0123, 2)])
def test_reboot_ends_the_first_process(command: int, signal: int, tmp_path: Path) -> None:
    script = f"c.syscall(169, 0xfee1dead, 672274793, {command}, 0); print('still here')"
    assert guest(script, tmp_path) == (128 + signal, "")


def test_reboot_refuses_what_a_namespace_can_not_do(tmp_path: Path) -> None:
    script = (
        "[print(c.syscall(169, *each, 0), ctypes.get_errno()) for each in ("
        "(0xfee1dead, 672274793, 0), (0xfee1dead, 672274793, 0xd000fce2), (0xfee1dead, 1, 0x01234567),"
        "(1, 672274793, 0x01234567))]"
    )
    assert guest(script, tmp_path) == (0, "-1 22\n" * 4)


def test_the_message_buffer(tmp_path: Path) -> None:
    script = (
        "b = ctypes.create_string_buffer(4096); r = lambda *a: print(c.klogctl(*a), ctypes.get_errno());"
        "n = c.klogctl(3, b, 4096); print(b.raw[:n].startswith(b'<5>['), c.klogctl(9, None, 0) == n);"
        "print(c.klogctl(2, b, 4096) == n, c.klogctl(9, None, 0), c.klogctl(4, b, 4096) == n);"
        "print(c.klogctl(3, b, 4096), c.klogctl(8, None, 4), c.klogctl(10, None, 0) > 4096);"
        "r(8, None, 9); r(11, None, 0); r(3, None, 5); r(3, b, -1); r(-1, None, 0)"
    )
    told = "True True\nTrue 0 True\n0 0 True\n" + "-1 22\n" * 5
    assert guest(script, tmp_path) == (0, told)


def test_the_host_keeps_its_time(tmp_path: Path) -> None:
    script = (
        "t = (ctypes.c_long * 2)(1, 0); print(c.clock_settime(0, t), ctypes.get_errno());"
        "print(c.acct(None), c.acct(b'/absent'), ctypes.get_errno(), c.swapon(b'/etc/passwd', 0),"
        " ctypes.get_errno())"
    )
    assert guest(script, tmp_path) == (0, "-1 1\n0 -1 2 -1 22\n")
