"""Random operations on a small tree, on the host and on our file systems: the same answers, the same errors.

Deterministic: the seeds are fixed.  The host's directory stands for the root of the guest's tree, so names
are relative and no link points above it.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path as HostPath

import pytest

from sentry.errors import Errno
from sentry.fs.hostfs import HostFs
from sentry.fs.overlay import OverlayFs
from sentry.fs.tmpfs import Tmpfs
from sentry.vfs import attributes
from sentry.vfs.path import prune
from tests.unit.vfs_doubles import Guest, directory_fd

STEPS = 1500
NAMES = ("a", "b", "c", "d")
OPEN_FLAGS = (
    os.O_RDONLY,
    os.O_RDWR,
    os.O_WRONLY | os.O_CREAT,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    os.O_RDWR | os.O_CREAT | os.O_EXCL,
    os.O_RDONLY | os.O_DIRECTORY,
    os.O_RDONLY | os.O_NOFOLLOW,
    os.O_WRONLY | os.O_TRUNC,
    os.O_RDONLY | os.O_CREAT,
)


class Native:
    """The operations on the host, below the current directory."""

    def open(self, name: str, flags: int, mode: int) -> object:
        fd = os.open(name, flags | os.O_NONBLOCK, mode)
        try:
            if flags & 3:
                os.write(fd, name.encode())
            status = os.fstat(fd)
            return status.st_mode, status.st_nlink
        finally:
            os.close(fd)

    def stat(self, name: str, follow: bool) -> object:
        status = os.stat(name, follow_symlinks=follow)
        directory = status.st_mode & 0o170000 == 0o040000
        return status.st_mode, status.st_nlink, None if directory else status.st_size

    def list(self, name: str) -> object:
        return sorted(os.listdir(name))

    def read(self, name: str) -> object:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(fd, 1000)
        finally:
            os.close(fd)

    def mkdir(self, name: str) -> object:
        return os.mkdir(name, 0o755)

    def rmdir(self, name: str) -> object:
        return os.rmdir(name)

    def unlink(self, name: str) -> object:
        return os.unlink(name)

    def rename(self, old: str, new: str) -> object:
        return os.rename(old, new)

    def link(self, old: str, new: str) -> object:
        return os.link(old, new, follow_symlinks=False)

    def symlink(self, target: str, name: str) -> object:
        return os.symlink(target, name)

    def readlink(self, name: str) -> object:
        return os.readlink(name).encode()

    def truncate(self, name: str, size: int) -> object:
        return os.truncate(name, size)

    def chmod(self, name: str, mode: int) -> object:
        return os.chmod(name, mode)


class Ours:
    """The same on the VFS."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def open(self, name: str, flags: int, mode: int) -> object:
        file = self.guest.open(name.encode(), flags | os.O_NONBLOCK, mode)
        if flags & 3:
            file.write(self.guest.task, name.encode(), None)
        inode = file.stat_inode()
        return inode.mode, inode.nlink

    def stat(self, name: str, follow: bool) -> object:
        inode = self.guest.inode(name.encode(), follow)
        if inode.volatile:
            inode.getattr()
        return inode.mode, inode.nlink, None if inode.is_dir() else inode.size

    def list(self, name: str) -> object:
        return [entry.decode() for entry in self.guest.list(name.encode())]

    def read(self, name: str) -> object:
        return self.guest.open(name.encode(), os.O_NONBLOCK).read(self.guest.task, 1000, None)

    def mkdir(self, name: str) -> object:
        return self.guest.mkdir(name.encode())

    def rmdir(self, name: str) -> object:
        return self.guest.rmdir(name.encode())

    def unlink(self, name: str) -> object:
        return self.guest.unlink(name.encode())

    def rename(self, old: str, new: str) -> object:
        return self.guest.rename(old.encode(), new.encode())

    def link(self, old: str, new: str) -> object:
        return self.guest.link(old.encode(), new.encode())

    def symlink(self, target: str, name: str) -> object:
        return self.guest.symlink(target.encode(), name.encode())

    def readlink(self, name: str) -> object:
        return self.guest.inode(name.encode(), False).readlink()

    def truncate(self, name: str, size: int) -> object:
        attributes.truncate(self.guest.task, self.guest.path(name.encode()), size)
        return None

    def chmod(self, name: str, mode: int) -> object:
        attributes.chmod(self.guest.task, self.guest.path(name.encode()), mode)
        return None


