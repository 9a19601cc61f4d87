"""The set-up plan, carried out with nothing in the sentry's place: what a process can still see and do."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from runsc import _boot, boot, capabilities, idmap
from runsc.description import Description
from sentry.config import Config


def after_plan(
    description: Description, look: Callable[[], str], seen: Callable[[int], None] = lambda pid: None
) -> str:
    """What `look` says in a process that the plan was carried out in, all but its last step (the filter).

    The process then takes that step too, and `seen` is called with its pid while it waits.
    """
    steps = boot.plan(description, lambda: None, lambda: None)
    go, may_go = os.pipe()
    said, say = os.pipe()
    flags = 0
    for flag in boot.NAMESPACES.values():
        flags |= flag
    pid = _boot.clone(flags)
    if pid == 0:
        try:
            os.read(go, 1)
            for step in steps[:-1]:
                step.run()
            text = look()
            steps[-1].run()
            os.write(say, text.encode() + b".")
            os.read(go, 1)
        except BaseException as error:  # noqa: BLE001  the border of the process
            os.write(say, repr(error).encode() + b".")
        finally:
            os._exit(0)
    os.close(say)
    idmap.write(pid)
    os.write(may_go, b"\0")
    answer = os.read(said, 65536).decode()
    assert answer.endswith("."), "the process died"
    seen(pid)
    os.write(may_go, b"\0")
    os.waitpid(pid, 0)
    for fd in (go, may_go, said):
        os.close(fd)
    return answer[:-1]


def outcome(attempt: Callable[[], object]) -> str:
    try:
        return f"did: {attempt()}"
    except OSError as error:
        return os.strerror(error.errno or 0)


def of_host_root(overlay: str = "memory") -> Description:
    description = Description(Config([b"true"], []), "/")
    description.config.overlay = overlay
    return description


@pytest.fixture
def shared(work_directory: Path) -> Path:
    (work_directory / "inside").mkdir()
    return work_directory / "inside"


def test_the_root_is_empty_and_can_not_be_written() -> None:
    def look() -> str:
        return f"{os.listdir('/')} {os.getcwd()} {outcome(lambda: os.mkdir('/x'))}"

    assert after_plan(of_host_root(), look) == "[] / Read-only file system"


def test_nothing_but_the_empty_root_is_mounted() -> None:
    mounts = []

    def seen(pid: int) -> None:
        mounts.extend(Path(f"/proc/{pid}/mounts").read_text().splitlines())

    after_plan(of_host_root(), lambda: "", seen)
    assert [line.split()[:3] for line in mounts] == [["empty", "/", "tmpfs"]]


def test_nothing_can_be_mounted() -> None:
    def look() -> str:
        return outcome(lambda: _boot.mount("x", "/", "tmpfs", 0, ""))

    assert after_plan(of_host_root(), look) == "Operation not permitted"


def test_it_is_process_1_of_its_own_namespace() -> None:
    assert after_plan(of_host_root(), lambda: f"{os.getpid()} {os.getppid()}") == "1 0"


def test_the_hosts_own_file_systems_are_not_in_the_guests_root() -> None:
    description = of_host_root()

    def look() -> str:
        root = description.config.root_fd
        return " ".join(str(os.listdir(os.open(name, os.O_RDONLY, dir_fd=root))) for name in ("proc", "sys"))

    assert after_plan(description, look) == "[] []"


def test_no_dot_dot_leads_out_of_a_shared_directory(shared: Path) -> None:
    description = of_host_root()
    description.bind("/shared", str(shared), False, "test")

    def look() -> str:
        fd = description.config.mounts[0].source_fd
        up = os.open("..", os.O_RDONLY, dir_fd=fd)
        same = os.fstat(up).st_ino == os.fstat(fd).st_ino
        return f"{same} {outcome(lambda: os.mkdir('made', dir_fd=fd))}"

    assert after_plan(description, look) == "True did: None"
    assert (shared / "made").is_dir()


def test_read_only_trees_can_not_be_written(shared: Path) -> None:
    description = Description(Config([b"true"], []), str(shared))
    description.bind("/shared", str(shared), True, "test")

    def look() -> str:
        fds = (description.config.root_fd, description.config.mounts[0].source_fd)
        return " ".join(outcome(lambda fd=fd: os.mkdir("x", dir_fd=fd)) for fd in fds)  # type: ignore[misc]

    assert after_plan(description, look) == "Read-only file system Read-only file system"
    assert list(shared.iterdir()) == []


def test_a_device_in_a_tree_can_not_be_opened(work_directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("makes a device node")
    os.mknod(work_directory / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    description = Description(Config([b"true"], []), str(work_directory))

    def look() -> str:
        return outcome(lambda: os.open("zero", os.O_RDONLY, dir_fd=description.config.root_fd))

    assert after_plan(description, look) == "Permission denied"


def status_of(description: Description) -> dict[str, str]:
    """/proc/PID/status of the process after the whole plan, as the host shows it."""
    status = {}

    def seen(pid: int) -> None:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status.update(line.split(":\t", 1) for line in lines)

    after_plan(description, lambda: "", seen)
    return status


NONE = "0" * 16


def test_no_capability_is_left_and_none_can_come_back() -> None:
    status = status_of(of_host_root())
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    assert {name: status[name] for name in sets} == dict.fromkeys(sets, NONE)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps any")
def test_root_keeps_file_capabilities_where_the_guest_writes_to_the_host(shared: Path) -> None:
    description = of_host_root()
    description.bind("/shared", str(shared), False, "test")
    kept = capabilities.mask(("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID"))
    assert int(status_of(description)["CapEff"], 16) == kept
    assert any("CAP_DAC_OVERRIDE" in line for line in boot.describe(boot.plan(description, list, list)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps any")
def test_root_keeps_reading_for_a_guest_of_another_user() -> None:
    description = of_host_root()
    description.config.uid = 1000
    assert int(status_of(description)["CapEff"], 16) == capabilities.mask(("DAC_READ_SEARCH",))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps any")
def test_root_keeps_reading_in_a_root_that_is_not_the_hosts(shared: Path) -> None:
    description = of_host_root()
    description.root = str(shared)
    assert int(status_of(description)["CapEff"], 16) == capabilities.mask(("DAC_READ_SEARCH",))


def test_it_is_not_dumpable() -> None:
    prctl = ctypes.CDLL(None).prctl
    assert after_plan(of_host_root(), lambda: str(prctl(3, 0, 0, 0, 0))) == "0"  # PR_GET_DUMPABLE


def test_nothing_is_mounted_on_the_host_afterwards() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    after_plan(of_host_root(), lambda: "")
    assert Path("/proc/self/mountinfo").read_text() == before
