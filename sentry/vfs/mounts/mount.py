"""File systems, and mounts of them: a file system's tree seen somewhere.

The trees that mounts form are in vfs.mounts.mount_tree, what they tell each other in vfs.mounts.propagation,
who sees them in vfs.mounts.mount_namespace.
"""

from __future__ import annotations

from _weakref import ref

from sentry import _core
from sentry.abi.mount import (
    MS_DIRSYNC,
    MS_LAZYTIME,
    MS_MANDLOCK,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_NOSYMFOLLOW,
    MS_RDONLY,
    MS_RELATIME,
    MS_SYNCHRONOUS,
)
from sentry.abi.stat import makedev
from sentry.vfs.path import Dentry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.namespaces.namespaces import Namespace
    from sentry.kernel.namespaces.user_namespace import UserNamespace
    from sentry.vfs.idmap import IdMap
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount_namespace import MountNamespace
    from sentry.vfs.mounts.options import Parameters
    from sentry.vfs.mounts.propagation import PeerGroup

MNT_UNIQUE_ID_OFFSET = 1 << 31  # ids of statmount(2) start here, so that they aren't taken for the older ones

# Among a mount's flags; what is done there C leaves to us.
IDMAPPED = 1 << 26
WATCHED = 1 << 27

_OPTIONS = (
    (MS_NOSUID, b"nosuid"),
    (MS_NODEV, b"nodev"),
    (MS_NOEXEC, b"noexec"),
    (MS_NOATIME, b"noatime"),
    (MS_NODIRATIME, b"nodiratime"),
    (MS_RELATIME, b"relatime"),
    (MS_NOSYMFOLLOW, b"nosymfollow"),
)
_FS_OPTIONS = (
    (MS_SYNCHRONOUS, b"sync"),
    (MS_DIRSYNC, b"dirsync"),
    (MS_MANDLOCK, b"mand"),
    (MS_LAZYTIME, b"lazytime"),
)

_last_dev = 0x1F
_last_id = 20
_alive = 0


def new_dev() -> int:
    """A device number for a file system without a device: major 0, minors counted up."""
    global _last_dev
    _last_dev += 1
    return makedev(0, _last_dev)


def mounts_alive() -> int:
    """How many mounts there are in the whole sandbox, those included that are attached nowhere."""
    return _alive


class StatFs:
    """What statfs(2) tells about a file system; sizes in blocks of `bsize` bytes."""

    __slots__ = ("bavail", "bfree", "blocks", "bsize", "ffree", "files", "namelen")

    def __init__(
        self, blocks: int = 0, bfree: int = 0, bavail: int = 0, files: int = 0, ffree: int = 0,
        bsize: int = 4096, namelen: int = 255,
    ) -> None:  # fmt: skip
        self.blocks = blocks
        self.bfree = bfree
        self.bavail = bavail
        self.files = files
        self.ffree = ffree
        self.bsize = bsize
        self.namelen = namelen


class FileSystem:
    """One instance of a file system: a tree of inodes with a number of its own.

    `volatile`: names come and go without our doing, so walks always ask (proc, shared host directories).
    `anonymous`: not a tree: files are known by a made-up name (pipes, sockets, eventfds).
    """

    DENTRIES_MAX = 16_384

    volatile = False
    can_idmap = False  # mounts of it can have an idmap
    anonymous = False
    imposed = 0  # MS_NOEXEC and the like, that hold on all mounts of it without being shown
    owner: UserNamespace | None = None  # whose file system it is; None: the initial user namespace's
    shows: tuple[Kernel, Namespace | None] | None = None  # see vfs.mounts.file_systems; None: itself
    revealing = False  # it shows more than files
    watched = False  # somebody listens to all that is done to its files
    parameters: Parameters = {}  # its own mount options  # never changed in place
    root: Dentry

    def __init__(self, name: bytes, magic: int) -> None:
        """`name` as in /proc/filesystems; `magic` is statfs(2)'s f_type.  Call `set_root` afterwards."""
        self.name = name
        self.magic = magic
        self.dev = new_dev()
        self.flags = 0  # MS_OF_FILE_SYSTEM
        self.dentries = 1  # at most so many are cached: some may be gone since the last prune
        self.dentries_limit = self.DENTRIES_MAX
        self._last_ino = 0
        self._mounts: set[ref[Mount]] = set()

    def set_root(self, inode: Inode) -> None:
        self.root = Dentry(b"", None, inode)

    def next_ino(self) -> int:
        self._last_ino += 1
        return self._last_ino

    def statfs(self) -> StatFs:
        return StatFs()

    def options(self) -> bytes:
        """What /proc/mounts says after the generic options, comma first where there is something."""
        return b""

    def generic_options(self) -> bytes:
        """The generic ones of the file system itself: ro or rw, sync, ..."""
        words = [b"ro" if self.flags & MS_RDONLY else b"rw"]
        words += [word for flag, word in _FS_OPTIONS if self.flags & flag]
        return b",".join(words)

    def set_flags(self, flags: int) -> None:
        """Change MS_OF_FILE_SYSTEM (a remount)."""
        self.flags = flags
        for mount in self.mounts():
            mount.set_attributes(mount.attributes)

    def reconfigure(self, options: list[str]) -> None:
        """Take the file system's own options of a remount; EINVAL."""

    def set_watched(self, watched: bool) -> None:
        self.watched = watched
        for mount in self.mounts():
            mount.set_attributes(mount.attributes)

    def mounts(self) -> list[Mount]:
        """Every mount of it, attached or not, in any namespace."""
        return [mount for mount in [known() for known in self._mounts] if mount is not None]

    def mounted_by(self, creds: Creds) -> None:
        """These are the credentials of whoever makes it by mount(2)."""

    def unused(self) -> None:
        """The last mount is gone, or there will be none: let go of the files, which refer to the file system
        as it does to them; at least of the namespace that it shows, which counts for somebody.
        """
        if self.shows is not None and self.shows[1] is not None:
            self.shows = None

    def drop_mount(self, mount: Mount) -> None:
        self._mounts.discard(ref(mount))
        if not self._mounts:
            self.unused()

    def add_mount(self, mount: Mount) -> None:
        self._mounts.add(ref(mount, self._mounts.discard))


