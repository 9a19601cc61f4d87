"""A config.json that is wrong: one line that says what and where, the same in the log, status 128."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runsc import bundles
from tests.sandbox import RUNSC, run


def run_bundle(bundle: Path, *options: str) -> tuple[int, str]:
    state = bundle / "state"
    result = run([str(RUNSC), "--root", str(state), *options, "run", "--bundle", str(bundle), "wrong"])
    assert result.stdout == b""
    assert not state.exists() or [path.name for path in state.iterdir()] == [".lock"]
    return result.returncode, result.stderr.decode()


WRONG_TYPES = [
    ("process.args", 5, "process.args: expected a list of strings, got int"),
    ("process.args", "sh", "process.args: expected a list of strings, got string"),
    ("process.args", ["sh", 1], "process.args[1]: expected a string, got int"),
    ("process.args", ..., "process.args: missing"),
    ("process.args", None, "process.args: missing"),
    ("process.args", [], "process.args: empty"),
    ("process.args", ["", "x"], "process.args[0]: empty"),
    ("process.cwd", ..., "process.cwd: missing"),
    ("process.cwd", "tmp", "process.cwd: expected an absolute path, got 'tmp'"),
    ("process.env", {"A": "b"}, "process.env: expected a list of strings, got object"),
    ("process.env", ["A=\0"], "process: a string contains a NUL character"),
    ("process.terminal", "yes", "process.terminal: expected true or false, got string"),
    ("process.user", [], "process.user: expected an object, got list"),
    ("process.user.uid", -1, "process.user.uid: expected an integer from 0 to 4294967295, got -1"),
    ("process.user.uid", 1.5, "process.user.uid: expected an integer, got float"),
    ("process.user.uid", True, "process.user.uid: expected an integer, got bool"),
    ("process.user.additionalGids", 7, "process.user.additionalGids: expected a list of integers, got int"),
    (
        "process.capabilities.ambient",
        ["CAP_FLY"],
        "process.capabilities.ambient: no such capability: 'CAP_FLY'",
    ),
    ("process.rlimits.0.type", "RLIMIT_FUN", "process.rlimits[0].type: no such resource limit: 'RLIMIT_FUN'"),
    ("process.rlimits.0.soft", 4096, "process.rlimits[0]: the soft limit exceeds the hard one"),
    ("process.consoleSize", {"height": 1}, "process.consoleSize.width: missing"),
    ("root", ..., "root: missing"),
    ("root.path", 3, "root.path: expected a string, got int"),
    ("root.readonly", 1, "root.readonly: expected true or false, got int"),
    ("mounts", {}, "mounts: expected a list of objects, got object"),
    ("mounts.0.destination", ..., "mounts[0].destination: missing"),
    ("mounts.0.destination", "proc", "mounts[0].destination: expected an absolute path, got 'proc'"),
    ("mounts.0.type", "xfs", "mounts[0].type: no such file system here: 'xfs'"),
    ("mounts.0.options", "ro", "mounts[0].options: expected a list of strings, got string"),
    ("mounts.0.type", "bind", "mounts[0].source: {bundle}/proc: No such file or directory"),
    ("hostname", 1, "hostname: expected a string, got int"),
    ("annotations", {"a": 1}, "annotations.a: expected a string, got int"),
    ("linux.namespaces", [{"path": "/x"}], "linux.namespaces[0].type: missing"),
    ("hooks", {"prestart": [{"path": "/bin/true"}]}, "hooks: not available in this version"),
    ("ociVersion", "2.0.0", "ociVersion: expected 1.x, got '2.0.0'"),
    ("ociVersion", ..., "ociVersion: missing"),
    ("root.path", "nowhere", "root.path: {bundle}/nowhere: No such file or directory"),
    ("root.path", "config.json", "root.path: {bundle}/config.json: Not a directory"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG_TYPES)
def test_a_wrong_field_is_named(work_directory: Path, field: str, value: Any, message: str) -> None:
    bundle = bundles.write(work_directory, bundles.put(bundles.base(), field, value))
    log = bundle / "log"
    status, error = run_bundle(bundle, "--log", str(log), "--log-format", "json")
    expected = "config.json: " + message.replace("{bundle}", str(bundle))
    assert (status, error) == (128, f"runsc-py: {expected}\n")
    record = json.loads(log.read_text())
    assert (record["level"], record["msg"]) == ("error", expected)
    assert set(record) == {"level", "msg", "time"}


INVALID = [
    ("", "Expecting value: line 1 column 1 (char 0)"),
    ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ('{"a": 1} x', "Extra data: line 1 column 10 (char 9)"),
    ('{"a": NaN}', "NaN is not JSON"),
    ("[" * 100_000, "nested too deeply"),
    ("[]", "expected an object, got list"),
    ('{"ociVersion": "1.0.0\n"}', "Invalid control character at: line 1 column 22 (char 21)"),
]


@pytest.mark.parametrize(("text", "message"), INVALID, ids=range(len(INVALID)))
def test_invalid_json_is_said_with_its_place(work_directory: Path, text: str, message: str) -> None:
    bundle = bundles.write(work_directory, text)
    assert run_bundle(bundle) == (128, f"runsc-py: config.json: {message}\n")


def test_bytes_that_are_not_utf_8(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, "")
    (bundle / "config.json").write_bytes(b'{"a": "\xff"}')
    assert run_bundle(bundle) == (128, "runsc-py: config.json: not UTF-8: byte 7\n")


def test_a_missing_bundle(work_directory: Path) -> None:
    bundle = work_directory / "nowhere"
    assert run_bundle(bundle) == (128, f"runsc-py: {bundle}/config.json: No such file or directory\n")


def test_a_terminal_that_is_not_there_is_a_warning_in_the_log(work_directory: Path) -> None:
    bundle = bundles.write(work_directory, bundles.put(bundles.base("true"), "process.terminal", True))
    assert run_bundle(bundle, "--log", str(bundle / "log")) == (0, "")
    assert "process.terminal: ignored: standard input is not a terminal" in (bundle / "log").read_text()


def test_null_is_absent(work_directory: Path) -> None:
    config = bundles.base("true") | {"hooks": None, "linux": None, "mounts": None}
    assert run_bundle(bundles.write(work_directory, config)) == (0, "")


def test_fields_that_mean_nothing_here_are_ignored(work_directory: Path) -> None:
    config = bundles.base("true")
    config |= {"vm": {}, "windows": {}, "hooks": {}, "unknown": [1]}
    config["process"] |= {"oomScoreAdj": 5, "apparmorProfile": "x", "scheduler": {"policy": "SCHED_OTHER"}}
    config["linux"] |= {"devices": [], "netDevices": {}, "sysctl": {"kernel.x": "1"}, "cgroupsPath": "/x"}
    assert run_bundle(bundles.write(work_directory, config)) == (0, "")


def test_ignored_fields_are_a_warning_in_the_log(work_directory: Path) -> None:
    config = bundles.put(bundles.base(), "linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW"})
    config = bundles.put(config, "process.oomScoreAdj", 5)
    config = bundles.put(config, "root.path", "nowhere")
    bundle = bundles.write(work_directory, config)
    log = bundle / "log"
    run_bundle(bundle, "--log", str(log))
    warnings = [line.split(" ", 1)[1] for line in log.read_text().splitlines() if "level=warning" in line]
    assert warnings == [
        'level=warning msg="config.json: process.oomScoreAdj: ignored"',
        'level=warning msg="config.json: linux.seccomp: ignored"',
    ]
