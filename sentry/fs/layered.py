"""Mounting an overlay: what its layers must be (Linux, filesystems/overlayfs.rst)."""

from __future__ import annotations

import os
from errno import EINVAL

from sentry.abi.fcntl import AT_FDCWD
from sentry.errors import Errno
from sentry.fs.layered_directory import LayeredDirectory
from sentry.fs.layered_options import PARAMETERS, LayeredOptions
from sentry.fs.layers import LayeredFs
from sentry.fs.memory import MemoryFileSystem
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.namei import child_of, walk
from sentry.vfs.path import Path
from sentry.vfs.permissions import check_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import FileSystem

__all__ = ["PARAMETERS", "mount"]

LAYERS_MAX = 500
DEPTH_MAX = 2  # overlays upon overlays


def mount(task: Task, options: list[str]) -> FileSystem:
    """An overlay by its options, whose names are the task's; EINVAL, EPERM, ENOENT, ELOOP, EACCES."""
    asked = LayeredOptions(options, task.creds)
    values = asked.values
    names = _split(str(values.get("lowerdir", "")))
    if not all(names) or len(names) > LAYERS_MAX or (len(names) < 2 and not asked.has_upper):
        raise Errno(EINVAL)
    upper = None
    if asked.has_upper:
        upper = _upper(task, str(values["upperdir"]), str(values.get("workdir", "")), asked)
    lowers = [_directory(task, name) for name in names]
    for place in lowers if upper is None else [upper, *lowers]:
        if _depth(place.mount.fs) >= DEPTH_MAX:
            raise Errno(EINVAL)
    if any(place.mount.idmap is not None for place in ([*lowers, upper] if upper is not None else lowers)):
        raise Errno(EINVAL)  # idmapped layers
    if upper is not None:
        _identify(upper.inode, asked)
    # Mounts of our own: what is mounted on the layers, or changed about the mounts, isn't seen.
    own = [Path(Mount(place.mount.fs, place.dentry, 0, b"none"), place.dentry) for place in lowers]
    top = Path(Mount(upper.mount.fs, upper.dentry, 0, b"none"), upper.dentry) if upper is not None else None
    fs = LayeredFs(top, own, asked, task.creds)
    fs.set_root(LayeredDirectory(fs, fs.places, top is not None))
    return fs


def _identify(upper: Inode, asked: LayeredOptions) -> None:
    """An upper layer keeps the number of the overlay that it is first used by, unless that is not wanted."""
    name = asked.private + b"uuid"
    if asked.uuid not in ("auto", "on") or name in upper.listxattr():
        return
    upper.setxattr(name, os.urandom(16), 0)
    asked.uuid = "on"


def _split(text: str) -> list[str]:
    """The names between colons; a backslash takes a character's meaning away."""
    names, name, escaped = [], "", False
    for character in text:
        if escaped or character not in "\\:":
            name += character
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            names.append(name)
            name = ""
    return [*names, name]


def _directory(task: Task, name: str) -> Path:
    place = walk(task, AT_FDCWD, name.encode("latin-1"))
    if not place.inode.is_dir():
        raise Errno(EINVAL)
    return place


def _upper(task: Task, name: str, work_name: str, asked: LayeredOptions) -> Path:
    """The upper directory; EINVAL: it can't be one, or the working directory isn't beside it."""
    upper = _directory(task, name.replace("\\", ""))
    if not work_name:
        raise Errno(EINVAL)
    work = _directory(task, work_name.replace("\\", ""))
    if not isinstance(upper.mount.fs, MemoryFileSystem) or upper.mount.readonly:
        raise Errno(EINVAL)  # others can't keep whiteouts
    if work.mount is not upper.mount:
        raise Errno(EINVAL)
    if work.dentry.is_below(upper.dentry) or upper.dentry.is_below(work.dentry):
        raise Errno(EINVAL)
    check_create(task.creds, work.inode)
    incompatible = _below(task, _below(task, work, b"work"), b"incompat", asked.fsync == "volatile")
    if incompatible is not None and incompatible.inode.entries():
        raise Errno(EINVAL)  # a volatile overlay was there: what it wrote may be lost
    if asked.fsync == "volatile":
        volatile = _below(task, incompatible, b"volatile")
        if volatile is not None:
            volatile.dentry.attach(b"dirty", volatile.inode.create(b"dirty", 0, task.creds))
    return upper


def _below(task: Task, directory: Path | None, name: bytes, make: bool = True) -> Path | None:
    """A directory in the working directory, made if it isn't there; EINVAL: something else is."""
    if directory is None:
        return None
    dentry = child_of(directory, name)
    if dentry.inode is None:
        if not make:
            return None
        dentry = directory.dentry.attach(name, directory.inode.mkdir(name, 0, task.creds))
    found = Path(directory.mount, dentry)
    if not found.inode.is_dir():
        raise Errno(EINVAL)
    return found


def _depth(fs: FileSystem) -> int:
    return 1 + max(_depth(place.mount.fs) for place in fs.places) if isinstance(fs, LayeredFs) else 0
