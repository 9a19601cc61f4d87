"""What config.json says of mounts, as the guest sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.runsc import bundles
from tests.runsc.test_run import run_bundle


def guest(directory: Path, script: str, **linux: Any) -> list[str]:
    """The lines that a shell script prints in a bundle with these fields under `linux`."""
    config = bundles.base("sh", "-c", script)
    config["root"]["readonly"] = False
    config["linux"].update(linux)
    config["mounts"].append(
        {"destination": "/data", "type": "bind", "source": "shared",
         "options": ["rbind", "nosuid", "noexec", "nodev", "noatime", "rslave"]}
    )  # fmt: skip
    (directory / "shared").mkdir()
    (directory / "shared" / "tool").write_text("#!/bin/sh\necho ran\n")
    (directory / "shared" / "tool").chmod(0o755)
    bundle = bundles.write(directory, config)
    (bundle / "rootfs/etc/secret").write_text("secret")
    status, output, error = run_bundle(bundle)
    assert (status, error) == (0, "")
    return output.splitlines()


def test_masked_files_read_empty_and_masked_directories_are_empty(work_directory: Path) -> None:
    script = (
        "cat /etc/secret; echo x > /etc/secret; cat /etc/secret; ls /sys; touch /sys/a 2>&- || echo no;"
        "ls /missing 2>/dev/null || echo none"
    )
    masked = ["/etc/secret", "/sys", "/missing"]
    assert guest(work_directory, script, maskedPaths=masked) == ["no", "none"]


def test_readonly_paths_can_be_read_and_not_written(work_directory: Path) -> None:
    script = (
        "cat /etc/secret; echo; (echo x > /etc/secret) 2>/dev/null || echo no; echo x > /tmp/a && echo yes;"
        "(echo 1 > /proc/sys/kernel/hostname) 2>/dev/null || echo no"
    )
    lines = guest(work_directory, script, readonlyPaths=["/etc", "/proc/sys", "/missing"])
    assert lines == ["secret", "no", "yes", "no"]


def test_the_options_of_a_bind_mount_hold(work_directory: Path) -> None:
    script = "/data/tool 2>/dev/null || echo no; sh /data/tool; mount | busybox grep ' /data '"
    lines = guest(work_directory, script)
    assert lines[:2] == ["no", "ran"]
    assert "(rw,nosuid,nodev,noexec,noatime)" in lines[2]


def test_the_propagation_of_the_root(work_directory: Path) -> None:
    script = "busybox grep ' / / ' /proc/self/mountinfo | busybox grep -o shared"
    assert guest(work_directory, script, rootfsPropagation="rshared") == ["shared"]


def test_proc_hides_what_its_options_say(work_directory: Path) -> None:
    config = bundles.base("sh", "-c", "ls /proc; grep ' /proc ' /proc/self/mounts || cat /proc/self/mounts")
    config["mounts"][0]["options"] = ["nosuid", "hidepid=2", "subset=pid"]
    assert config["mounts"][0]["type"] == "proc"
    status, output, error = run_bundle(bundles.write(work_directory, config))
    assert (status, error) == (0, "")
    assert not {"meminfo", "sys"} & set(output.split())
    assert {"1", "self", "thread-self"} < set(output.split())
    assert "hidepid=invisible,subset=pid" in output


def test_tmpcopyup_starts_with_what_was_there(work_directory: Path) -> None:
    script = (
        "cat /opt/store/a/file; readlink /opt/store/link; stat -c '%a %u %Y' /opt/store/a /opt/store;"
        "echo new > /opt/store/new && mount | grep -c 'tmpfs on /opt/store'"
    )
    config = bundles.base("busybox", "sh", "-c", script)
    config["mounts"].append(
        {"destination": "/opt/store", "type": "tmpfs", "options": ["tmpcopyup", "nosuid"]}
    )
    bundle = bundles.write(work_directory, config)
    store = bundle / "rootfs/opt/store"
    (store / "a").mkdir(parents=True)
    (store / "a/file").write_text("content\n")
    (store / "link").symlink_to("a")
    owner = 5 if os.geteuid() == 0 else 0  # the sandbox's root is its user, who can't give files away
    if owner:
        os.chown(store / "a", owner, 6)
    (store / "a").chmod(0o2755)
    store.chmod(0o711)
    os.utime(store / "a", (1_000_000_000, 1_000_000_000))
    status, output, error = run_bundle(bundle)
    assert (status, error) == (0, "")
    lines = output.splitlines()
    assert lines[:3] == ["content", "a", f"2755 {owner} 1000000000"]
    assert lines[3].startswith("711 0 ")
    assert lines[4] == "1"
    assert (store / "a/file").read_text() == "content\n"


def test_tmpcopyup_that_does_not_fit_fails_to_start(work_directory: Path) -> None:
    config = bundles.base("true")
    config["mounts"].append({"destination": "/opt", "type": "tmpfs", "options": ["tmpcopyup", "size=4k"]})
    bundle = bundles.write(work_directory, config)
    (bundle / "rootfs/opt").mkdir(exist_ok=True)
    (bundle / "rootfs/opt/large").write_bytes(b"x" * 10_000)
    status, _, error = run_bundle(bundle)
    assert status == 128
    assert "No space left on device" in error
