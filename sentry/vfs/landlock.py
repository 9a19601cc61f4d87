"""Landlock (landlock(7)): rulesets, the domains that tasks restrict themselves to, and what these forbid.

A domain is a tuple of layers, one for each ruleset that the task or an ancestor enforced; it hangs on the
credentials, so that clone and exec inherit it.  An action is allowed when every layer that handles it has
rules on the way from the file up to the root which together grant it.
"""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOMEM, EPERM, EXDEV

from sentry.abi.landlock import (
    FS_EXECUTE,
    FS_IOCTL_DEV,
    FS_MAKE_BLOCK,
    FS_MAKE_CHAR,
    FS_MAKE_DIR,
    FS_MAKE_FIFO,
    FS_MAKE_REG,
    FS_MAKE_SOCK,
    FS_MAKE_SYM,
    FS_OF_FILES,
    FS_READ_DIR,
    FS_READ_FILE,
    FS_REFER,
    FS_REMOVE_DIR,
    FS_REMOVE_FILE,
    FS_TRUNCATE,
    FS_WRITE_FILE,
)
from sentry.abi.stat import (
    ACCESS_READ,
    ACCESS_WRITE,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_IFSOCK,
)
from sentry.errors import Errno
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Dentry, Path

    Domain = tuple["Layer", ...]

LAYERS_MAX = 16
RULES_MAX = 1 << 16  # of one ruleset; Linux has 2**32-1
ALL_RULES_MAX = 1 << 20  # of all rulesets and domains
_MAKES = {
    S_IFLNK: FS_MAKE_SYM, S_IFDIR: FS_MAKE_DIR, S_IFCHR: FS_MAKE_CHAR, S_IFBLK: FS_MAKE_BLOCK,
    S_IFIFO: FS_MAKE_FIFO, S_IFSOCK: FS_MAKE_SOCK, S_IFREG: FS_MAKE_REG,
}  # fmt: skip


class Layer:
    """A ruleset as it was when it was enforced (or, in a `Ruleset`, as it grows).

    `files`: the rights by inode; the paths are held so that the inodes stay what the names mean.
    """

    __slots__ = ("_counted", "asked", "files", "fs", "net", "paths", "ports", "scoped")

    total = 0  # rules of all layers

    def __init__(self, fs: int, net: int, scoped: int) -> None:
        self.asked = fs
        self.fs = fs | FS_REFER if fs else 0  # moving files elsewhere is denied unless a rule allows it
        self.net = net
        self.scoped = scoped
        self.files: dict[Inode, int] = {}
        self.paths: list[Path] = []
        self.ports: dict[int, int] = {}
        self._counted = 0

    def count(self, more: int) -> None:
        """Have so many rules more; ENOMEM."""
        if Layer.total + more > ALL_RULES_MAX:
            raise Errno(ENOMEM)
        self._counted += more
        Layer.total += more

    def __del__(self) -> None:
        Layer.total -= self._counted

    def copy(self) -> Layer:
        """ENOMEM."""
        new = Layer(self.asked, self.net, self.scoped)
        new.count(self._counted)
        new.files = dict(self.files)
        new.paths = list(self.paths)
        new.ports = dict(self.ports)
        return new

    def granted(self, path: Path) -> int:
        """What the rules grant at a place: those on it and on all above it."""
        files = self.files
        mount, dentry = path.mount, path.dentry
        rights = 0
        while True:
            inode = dentry.inode
            if inode is not None and inode in files:
                rights |= files[inode]
            while dentry is mount.root:
                above, point = mount.parent, mount.point
                if above is None or point is None:
                    return rights
                mount, dentry = above, point  # what is mounted on is hidden, rules and all
            directory = dentry.parent
            if directory is None:
                return rights
            dentry = directory


class Ruleset(AnonymousFile):
    """What landlock_create_ruleset(2) opens."""

    __slots__ = ()

    can_seek = False

    state: Layer

    def __init__(self, fs: int, net: int, scoped: int) -> None:
        super().__init__(0, b"[landlock-ruleset]")
        self.state = Layer(fs, net, scoped)

    def read(self, task: Task, count: int, pos: int | None) -> bytes:
        raise Errno(EINVAL)


def _missing(domain: Domain, path: Path, wanted: int) -> int:
    """The rights among `wanted` that some layer denies at a place."""
    if path.mount.fs.anonymous:
        return 0
    missing = 0
    for layer in domain:
        handled = wanted & layer.fs
        if handled:
            missing |= handled & ~layer.granted(path)
    return missing


def check(task: Task, path: Path, wanted: int) -> None:
    """EACCES unless the task's domain, if it has one, allows the FS_ rights `wanted` at a place."""
    domain = task.creds.landlock
    if domain and _missing(domain, path, wanted):
        raise Errno(EACCES)


