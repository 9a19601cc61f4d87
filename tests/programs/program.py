"""The real programs that must behave in the sandbox as they do natively: what an entry of the table is.

An entry is a command line with the exit status that it must have; its output is whatever it is natively. It
runs in an empty directory (the sandbox's /tmp) that is also its HOME. What it prints must be the same each
time: no dates, no process ids, no order that depends on scheduling or on the file system.
"""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple

PYTHON = "/usr/bin/python3"


class Program(NamedTuple):
    """One entry of the table.

    `status` is 128 + n after a death by signal n; `stderr` is false where it is not the same each time;
    `needs` are commands that must be installed, and `PACKAGES` says by which Debian package.
    """

    name: str
    argv: list[str]
    status: int = 0
    stdin: bytes = b""
    stderr: bool = True
    needs: tuple[str, ...] = ()


PACKAGES = {
    "bzip2": "bzip2",
    "busybox": "busybox-static",
    "diff": "diffutils",
    "dash": "dash",
    "g++": "g++",
    "gcc": "gcc",
    "git": "git",
    "less": "less",
    "make": "make",
    "mawk": "mawk",
    "openssl": "openssl",
    "patch": "patch",
    "perl": "perl",
    "python3": "python3",
    "screen": "screen",
    "sqlite3": "sqlite3",
    "tmux": "tmux",
    "vim": "vim",
    "xz": "xz-utils",
}


def bash(script: str) -> list[str]:
    return ["/bin/bash", "-c", dedent(script).strip("\n")]


def dash(script: str) -> list[str]:
    return ["/bin/dash", "-c", dedent(script).strip("\n")]


def python(script: str) -> list[str]:
    return [PYTHON, "-c", dedent(script).strip("\n")]


def perl(script: str) -> list[str]:
    return ["/usr/bin/perl", "-we", dedent(script).strip("\n")]
