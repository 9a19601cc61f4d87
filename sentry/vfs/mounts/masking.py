"""What a bundle hides or makes read-only in the guest's tree (linux.maskedPaths, linux.readonlyPaths)."""

from __future__ import annotations

from errno import EACCES, ELOOP, ENOENT, ENOTDIR

from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.mount import MS_RDONLY
from sentry.errors import Errno
from sentry.fs import dev
from sentry.fs.tmpfs import Tmpfs
from sentry.vfs.mounts.mount_namespace import attach
from sentry.vfs.mounts.mount_tree import copy, subtree
from sentry.vfs.namei import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.kernel import Kernel
    from sentry.vfs.path import Path


def _find(walker: Any, name: bytes) -> Path | None:
    """The place; None: there is no such file, so nothing has to be done."""
    try:
        return walk(walker, AT_FDCWD, name)
    except Errno as error:
        if error.code in (ENOENT, ENOTDIR, ELOOP, EACCES):
            return None
        raise


def mask(kernel: Kernel, walker: Any, names: list[bytes]) -> None:
    """Put an empty read-only directory on each directory, and /dev/null on each other file."""
    devices = dev.mount(kernel, []) if names else None
    for name in names:
        place = _find(walker, name)
        if place is None or devices is None:
            continue
        namespace = walker.ns.mnt
        if place.inode.is_dir():
            namespace.mount(Tmpfs(0o755, pages=1, inodes=2), place, MS_RDONLY, b"tmpfs")
        else:
            root = devices.root.inode
            assert root is not None
            null = devices.root.attach(b"null", root.lookup(b"null"))
            namespace.mount(devices, place, 0, b"devtmpfs", root=null)


def make_readonly(walker: Any, names: list[bytes]) -> None:
    """Bind each file to itself, with what is mounted below it, and make that read-only."""
    for name in names:
        place = _find(walker, name)
        if place is not None:
            tree, _ = copy(place.mount, place.dentry, True)
            for mount in subtree(tree):
                mount.set_attributes(mount.attributes | MS_RDONLY)
            attach(tree, place.mount, place.dentry)