def check_make(task: Task, directory: Path, mode: int) -> None:
    """EACCES unless a file of this type may be made in a directory."""
    if task.creds.landlock:
        check(task, directory, _MAKES[mode & S_IFMT or S_IFREG])


def check_remove(task: Task, directory: Path, inode: Inode) -> None:
    if task.creds.landlock:
        check(task, directory, FS_REMOVE_DIR if inode.is_dir() else FS_REMOVE_FILE)


def check_exec(task: Task, path: Path) -> None:
    """Opening a program for execution reads it as well."""
    if task.creds.landlock:
        check(task, path, FS_EXECUTE | FS_READ_FILE)


def check_open(task: Task, path: Path, wanted: int, truncates: bool) -> int:
    """EACCES unless it may be opened so (ACCESS_ bits); the rights that the open file has not: truncation and
    ioctl(2) on devices are decided now, for as long as it is open.
    """
    domain = task.creds.landlock
    if not domain:
        return 0
    rights = 0
    if wanted & ACCESS_READ:
        rights |= FS_READ_DIR if path.inode.is_dir() else FS_READ_FILE
    if wanted & ACCESS_WRITE:
        rights |= FS_WRITE_FILE
    if truncates:
        rights |= FS_TRUNCATE
    missing = _missing(domain, path, rights | FS_TRUNCATE | FS_IOCTL_DEV)
    if missing & rights:
        raise Errno(EACCES)
    return missing


def check_truncate(file: File) -> None:
    """ftruncate(2): EACCES where the open did not come with the right."""
    if file.denied & FS_TRUNCATE:
        raise Errno(EACCES)


def check_ioctl(file: File) -> None:
    if file.denied & FS_IOCTL_DEV and file.inode.mode & S_IFMT in (S_IFCHR, S_IFBLK):
        raise Errno(EACCES)


def check_mount(task: Task) -> None:
    """Who is restricted in the file system may not change the mounts: EPERM."""
    if any(layer.fs for layer in task.creds.landlock):
        raise Errno(EPERM)


def check_move(
    task: Task,
    source: Path,
    moved: Dentry,
    target: Path,
    replaced: Dentry | None,
    removes: bool,
    exchange: bool = False,
) -> None:
    """rename(2) or link(2): `moved` of directory `source` becomes a file of `target`.

    Args:
        replaced: what has the new name now.
        removes: it is a rename.

    Raises Errno: EACCES; EXDEV for another directory without FS_REFER, or if the file would gain rights.
    """
    domain = task.creds.landlock
    if not domain:
        return
    inode, other = moved.inode, replaced.inode if replaced is not None else None
    assert inode is not None
    there = _MAKES[inode.mode & S_IFMT]
    here = _MAKES[other.mode & S_IFMT] if exchange and other is not None else 0
    if removes:
        here |= FS_REMOVE_DIR if inode.is_dir() else FS_REMOVE_FILE
        if other is not None:
            there |= FS_REMOVE_DIR if other.is_dir() else FS_REMOVE_FILE
    if source.dentry is target.dentry:
        check(task, target, here | there)
        return
    missing = _missing(domain, source, here | FS_REFER) | _missing(domain, target, there | FS_REFER)
    if missing & ~FS_REFER:
        raise Errno(EACCES)
    if (
        missing
        or _gains(domain, source, inode, target)
        or (exchange and other is not None and _gains(domain, target, other, source))
    ):
        raise Errno(EXDEV)


def _gains(domain: Domain, source: Path, inode: Inode, target: Path) -> bool:
    """Whether a file would be allowed more in `target` than where it is."""
    counted = ~0 if inode.is_dir() else FS_OF_FILES
    for layer in domain:
        own = layer.files.get(inode, 0)
        if layer.granted(target) & ~(layer.granted(source) | own) & layer.fs & counted:
            return True
    return False


# Between tasks


def _scope(domain: Domain, scope: int) -> int:
    """How many layers, from the outermost on, must be shared with whom the domain reaches; 0: none."""
    return max((depth + 1 for depth, layer in enumerate(domain) if layer.scoped & scope), default=0)


def may_reach(creds: Creds, other: Domain, scope: int) -> bool:
    """Whether a SCOPE_ restriction lets `creds` reach somebody in the domain `other`."""
    domain = creds.landlock
    depth = _scope(domain, scope) if domain else 0
    return not depth or (len(other) >= depth and domain[depth - 1] is other[depth - 1])


def may_trace(creds: Creds, other: Creds) -> bool:
    """Whether ptrace(2) is allowed: the target must be in the same domain or in one below."""
    domain, theirs = creds.landlock, other.landlock
    return not domain or (len(theirs) >= len(domain) and theirs[len(domain) - 1] is domain[-1])


def check_port(task: Task, port: int, right: int) -> None:
    """EACCES unless a TCP socket may be bound or connected (NET_ rights) to a port."""
    if any(layer.net & right & ~layer.ports.get(port, 0) for layer in task.creds.landlock):
        raise Errno(EACCES)
