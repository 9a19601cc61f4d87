"""--platform: what `auto` takes, what is said of a platform that can't work here, and that `doctor` knows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from runsc import checks
from runsc.context import FLAGS, Context
from runsc.errors import RuntimeFailure
from runsc.flags import parse
from runsc.log import RuntimeLog
from sentry.config import Config
from sentry.platform import base
from tests import modes
from tests.sandbox import RUNSC, run

ALL = ("first", "second", "third")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the platforms that don't work, of three that there are."""
    names: set[str] = set()
    monkeypatch.setattr(base, "PLATFORMS", ALL)
    monkeypatch.setattr(base, "probe", lambda name: f"no {name} today" if name in names else None)
    return names


def chosen(log: Path, *arguments: str) -> str:
    """The platform of a sandbox started with these global options."""
    options, _ = parse(FLAGS, list(arguments))
    config = Config([b"true"], [])
    Context(options, RuntimeLog(str(log), "json", debug=False), [0, 1, 2]).complete(config, "id")
    return config.platform


@pytest.mark.parametrize(
    ("failing", "expected", "logged"),
    [
        ((), "first", []),
        (("second", "third"), "first", []),
        (("first",), "second", ["platform second is taken: first: no first today"]),
        (
            ("first", "second"),
            "third",
            ["platform third is taken: first: no first today; second: no second today"],
        ),
    ],
)
def test_the_first_that_works_is_taken_and_others_passed_over_with_one_record(
    failing: tuple[str, ...], expected: str, logged: list[str], broken: set[str], tmp_path: Path
) -> None:
    broken.update(failing)
    assert chosen(tmp_path / "log") == expected
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(record["level"], record["msg"]) for record in records] == [("warning", line) for line in logged]


def test_the_last_one_is_not_tried_before_its_start(broken: set[str], tmp_path: Path) -> None:
    broken.update(ALL)
    assert chosen(tmp_path / "log") == "third"


def test_one_that_was_asked_for_and_can_not_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(base, "probe", lambda name: "it rains")
    name = base.PLATFORMS[-1]
    with pytest.raises(RuntimeFailure) as caught:
        chosen(tmp_path / "log", "--platform", name)
    assert caught.value.message == f"--platform: {name}: does not work here: it rains"


def test_one_that_is_not_installed_does_not_work() -> None:
    reason = "the installation is not complete: No module named 'sentry.platform.nowhere'"
    assert base.probe("nowhere") == reason


def test_patching_is_on_unless_it_is_turned_off(tmp_path: Path) -> None:
    for arguments, patch in (([], True), (["--no-patch"], False)):
        options, _ = parse(FLAGS, arguments)
        config = Config([b"true"], [])
        Context(options, RuntimeLog("", "text", debug=False), [0, 1, 2]).complete(config, "id")
        assert config.patch is patch


def verdicts() -> dict[str, tuple[int, str]]:
    return {check.name: (check.verdict, check.finding) for check in checks.platforms()}


def test_sandboxes_work_if_one_platform_does(broken: set[str]) -> None:
    broken.add("first")
    found = verdicts()
    assert found["first"] == (checks.ABSENT, "does not work here: no first today")
    assert found["second"] == (checks.OK, "works, the default here")
    assert found["third"] == (checks.OK, "works")


def test_none_work_if_no_platform_does(broken: set[str]) -> None:
    broken.update(ALL)
    assert {verdict for name, (verdict, _) in verdicts().items() if name in ALL} == {checks.MISSING}


# A process that may not ptrace(2), nor can what it becomes.
DENY = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0),  # load the number
    (0x15, 0, 1, 101),
    (0x06, 0, 0, 0x50000 | 1),
    (0x06, 0, 0, 0x7FFF0000)))
buffer = ctypes.create_string_buffer(program)
head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, head, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_ptrace(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run([sys.executable, "-I", "-c", DENY, str(RUNSC), *arguments])


def test_the_reason_is_said_before_anything_starts() -> None:
    done = without_ptrace("--platform", "ptrace", "do", "--", "true")
    assert done.returncode == 128
    assert done.stdout == b""
    assert done.stderr.startswith(
        b"runsc-py: --platform: ptrace: does not work here: PTRACE_SEIZE is denied by a seccomp profile"
    )


def test_doctor_names_what_works_without_ptrace() -> None:
    lines = without_ptrace("doctor").stdout.decode().splitlines()
    (line,) = [line for line in lines if line.split()[1:2] == ["ptrace"]]
    others = [name for name in modes.WORKING if name != "ptrace"]
    assert line.split()[0] == ("-" if others else "FAIL")
    assert "PTRACE_SEIZE is denied" in line


@pytest.mark.parametrize("platform", modes.WORKING)
def test_each_platform_that_works_can_be_asked_for(platform: str) -> None:
    done = run([str(RUNSC), "--platform", platform, "do", "--", "sh", "-c", "exit 7"])
    assert (done.returncode, done.stderr) == (7, b"")


def test_the_plan_names_the_platform() -> None:
    out = run([str(RUNSC), "doctor", "--plan"]).stdout.decode()
    assert f"first stub of platform {modes.WORKING[0]}" in out


def test_platforms_says_of_each_whether_it_works() -> None:
    lines = run([str(RUNSC), "platforms"]).stdout.decode().splitlines()
    assert lines[0].split(None, 1)[0] == base.PLATFORMS[0]
    assert [line.split()[0] for line in lines if "the default here" in line] == [modes.WORKING[0]]
