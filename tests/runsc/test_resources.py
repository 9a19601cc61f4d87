"""linux.resources: how its fields become the root control group's files, and what a guest sees of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runsc import resources
from runsc.errors import RuntimeFailure
from tests.runsc import bundles
from tests.sandbox import bundle_run, sandbox_run


@pytest.mark.parametrize(
    ("given", "files"),
    [
        ({}, {}),
        ({"memory": {"limit": 1 << 29}}, {b"memory.max": b"536870912"}),
        ({"memory": {"limit": -1}}, {b"memory.max": b"max"}),
        (
            {"memory": {"limit": 100, "swap": 150, "reservation": 50}},
            {b"memory.max": b"100", b"memory.swap.max": b"50", b"memory.low": b"50"},
        ),
        ({"cpu": {"quota": 50000}}, {b"cpu.max": b"50000 100000"}),
        ({"cpu": {"quota": 50000, "period": 20000}}, {b"cpu.max": b"50000 20000"}),
        ({"cpu": {"quota": -1, "period": 20000}}, {b"cpu.max": b"max 20000"}),
        ({"cpu": {"shares": 1024}}, {b"cpu.weight": b"39"}),
        ({"cpu": {"cpus": "0-1", "mems": "0"}}, {b"cpuset.cpus": b"0-1", b"cpuset.mems": b"0"}),
        ({"pids": {"limit": 20}}, {b"pids.max": b"20"}),
        ({"pids": {"limit": -1}}, {b"pids.max": b"max"}),
        ({"blockIO": {"weight": 500}}, {b"io.weight": b"4950"}),
        ({"unified": {"memory.high": "5M"}}, {b"memory.high": b"5M"}),
    ],
)
def test_conversion(given: dict[str, dict[str, object]], files: dict[bytes, bytes]) -> None:
    assert resources.convert(given) == files


def test_swap_counts_memory_too() -> None:
    with pytest.raises(RuntimeFailure, match=r"resources\.memory\.swap: less than"):
        resources.convert({"memory": {"limit": 100, "swap": 50}})


def test_a_quota_bounds_the_number_of_cpus() -> None:
    assert resources.cpus({}, {0, 3, 5}) == {0, 3, 5}
    assert resources.cpus({b"cpu.max": b"150000 100000"}, {0, 3, 5}) == {0, 3}
    assert resources.cpus({b"cpu.max": b"1000 100000"}, {0, 3, 5}) == {0}
    assert resources.cpus({b"cpuset.cpus": b"3-5"}, {0, 3, 5}) == {3, 5}
    with pytest.raises(RuntimeFailure, match="none of them"):
        resources.cpus({b"cpuset.cpus": b"7"}, {0})


@pytest.mark.usefixtures("mode")
def test_a_guest_sees_its_limits(tmp_path: Path) -> None:
    script = (
        "cd /sys/fs/cgroup && /bin/busybox cat memory.max pids.max cpu.max;"
        "/bin/busybox grep MemTotal /proc/meminfo; /bin/busybox nproc; /bin/busybox grep -c processor"
        " /proc/cpuinfo"
    )
    config = bundles.base("/bin/sh", "-c", script)
    limits = {"memory": {"limit": 256 << 20}, "pids": {"limit": 50}, "cpu": {"quota": 90000}}
    config["linux"]["resources"] = limits
    done = bundle_run(bundles.write(tmp_path, config))
    lines = done.stdout.decode().splitlines()
    assert lines[:3] == ["268435456", "50", "90000 100000"]
    assert lines[3].split() == ["MemTotal:", "262144", "kB"]
    assert lines[4:] == ["1", "1"]


@pytest.mark.usefixtures("mode")
def test_a_bad_limit_is_named(tmp_path: Path) -> None:
    config = bundles.base()
    config["linux"]["resources"] = {"unified": {"pids.max": "many"}}
    done = bundle_run(bundles.write(tmp_path, config))
    assert done.returncode != 0
    assert b"resources: pids.max: Invalid argument" in done.stderr


@pytest.mark.usefixtures("mode")
def test_poll_tells_of_a_limit_that_was_hit() -> None:
    script = """
import os, select
os.chdir("/sys/fs/cgroup")
os.mkdir("inner")
open("cgroup.subtree_control", "w").write("+pids")
open("inner/pids.max", "w").write("1")
events = open("inner/pids.events")
poll = select.poll()
poll.register(events, select.POLLPRI)
print(events.read().split(), poll.poll(0))
child = os.fork()
if child == 0:
    open("inner/cgroup.procs", "w").write("0")
    try:
        os.fork()
    except BlockingIOError:
        os._exit(0)
    os._exit(1)
print(os.waitpid(child, 0)[1])
print([mask for _, mask in poll.poll(0)] == [select.POLLPRI | select.POLLERR])
events.seek(0)
print(events.read().split(), poll.poll(0))
"""
    ended = sandbox_run(["/usr/bin/python3", "-c", script])
    assert ended.stderr == b""
    assert ended.stdout.decode().splitlines() == ["['max', '0'] []", "0", "True", "['max', '1'] []"]
