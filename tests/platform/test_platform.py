"""Every back-end passes the conformance suite of the platform contract; its probe tells what a host lacks.

The suite is C (conformance*.c), linked with the back-end itself: no Python, no kernel.  It runs as it is
built for use and once more with AddressSanitizer and UBSan.
"""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runsc import seccomp
from sentry.platform import base
from sentry.platform.ptrace import probe
from tests import modes
from tests.platform.sources import include, sources

HERE = Path(__file__).parent
FLAGS = ["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-pthread"]
BUILDS = {"plain": ["-O2"], "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]}


@pytest.fixture(scope="module", params=[(b, f) for b in modes.WORKING for f in BUILDS], ids="-".join)
def conformance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The suite built with a back-end: the command, to which names of tests are appended."""
    backend, build = request.param
    program = str(tmp_path_factory.mktemp(f"{backend}-{build}") / "conformance")
    options = [*FLAGS, *BUILDS[build], *include(backend), f"-I{HERE}", f"-DPLATFORM_OPS={backend}_ops"]
    command = ["gcc", *options, *sorted(HERE.glob("*.c")), *sources(backend), "-o", program]
    subprocess.run(command, check=True)
    return [program, base.stub_path(backend)]


def names() -> list[str]:
    """The tests' names, read from the tables at the end of each file."""
    lines = [line for path in sorted(HERE.glob("conformance_*.c")) for line in path.read_text().splitlines()]
    return [line.split('"')[1] for line in lines if line.startswith('\t{"')]


@pytest.mark.parametrize("name", names())
def test_conformance(conformance: list[str], name: str) -> None:
    done = subprocess.run([*conformance, name], capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout) == (0, f"ok {name}\n"), done.stderr


def test_every_conformance_test_is_run(conformance: list[str]) -> None:
    listed = subprocess.run([conformance[0], "list"], capture_output=True, text=True, check=True).stdout
    assert sorted(listed.split()) == sorted(names())


@pytest.mark.parametrize("backend", base.PLATFORMS)
def test_the_sentrys_filter_lets_the_back_end_work(backend: str) -> None:
    package = importlib.import_module(f"sentry.platform.{backend}")
    allowed = {name for group in seccomp.ALLOWED.values() for name in group}
    allowed.update(seccomp.LIMITED, seccomp.WITHOUT)
    assert set(package.HOST_CALLS) <= allowed


@pytest.mark.parametrize("backend", base.PLATFORMS)
def test_probe_finds_that_it_works_here(backend: str) -> None:
    assert base.probe(backend) is None


DENY = """
import ctypes, struct
call = {call}
libc = ctypes.CDLL(None, use_errno=True)
program = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0),  # load the number
    (0x15, 0, 1, call),
    (0x06, 0, 0, 0x50000 | {error}),
    (0x06, 0, 0, 0x7FFF0000)))
buffer = ctypes.create_string_buffer(program)
head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, head, 0, 0) == 0
from sentry.platform.ptrace.probe import probe
print(probe())
"""


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (101, errno.EPERM, "PTRACE_SEIZE is denied by a seccomp profile"),
        (101, errno.ENOSYS, "PTRACE_SEIZE does not exist here"),
        (310, errno.EPERM, "process_vm_readv is denied by a seccomp profile"),
    ],
)
def test_probe_says_what_the_host_denies(call: int, error: int, words: str) -> None:
    if probe._ptrace_scope():
        pytest.skip("Yama answers first")
    script = DENY.format(call=call, error=error)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-Pc", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.startswith(words)


@pytest.mark.parametrize(("scope", "words"), [(2, "ptrace_scope=2"), (3, "ptrace_scope=3")])
def test_probe_names_the_switch(scope: int, words: str) -> None:
    assert words in probe.explain(errno.EPERM, "PTRACE_SEIZE", scope)
