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
    `needs` are commands that must be installed (a path: that file), and `PACKAGES` says by which Debian
    package.  A `slow` one runs in `make programs`; what a `root` one does or prints natively is root's.
    """

    name: str
    argv: list[str]
    status: int = 0
    stdin: bytes = b""
    stderr: bool = True
    needs: tuple[str, ...] = ()
    slow: bool = False
    root: bool = False


PLYVEL = "/usr/lib/python3/dist-packages/plyvel"
PIP = "/usr/share/python-wheels"
ENSUREPIP = "/usr/lib/python3.11/ensurepip"
POSTGRESQL = "/usr/lib/postgresql"
GLIB_TESTS = "/usr/libexec/installed-tests/glib"
SYSTEMD_TESTS = "/usr/lib/systemd/tests"

PACKAGES = {
    PIP: "python3-pip-whl",
    ENSUREPIP: "python3-venv",
    PLYVEL: "python3-plyvel",
    POSTGRESQL: "postgresql",
    "apt-get": "apt",
    "bwrap": "bubblewrap",
    GLIB_TESTS: "libglib2.0-tests",
    SYSTEMD_TESTS: "systemd-tests",
    "bzip2": "bzip2",
    "busybox": "busybox-static",
    "diff": "diffutils",
    "dash": "dash",
    "dbus-daemon": "dbus-daemon",
    "dpkg-deb": "dpkg",
    "g++": "g++",
    "gcc": "gcc",
    "gdb": "gdb",
    "git": "git",
    "keyctl": "keyutils",
    "less": "less",
    "go": "golang-go",
    "java": "default-jdk-headless",
    "make": "make",
    "mawk": "mawk",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "patch": "patch",
    "perl": "perl",
    "python3": "python3",
    "screen": "screen",
    "redis-server": "redis-server",
    "sqlite3": "sqlite3",
    "strace": "strace",
    "tmux": "tmux",
    "vim": "vim",
    "xz": "xz-utils",
}
# Large ones: a program that needs one is left out where it is not installed.
OPTIONAL = {
    "dbus-daemon",
    "default-jdk-headless",
    "golang-go",
    "keyutils",
    "libglib2.0-tests",
    "nodejs",
    "npm",
    "postgresql",
    "python3-plyvel",
    "redis-server",
    "systemd-tests",
}


def bash(script: str) -> list[str]:
    return ["/bin/bash", "-c", dedent(script).strip("\n")]


def dash(script: str) -> list[str]:
    return ["/bin/dash", "-c", dedent(script).strip("\n")]


def python(script: str) -> list[str]:
    return [PYTHON, "-c", dedent(script).strip("\n")]


def perl(script: str) -> list[str]:
    return ["/usr/bin/perl", "-we", dedent(script).strip("\n")]
