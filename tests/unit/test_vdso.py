"""The vDSO, as we read it."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from sentry.mm import vdso


def test_finds_clock_gettime_in_the_hosts() -> None:
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith("[vdso]")]
    if not lines:
        pytest.skip("this kernel has no vDSO")
    start, end = (int(word, 16) for word in lines[0].split()[0].split("-"))
    image = ctypes.string_at(start, end - start)
    at = vdso.find(image)
    ours = ctypes.CDLL(None).dlsym
    ours.restype, ours.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]
    handle = ctypes.CDLL("linux-vdso.so.1")._handle
    assert start + at == ours(handle, b"__vdso_clock_gettime")


def test_finds_nothing_in_an_elf_without_symbols() -> None:
    header = b"\x7fELF" + bytes(60)
    assert vdso.find(header) == 0
