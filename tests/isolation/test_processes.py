"""The sandbox's processes at work, as the host sees them: what they could still reach."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isolation.support import (
    LOOKS_INSIDE,
    NAMESPACES,
    Running,
    descriptors,
    namespace,
    running,
    status_of,
)
from tests.modes import Mode
from tests.sandbox import NOBODY

# Two processes that wait, the second with threads of its own.
GUEST = """
import os, threading, time
if os.fork() == 0:
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    time.sleep(1000)
time.sleep(0.3)
print("ready", flush=True)
time.sleep(1000)
"""
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
USERS = [None, NOBODY] if os.geteuid() == 0 else [None]


@pytest.fixture(
    scope="module", params=USERS, ids=lambda user: "own user" if user is None else "ordinary user"
)
def sandbox(request: pytest.FixtureRequest, mode: Mode) -> Iterator[Running]:
    with running(["/usr/bin/python3", "-c", GUEST], user=request.param) as found:
        yield found


def maps(pid: int) -> list[list[str]]:
    """Address range, protection, offset, device, inode and perhaps name of each mapping."""
    return [line.split(None, 5) for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]


def runs_the_guest(pid: int) -> bool:
    return any(fields[-1].rpartition("/")[2].startswith("python3") for fields in maps(pid))


def everyone(sandbox: Running) -> list[int]:
    return [sandbox.sentry, *sandbox.stubs]


def test_there_is_a_stub_for_each_address_space_and_the_sentry_is_its_parent(
    sandbox: Running, mode: Mode
) -> None:
    tracer = sandbox.sentry if mode.platform == "ptrace" else 0
    spare = [pid for pid in sandbox.stubs if not runs_the_guest(pid)]
    assert len(sandbox.stubs) - len(spare) == 2
    assert 1 <= len(spare) <= 2  # the one that new ones are forked from, and one that was forked in advance
    for stub in sandbox.stubs:
        assert status_of(stub)["PPid"] == str(sandbox.sentry)
        assert status_of(stub)["TracerPid"] == str(tracer)


def test_no_process_has_capabilities_or_can_get_any(sandbox: Running) -> None:
    for pid in everyone(sandbox):
        status = status_of(pid)
        assert {name: int(status[name], 16) for name in CAPABILITIES} == dict.fromkeys(CAPABILITIES, 0)


def test_every_thread_is_under_a_filter(sandbox: Running) -> None:
    threads = 0
    for pid in everyone(sandbox):
        for tid in os.listdir(f"/proc/{pid}/task"):
            status = status_of(f"{pid}/task/{tid}")
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status["Name"]
            threads += 1
    assert threads >= 7  # the sentry's two, the guest's five or more


@LOOKS_INSIDE
def test_no_namespace_is_ours(sandbox: Running) -> None:
    for pid in everyone(sandbox):
        assert [kind for kind in NAMESPACES if namespace(pid, kind) == namespace("self", kind)] == []


@LOOKS_INSIDE
def test_stubs_are_in_the_sentrys_namespaces(sandbox: Running) -> None:
    for stub in sandbox.stubs:
        assert [kind for kind in NAMESPACES if namespace(stub, kind) != namespace(sandbox.sentry, kind)] == []


def test_the_only_mount_is_an_empty_root(sandbox: Running) -> None:
    for pid in everyone(sandbox):
        (line,) = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        fields = line.split()
        assert fields[4] == "/"
        assert fields[5].split(",")[:4] == ["ro", "nosuid", "nodev", "noexec"]
        assert " - tmpfs empty " in line


@LOOKS_INSIDE
def test_root_and_working_directory_are_that_root(sandbox: Running) -> None:
    for pid in everyone(sandbox):
        assert os.listdir(f"/proc/{pid}/root") == []
        assert os.listdir(f"/proc/{pid}/cwd") == []


def test_an_ordinary_users_sandbox_knows_one_user_and_group(sandbox: Running) -> None:
    user = status_of(sandbox.sentry)["Uid"].split()[0]
    if user == "0":
        pytest.skip("root's ids are mapped to themselves, so that owners of files are seen; see capabilities")
    for kind in ("uid_map", "gid_map"):
        (line,) = Path(f"/proc/{sandbox.sentry}/{kind}").read_text().splitlines()
        assert line.split()[1:] == [user, "1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="starts a sandbox as another user")
@pytest.mark.usefixtures("mode")
def test_the_sentry_is_not_dumpable() -> None:
    with running(["/usr/bin/python3", "-c", GUEST], user=NOBODY) as sandbox:
        # proc(5): the files of a process that is not dumpable belong to root.
        assert os.stat(f"/proc/{sandbox.sentry}/fd").st_uid == 0
        assert os.stat(f"/proc/{sandbox.command.pid}/fd").st_uid == NOBODY


@LOOKS_INSIDE
def test_the_sentry_holds_no_descriptor_but_its_own_and_read_only_ones_of_the_guests_root(
    sandbox: Running,
) -> None:
    own = re.compile(
        r"(pipe|socket):\[\d+\]|anon_inode:\[(eventpoll|timerfd|eventfd|pidfd)\]|anon_inode:seccomp notify"
        r"|/memfd:.*|/proc/(meminfo|cpuinfo)"
    )
    for fd, name in descriptors(sandbox.sentry).items():
        if fd in (0, 1, 2) or own.fullmatch(name):
            continue
        assert name.startswith(("/usr/", "/etc/", "/lib")) or name == "/", name
        info = Path(f"/proc/{sandbox.sentry}/fdinfo/{fd}").read_text()
        flags = int(next(line.split()[1] for line in info.splitlines() if line.startswith("flags")), 8)
        assert flags & os.O_ACCMODE == os.O_RDONLY or flags & os.O_PATH, name


def test_a_stub_has_its_channel_and_no_other_descriptor(sandbox: Running, mode: Mode) -> None:
    channels = set()
    for stub in sandbox.stubs:
        channel, *others = descriptors(stub).values()
        assert channel.startswith("socket:")
        # A bell to wake the sentry with.
        assert others == {"ptrace": [], "systrap": ["anon_inode:[eventfd]"]}[mode.platform]
        channels.add(channel)
    if mode.platform != "ptrace":  # whose stubs are stopped when it is used, all but one
        assert len(channels) == len(sandbox.stubs)


STUB = 0x7FFF80000000
# What a spare stub has, that of no program.
SPARE = {
    "ptrace": {"[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]", "0", "[stack]"},
    "systrap": {"[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]", "stub.elf", "world", "facts", "slots"},
}


def test_a_stub_holds_no_memory_of_the_sentry_or_of_another_stub(sandbox: Running, mode: Mode) -> None:
    shared = []
    for stub in sandbox.stubs:
        names = set()
        for where, protection, offset, _, inode, *name in maps(stub):
            start = int(where.split("-")[0], 16)
            names.add(re.split("[:/]", name[0].removesuffix(" (deleted)"))[-1] if name else "0")
            if start >= STUB and protection.endswith("s"):
                assert protection == "rw-s" if "slots" in name[0] else "r--s", name
                if "world" not in name[0]:
                    shared.append((inode, offset))
            else:
                assert protection[1] + protection[3] != "ws", (where, name)  # none that could be written
        if not runs_the_guest(stub):
            assert names <= SPARE[mode.platform]
    assert len(set(shared)) == len(shared)
    assert bool(shared) == (mode.platform == "systrap")


def test_nobody_else_can_be_seen_from_inside(sandbox: Running) -> None:
    assert status_of(sandbox.sentry)["NSpid"].split()[1:] == ["1"]
    assert sorted(int(status_of(stub)["NSpid"].split()[-1]) for stub in sandbox.stubs)[0] > 1
