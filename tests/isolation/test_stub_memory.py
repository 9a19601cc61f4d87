"""A guest that writes over its stub, calls by other entries or jumps into the stub harms only itself."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.isolation.support import compile_guest, eventually, logged_run, running, status_of
from tests.sandbox import need_runsc

pytestmark = pytest.mark.usefixtures("mode")

REFUSED = """\
int 0x80: 0 not refused
x32: 0 not refused
int 0x80 of 32-bit code: refused
syscall of 32-bit code: refused
sysenter of 32-bit code: refused
sysenter: refused
vsyscall: refused
alive: 1
"""
TURNS = {"zeros": 4, "ones": 4, "words": 8, "heads": 8, "bits": 8, "asking": 1, "jumping": 4}


@pytest.mark.hot_and_cold
def test_other_entries_are_refused(build_directory: Path) -> None:
    compile_guest("old_entries", build_directory)
    done = logged_run(build_directory, ["/t/old_entries"])
    assert (done.status, done.stdout, done.bugs) == (0, REFUSED, [])


@pytest.mark.hot_and_cold
@pytest.mark.parametrize("how", TURNS)
def test_who_overwrites_its_stub_harms_nobody_else(
    how: str, build_directory: Path, request: pytest.FixtureRequest
) -> None:
    turns = 20 if request.config.getoption("--all-modes") else 1
    compile_guest("scribble", build_directory)
    done = logged_run(build_directory, ["/t/scribble", how, str(turns * TURNS[how])])
    assert (done.status, done.bugs) == (0, []), done
    pages, _, rest = done.stdout.partition(" ")
    assert rest == "pages, the other process worked on\n", done
    assert int(pages) >= 2  # it did find something to write to: the stub's code, at least


def host_threads(pids: list[int]) -> int:
    count = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            count += int(status_of(pid)["Threads"])
    return count


@pytest.mark.hot_and_cold
@pytest.mark.parametrize("what", ["processes", "threads"])
def test_nothing_that_is_born_can_be_hidden(what: str, build_directory: Path) -> None:
    need_runsc()
    compile_guest("disown", build_directory)
    with running(["/t/disown", what], volumes=[f"{build_directory}:/t:ro"]) as sandbox:
        # The template, the spare space and the program; on ptrace there is nothing to write to.
        assert eventually(lambda: host_threads(sandbox.stubs) <= 3), host_threads(sandbox.stubs)
