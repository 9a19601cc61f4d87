"""`runsc-py doctor`: what works here, and the plan of the set-up."""

from __future__ import annotations

import errno
import os

import pytest

from runsc import checks
from tests.sandbox import NOBODY, RUNSC, run


def test_all_that_is_needed_works_here() -> None:
    result = run([str(RUNSC), "doctor"])
    lines = result.stdout.decode().splitlines()
    assert result.returncode == 0
    found = dict(line.split()[1::-1] for line in lines if line[0] != " ")
    assert {name: found[name] for name in ("ptrace", "level", "mounts", "seccomp")} == dict.fromkeys(
        ("ptrace", "level", "mounts", "seccomp"), "ok"
    )


def test_the_level_is_named() -> None:
    level = "root" if os.geteuid() == 0 else "rootless"
    assert f"level     {level}" in run([str(RUNSC), "doctor"]).stdout.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_as_an_ordinary_user_it_is_rootless() -> None:
    result = run([str(RUNSC), "doctor"], user=NOBODY)
    assert "level     rootless (user namespace)" in result.stdout.decode()


def test_the_plan_says_every_step() -> None:
    out = run([str(RUNSC), "doctor", "--plan"]).stdout.decode()
    for words in (
        "new namespaces: user mount pid ipc uts cgroup network",
        "empty read-only tmpfs",
        "seccomp:",
    ):
        assert words in out


def test_what_a_setting_forbids_is_said_with_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "setting", lambda name: "0" if name == "user/max_user_namespaces" else "")
    monkeypatch.setattr(checks, "in_namespaces", lambda attempt: errno.ENOSPC)
    check = checks.level()
    assert check.verdict == checks.MISSING
    assert "No space left on device" in check.finding
    assert "user.max_user_namespaces is 0: sysctl user.max_user_namespaces=10000" in check.finding


def test_a_child_that_is_killed_has_failed() -> None:
    assert checks.in_child(os.fork, lambda: os.kill(os.getpid(), 9)) == errno.EPERM


def test_a_child_reports_its_errno() -> None:
    assert checks.in_child(os.fork, lambda: os.close(999)) == errno.EBADF
    assert checks.in_child(os.fork, lambda: None) == 0


def test_what_could_not_be_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "in_namespaces", lambda attempt: errno.EPERM)
    assert checks.mounts().verdict == checks.MISSING
    assert checks.mounts().finding == "could not be tried without namespaces"


def test_a_filter_that_is_denied_is_not_put_down_to_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "in_child", lambda fork, attempt: errno.EPERM)
    assert "denied by a seccomp profile" in checks.filters().finding
    monkeypatch.setattr(checks, "in_child", lambda fork, attempt: errno.EINVAL)
    assert "CONFIG_SECCOMP_FILTER" in checks.filters().finding
