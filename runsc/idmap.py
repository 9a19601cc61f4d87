"""User and group ids of the sandbox's user namespace (user_namespaces(7))."""

from __future__ import annotations

import os


def write(pid: int) -> None:
    """Map the ids of a process that was just made in a new user namespace.

    As root every id that this process knows keeps its number, so that files have the owners they have.
    Otherwise the caller's own ids become 0, which is all that a user may map.  Raises OSError.
    """
    root = os.geteuid() == 0
    if not root:
        _put(pid, "setgroups", "deny")
    for name, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
        _put(pid, name, _same(name) if root else f"0 {own} 1\n")


def _same(name: str) -> str:
    lines = []
    with open(f"/proc/self/{name}", encoding="ascii") as file:
        for line in file:
            inside, _, count = line.split()
            lines.append(f"{inside} {inside} {count}\n")
    return "".join(lines)


def _put(pid: int, name: str, text: str) -> None:
    with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
        file.write(text)
