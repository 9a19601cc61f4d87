"""A stand-in for a task, as far as the VFS looks at one, and short forms of what programs do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path as HostPath
from typing import Any

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.errors import Errno
from sentry.kernel.creds import Creds
from sentry.kernel.fs_context import FsContext
from sentry.kernel.namespaces import pid_namespace
from sentry.kernel.namespaces.namespaces import Namespaces
from sentry.vfs import namespace
from sentry.vfs.file import File
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem
from sentry.vfs.mounts.mount_namespace import build
from sentry.vfs.namei import walk, walk_parent
from sentry.vfs.open import open_at
from sentry.vfs.path import Path

NO_LIMIT = 2**64 - 1


class Group:
    """The thread group: its RLIMIT_FSIZE."""

    def __init__(self) -> None:
        self.tgid = 1
        self.fsize_limit = NO_LIMIT


class Guest:
    """A task whose root is `fs`."""

    def __init__(self, fs: FileSystem, uid: int = 0, gid: int = 0, flags: int = 0) -> None:
        namespace_ = build(fs, flags)
        root = Path(namespace_.root, fs.root)
        self.fs = FsContext(root, root, 0o022)
        self.creds = Creds(uid, gid)
        self.ns = Namespaces(self.creds.user_ns, pid_namespace.INITIAL, namespace_)
        self.files = _core.FdTable()
        self.files.limit = 1024
        self.group = Group()

    def become(self, uid: int, gid: int) -> None:
        self.creds = Creds(uid, gid)

    @property
    def task(self) -> Any:
        return self

    def path(self, name: bytes, follow: bool = True, resolve: int = 0) -> Path:
        return walk(self.task, AT_FDCWD, name, follow, resolve)

    def inode(self, name: bytes, follow: bool = True) -> Inode:
        return self.path(name, follow).inode

    def open(self, name: bytes, flags: int = os.O_RDONLY, mode: int = 0o644, resolve: int = 0) -> File:
        return open_at(self.task, AT_FDCWD, name, flags & ~os.O_CLOEXEC, mode, resolve)

    def put(self, name: bytes, data: bytes = b"") -> None:
        file = self.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        if data:
            assert file.write(self.task, data, None) == len(data)

    def get(self, name: bytes) -> bytes:
        data = self.open(name).read(self.task, 1 << 20, None)
        assert isinstance(data, bytes)
        return data

    def list(self, name: bytes) -> list[bytes]:
        listing = self.open(name, os.O_DIRECTORY).readdir(0)[2:]
        return sorted(entry[0] for entry in listing if entry is not None)

    def mkdir(self, name: bytes, mode: int = 0o755) -> None:
        namespace.mkdir(self.task, *walk_parent(self.task, AT_FDCWD, name), mode)

    def symlink(self, target: bytes, name: bytes) -> None:
        namespace.symlink(self.task, *walk_parent(self.task, AT_FDCWD, name), target, name.endswith(b"/"))

    def link(self, old: bytes, new: bytes) -> None:
        place = self.path(old, False)
        namespace.link(self.task, place, *walk_parent(self.task, AT_FDCWD, new), new.endswith(b"/"))

    def unlink(self, name: bytes) -> None:
        namespace.unlink(self.task, *walk_parent(self.task, AT_FDCWD, name), name.endswith(b"/"))

    def rmdir(self, name: bytes) -> None:
        namespace.rmdir(self.task, *walk_parent(self.task, AT_FDCWD, name))

    def rename(self, old: bytes, new: bytes, flags: int = 0) -> None:
        source, target = walk_parent(self.task, AT_FDCWD, old), walk_parent(self.task, AT_FDCWD, new)
        slashes = old.endswith(b"/"), new.endswith(b"/")
        namespace.rename(self.task, *source, *target, flags, slashes)

    def where(self, path: Path) -> bytes:
        return path.absolute(self.fs.root)


def fails(code: int, call: Callable[..., Any], *args: Any) -> None:
    """The call raises Errno(code)."""
    got = 0
    try:
        call(*args)
    except Errno as error:  # and forgotten at once, with the frames that hold what some tests count
        got = error.code
    assert errno.errorcode.get(got) == errno.errorcode[code]


def directory_fd(path: HostPath) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