class Mount(_core.MountBase):
    """A file system's tree (or a part of it, `root`) seen at `point` of the mount `parent`.

    `attributes` are the MS_OF_MOUNT flags that it was given, `flags` those that hold: the file system's too.
    """

    __slots__ = (
        "__weakref__", "_namespace", "attributes", "group", "idmap", "locked", "locked_flags", "master",
        "source", "unbindable", "watched",
    )  # fmt: skip

    fs: FileSystem
    root: Dentry
    parent: Mount | None
    point: Dentry | None
    mounts: dict[Dentry, Mount]
    expiring: bool  # marked by MNT_EXPIRE, and not walked to since

    def __init__(
        self, fs: FileSystem, root: Dentry, attributes: int, source: bytes, idmap: IdMap | None = None
    ) -> None:
        """A mount that is nowhere yet (mount_tree.connect)."""
        global _alive, _last_id
        super().__init__()
        _alive += 1
        _last_id += 1
        self.id = _last_id
        self.fs = fs
        self.root = root
        self.parent = None
        self.point = None
        self.source = source
        self.mounts = {}  # what is mounted on dentries of this mount
        self.group: PeerGroup | None = None  # it is shared with these
        self.master: PeerGroup | None = None  # it is a slave of these
        self.unbindable = False
        self.locked = False  # it can't be parted from its parent by whoever got it with a new namespace
        self.locked_flags = 0  # MS_* that may not be taken away; MS_ATIME: which may not change
        self._namespace: ref[MountNamespace] | None = None
        self.idmap = idmap  # whose the files seem to be, None: whose they are
        self.watched = False
        fs.add_mount(self)
        self.set_attributes(attributes)

    @property
    def namespace(self) -> MountNamespace | None:
        """Where it is attached; None for one that was unmounted and is still in use."""
        return self._namespace() if self._namespace is not None else None

    @namespace.setter
    def namespace(self, namespace: MountNamespace | None) -> None:
        self._namespace = ref(namespace) if namespace is not None else None

    def reference(self) -> ref[Mount]:
        return ref(self)

    def internal(self) -> Mount:
        """A mount of the same file system that nobody sees."""
        return Mount(self.fs, self.root, 0, self.source)

    @property
    def unique_id(self) -> int:
        """The id of statmount(2); never used again."""
        return self.id + MNT_UNIQUE_ID_OFFSET

    def set_attributes(self, attributes: int) -> None:
        self.attributes = attributes
        self.flags = attributes | self.fs.flags & MS_RDONLY | self.fs.imposed
        if self.idmap is not None:
            self.flags |= IDMAPPED
        if self.watched or self.fs.watched:
            self.flags |= WATCHED

    def set_watched(self, watched: bool) -> None:
        """Somebody listens to all that is done through it, or no longer (vfs.notify)."""
        self.watched = watched
        self.set_attributes(self.attributes)

    def options(self) -> bytes:
        """The per-mount options of /proc/self/mountinfo."""
        words = [b"ro" if self.attributes & MS_RDONLY else b"rw"]
        words += [word for flag, word in _OPTIONS if self.attributes & flag]
        if self.idmap is not None:
            words.append(b"idmapped")
        return b",".join(words)

    def __del__(self) -> None:
        global _alive
        _alive -= 1
        if self.point is not None:  # it was unmounted together with its parent, and nobody uses them any more
            self.point.mounted -= 1
        self.fs.drop_mount(self)


def anonymous_mount(fs: FileSystem) -> Mount:
    """A mount that is in no tree, for files of an `anonymous` file system; fs.root may be unset."""
    root = getattr(fs, "root", None) or Dentry(b"/", None, None)
    return Mount(fs, root, 0, fs.name)
