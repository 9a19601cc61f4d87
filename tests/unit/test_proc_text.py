"""What /proc tells, as proc(5) says it and as ps, top and the C library read it."""

from __future__ import annotations

import errno
import re

import pytest

from sentry.abi.fcntl import O_RDWR, O_TRUNC, O_WRONLY
from sentry.abi.resource import RLIM_INFINITY
from sentry.errors import Errno
from sentry.fs.proc_mounts import escape
from sentry.fs.pseudo import parse_int
from sentry.kernel import cpus, sessions
from sentry.kernel.creds import Creds
from tests.unit.fs_doubles import FsWorld, link_of, names_in, open_file, text_of
from tests.unit.kernel_doubles import FakeTask


@pytest.fixture
def world() -> FsWorld:
    return FsWorld()


@pytest.fixture
def task(world: FsWorld) -> FakeTask:
    task = world.process(world.init)
    task.mm = None  # type: ignore[assignment]
    task.comm = b"a (b) c"
    return task


def refused(name: bytes, task: FakeTask) -> int:
    with pytest.raises(Errno) as error:
        text_of(task, name)
    return error.value.code


def fields(task: FakeTask) -> list[bytes]:
    """stat's fields from the state on: field N of proc(5) is at N - 3."""
    return text_of(task, b"/proc/self/stat").rpartition(b") ")[2].split()


