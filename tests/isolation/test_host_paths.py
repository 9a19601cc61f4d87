"""A guest reaches no host path outside its root and its mounts, by whatever name."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.isolation.support import compile_guest, logged_run
from tests.runsc import bundles
from tests.sandbox import bundle_run, sandbox_argv

pytestmark = pytest.mark.usefixtures("mode")

SECRET = "TOP SECRET of the host"
RENAME_EXCHANGE = 2
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def outside(work_directory: Path) -> Path:
    """A directory beside the bundle, with a secret in it."""
    (work_directory / "secret").mkdir()
    (work_directory / "secret" / "secret").write_text(SECRET)
    return work_directory / "secret"


@pytest.fixture
def bundle(work_directory: Path, outside: Path) -> Path:
    """A bundle whose rootfs and bind mount are full of ways out."""
    if not bundles.BUSYBOX.exists():
        pytest.skip("needs busybox-static")
    place = work_directory / "bundle"
    config = bundles.base("/bin/sh")
    shared = work_directory / "shared"
    shared.mkdir()
    for mode in ("ro", "rw"):
        config["mounts"].append(
            {
                "destination": f"/shared-{mode}",
                "type": "bind",
                "source": str(shared),
                "options": ["bind", mode],
            }
        )
    bundles.write(place, config)
    for directory in (place / "rootfs", shared):
        (directory / "absolute").symlink_to(outside)
        (directory / "relative").symlink_to(os.path.relpath(outside, directory))
        (directory / "deep").symlink_to("../" * 30 + str(outside)[1:])
        (directory / "shadow").symlink_to("/etc/shadow")
        (directory / "magic").symlink_to(f"/proc/{os.getpid()}/root{outside}")
        (directory / "self").symlink_to(f"/proc/self/root{outside}")
        (directory / "cwd").symlink_to(f"/proc/1/cwd{outside}")
    (place / "rootfs" / "etc" / "shadow").symlink_to("/etc/shadow")
    (shared / "inner").mkdir()
    return place


def output_of(bundle: Path, script: str) -> str:
    """What a shell script prints in the bundle, errors and all."""
    bundles.change(bundle, "process.args", ["/bin/sh", "-c", f"exec 2>&1; {script}"])
    done = bundle_run(bundle)
    return done.stdout.decode(errors="replace")


WAYS = [
    "absolute/secret",
    "relative/secret",
    "deep/secret",
    "magic/secret",
    "self/secret",
    "cwd/secret",
    "shadow",
]


@pytest.mark.parametrize("directory", ["", "/shared-ro", "/shared-rw"], ids=["root", "ro mount", "rw mount"])
def test_links_lead_to_nothing_of_the_host(directory: str, bundle: Path) -> None:
    script = "; ".join(f"cat {directory}/{way} && echo READ {way}" for way in WAYS)
    output = output_of(bundle, script)
    assert SECRET not in output
    assert "READ" not in output
    assert output.count("can't open") == len(WAYS), output


def test_dot_dot_ends_at_the_guests_root(bundle: Path, outside: Path) -> None:
    up = "../" * 40
    script = (
        f"cat /{up}{outside}/secret; cat /shared-rw/{up}{outside}/secret; cd /shared-rw/inner; "
        f"cat {up}{outside}/secret; cat ../../secret/secret; ls ..; echo; ls ../..; cd {up}; pwd; ls"
    )
    output = output_of(bundle, script)
    assert SECRET not in output
    assert "bundle" not in output
    assert "\n/\n" in output


def test_proc_leads_to_nothing_of_the_host(bundle: Path, outside: Path) -> None:
    places = [f"/proc/{who}/{what}" for who in ("1", "self", "thread-self", "2") for what in ("root", "cwd")]
    places += [f"/proc/{who}/task/1/{what}" for who in ("1", "self") for what in ("root", "cwd")]
    script = "sleep 5 & " + "; ".join(
        f"cat {place}{outside}/secret; cat {place}/../secret/secret; cat {place}/../../../../{outside}/secret"
        for place in places
    )
    output = output_of(bundle, script + "; ls -d /proc/[0-9]*; cat /proc/1/environ /proc/1/cmdline; kill %1")
    assert SECRET not in output
    assert "/work" not in output
    assert str(Path.cwd()) not in output
    assert f"/proc/{os.getpid()}" not in output


def test_descriptors_reopened_through_proc_are_the_sandboxes_own(bundle: Path) -> None:
    """Standard input and output are the host's objects; by way of /proc they give nothing but themselves."""
    script = (
        "for n in 0 1 2; do readlink /proc/self/fd/$n; ls /proc/self/fd/$n/; "
        "cat /proc/self/fd/$n/../secret/secret; done; echo through >> /proc/self/fd/1; "
        "cat /proc/self/fd/0; ls -l /proc/1/fd; echo end"
    )
    output = output_of(bundle, script)
    assert SECRET not in output
    assert "through\n" in output
    assert output.endswith("end\n")
    assert str(bundle.parent) not in output


