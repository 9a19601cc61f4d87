"""What control groups limit, which the host's own hierarchy can't show here: pids.max and cpu.max."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.isolation.support import logged_run
from tests.sandbox import need_runsc

pytestmark = pytest.mark.usefixtures("mode")


def guest(script: str, tmp_path: Path) -> str:
    need_runsc()
    done = logged_run(tmp_path, ["/bin/sh", "-c", f"cd /sys/fs/cgroup; {script}"])
    assert done.bugs == []
    return done.stdout


def test_pids_max_ends_a_fork_bomb(tmp_path: Path) -> None:
    out = guest(
        "echo +pids > cgroup.subtree_control; mkdir g; echo 20 > g/pids.max;"
        "(echo 0 > g/cgroup.procs; bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 0.3);"
        "cat g/pids.max; test $(cat g/pids.peak) -le 20 && grep -v 'max 0' g/pids.events | cut -d' ' -f1;"
        "echo 1 > g/cgroup.kill; while ! rmdir g 2>/dev/null; do sleep 0.02; done; echo gone",
        tmp_path,
    )
    assert out == "20\nmax\ngone\n"


def test_cpu_max_holds_a_busy_process(tmp_path: Path) -> None:
    out = guest(
        "echo +cpu > cgroup.subtree_control; mkdir g; echo '2000 50000' > g/cpu.max; cat g/cpu.max;"
        "(echo 0 > g/cgroup.procs; while :; do :; done) & date +%s%N;"
        "until grep -q 'nr_throttled [3-9]' g/cpu.stat; do sleep 0.1; done; kill $!; wait; date +%s%N;"
        "grep usage_usec g/cpu.stat",
        tmp_path,
    )
    limit, start, end, used = out.splitlines()
    assert limit == "2000 50000"
    # 4 % are allowed; the rest is room for the time that a hold takes on a busy machine.
    assert int(used.split()[1]) * 1000 < (int(end) - int(start)) // 2


def test_the_roots_limits_are_the_sandboxs(tmp_path: Path) -> None:
    script = "cat pids.max memory.max cpu.max; echo 5 2>/dev/null > pids.max || echo refused; cat pids.max"
    assert guest(script, tmp_path).splitlines()[-2:] == ["refused", "max"]


def test_controllers_are_enabled_from_the_top(tmp_path: Path) -> None:
    out = guest(
        "mkdir g; cat g/cgroup.controllers; ls g | grep -c pids; echo +pids > cgroup.subtree_control;"
        "cat g/cgroup.controllers cgroup.subtree_control; ls g | grep -c pids; mkdir g/h;"
        "echo +cpu 2>/dev/null > g/cgroup.subtree_control || echo absent;"
        "echo +pids > g/cgroup.subtree_control; echo -pids 2>/dev/null > cgroup.subtree_control || echo busy;"
        "echo 0 2>/dev/null > g/cgroup.procs || echo inner; echo 0 > g/h/cgroup.procs;"
        "cat /proc/self/cgroup; sh -c 'cat /proc/$$/cgroup'",
        tmp_path,
    )
    assert out.splitlines() == [
        "0", "pids", "pids", "4", "absent", "busy", "inner", "0::/g/h", "0::/g/h",
    ]  # fmt: skip


def test_memory_max_ends_who_takes_too_much(tmp_path: Path) -> None:
    out = guest(
        "echo +memory > cgroup.subtree_control; mkdir g; echo 64M > g/memory.max; cat g/memory.max;"
        "(echo 0 > g/cgroup.procs; exec /usr/bin/python3 -IS -c 'import time\nkept = []\n"
        'while True: kept.append(b"x" * (1 << 20)); time.sleep(0.002)\') 2>/dev/null; echo $?;'
        "grep -e 'oom_kill ' g/memory.events; cat g/memory.current;"
        "test $(cat g/memory.peak) -gt 67108864 && echo over",
        tmp_path,
    )
    assert out == "67108864\n137\noom_kill 1\n0\nover\n"


def test_memory_that_is_mapped_but_never_touched_does_not_count(tmp_path: Path) -> None:
    out = guest(
        "echo +memory > cgroup.subtree_control; mkdir g; echo 64M > g/memory.max;"
        "(echo 0 > g/cgroup.procs; exec /usr/bin/python3 -IS -c 'import mmap, time\n"
        "kept = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE); time.sleep(0.2); print(len(kept) >> 30)');"
        "grep 'oom_kill ' g/memory.events",
        tmp_path,
    )
    assert out == "1\noom_kill 0\n"


def test_memory_high_slows_a_group_down_and_kills_nobody(tmp_path: Path) -> None:
    out = guest(
        "echo +memory > cgroup.subtree_control; mkdir g; echo 8M > g/memory.high; cat g/memory.high;"
        "(echo 0 > g/cgroup.procs; exec python3 -c '\n"
        "import time\n"
        "kept = []\n"
        "for _ in range(64):\n"
        '    kept.append(bytearray(b"x") * (1 << 20)); time.sleep(0.01)\n'
        'print("alive")\');'
        "awk '$1 == \"high\" { print ($2 > 0) } $1 ~ /oom_kill$/ { print $2 }' g/memory.events;"
        "sleep 0.2; rmdir g; echo gone",
        tmp_path,
    )
    assert out == "8388608\nalive\n1\n0\ngone\n"


def test_cgroup_pressure_hides_the_files_about_it(tmp_path: Path) -> None:
    out = guest(
        "mkdir g; ls g | grep -c '[a-z]*\\.pressure'; echo 0 > g/cgroup.pressure; ls g | grep 'pressure';"
        "echo 2 2>/dev/null > g/cgroup.pressure || echo refused; cat g/cgroup.pressure",
        tmp_path,
    )
    assert out == "4\ncgroup.pressure\nrefused\n0\n"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two CPUs")
def test_cpuset_says_where_a_group_runs(tmp_path: Path) -> None:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    told = "grep Cpus_allowed_list /proc/self/status | cut -f2"
    out = guest(
        f"echo +cpuset > cgroup.subtree_control; mkdir g; echo {first} > g/cpuset.cpus;"
        f"(echo 0 > g/cgroup.procs; {told}; taskset -c {second} true 2>/dev/null || echo refused;"
        f"echo {second} > g/cpuset.cpus; {told}; python3 -c 'import os; print(os.sched_getaffinity(0))';"
        f"taskset -c {second} sh -c 'echo {first} > g/cpuset.cpus; {told}; echo > g/cpuset.cpus; {told}';"
        f"echo {first} > g/cpuset.cpus; echo 0 > cgroup.procs; {told}); cat g/cpuset.cpus.effective",
        tmp_path,
    )
    every = guest(told, tmp_path).strip()
    out += guest(
        f"echo +cpuset > cgroup.subtree_control; mkdir g; echo {first} > g/cpuset.cpus;"
        f"echo 0 > g/cgroup.procs; taskset -c {first},{second} sh -c '{told}; echo 0 > cgroup.procs; {told}'",
        tmp_path,
    )
    wish = f"{first}-{second}" if second == first + 1 else f"{first},{second}"
    lines = [f"{first}", "refused", f"{second}", f"{{{second}}}", f"{first}", f"{second}", every, f"{first}"]
    lines += [f"{first}", wish]
    assert out.splitlines() == lines
