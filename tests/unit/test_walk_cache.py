"""The walk that C does ahead of Python: wherever it stops, the two together find what Python finds alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.errors import Errno
from sentry.fs.tmpfs import Tmpfs
from sentry.kernel.creds import Creds
from sentry.kernel.fs_context import FsContext
from sentry.kernel.namespaces import pid_namespace
from sentry.kernel.namespaces.namespaces import Namespaces
from sentry.vfs import namei
from sentry.vfs.mounts.mount_namespace import build
from sentry.vfs.path import Path

PARTS = (b"a", b"b", b"f", b"link", b"up", b"loop", b"long", b"none", b"shut", b".", b"..", b"", b"n" * 256)


class Walker(_core.TaskBase):
    def __init__(self) -> None:
        super().__init__()
        self.namespace = build(Tmpfs())
        root = Path(self.namespace.root, self.namespace.root.root)
        self.fs = FsContext(root, root)
        self.creds = Creds(1000, 1000)
        self.ns = Namespaces(self.creds.user_ns, pid_namespace.INITIAL, self.namespace)


def fill(root: Path, creds: Creds) -> None:
    here = root.dentry
    for _ in range(3):
        for name, target in (
            (b"link", b"a/b"),
            (b"up", b"../a/"),
            (b"loop", b"loop"),
            (b"long", b"./" * 2000 + b"a"),
        ):
            here.attach(name, root.inode.symlink(name, target, creds))
        here.attach(b"f", root.inode.create(b"f", 0o600, creds))
        here.attach(b"none", None)
        shut = here.attach(b"shut", root.inode.mkdir(b"shut", 0o600, Creds()))
        shut.attach(b"f", root.inode.create(b"g", 0o600, creds))
        here.attach(b"b", root.inode.mkdir(b"b", 0o755, creds))
        here = here.attach(b"a", root.inode.mkdir(b"a", 0o755, creds))


@pytest.fixture
def walker() -> Iterator[Walker]:
    walker = Walker()
    fill(walker.fs.root, walker.creds)
    upper = Tmpfs()
    fill(Path(walker.namespace.mount(upper, found(walker, b"/a/a")), upper.root), walker.creds)
    yield walker
    namei.use_cache = True


def found(walker: Walker, name: bytes, follow: bool = True) -> Path:
    return namei.walk(walker, AT_FDCWD, name, follow)  # type: ignore[arg-type]  # as much of a task as it takes


def outcome(walker: Walker, name: bytes, follow: bool, use_cache: bool) -> Path | int:
    namei.use_cache = use_cache
    try:
        return found(walker, name, follow)
    except Errno as error:
        return error.code


def test_the_cache_changes_no_walk(walker: Walker) -> None:
    choice = random.Random(4).choice
    seen = set()
    for number in range(4000):
        name = choice((b"", b"/")) + b"/".join(choice(PARTS) for _ in range(number % 8))
        walker.fs.cwd = found(walker, choice((b"/", b"/a", b"/a/a/b")))
        for follow in (True, False):
            known = outcome(walker, name, follow, True)
            assert known == outcome(walker, name, follow, False), name
            seen.add(known if isinstance(known, int) else 0)
    assert len(seen) == 6  # found, ENOENT, EACCES, ENOTDIR, ENAMETOOLONG, ELOOP


def test_what_is_known_is_not_asked_for_again(walker: Walker) -> None:
    root = walker.fs.root
    target = found(walker, b"/a/a/a/link")
    assert _core.walk_ahead(walker, root.mount, root.dentry, b"a/a/a/link", True) == (
        target.mount, target.dentry, None, 1,
    )  # fmt: skip
    for name, rest in ((b"a/b/new", b"new"), (b"a/f/x", b"x"), (b"a/none/x", b"none/x"), (b"loop", b"loop")):
        assert _core.walk_ahead(walker, root.mount, root.dentry, name, True)[2] == rest
