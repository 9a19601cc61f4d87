"""Restartable sequences that cover the platform's code, or are gone: a guest harms only itself (rseq(2))."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.isolation.support import compile_guest, logged_run
from tests.modes import Mode

pytestmark = pytest.mark.usefixtures("mode")

HOWS = ["loop", "calls", "enters", "above", "kernel", "description-above", "description-kernel"]
HOWS += ["processes", "processes-call", "overlaid", "moved"]
SPOILED = ["unmapped", "read-only", "file"]


@pytest.mark.parametrize("how", HOWS + SPOILED)
def test_who_makes_sections_of_the_platform_harms_nobody_else(
    how: str, mode: Mode, build_directory: Path
) -> None:
    compile_guest("sections", build_directory)
    # A stub that is led astray by systrap's host is given five seconds.
    turns = 1 if how in ("loop", "processes") and mode.platform == "systrap" else 3
    done = logged_run(build_directory, ["/t/sections", how, str(turns)])
    assert (done.status, done.bugs) == (0, []), done
    deaths, _, rest = done.stdout.partition(" ")
    assert rest == f"of {turns}, the other process worked on\n", done
    if how in SPOILED:
        assert int(deaths) == turns  # the host has noticed
