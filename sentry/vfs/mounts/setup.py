"""The file systems that a sandbox starts with."""

from __future__ import annotations

import os
from errno import EACCES, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS
from resource import RLIMIT_NOFILE, getrlimit

from sentry import _core
from sentry.abi.fcntl import AT_FDCWD
from sentry.abi.mount import (
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_NOSYMFOLLOW,
    MS_PRIVATE,
    MS_RDONLY,
    MS_RELATIME,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)
from sentry.abi.stat import S_IFDIR, S_IFMT
from sentry.errors import Errno, StartError
from sentry.fs.host_facts import host_facts
from sentry.fs.hostfs import HostFs
from sentry.fs.overlay import OverlayFs
from sentry.fs.tmpfs import Tmpfs
from sentry.kernel.creds import Creds
from sentry.kernel.fs_context import FsContext
from sentry.kernel.namespaces import pid_namespace
from sentry.kernel.namespaces.namespaces import Namespaces
from sentry.mm.vma import SharedMemory
from sentry.vfs import fifo as _fifo  # noqa: F401  # for vfs.special, which can't import it itself
from sentry.vfs import special as _special  # noqa: F401  # for vfs.inode, likewise
from sentry.vfs.copy_up import copy_tree
from sentry.vfs.host_call import host
from sentry.vfs.mounts.file_systems import find_type, split_options
from sentry.vfs.mounts.masking import make_readonly, mask
from sentry.vfs.mounts.mount_namespace import build
from sentry.vfs.mounts.propagation import change
from sentry.vfs.namei import child_of, walk
from sentry.vfs.path import Path
from sentry.vfs.regular import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.config import Config, Mount
    from sentry.kernel.kernel import Kernel
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.mounts.mount_namespace import MountNamespace

# Options of a bundle's mounts that say something about the mount (mount(8)): (flags set, flags cleared).
_ATTRIBUTES = {
    "ro": (MS_RDONLY, 0),
    "rw": (0, MS_RDONLY),
    "nosuid": (MS_NOSUID, 0),
    "suid": (0, MS_NOSUID),
    "nodev": (MS_NODEV, 0),
    "dev": (0, MS_NODEV),
    "noexec": (MS_NOEXEC, 0),
    "exec": (0, MS_NOEXEC),
    "nosymfollow": (MS_NOSYMFOLLOW, 0),
    "symfollow": (0, MS_NOSYMFOLLOW),
    "noatime": (MS_NOATIME, MS_RELATIME),
    "atime": (0, MS_NOATIME),
    "relatime": (MS_RELATIME, MS_NOATIME),
    "norelatime": (0, MS_RELATIME),
    "strictatime": (0, MS_RELATIME | MS_NOATIME),
    "nostrictatime": (MS_RELATIME, 0),
    "nodiratime": (MS_NODIRATIME, 0),
    "diratime": (0, MS_NODIRATIME),
}
_PROPAGATION = {
    "shared": MS_SHARED,
    "slave": MS_SLAVE,
    "private": MS_PRIVATE,
    "unbindable": MS_UNBINDABLE,
}
_PASSED_OVER = ("bind", "rbind", "defaults", "silent", "loud")


class _Walker:
    """As much of a task as a walk needs."""

    def __init__(self, namespace: MountNamespace) -> None:
        root = Path(namespace.root, namespace.root.root)
        self.fs = FsContext(root, root, 0)
        self.creds = Creds()
        self.ns = Namespaces(self.creds.user_ns, pid_namespace.INITIAL, namespace)


