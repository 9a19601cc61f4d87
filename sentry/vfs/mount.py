"""File systems and where they are mounted."""

from __future__ import annotations

from errno import EBUSY, EINVAL

from sentry import _core
from sentry.abi.stat import makedev
from sentry.errors import Errno
from sentry.kernel import user_namespace
from sentry.kernel.namespaces import Namespace
from sentry.vfs import notify
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import Inode

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_PROPAGATION = 0x1E0000  # UNBINDABLE, PRIVATE, SLAVE, SHARED
MS_RELATIME = 0x200000
MS_KEPT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME  # what a mount remembers

_OPTIONS = (
    (MS_NOSUID, b"nosuid"),
    (MS_NODEV, b"nodev"),
    (MS_NOEXEC, b"noexec"),
    (MS_NOATIME, b"noatime"),
    (MS_NODIRATIME, b"nodiratime"),
    (MS_RELATIME, b"relatime"),
)

_last_dev = 0x1F


def new_dev() -> int:
    """A device number for a file system without a device: major 0, minors counted up."""
    global _last_dev
    _last_dev += 1
    return makedev(0, _last_dev)


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
    anonymous = False
    root: Dentry

    def __init__(self, name: bytes, magic: int) -> None:
        """`name` as in /proc/filesystems; `magic` is statfs(2)'s f_type.  Call `set_root` afterwards."""
        self.name = name
        self.magic = magic
        self.dev = new_dev()
        self.dentries = 1  # at most so many are cached: some may be gone since the last prune
        self.dentries_limit = self.DENTRIES_MAX
        self._last_ino = 0

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


class Mount(_core.MountBase):
    """A file system's tree (or a part of it, `root`) seen at `point` of the mount `parent`."""

    __slots__ = ("source",)

    fs: FileSystem
    root: Dentry
    parent: Mount | None
    point: Dentry | None
    mounts: dict[Dentry, Mount]

    def __init__(
        self, number: int, fs: FileSystem, root: Dentry, parent: Mount | None, point: Dentry | None,
        flags: int, source: bytes,
    ) -> None:  # fmt: skip
        super().__init__()
        self.id = number
        self.fs = fs
        self.root = root
        self.parent = parent
        self.point = point
        self.flags = flags
        self.source = source
        self.mounts = {}  # what is mounted on dentries of this mount

    def options(self) -> bytes:
        """The per-mount options of /proc/self/mountinfo."""
        words = [b"ro" if self.readonly else b"rw"]
        words += [word for flag, word in _OPTIONS if self.flags & flag]
        return b",".join(words)


def anonymous_mount(fs: FileSystem) -> Mount:
    """A mount that is in no tree, for files of an `anonymous` file system; fs.root may be unset."""
    root = getattr(fs, "root", None) or Dentry(b"/", None, None)
    return Mount(0, fs, root, None, None, 0, fs.name)


class MountNamespace(Namespace):
    """The mounts that a sandbox sees, oldest first."""

    def __init__(self, fs: FileSystem, flags: int = 0, source: bytes = b"none") -> None:
        super().__init__(b"mnt", user_namespace.INITIAL, initial=True)
        self._last_id = 20
        self.root = Mount(self._last_id, fs, fs.root, None, None, flags, source)
        self.mounts = [self.root]

    def top(self, path: Path) -> Path:
        """The place that a walk reaches at `path`: the root of the topmost mount on it, or `path`."""
        mount, dentry = path.mount, path.dentry
        while dentry.mounted:
            upper = mount.mounts.get(dentry)
            if upper is None:
                break
            mount, dentry = upper, upper.root
        return path if mount is path.mount else Path(mount, dentry)

    def mount(
        self, fs: FileSystem, path: Path, flags: int = 0, source: bytes = b"none", root: Dentry | None = None
    ) -> Mount:
        """Mount `fs` (or its part below `root`) on `path`, which is an existing file of the same kind."""
        path = self.top(path)
        self._last_id += 1
        mount = Mount(self._last_id, fs, root or fs.root, path.mount, path.dentry, flags, source)
        path.mount.mounts[path.dentry] = mount
        path.dentry.mounted += 1
        self.mounts.append(mount)
        return mount

    def unmount(self, path: Path, detach: bool = False) -> None:
        """Take away the mount whose root `path` is; EINVAL, EBUSY (mounts below it, unless `detach`)."""
        mount = path.mount
        if path.dentry is not mount.root or mount.parent is None or mount.point is None:
            raise Errno(EINVAL)
        if mount not in self.mounts:  # detached already, and held by someone's working directory or root
            raise Errno(EINVAL)
        if mount.mounts:
            if not detach:
                raise Errno(EBUSY)
            for inner in list(mount.mounts.values()):
                self.unmount(Path(inner, inner.root), detach)
        if mount.parent.mounts.get(mount.point) is mount:
            del mount.parent.mounts[mount.point]
            mount.point.mounted -= 1
        self.mounts.remove(mount)
        if all(other.fs is not mount.fs for other in self.mounts):
            notify.unmounted(mount.fs)
