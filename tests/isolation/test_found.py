"""What the fuzzer and the tables of bad arguments have found, each by itself; and a little of the fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import build, run_program
from tests.isolation.support import compile_guest, logged_run
from tests.modes import Mode
from tests.sandbox import need_runsc, run, sandbox_argv

pytestmark = pytest.mark.usefixtures("mode")

ANSWERS = {
    "mounts": "proc: done\nsysfs: done\na file there: done\n",
    "detached": "detached: done\nagain: EINVAL\n",
    "deadlines": "far: done\nnear: done\nwait: done\nepoll: done\n",
    "vectors": "process_madvise: EINVAL\nreadv: EINVAL\nvmsplice: EINVAL\n",
    "select": "select: 3481\nthe highest: 1\n",
    "dumps": "ask: done\nanswers: some, then ENOBUFS\n",
    "requests": "destroy: done\nsubmitted: 1\n",
}

RIGHTS = {
    "tracer": "tracer: 0\ntracee: 1000\n",
    "visitor": "attach: EPERM\nmemory: EACCES\n",
    "scope": "kill: EPERM\nsignal: none\n",
    "handles": "read: done\nwrite: EROFS\n",
    "slack": "timer slack: EPERM\n",
    "keyrings": "nested keyrings: ELOOP\n",
    "init": "kill init: done\ninit: 1\n",
    "groups": "init: EACCES\nitself: EACCES\nlimit: EACCES\nwithin: done\nback: done\nout: EACCES\n",
}


@pytest.mark.parametrize("what", ANSWERS)
def test_it_is_answered_now(what: str, build_directory: Path) -> None:
    compile_guest("found", build_directory)
    done = logged_run(build_directory, ["/t/found", what])
    assert done.bugs == []
    assert (done.status, done.stdout) == (0, ANSWERS[what]), done.stderr


@pytest.mark.parametrize("what", RIGHTS)
def test_rights_that_come_or_go_do_not_count(what: str, build_directory: Path) -> None:
    compile_guest("rights", build_directory)
    done = logged_run(build_directory, ["/t/rights", what])
    assert done.bugs == []
    assert (done.status, done.stdout) == (0, RIGHTS[what]), done.stderr


def test_strace_needs_nothing_that_the_sealed_sentry_can_not_import() -> None:
    done = run(sandbox_argv(["/bin/echo", "a \xff\n\t\"'"], options=["--strace"]))
    assert done.returncode == 0
    assert b"exit_group(0)" in done.stderr


@pytest.mark.hot_and_cold
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_random_program(seed: int, mode: Mode, build_directory: Path) -> None:
    """`python -m tests.fuzz.run --seconds N` runs more of them."""
    need_runsc()
    if not (build_directory / "interpreter").exists():
        build(build_directory)
    assert run_program(seed, mode, build_directory, sections=8) == ""