def status(task: FakeTask, who: bytes = b"self") -> dict[bytes, bytes]:
    lines = text_of(task, b"/proc/" + who + b"/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(b":\t") for line in lines)}


def test_self_is_the_reader(task: FakeTask, world: FsWorld) -> None:
    assert link_of(task, b"/proc/self") == b"%d" % task.tid
    thread = world.thread_in(task)
    assert link_of(thread, b"/proc/self") == b"%d" % task.tid
    assert link_of(thread, b"/proc/thread-self") == b"%d/task/%d" % (task.tid, thread.tid)


def test_stat_has_52_fields(task: FakeTask) -> None:
    stat = text_of(task, b"/proc/self/stat")
    assert stat.startswith(b"%d (a (b) c) R 1 " % task.tid)
    assert len(fields(task)) == 50
    assert all(re.fullmatch(rb"-?\d+", field) for field in fields(task)[1:])


def test_stat_tells_groups_priority_and_threads(task: FakeTask, world: FsWorld) -> None:
    sessions.setsid(task)
    task.sched.nice = 5
    world.thread_in(task)
    stat = fields(task)
    assert stat[2:6] == [b"%d" % task.tid] * 2 + [b"0", b"-1"]  # pgrp, session, tty, foreground
    assert stat[15:18] == [b"25", b"5", b"2"]


@pytest.mark.parametrize(
    ("state", "letter", "words"),
    [("waiting", b"S", b"sleeping"), ("stopped", b"T", b"stopped"), ("dead", b"Z", b"zombie")],
)
def test_states(task: FakeTask, world: FsWorld, state: str, letter: bytes, words: bytes) -> None:
    task.state = state
    task.group.stopping = 19 if state == "stopped" else 0
    told = status(world.init, b"%d" % task.tid)
    assert told[b"State"] == letter + b" (" + words + b")"


def test_status_tells_ids_masks_and_capabilities(task: FakeTask) -> None:
    task.creds = Creds(1000, 100, (5, 6))
    task.sigmask = 0x10002
    told = status(task)
    assert told[b"Uid"].split() == [b"1000"] * 4
    assert told[b"Gid"].split() == [b"100"] * 4
    assert told[b"Groups"] == b"5 6"
    assert told[b"SigBlk"] == b"0000000000010002"
    assert told[b"CapEff"] == b"0" * 16
    assert told[b"Threads"] == b"1"
    assert told[b"PPid"] == b"1"
    assert told[b"FDSize"] == b"64"


def test_control_characters_in_names_are_escaped(task: FakeTask) -> None:
    task.comm = b"a\nb\\"
    assert status(task)[b"Name"] == b"a\\nb\\\\"


def test_comm_can_be_written_by_its_own_threads(task: FakeTask, world: FsWorld) -> None:
    open_file(task, b"/proc/self/comm", O_WRONLY | O_TRUNC).write(task, b"a very long name indeed\n", None)
    assert text_of(task, b"/proc/self/comm") == b"a very long nam\n"
    other = open_file(world.init, b"/proc/%d/comm" % task.tid, O_WRONLY)
    with pytest.raises(Errno) as error:
        other.write(world.init, b"x", None)
    assert error.value.code == errno.EINVAL


def test_limits_are_a_table_of_fixed_width(task: FakeTask) -> None:
    task.group.rlimits[7] = (1024, RLIM_INFINITY)
    lines = text_of(task, b"/proc/self/limits").splitlines()
    assert len(lines) == 17
    assert lines[0] == b"Limit                     Soft Limit           Hard Limit           Units     "
    assert b"Max open files            1024                 unlimited            files     " in lines
    assert {len(line) for line in lines} == {len(lines[0])}


def test_a_snapshot_lasts_while_it_is_read(task: FakeTask) -> None:
    file = open_file(task, b"/proc/self/comm")
    assert file.read(task, 2, None) == b"a "
    task.comm = b"changed"
    assert file.read(task, 99, None) == b"(b) c\n"
    assert file.seek(task, 0, 0) == 0
    assert file.read(task, 99, None) == b"changed\n"


def test_a_reaped_task_answers_esrch(task: FakeTask, world: FsWorld) -> None:
    file = open_file(world.init, b"/proc/%d/comm" % task.tid)
    del world.kernel.tasks[task.tid], world.kernel.groups[task.tid]
    with pytest.raises(Errno) as error:
        file.read(world.init, 9, None)
    assert error.value.code == errno.ESRCH
    assert refused(b"/proc/%d/comm" % task.tid, world.init) == errno.ENOENT


def test_directories_list_who_lives(task: FakeTask, world: FsWorld) -> None:
    thread = world.thread_in(task)
    listed = names_in(task, b"/proc")
    assert b"1" in listed
    assert b"%d" % task.tid in listed
    assert b"%d" % thread.tid not in listed  # but it can be looked up, as in Linux
    assert text_of(task, b"/proc/%d/comm" % thread.tid) == thread.comm + b"\n"
    assert names_in(task, b"/proc/self/task") == [b"%d" % task.tid, b"%d" % thread.tid]


def test_inode_numbers_are_those_of_the_listing(task: FakeTask, world: FsWorld) -> None:
    directory = world.walk(task, b"/proc/self")
    for name, ino, dtype in directory.inode.entries():
        inode = directory.inode.lookup(name)
        assert (inode.ino, inode.mode >> 12) == (ino, dtype), name
    numbers = [ino for _, ino, _ in directory.inode.entries()]
    assert len(set(numbers)) == len(numbers)


def test_descriptors_are_magic_links(task: FakeTask) -> None:
    file = open_file(task, b"/dev/null", O_RDWR)
    fd = task.files.install(file)
    assert names_in(task, b"/proc/self/fd") == [b"%d" % fd]
    assert link_of(task, b"/proc/self/fd/%d" % fd) == b"/dev/null"
    assert text_of(task, b"/proc/self/fdinfo/%d" % fd).startswith(b"pos:\t0\nflags:\t02\nmnt_id:\t")
    assert refused(b"/proc/self/fd/9", task) == errno.ENOENT
    assert refused(b"/proc/self/fd/00", task) == errno.ENOENT


def test_a_link_leads_to_a_deleted_file(task: FakeTask) -> None:
    made = open_file(task, b"/file", O_RDWR | 0o100)
    fd = task.files.install(made)
    path = made.path
    assert path is not None
    path.parent().inode.unlink(b"file")
    path.dentry.detach()
    assert link_of(task, b"/proc/self/fd/%d" % fd) == b"/file (deleted)"
    assert open_file(task, b"/proc/self/fd/%d" % fd).inode is made.inode


def test_others_may_not_look_inside(task: FakeTask, world: FsWorld) -> None:
    stranger = world.process(world.init)
    stranger.creds = Creds(1000, 1000)
    pid = b"%d" % task.tid
    for name in (b"environ", b"maps", b"io", b"cwd", b"fd/0", b"auxv"):
        assert refused(b"/proc/" + pid + b"/" + name, stranger) == errno.EACCES, name
    for name in (b"stat", b"status", b"cmdline", b"comm", b"limits"):
        text_of(stranger, b"/proc/" + pid + b"/" + name)


def test_a_process_that_is_not_dumpable_is_roots(task: FakeTask, world: FsWorld) -> None:
    task.creds = Creds(1000, 1000)
    inode = world.walk(task, b"/proc/self/status").inode
    assert (inode.uid, inode.gid) == (1000, 1000)
    task.group.dumpable = 0
    inode = world.walk(task, b"/proc/self/status").inode
    assert (inode.uid, inode.gid) == (0, 0)


@pytest.mark.parametrize("name", [b"maps", b"smaps", b"environ", b"cmdline", b"auxv"])
def test_a_zombies_memory_is_empty(task: FakeTask, name: bytes) -> None:
    assert text_of(task, b"/proc/self/" + name) == b""


def test_oom_score_adj_is_raised_by_all_and_lowered_by_root(task: FakeTask) -> None:
    task.creds = Creds(1000, 1000)
    open_file(task, b"/proc/self/oom_score_adj", O_WRONLY).write(task, b"500\n", None)
    assert text_of(task, b"/proc/self/oom_score_adj") == b"500\n"
    file = open_file(task, b"/proc/self/oom_score_adj", O_WRONLY)
    for written, code in ((b"0", errno.EACCES), (b"1001", errno.EINVAL), (b"x", errno.EINVAL)):
        with pytest.raises(Errno) as error:
            file.write(task, written, None)
        assert error.value.code == code


def test_mounts_are_told_from_the_readers_root(task: FakeTask) -> None:
    lines = text_of(task, b"/proc/mounts").splitlines()
    assert lines[0].split()[1:3] == [b"/", b"tmpfs"]
    assert b"proc /proc proc rw 0 0" in lines
    assert b"devpts /dev/pts devpts rw,gid=5,mode=620,ptmxmode=666 0 0" in lines
    for line in text_of(task, b"/proc/self/mountinfo").splitlines():
        assert re.fullmatch(rb"\d+ \d+ \d+:\d+ /\S* /\S* \S+ - \S+ \S+ r[wo]\S*", line), line


def test_blanks_in_mount_fields_are_escaped() -> None:
    assert escape(b"a b\t\n\\#") == b"a\\040b\\011\\012\\134\\043"


def test_system_files_have_their_forms(task: FakeTask) -> None:
    assert re.fullmatch(rb"\d+\.\d\d \d+\.\d\d\n", text_of(task, b"/proc/uptime"))
    assert re.fullmatch(rb"(\d+\.\d\d ){3}\d+/\d+ \d+\n", text_of(task, b"/proc/loadavg"))
    stat = text_of(task, b"/proc/stat")
    assert re.match(rb"cpu  \d+( \d+){9}\ncpu\d", stat)
    assert re.search(rb"^btime \d{9,}$", stat, re.M)
    memory = text_of(task, b"/proc/meminfo")
    assert re.match(rb"MemTotal:  +\d+ kB\nMemFree: ", memory)
    count = task.kernel.cpus.bit_count()
    assert text_of(task, b"/proc/cpuinfo").count(b"processor\t: ") == count
    assert b"nodev\tproc\n" in text_of(task, b"/proc/filesystems")


def test_sizes_in_meminfo_add_up(task: FakeTask) -> None:
    pairs = (line.split(b":") for line in text_of(task, b"/proc/meminfo").splitlines())
    sizes = {name: int(value.split()[0]) for name, value in pairs}
    assert 0 < sizes[b"MemFree"] <= sizes[b"MemAvailable"] + sizes[b"Cached"] <= 2 * sizes[b"MemTotal"]
    assert sizes[b"SwapTotal"] == 0


def test_the_host_name_is_roots_to_write(task: FakeTask) -> None:
    open_file(task, b"/proc/sys/kernel/hostname", O_WRONLY).write(task, b"box\n", None)
    assert task.ns.uts.hostname == b"box"
    assert text_of(task, b"/proc/sys/kernel/hostname") == b"box\n"
    task.creds = Creds(1000, 1000)
    assert refused_write(task, b"/proc/sys/kernel/hostname") == errno.EACCES


def refused_write(task: FakeTask, name: bytes) -> int:
    with pytest.raises(Errno) as error:
        open_file(task, name, O_WRONLY)
    return error.value.code


def test_random_ids(task: FakeTask) -> None:
    first, second = (text_of(task, b"/proc/sys/kernel/random/uuid") for _ in range(2))
    assert first != second
    assert re.fullmatch(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n", first)
    boot = b"/proc/sys/kernel/random/boot_id"
    assert text_of(task, boot) == text_of(task, boot)


def test_sysfs_tells_the_cpus(task: FakeTask) -> None:
    expected = cpus.list_text(task.kernel.cpus) + b"\n"
    assert text_of(task, b"/sys/devices/system/cpu/online") == expected
    assert refused(b"/sys/nothing", task) == errno.ENOENT


@pytest.mark.parametrize(
    ("mask", "ranges", "hexadecimal"),
    [
        (0b1, b"0", b"1"),
        (0b1111, b"0-3", b"f"),
        (0b10110, b"1-2,4", b"16"),
        (1 << 33 | 1, b"0,33", b"2,00000001"),
    ],
)
def test_cpu_sets(mask: int, ranges: bytes, hexadecimal: bytes) -> None:
    assert cpus.list_text(mask) == ranges
    assert cpus.mask_text(mask, mask) == hexadecimal


@pytest.mark.parametrize("text", [b"", b"1 2", b"x", b"11", b"-1", b"9" * 30])
def test_settings_out_of_bounds_are_refused(text: bytes) -> None:
    with pytest.raises(Errno) as error:
        parse_int(text, 0, 10)
    assert error.value.code == errno.EINVAL


def test_settings_may_be_octal_or_hexadecimal() -> None:
    assert [parse_int(text, 0, 99) for text in (b"0\n", b"010", b"0x10")] == [0, 8, 16]
