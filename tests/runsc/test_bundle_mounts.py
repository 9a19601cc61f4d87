"""What config.json says of mounts, as the guest sees it."""

from __future__ import annotations

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
