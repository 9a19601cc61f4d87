"""From a path name to a place in the tree (path_resolution(7)), and opening what is there."""

from __future__ import annotations

from errno import EACCES, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS, EXDEV

from sentry._core import accessed, walk_ahead
from sentry.abi.fanotify import FAN_OPEN_PERM
from sentry.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    NAME_MAX,
    O_ACCMODE,
    O_APPEND,
    O_CREAT,
    O_DIRECT,
    O_DIRECTORY,
    O_NOATIME,
    O_PATH,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
    SYMLINKS_MAX,
)
from sentry.abi.file_flags import FS_APPEND_FL
from sentry.abi.mount import MS_NODEV, MS_NOSYMFOLLOW
from sentry.abi.stat import (
    ACCESS_EXEC,
    ACCESS_READ,
    ACCESS_WRITE,
    S_IFBLK,
    S_IFCHR,
    S_IFDIR,
    S_IFIFO,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
)
from sentry.errors import Errno
from sentry.kernel import settings
from sentry.vfs import landlock, leases, text_busy
from sentry.vfs.file import File, PathFile
from sentry.vfs.idmap import acting
from sentry.vfs.mounts.mount_tree import top
from sentry.vfs.notify import notify
from sentry.vfs.path import Dentry, Path
from sentry.vfs.permissions import check, check_follow, check_owner
from sentry.vfs.regular import drop_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import Mount


_SCOPED = RESOLVE_BENEATH | RESOLVE_IN_ROOT  # nothing above the descriptor is reached

use_cache = True  # C may walk the part of the way that the dentry cache knows


def start(task: Task, dirfd: int) -> Path:
    """Where relative names start: AT_FDCWD or an open directory; EBADF, ENOTDIR."""
    if dirfd == AT_FDCWD:
        return task.fs.cwd
    path: Path | None = task.files.get(dirfd).path
    if path is None:
        raise Errno(ENOTDIR)
    return path


def origin(task: Task, dirfd: int, name: bytes, resolve: int) -> Path:
    """Where a walk starts; absolute names need no descriptor, but for RESOLVE_IN_ROOT.  EBADF, ENOTDIR."""
    fs = task.fs
    if name[:1] == b"/" and not resolve & RESOLVE_IN_ROOT:
        return fs.root
    return fs.cwd if dirfd == AT_FDCWD else start(task, dirfd)


def walk(task: Task, dirfd: int, name: bytes, follow: bool = True, resolve: int = 0) -> Path:
    """The file called `name`.

    Args:
        dirfd: where relative names start, AT_FDCWD or a descriptor.
        follow: whether a symbolic link at the end is followed (elsewhere it always is).
        resolve: RESOLVE_* of openat2(2).

    Raises Errno: ENOENT, ENOTDIR, ELOOP, EACCES (search permission), ENAMETOOLONG, EBADF, EXDEV.
    """
    if not name:
        raise Errno(ENOENT)
    mount, dentry = step(task, origin(task, dirfd, name, resolve), name, follow, False, resolve)
    if mount.expiring:
        mount.expiring = False
    return Path(mount, dentry)


def arrive(task: Task, name: bytes, follow: bool) -> Path:
    """As `walk`, without being a use of the mount (umount2(2), MNT_EXPIRE)."""
    if not name:
        raise Errno(ENOENT)
    return Path(*step(task, task.fs.root if name[:1] == b"/" else task.fs.cwd, name, follow, False, 0))


def walk_parent(task: Task, dirfd: int, name: bytes) -> tuple[Path, bytes]:
    """The directory that `name` is in, and the last component: b"" for the root, or maybe b"." or b"..".

    Trailing slashes are dropped; whether they are right is for the caller to say.
    """
    if not name:
        raise Errno(ENOENT)
    stripped = name.rstrip(b"/")
    directory, slash, last = stripped.rpartition(b"/")
    if directory:
        parent = walk(task, dirfd, directory + b"/.")  # with search permission
    else:
        parent = task.fs.root if slash or not stripped else start(task, dirfd)
        if not parent.inode.is_dir():
            raise Errno(ENOTDIR)
        check(acting(task, parent.mount), parent.inode, ACCESS_EXEC)
    return parent, last


def walk_at(task: Task, dirfd: int, name: bytes, flags: int, follow: bool) -> Path:
    """As `walk`, for the *at calls: with AT_EMPTY_PATH an empty name is the descriptor's own file."""
    if not name and flags & AT_EMPTY_PATH:
        return start(task, dirfd)
    return walk(task, dirfd, name, follow)


