"""The command line itself: help, version, options that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runsc.cli import COMMANDS
from tests.sandbox import RUNSC, run


def runsc(*arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    result = run([str(RUNSC), *arguments], cwd=cwd)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def test_version() -> None:
    for options in ([], ["--platform", "ptrace"], ["--debug", "--log=/dev/null"]):
        assert runsc(*options, "--version") == (0, "runsc-py 0.1.0\n", "")
        assert runsc(*options, "-v") == (0, "runsc-py 0.1.0\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], []])
def test_help_names_every_command(arguments: list[str]) -> None:
    status, out, _ = runsc(*arguments)
    assert status == 0
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    status, out, _ = runsc(command, "--help")
    assert status == 0
    assert out.startswith(f"usage: runsc-py [OPTIONS] {command}")
    assert runsc("help", command)[1] == out


WRONG = [
    (["fly"], "unknown command 'fly'; see runsc-py --help"),
    (["--fly", "do"], "unknown option '--fly'; see runsc-py --help"),
    (["--root"], "--root: expected a value (DIR)"),
    (["--log-format", "xml", "platforms"], "--log-format: expected one of text, json, got 'xml'"),
    (["--overlay2=all", "platforms"], "--overlay2: expected one of root:memory, none, got 'all'"),
    (["--platform", "kvm", "platforms"], "--platform: kvm: not available in this version"),
    (["--platform=ibm", "platforms"], "--platform: unknown: 'ibm'"),
    (["--network=host", "platforms"], "--network: host: not available in this version"),
    (["--strace=maybe", "platforms"], "--strace: expected true or false, got 'maybe'"),
    (["--log", "/nowhere/log", "platforms"], "--log /nowhere/log: No such file or directory"),
    (["run"], "expected one container ID; usage: runsc-py run [--bundle DIR] ID"),
    (["run", "a/b"], "invalid container ID 'a/b': expected letters, digits and any of _ + - ."),
    (["run", ".."], "invalid container ID '..': expected letters, digits and any of _ + - ."),
    (["do", "--volume", "/tmp", "true"], "--volume: expected SRC:DST[:ro] with an absolute DST, got '/tmp'"),
    (["do", "--volume", "/nowhere:/a", "true"], "--volume: /nowhere: No such file or directory"),
    (["do", "--env", "=x", "true"], "--env: expected K=V, got '=x'"),
    (["do", "--cwd", "tmp", "true"], "--cwd: expected an absolute path, got 'tmp'"),
    (["do", "--strace", "true"], "option '--strace': goes before the command"),
    (["do", "--platform=ptrace", "true"], "option '--platform=ptrace': goes before the command"),
    (["doctor", "x"], "unexpected argument 'x'; usage: runsc-py doctor [--plan]"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_is_wrong_is_one_line_and_status_128(arguments: list[str], message: str) -> None:
    assert runsc(*arguments) == (128, "", f"runsc-py: {message}\n")


def test_do_without_a_command() -> None:
    status, out, error = runsc("do")
    assert (status, out) == (128, "")
    assert error.startswith("runsc-py: expected a command; usage: runsc-py do ")


def test_spec_writes_a_config_and_never_over_one(work_directory: Path) -> None:
    assert runsc("spec", cwd=work_directory) == (0, "", "")
    path = work_directory / "config.json"
    config = json.loads(path.read_text())
    assert config["process"]["args"] == ["sh"]
    path.write_text("mine")
    assert runsc("spec", "-b", str(work_directory)) == (128, "", f"runsc-py: {path}: File exists\n")
    assert path.read_text() == "mine"


def test_syscalls_in_every_format() -> None:
    records = json.loads(runsc("syscalls", "--format", "json")[1])
    assert records[0]["nr"] == 0
    assert records[0]["name"] == "read"
    assert {record["support"] for record in records} <= {"full", "partial", "missing"}
    table = runsc("syscalls")[1].splitlines()
    markdown = runsc("syscalls", "--format=markdown")[1].splitlines()
    assert len(table) == len(records) + 2
    assert sum(
        line.startswith(f"| {record['nr']} | {record['name']} ")
        for line, record in zip(markdown[-len(records) :], records, strict=True)
    ) == len(records)
    full = sum(record["support"] == "full" for record in records)
    assert f" {full} full" in table[-1]
    assert any(line.startswith(f"| full | {full} |") for line in markdown)


def test_the_page_about_the_calls_is_what_the_command_writes() -> None:
    written = Path(__file__).parents[2] / "COMPATIBILITY.md"
    again = "runsc-py syscalls --format markdown > COMPATIBILITY.md"
    assert runsc("syscalls", "--format=markdown")[1] == written.read_text(), again


def test_standard_output_that_is_closed_early_is_no_traceback() -> None:
    result = run(["sh", "-c", f"{RUNSC} syscalls | head -1; {RUNSC} --version >&-"])
    assert result.stderr == b""


def test_platforms_names_the_later_ones_too() -> None:
    lines = runsc("platforms")[1].splitlines()
    assert {line.split()[0] for line in lines} == {"ptrace", "systrap", "kvm"}
