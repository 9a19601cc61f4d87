"""devpts: the slaves of pseudoterminals by number, and ptmx, which makes new pairs (pts(4)).

Each mount is an instance of its own, numbered from 0.
"""

from __future__ import annotations

from errno import ENOENT, ENOSPC, ENXIO, EPERM

from sentry.abi.stat import DT_CHR, S_IFCHR, S_IFDIR, makedev
from sentry.errors import Errno
from sentry.fs.pseudo import parse_name
from sentry.tty import pty, pty_files
from sentry.vfs.inode import Inode
from sentry.vfs.mounts.mount import FileSystem
from sentry.vfs.mounts.mount_tree import top
from sentry.vfs.mounts.options import flag, number, octal, parse
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.kernel import Kernel
    from sentry.kernel.task import Task
    from sentry.tty.terminal import Terminal
    from sentry.vfs.file import File

DEVPTS_MAGIC = 0x1CD1
PTYS_MAX = 4096  # /proc/sys/kernel/pty/max
PTMX_RDEV = makedev(5, 2)
_ROOT_INO, _PTMX_INO, _FIRST_INO = 1, 2, 3


class DevPts(FileSystem):
    """One instance; `terminals` are the pairs whose master is open, by index."""

    volatile = True

    def __init__(
        self, mode: int = 0o600, ptmx_mode: int = 0, uid: int | None = None, gid: int | None = None
    ) -> None:
        """The modes and ids (None: the opener's) are the mount options of the same names."""
        super().__init__(b"devpts", DEVPTS_MAGIC)
        self.mode = mode
        self.ptmx_mode = ptmx_mode
        self.uid = uid
        self.gid = gid
        self.terminals: dict[int, Terminal] = {}
        self.slaves: dict[int, SlaveInode] = {}
        self.ptmx = PtmxInode(self, S_IFCHR | ptmx_mode, 0, 0, _PTMX_INO)
        self.ptmx.rdev = PTMX_RDEV
        self.set_root(PtsDirectory(self, S_IFDIR | 0o755, 0, 0, _ROOT_INO))

    def options(self) -> bytes:
        text = b"".join(
            b",%s=%d" % (n, v) for n, v in ((b"uid", self.uid), (b"gid", self.gid)) if v is not None
        )
        return text + b",mode=%03o,ptmxmode=%03o" % (self.mode, self.ptmx_mode)

    def add(self, terminal: Terminal, index: int, uid: int, gid: int) -> SlaveInode:
        """Name a terminal /dev/pts/`index`; it belongs to the opener unless the options say otherwise."""
        inode = SlaveInode(
            self,
            S_IFCHR | self.mode,
            uid if self.uid is None else self.uid,
            gid if self.gid is None else self.gid,
            _FIRST_INO + index,
        )
        inode.terminal = terminal
        inode.rdev = terminal.number
        self.terminals[index] = terminal
        self.slaves[index] = inode
        return inode

    def remove(self, index: int) -> None:
        self.terminals.pop(index, None)
        self.slaves.pop(index, None)

    def free_index(self) -> int:
        """The lowest number without a terminal; ENOSPC."""
        for index in range(PTYS_MAX):
            if index not in self.terminals:
                return index
        raise Errno(ENOSPC)


class _PtsInode(Inode):
    __slots__ = ()

    fs: DevPts

    settable = True


class PtsDirectory(_PtsInode):
    """The root: ptmx and the slaves."""

    __slots__ = ()

    def lookup(self, name: bytes) -> Inode:
        if name == b"ptmx":
            return self.fs.ptmx
        inode = self.fs.slaves.get(parse_name(name))
        if inode is None:
            raise Errno(ENOENT)
        return inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        slaves = [(b"%d" % index, inode.ino, DT_CHR) for index, inode in sorted(self.fs.slaves.items())]
        return [*slaves, (b"ptmx", _PTMX_INO, DT_CHR)]

    def unlink(self, name: bytes) -> None:
        raise Errno(EPERM)


class PtmxInode(_PtsInode):
    """Each open makes a pair (ptmx(4))."""

    __slots__ = ()

    def open(self, task: Task, path: Path, flags: int) -> File:
        return open_master(task, self, path, flags)


class SlaveInode(_PtsInode):
    __slots__ = ("terminal",)

    terminal: Terminal

    def open(self, task: Task, path: Path, flags: int) -> File:
        return self.terminal.open(task, self, path, flags)


def find_devpts(task: Task, path: Path) -> DevPts | None:
    """The instance that a node at `path` means: its own, the one on "pts" beside it, or the first."""
    fs = path.mount.fs
    if isinstance(fs, DevPts):
        return fs
    directory = path.dentry.parent
    pts = directory.children.get(b"pts") if directory is not None and directory.children else None
    if pts is not None:
        fs = top(Path(path.mount, pts)).mount.fs
        if isinstance(fs, DevPts):
            return fs
    for mount in task.ns.mnt.mounts:
        if isinstance(mount.fs, DevPts):
            return mount.fs
    return None


def place(task: Task, fs: DevPts, index: int) -> Path | None:
    """Where the slave is seen now; None when its file system is not mounted."""
    inode = fs.slaves.get(index)
    assert fs.root.children is not None
    for mount in task.ns.mnt.mounts:
        if mount.fs is fs and inode is not None:
            name = b"%d" % index
            known = fs.root.children.get(name)
            if known is None or known.inode is not inode:
                known = fs.root.attach(name, inode)
            return Path(mount, known)
    return None


def open_master(task: Task, inode: Inode, path: Path, flags: int) -> File:
    """Make a new pair and open its master; ENXIO where no devpts is mounted, ENOSPC."""
    fs = find_devpts(task, path)
    if fs is None:
        raise Errno(ENXIO)
    index = fs.free_index()
    pair = pty.Pty(index, pty_files.open_slave)
    fs.add(pair, index, task.creds.fsuid, task.creds.fsgid)
    kept = fs
    return pty_files.MasterFile(
        flags, path, inode, pair, lambda asker: place(asker, kept, index), lambda: kept.remove(index)
    )


PARAMETERS = {
    "gid": number,
    "max": number,
    "mode": octal,
    "newinstance": flag,  # each mount is one
    "ptmxmode": octal,
    "uid": number,
}


def mount(kernel: Kernel, options: list[str]) -> FileSystem:
    """A devpts by its mount options; EINVAL."""
    values = parse(options, PARAMETERS)
    fs = DevPts(int(values.get("mode", 0o600)) & 0o777, int(values.get("ptmxmode", 0)) & 0o777)
    fs.uid = int(values["uid"]) if "uid" in values else None
    fs.gid = int(values["gid"]) if "gid" in values else None
    return fs