def test_a_file_of_the_host_as_standard_input_gives_no_way_to_its_directory(
    build_directory: Path, outside: Path, work_directory: Path
) -> None:
    script = (
        "cat /proc/self/fd/0/../secret; cat /dev/stdin/../secret; cd /proc/self/fd/0/.. && ls; "
        "readlink /proc/self/fd/0"
    )
    given = work_directory / "given"
    given.write_text("given\n")
    shutil.copy(outside / "secret", work_directory / "secret-beside")
    with given.open("rb") as file:
        done = subprocess.run(
            sandbox_argv(["/bin/sh", "-c", f"exec 2>&1; {script}; cat"]),
            stdin=file,
            capture_output=True,
            check=False,
            timeout=60,
        )
    output = done.stdout.decode()
    assert SECRET not in output
    assert "secret-beside" not in output
    assert output.endswith("given\n")


def test_read_only_mounts_can_not_be_written(bundle: Path) -> None:
    before = sorted((bundle.parent / "shared").iterdir())
    script = (
        "touch /shared-ro/new; mkdir /shared-ro/d; rm /shared-ro/absolute; mv /shared-ro/inner /shared-ro/x;"
        " mount -o remount,rw /shared-ro; touch /shared-ro/new2; echo end"
    )
    assert output_of(bundle, script).endswith("end\n")
    assert sorted((bundle.parent / "shared").iterdir()) == before


def test_what_is_written_to_the_root_stays_in_memory(bundle: Path) -> None:
    def content() -> list[tuple[str, int]]:
        return sorted((str(path), path.lstat().st_mtime_ns) for path in (bundle / "rootfs").rglob("*"))

    before = content()
    output_of(
        bundle,
        "echo x > /new; mkdir -p /a/b; rm -f /bin/touch /etc/shadow; mv /etc /etc2; chmod 0 /bin/busybox",
    )
    assert content() == before


class Swapper:
    """A process of the host that exchanges a directory and a link out of the mount, over and over."""

    def __init__(self, one: Path, other: Path) -> None:
        self.names = os.fsencode(one), os.fsencode(other)
        self.over = False
        self.swaps = 0
        self.thread = threading.Thread(target=self.swap)

    def swap(self) -> None:
        while not self.over:
            assert LIBC.renameat2(-100, self.names[0], -100, self.names[1], RENAME_EXCHANGE) == 0
            self.swaps += 1

    def __enter__(self) -> Swapper:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()


@pytest.fixture
def shared(work_directory: Path, outside: Path) -> Path:
    """A directory to be bound into a sandbox, in which one name is sometimes a link to the secret."""
    place = work_directory / "mounted"
    (place / "swapped" / "inner").mkdir(parents=True)
    (place / "swapped" / "secret").write_text("no secret\n")
    (place / "other").symlink_to(outside)
    (place / "link").symlink_to("../secret")
    place.chmod(0o777)
    return place


def test_no_rename_race_leads_out(build_directory: Path, shared: Path) -> None:
    compile_guest("rename_race", build_directory)
    with Swapper(shared / "swapped", shared / "other") as swapper:
        for _ in range(10):  # on a busy machine a run may see few swaps
            done = logged_run(
                build_directory,
                ["/t/rename_race", "/mounted", "20000"],
                volumes=[f"{shared}:/mounted"],
                timeout=300,
            )
            assert "ESCAPED" not in done.stdout
            words = done.stdout.split()
            assert words[:2] == ["done:", "20000"], done.stderr
            assert int(words[3]) > 0, "the directory was never there: no race"
            assert int(words[-2]) > 0, "the moved directory was never there: no race"
            if swapper.swaps > 100:
                break
    assert swapper.swaps > 100
    assert done.bugs == []
