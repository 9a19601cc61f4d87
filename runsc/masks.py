"""File systems of the host kernel's own (proc, sysfs, ...) below a directory that becomes a guest's root.

The guest has its own in their place.  They are masked all the same: a directory descriptor that reaches the
host's /proc reaches, by /proc/PID/root, everything.
"""

from __future__ import annotations

import os

KERNEL_TYPES = frozenset(
    (
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
        "efivarfs", "fusectl", "mqueue", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs",
        "sysfs", "tracefs",
    )
)  # fmt: skip


def find(root: str) -> list[str]:
    """Directories below a host directory where such file systems are mounted, none inside another of them.

    What can't be reached by its path (another mount lies over it, or a closed directory) is left out: it
    can't be reached from the guest's root either.  So are single files.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = outermost(file.read(), os.path.realpath(root))
    return [point for point in points if os.path.isdir(point)]


def outermost(mountinfo: str, root: str) -> list[str]:
    """`find` on the text of a mountinfo file (proc_pid_mountinfo(5))."""
    prefix = root.rstrip("/") + "/"
    points = set()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = _unescape(before.split(" ")[4])
        if after.split(" ")[0] in KERNEL_TYPES and point.startswith(prefix):
            points.add(point)
    found: list[str] = []
    for point in sorted(points):
        if not any(point.startswith(outer + "/") for outer in found):
            found.append(point)
    return found


def _unescape(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