def child_of(parent: Path, name: bytes) -> Dentry:
    """The dentry of one name in a directory that a walk has found searchable; `inode` None: absent."""
    assert parent.dentry.children is not None
    if not parent.dentry.volatile:
        child = parent.dentry.children.get(name)
        if child is not None:
            return child
    return _look_up(parent.dentry, name)


def step(
    task: Task, at: Path, name: bytes, follow: bool, missing: bool, resolve: int
) -> tuple[Mount, Dentry]:
    """Walk from `at` (an absolute name: from the root).  With `missing`, the last name may be absent: its
    dentry then has no inode.  The other arguments are those of `walk`.
    """
    mount, dentry = at.mount, at.dentry
    highest = task.fs.root if not resolve & _SCOPED else at
    if name[:1] == b"/":
        if resolve & RESOLVE_BENEATH:
            raise Errno(EXDEV)
        mount, dentry = highest.mount, highest.dentry
    links = 0
    if use_cache and not resolve:
        known = walk_ahead(task, mount, dentry, name, follow)
        if known is not None:
            mount, dentry, name, links = known
            if name is None:
                return mount, dentry
    parts = name.split(b"/")
    index, count = 0, len(parts)
    while index < count:
        part = parts[index]
        index += 1
        children = dentry.children
        if children is None:
            # Where a file may be made, a link's target that ends in a slash is wrong for what is there, too.
            raise Errno(EISDIR if missing and not any(parts[index - 1 :]) else ENOTDIR)
        if not part:
            continue
        inode = dentry.inode
        if inode.mode & 0o111 != 0o111 or inode.guarded:  # type: ignore[union-attr]  # a negative dentry has no children
            check(acting(task, mount), inode, ACCESS_EXEC)  # type: ignore[arg-type]
        if part == b".":
            continue
        if part == b"..":
            if dentry is highest.dentry and mount is highest.mount:
                if resolve & RESOLVE_BENEATH:
                    raise Errno(EXDEV)
                continue
            above = Path(mount, dentry).parent()
            above = top(above)
            if resolve & RESOLVE_NO_XDEV and above.mount is not mount:
                raise Errno(EXDEV)
            mount, dentry = above.mount, above.dentry
            continue
        child = children.get(part)
        if child is None or dentry.volatile:
            child = _look_up(dentry, part)
        inode = child.inode
        if inode is None:
            if missing and not any(parts[index:]):
                if index < count:  # a link's target that ends in a slash
                    raise Errno(EISDIR)
                return mount, child
            raise Errno(ENOENT)
        if inode.mode & S_IFMT == S_IFLNK and (follow or index < count):
            links += 1
            if links > SYMLINKS_MAX or resolve & RESOLVE_NO_SYMLINKS or mount.flags & MS_NOSYMFOLLOW:
                raise Errno(ELOOP)
            if settings.values["protected_symlinks"] and not any(parts[index:]):
                check_follow(acting(task, mount), dentry.inode, inode)  # type: ignore[arg-type]
            target = inode.follow(task)
            accessed(mount, inode)
            if isinstance(target, Path):
                if resolve & RESOLVE_NO_MAGICLINKS:
                    raise Errno(ELOOP)
                if resolve & _SCOPED or (resolve & RESOLVE_NO_XDEV and target.mount is not mount):
                    raise Errno(EXDEV)
                mount, dentry = target.mount, target.dentry
                continue
            if not target:
                raise Errno(ENOENT)
            if target[:1] == b"/":
                if resolve & RESOLVE_BENEATH or (resolve & RESOLVE_NO_XDEV and highest.mount is not mount):
                    raise Errno(EXDEV)
                mount, dentry = highest.mount, highest.dentry
            parts = target.split(b"/") + parts[index:]
            index, count = 0, len(parts)
            continue
        dentry = child
        while dentry.mounted:
            upper = mount.mounts.get(dentry)
            if upper is None:
                break
            if resolve & RESOLVE_NO_XDEV:
                raise Errno(EXDEV)
            mount, dentry = upper, upper.root
    return mount, dentry


