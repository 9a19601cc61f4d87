"""A sandbox's file systems for tests: a tmpfs root with proc, sysfs, dev and devpts, and tasks in it."""

from __future__ import annotations

from typing import Any

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.fs import dev, devpts, proc, sysfs
from sentry.fs.tmpfs import Tmpfs
from sentry.kernel.fs_context import FsContext
from sentry.kernel.task import Task
from sentry.vfs.file import File
from sentry.vfs.mounts.mount_namespace import build
from sentry.vfs.namei import walk
from sentry.vfs.open import open_at
from sentry.vfs.path import Path
from tests.unit.kernel_doubles import FakeTask, World


class FsWorld(World):
    """A world whose tasks have a root directory and descriptors."""

    def __init__(self) -> None:
        self.namespace = self.mounts = build(Tmpfs(0o755))
        super().__init__()
        machine: Any = self.machine
        machine.hot_calls = machine.cold_calls = 0
        for name, module in ((b"proc", proc), (b"sys", sysfs), (b"dev", dev)):
            self.mount(b"/" + name, module.mount(self.kernel, []))
        self.mount(b"/dev/pts", devpts.mount(self.kernel, ["mode=620", "ptmxmode=666", "gid=5"]))

    def mount(self, name: bytes, fs: Any) -> None:
        directory = walk(self.init, AT_FDCWD, name.rpartition(b"/")[0] or b"/")
        last = name.rpartition(b"/")[2]
        if last not in [entry for entry, _, _ in directory.inode.entries()]:
            directory.inode.mkdir(last, 0o755, self.init.creds)
        self.namespace.mount(fs, walk(self.init, AT_FDCWD, name), source=fs.name)

    def thread_in(self, leader: FakeTask) -> FakeTask:
        """One more thread of leader's process."""
        return self._task(leader.group, self.kernel.pids.allocate())

    def walk(self, task: Task, name: bytes) -> Path:
        return walk(task, AT_FDCWD, name)

    def _task(self, group: Any, tid: int) -> FakeTask:
        task = super()._task(group, tid)
        root = Path(self.namespace.root, self.namespace.root.root)
        task.fs = FsContext(root, root)
        task.files = _core.FdTable()
        task.files.limit = 64
        task.mm = None  # type: ignore[assignment]  # as a zombie's: address spaces need a platform
        return task


def open_file(task: Task, name: bytes, flags: int = 0) -> File:
    file = open_at(task, AT_FDCWD, name, flags, 0o600)
    assert isinstance(file, File)
    return file


def text_of(task: Task, name: bytes) -> bytes:
    """All of a file, read in small pieces."""
    file = open_file(task, name)
    parts = []
    while data := file.read(task, 1000, None):
        assert isinstance(data, bytes)
        parts.append(data)
    return b"".join(parts)


def names_in(task: Task, name: bytes) -> list[bytes]:
    return [entry for entry, _, _ in walk(task, AT_FDCWD, name).inode.entries()]


def link_of(task: Task, name: bytes) -> bytes:
    """readlink(2)."""
    place = walk(task, AT_FDCWD, name, False).inode.follow(task)
    return place.absolute(task.fs.root) if isinstance(place, Path) else place