def build_root(kernel: Kernel, config: Config) -> MountNamespace:
    """The mounts that `config` describes, in its order; called before the sandbox is sealed.

    Raises StartError: a mount can't be made.
    """
    # Half for files' contents; the rest is the platform's, the kernel's own and open host files'.
    descriptors.limit = max(64, getrlimit(RLIMIT_NOFILE)[0] // 2)
    SharedMemory.held_max = max(64, getrlimit(RLIMIT_NOFILE)[0] // 4)
    host_facts()  # opens files of the host, also for what the guest mounts later
    try:
        root: FileSystem = OverlayFs(config.root_fd)
        if config.overlay != "memory":
            root = HostFs(config.root_fd, config.root_readonly)
    except Errno as error:
        raise StartError(f"root file system: {os.strerror(error.code)}") from None
    namespace = build(root, (MS_RDONLY if config.root_readonly else 0) | MS_RELATIME, b"none")
    walker = _Walker(namespace)
    for mount in config.mounts:
        try:
            _mount(kernel, namespace, walker, mount)
        except Errno as error:
            where = mount.dest.decode(errors="backslashreplace")
            raise StartError(f"mount {mount.type} on {where}: {os.strerror(error.code)}") from None
    mask(kernel, walker, config.masked_paths)
    make_readonly(walker, config.readonly_paths)
    if config.root_propagation:
        change(namespace.root, _PROPAGATION[config.root_propagation])
    if config.make_cwd:
        try:
            _mount_point(walker, config.cwd, directory=True)
        except Errno as error:
            where = config.cwd.decode(errors="backslashreplace")
            raise StartError(f"working directory {where}: {os.strerror(error.code)}") from None
    return namespace


def _mount(kernel: Kernel, namespace: MountNamespace, walker: Any, mount: Mount) -> None:
    flags = MS_RELATIME | (MS_RDONLY if mount.readonly else 0)
    options, propagation = [], []
    for option in mount.options:
        if option in _ATTRIBUTES:
            on, off = _ATTRIBUTES[option]
            flags = flags & ~off | on
        elif option.removeprefix("r") in _PROPAGATION:
            propagation.append(_PROPAGATION[option.removeprefix("r")])
        elif option not in _PASSED_OVER:
            options.append(option)
    fs: FileSystem
    if mount.type == "bind":
        fs = HostFs(_reopened(mount.source_fd, bool(flags & MS_RDONLY)), bool(flags & MS_RDONLY))
        source = b"none"
    else:
        # What programs expect in /dev are our devices, whatever file system the bundle wants to hold them.
        kind = "devtmpfs" if mount.dest.rstrip(b"/") == b"/dev" and mount.type == "tmpfs" else mount.type
        own, on, off = split_options([option for option in options if option != "tmpcopyup"])
        fs = find_type(kind.encode()).instance(kernel, own, None)
        fs.set_flags(on & ~off)
        source = mount.type.encode()
    assert fs.root.inode is not None
    place = _mount_point(walker, mount.dest, fs.root.inode.is_dir())
    if isinstance(fs, Tmpfs) and "tmpcopyup" in options:
        mode = fs.root.inode.mode & 0o7777 if any(option.startswith("mode=") for option in own) else None
        copy_tree(place, fs.root.inode, walker.creds)
        fs.root.inode.setattr(mode=mode)
    made = namespace.mount(fs, place, flags, source)
    for change_to in propagation:
        change(made, change_to)


def _mount_point(walker: Any, dest: bytes, directory: bool) -> Path:
    """The place `dest`, made where it is missing."""
    here: Path = walker.fs.root
    names = [name for name in dest.split(b"/") if name and name != b"."]
    for index, name in enumerate(names):
        prefix = b"/" + b"/".join(names[: index + 1])
        try:
            here = walk(walker, AT_FDCWD, prefix)
        except Errno as error:
            if error.code != ENOENT:
                raise
            last = index == len(names) - 1
            if child_of(here, name).inode is not None:
                raise  # a link to nowhere
            if last and not directory:
                inode = here.inode.create(name, 0o644, walker.creds)
            else:
                inode = here.inode.mkdir(name, 0o755, walker.creds)
            here = Path(here.mount, here.dentry.attach(name, inode))
    if here.inode.is_dir() != directory:
        raise Errno(ENOTDIR if directory else EISDIR)
    return here


def _reopened(fd: int, readonly: bool) -> int:
    """A descriptor to serve a bind mount from: a file's must be open for what the guest may do with it."""
    if _core.host_stat(fd, b"")[0] & S_IFMT == S_IFDIR:
        return fd
    name = f"/proc/self/fd/{fd}"
    flags = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    if not readonly:
        try:
            return host(os.open, name, flags | os.O_RDWR)
        except Errno as error:
            if error.code not in (EACCES, EPERM, EROFS):
                raise
    return host(os.open, name, flags | os.O_RDONLY)