def _look_up(dentry: Dentry, name: bytes) -> Dentry:
    """Ask the file system; cache the answer."""
    if len(name) > NAME_MAX:
        raise Errno(ENAMETOOLONG)
    inode = None
    try:
        inode = dentry.inode.lookup(name)  # type: ignore[union-attr]  # it has children
    except Errno as error:
        if error.code != ENOENT:
            raise
    if dentry.volatile:
        known = dentry.children.get(name)  # type: ignore[union-attr]
        if known is not None:
            if known.inode is inode or known.mounted:
                return known
            known.detach(absent=False)
        if inode is None:
            return Dentry(name, dentry, None)
    return dentry.attach(name, inode)


def open_path(task: Task, path: Path, flags: int, created: bool = False, allowed: bool = False) -> File:
    """A new open file description of an existing file.

    FIFOs may answer with a coroutine that waits for the other end; open(2)'s handlers expect that.

    Args:
        flags: of open(2), known ones only.
        created: the file is new: its permission bits do not apply to this open.
        allowed: fanotify's listeners have allowed it.

    Raises Errno: EACCES, ELOOP, EISDIR, ENOTDIR, EROFS, EPERM, and what the file itself raises.
    """
    inode = path.inode
    kind = inode.mode & S_IFMT
    if flags & O_DIRECTORY and kind != S_IFDIR:
        raise Errno(ENOTDIR)
    if flags & O_PATH:
        place = PathFile(flags, path)
        place.opener = task.creds
        return place
    if kind == S_IFLNK:
        raise Errno(ELOOP)
    access = flags & O_ACCMODE
    if access == O_RDONLY:
        wanted = ACCESS_READ
    else:
        wanted = ACCESS_WRITE if access == O_WRONLY else ACCESS_READ | ACCESS_WRITE
    if flags & O_TRUNC:
        wanted |= ACCESS_WRITE
    if kind == S_IFDIR:
        if wanted & ACCESS_WRITE or flags & O_CREAT:
            raise Errno(EISDIR)
    elif kind in (S_IFCHR, S_IFBLK) and path.mount.flags & MS_NODEV:
        raise Errno(EACCES)
    elif wanted & ACCESS_WRITE and kind == S_IFREG and path.mount.readonly:
        raise Errno(EROFS)
    if not created:
        check(acting(task, path.mount), inode, wanted)
        if inode.fs_flags & FS_APPEND_FL and (
            flags & O_TRUNC or (access != O_RDONLY and not flags & O_APPEND)
        ):
            raise Errno(EPERM)
    if flags & O_NOATIME:
        check_owner(acting(task, path.mount), inode)
    writes = bool(wanted & ACCESS_WRITE)
    denied = 0
    if task.creds.landlock:
        truncates = bool(flags & O_TRUNC) and kind == S_IFREG and not created
        asked = ACCESS_READ if access == O_RDONLY else wanted
        denied = landlock.check_open(task, path, asked, truncates)
    if inode.wary:
        if writes:
            text_busy.check_writable(inode)
        if leases.conflicts(inode, access != O_RDONLY):
            return _open_broken(task, path, flags, created)  # type: ignore[return-value]
    if notify.level > 1 and not allowed:
        waits = notify.questions(path, FAN_OPEN_PERM)
        if waits:
            return _open_asked(task, path, flags, created, waits)  # type: ignore[return-value]
    if flags & O_TRUNC and kind == S_IFREG and not created:
        drop_privileges(task, inode)
        inode.setattr(size=0)
    if flags & O_DIRECT and kind == S_IFIFO:
        raise Errno(EINVAL)
    file = inode.open(task, path, flags)
    if isinstance(file, File):
        if flags & O_DIRECT and not file.can_direct:
            raise Errno(EINVAL)
        file.created = created
        file.opener = task.creds
        file.denied = denied
    if notify.level and isinstance(file, File):
        notify.opened(file, bool(flags & O_TRUNC) and kind == S_IFREG and not created)
    return file


async def _open_asked(
    task: Task, path: Path, flags: int, created: bool, waits: list[notify.Question]
) -> File:
    """`open_path` once everybody who is asked has allowed it."""
    await notify.answers(task, waits)
    answer: object = open_path(task, path, flags, created, allowed=True)
    return answer if isinstance(answer, File) else await answer  # type: ignore[misc]


async def _open_broken(task: Task, path: Path, flags: int, created: bool) -> File:
    """`open_path` once the leases that stand against it are broken."""
    await leases.broken(task, path.inode, flags & O_ACCMODE != O_RDONLY, flags)
    answer: object = open_path(task, path, flags, created)
    return answer if isinstance(answer, File) else await answer  # type: ignore[misc]
