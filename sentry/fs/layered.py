"""Mounting an overlay: what its options must be (Linux, filesystems/overlayfs.rst)."""

from __future__ import annotations

from errno import EINVAL

from sentry.abi.fcntl import AT_FDCWD
from sentry.errors import Errno
from sentry.fs.layered_directory import LayeredDirectory
from sentry.fs.layers import LayeredFs
from sentry.fs.memory import MemoryFileSystem
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.mounts.options import any_text, flag, parse, word
from sentry.vfs.namei import child_of, walk
from sentry.vfs.path import Path
from sentry.vfs.permissions import check_create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import FileSystem

LAYERS_MAX = 500
DEPTH_MAX = 2  # overlays upon overlays
PARAMETERS = {
    "default_permissions": flag,
    "index": word("off"),
    "lowerdir": any_text,
    "metacopy": word("off"),
    "nfs_export": word("off"),
    "redirect_dir": word("off", "nofollow"),
    "upperdir": any_text,
    "userxattr": flag,
    "uuid": word("auto", "on"),
    "volatile": flag,
    "workdir": any_text,
    "xino": word("off", "auto"),
}


def mount(task: Task, options: list[str]) -> FileSystem:
    """An overlay by its options, whose names are the task's; EINVAL, ENOENT, ELOOP, EACCES."""
    values = parse(options, PARAMETERS)
    names = _split(str(values.get("lowerdir", "")))
    if not all(names) or len(names) > LAYERS_MAX or (len(names) < 2 and "upperdir" not in values):
        raise Errno(EINVAL)
    text = b",lowerdir=" + str(values["lowerdir"]).encode("latin-1")
    upper = None
    if "upperdir" in values:
        upper = _upper(task, str(values["upperdir"]), str(values.get("workdir", "")))
        for name in ("upperdir", "workdir"):
            text += b",%b=%b" % (name.encode(), str(values[name]).encode("latin-1"))
    lowers = [_directory(task, name) for name in names]
    for place in lowers if upper is None else [upper, *lowers]:
        if _depth(place.mount.fs) >= DEPTH_MAX:
            raise Errno(EINVAL)
    private = b"trusted.overlay."
    if upper is not None:
        text += b",uuid=on"
    if "userxattr" in values:
        private = b"user.overlay."
        text += b",userxattr"
    if any(place.mount.idmap is not None for place in ([*lowers, upper] if upper is not None else lowers)):
        raise Errno(EINVAL)  # idmapped layers
    # Mounts of our own: what is mounted on the layers, or changed about the mounts, isn't seen.
    own = [Path(Mount(place.mount.fs, place.dentry, 0, b"none"), place.dentry) for place in lowers]
    top = Path(Mount(upper.mount.fs, upper.dentry, 0, b"none"), upper.dentry) if upper is not None else None
    fs = LayeredFs(top, own, text, private, task.creds)
    fs.set_root(LayeredDirectory(fs, fs.places, top is not None))
    return fs


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


def _upper(task: Task, name: str, work_name: str) -> Path:
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
    if child_of(work, b"work").inode is None:
        work.dentry.attach(b"work", work.inode.mkdir(b"work", 0, task.creds))
    return upper


def _depth(fs: FileSystem) -> int:
    return 1 + max(_depth(place.mount.fs) for place in fs.places) if isinstance(fs, LayeredFs) else 0
