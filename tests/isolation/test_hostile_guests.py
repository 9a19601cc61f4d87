"""Guests that try to break the kernel: it answers each call, reports no bug of its own and works on."""

from __future__ import annotations

import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

from tests.isolation.support import Logged, compile_guest, logged_run, running, status_of
from tests.modes import Mode
from tests.sandbox import need_runsc, run

LAST_CALL = 480
SEED = 1
MEMORY_BOUND = 400 << 10  # KiB, of a sentry that a guest has filled up to its limits


@pytest.fixture(scope="module")
def directory(build_directory: Path) -> Path:
    need_runsc()
    for name in ("every_call", "efault", "double_fetch", "exec_all", "bounds", "wide_arguments"):
        compile_guest(name, build_directory)
    return build_directory


def assert_sound(done: Logged) -> None:
    assert done.bugs == []
    assert done.status == 0, done.stderr[-2000:]


@pytest.mark.hot_and_cold
@pytest.mark.parametrize("first", range(0, LAST_CALL, 120))
def test_bad_arguments_of_every_call(first: int, mode: Mode, directory: Path) -> None:
    argv = ["/t/every_call", str(first), str(first + 119), "1", str(SEED + mode.hot)]
    done = logged_run(directory, argv, timeout=240)
    assert_sound(done)
    assert "done: " in done.stdout[-100:]


@pytest.mark.hot_and_cold
@pytest.mark.usefixtures("mode")
def test_arguments_wider_than_an_int(directory: Path) -> None:
    done = logged_run(directory, ["/t/wide_arguments"], timeout=240)
    assert_sound(done)
    assert done.stdout.startswith("done: ")


EFAULT_EVERYWHERE = re.compile(r"done: 1\d{3} answers, 0 not EFAULT\n")


def test_bad_pointers_give_efault_natively(directory: Path, work_directory: Path) -> None:
    done = run([str(directory / "efault")], cwd=work_directory)
    assert EFAULT_EVERYWHERE.fullmatch(done.stdout.decode()), done.stdout.decode()


@pytest.mark.hot_and_cold
@pytest.mark.usefixtures("mode")
def test_bad_pointers_give_efault(directory: Path) -> None:
    done = logged_run(directory, ["/t/efault"])
    assert_sound(done)
    assert EFAULT_EVERYWHERE.fullmatch(done.stdout), done.stdout


@pytest.mark.usefixtures("mode")
def test_memory_that_changes_while_a_call_reads_it(directory: Path) -> None:
    done = logged_run(directory, ["/t/double_fetch", "4"])
    assert_sound(done)
    assert done.stdout.endswith("done\n")


# Programs

TINY = """
void _start(void)
{
	__asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall");
}
"""


def mutations(program: bytes, count: int) -> list[bytes]:
    """The program with bytes or whole fields of its headers changed."""
    source = random.Random(SEED)
    entries = struct.unpack_from("<H", program, 56)[0]
    end = 64 + 56 * entries
    values = (
        0,
        1,
        0xFF,
        0x7F,
        0xFFF,
        0x1000,
        0x1001,
        1 << 31,
        1 << 32,
        1 << 47,
        0x7FFF80000000,
        1 << 63,
        (1 << 64) - 1,
    )
    mutated = []
    for _ in range(count):
        copy = bytearray(program)
        for _ in range(source.randrange(1, 4)):
            if source.random() < 0.5:
                copy[source.randrange(4, end)] = source.randrange(256)
            else:
                size = source.choice((2, 4, 8))
                at = source.randrange(16, end - 8) // size * size
                copy[at : at + size] = struct.pack("<Q", source.choice(values))[:size]
        mutated.append(bytes(copy))
    mutated += [
        program[:length] for length in (0, 1, 3, 4, 16, 63, 64, 65, 119, 120, 200, end - 1, end, 4095)
    ]
    return mutated


SCRIPTS = [
    b"#!",
    b"#!\n",
    b"#! \n",
    b"#!\0",
    b"#!/",
    b"#!/\n",
    b"#!/bin",
    b"#!/nowhere\n",
    b"#!" + b"/" * 300,
    b"#!/bin/sh",
    b"#!" + b"x" * 4096,
    b"#!/bin/true" + b" a" * 200 + b"\n",
    b"#!\t /bin/true\t\n",
    b"#!/proc/self/exe\n",
    b"#!.\n",
    b"#!/bin/true\0garbage",
    b"#!\xff\xfe\n",
    b"#!/t/program/script0\n",
    b"#!script21\n",
    b"#!script20\n",
    b"",
    b"\n",
    b"\x7fELF",
    b"\0" * 100,
    b"#!/dev/null\n",
    b"#!/dev/zero\n",
    b"#!/proc/self/mem\n",
    b"#!/proc/1/exe\n",
]


@pytest.mark.usefixtures("mode")
def test_headers_and_scripts_that_no_linker_writes(directory: Path, tmp_path: Path) -> None:
    source = tmp_path / "tiny.c"
    source.write_text(TINY)
    programs = directory / "program"
    programs.mkdir(exist_ok=True)
    bases = []
    for name, options in (
        ("static", ["-static"]),
        ("dynamic", ["-pie", "-fPIE", "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2"]),
    ):
        target = tmp_path / name
        subprocess.run(["gcc", "-nostdlib", *options, "-o", str(target), str(source)], check=True)
        bases.append(target.read_bytes())
    files = [*mutations(bases[0], 300), *mutations(bases[1], 200), *SCRIPTS, *bases]
    for index, content in enumerate(files):
        name = f"script{SCRIPTS.index(content)}" if content in SCRIPTS else f"elf{index}"
        (programs / name).write_bytes(content)
        (programs / name).chmod(0o755)
    done = logged_run(directory, ["/t/exec_all", "/t/program"], timeout=240)
    assert_sound(done)
    assert "done: " in done.stdout
    exited = int(done.stdout.split()[3])
    assert exited >= 2, done.stdout  # the unharmed ones run, so the others were really looked at


# Too much of one thing

EXPECTED = {
    "forks": "49 forks, then EAGAIN\n",
    "descriptors": "last descriptor 299, then EMFILE\n",
    "files": "many files, then EMFILE\n",
    "mappings": "65530 mappings, then ENOMEM\n",
    "directories": "depth 5000, getcwd ENAMETOOLONG\nleft: 0\n",
    "links": "loop: ELOOP\nchain: ELOOP\ntree: ELOOP\n",
    "epolls": "nested 4 deep, then ELOOP\ncycle: ELOOP\n",
    "arguments": "6 MB of arguments: E2BIG\n3 million arguments: E2BIG\none argument of 256 KiB: E2BIG\n",
    "pipes": "pipes end with EMFILE\n",
    "timers": "timers: limited\n",
    "queued": "queued signals: limited, then EAGAIN\n",
    "rights": "all sent\n",
}


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("what", EXPECTED)
def test_limits_hold(what: str, directory: Path) -> None:
    done = logged_run(directory, ["/t/bounds", what])
    assert_sound(done)
    assert done.stdout == EXPECTED[what]


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("what", ["mappings", "pipes", "directories", "queued", "rights", "files"])
def test_the_sentrys_memory_stays_bounded(what: str, directory: Path) -> None:
    with running(["/t/bounds", what], volumes=[f"{directory}:/t:ro"]) as sandbox:
        assert int(status_of(sandbox.sentry)["VmHWM"].split()[0]) < MEMORY_BOUND
        assert sandbox.command.stdin is not None
        sandbox.command.stdin.close()
        assert sandbox.command.wait(60) == 0  # it still answers