def outcome(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except (OSError, Errno) as error:
        code = error.errno if isinstance(error, OSError) else error.code
        return errno.errorcode[code or 0]


def random_path(dice: random.Random) -> str:
    depth = dice.choice((1, 1, 1, 2, 2, 3))
    names = [dice.choice(NAMES) if dice.random() < 0.93 else dice.choice((".", "x/..")) for _ in range(depth)]
    return "/".join(names) + dice.choice(("", "", "", "", "", "/"))


def random_step(dice: random.Random) -> tuple[str, tuple[object, ...]]:
    path, other = random_path(dice), random_path(dice)
    steps: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("open", (path, dice.choice(OPEN_FLAGS), dice.choice((0o644, 0o600)))),
        ("open", (path, os.O_WRONLY | os.O_CREAT, 0o640)),
        ("stat", (path, dice.random() < 0.5)),
        ("list", (path,)),
        ("read", (path,)),
        ("mkdir", (path,)),
        ("mkdir", (path,)),
        ("rmdir", (path,)),
        ("unlink", (path,)),
        ("rename", (path, other)),
        ("rename", (path, other)),
        ("link", (path, other)),
        ("symlink", (dice.choice(NAMES), path)),
        ("readlink", (path,)),
        ("truncate", (path, dice.randrange(20))),
        ("chmod", (path, dice.choice((0o755, 0o711)))),
    )
    return dice.choice(steps)


def compare(guest: Guest, directory: HostPath, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory)
    os.umask(guest.fs.umask)
    dice, native, ours = random.Random(seed), Native(), Ours(guest)
    done: list[str] = []
    for number in range(STEPS):
        name, args = random_step(dice)
        expected = outcome(getattr(native, name), *args)
        got = outcome(getattr(ours, name), *args)
        done.append(f"{name}{args} -> {expected}")
        assert got == expected, "after:\n" + "\n".join(done[-12:])
        if number % 100 == 99:
            prune(guest.fs.root.mount.fs.root)


def some_tree(directory: HostPath, seed: int) -> HostPath:
    directory.mkdir()
    dice = random.Random(-seed)
    for name in NAMES:
        if dice.random() < 0.6:
            (directory / name).mkdir()
            (directory / name / dice.choice(NAMES[:3])).write_bytes(name.encode())
            (directory / name / "d").symlink_to(dice.choice(NAMES))
        else:
            (directory / name).write_bytes(b"lower " + name.encode())
    return directory


@pytest.fixture(autouse=True)
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("permissions are compared as root")


@pytest.mark.parametrize("seed", range(6))
def test_tmpfs_answers_as_the_host_does(
    work_directory: HostPath, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(Guest(Tmpfs(mode=0o777)), work_directory, seed, monkeypatch)


@pytest.mark.parametrize("seed", range(6))
def test_the_overlay_answers_as_the_host_does(
    work_directory: HostPath, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = some_tree(work_directory / "lower", seed)
    shutil.copytree(lower, work_directory / "native", symlinks=True)
    compare(Guest(OverlayFs(directory_fd(lower))), work_directory / "native", seed, monkeypatch)


@pytest.mark.parametrize("seed", range(6))
def test_a_shared_directory_answers_as_the_host_does(
    work_directory: HostPath, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = some_tree(work_directory / "shared", seed)
    shutil.copytree(shared, work_directory / "native", symlinks=True)
    compare(Guest(HostFs(directory_fd(shared))), work_directory / "native", seed, monkeypatch)
