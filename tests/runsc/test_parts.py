"""The small parts of the command line, each alone."""

from __future__ import annotations

import json

import pytest

from runsc import capabilities, jsonlite, masks
from runsc.errors import RuntimeFailure
from runsc.flags import LIST, SWITCH, VALUE, Flag, parse

FLAGS = (Flag("on", SWITCH, ""), Flag("name", VALUE, "", "N", "x", short="n"), Flag("many", LIST, "", "M"))


def test_options_end_at_the_first_other_argument() -> None:
    options, rest = parse(FLAGS, ["--on", "-name=a", "--many", "1", "--many=2", "cmd", "--on"])
    assert options.on("on")
    assert options.value("name") == "a"
    assert options.values("many") == ["1", "2"]
    assert rest == ["cmd", "--on"]


def test_a_double_dash_ends_options_and_is_dropped() -> None:
    options, rest = parse(FLAGS, ["-n", "--", "--", "--on"])
    assert options.value("name") == "--"
    assert rest == ["--on"]


def test_defaults_and_switches_that_are_turned_off() -> None:
    options, _ = parse(FLAGS, ["--on", "--on=false"])
    assert not options.on("on")
    assert options.value("name") == "x"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(RuntimeFailure, match="--name: expected a value"):
        parse(FLAGS, ["--name"])


@pytest.mark.parametrize(
    "text", ['{"a": [1, -2.5e3, "\\u00e9\\n", true, null, {}]}', " 1 ", '"x"', "[[[]]]", '\n{"a":1}\n']
)
def test_json_is_read_as_json_reads_it(text: str) -> None:
    assert jsonlite.loads(text) == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "1 2", "[1,]", "nul", "Infinity", '"\t"'])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1|is not JSON"):
        jsonlite.loads(text)


def test_records_are_written_as_json() -> None:
    record: dict[str, str | int | list[str]] = {"a": 'q"\n\udcff', "b": 3, "c": ["x", "y"]}
    assert json.loads(jsonlite.dumps(record)) == record


def test_capabilities_by_name_and_number() -> None:
    assert capabilities.mask(["CAP_CHOWN", "KILL"]) == 0b100001
    assert capabilities.names(0b100001) == ["CAP_CHOWN", "CAP_KILL"]
    assert capabilities.mask(capabilities.NAMES) == capabilities.ALL == (1 << 41) - 1
    with pytest.raises(KeyError):
        capabilities.mask(["CAP_"])


MOUNTINFO = r"""
21 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:21 / /proc rw - proc proc rw
23 22 0:22 / /proc/sys/fs/binfmt_misc rw - binfmt_misc none rw
24 21 0:23 / /tmp rw shared:2 master:1 - tmpfs tmpfs rw
25 21 0:24 / /my\040root/sys rw - sysfs sysfs rw
26 21 0:25 / /sys rw - sysfs sysfs rw
""".strip()


def test_the_hosts_own_file_systems_below_a_root() -> None:
    assert masks.outermost(MOUNTINFO, "/") == ["/my root/sys", "/proc", "/sys"]
    assert masks.outermost(MOUNTINFO, "/my root") == ["/my root/sys"]
    assert masks.outermost(MOUNTINFO, "/my") == []
