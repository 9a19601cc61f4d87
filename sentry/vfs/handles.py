"""File handles (open_by_handle_at(2)): a file's number, and a stamp that tells its file system from others.

A file of a memory file system is found again by searching its tree; what an overlay has not changed may have
been forgotten meanwhile, so that names it was last known by are remembered for some files.
"""

from __future__ import annotations

from errno import EOPNOTSUPP, ESTALE
from struct import Struct

from sentry.abi.pidfd import FILEID_KERNFS
from sentry.errors import Errno
from sentry.fs.memory import MemoryFileSystem
from sentry.fs.memory_directory import MemoryDirectory
from sentry.fs.overlay import OverlayFs
from sentry.kernel import pidfd
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.path import Dentry, Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.inode import Inode

INO32_GEN = 1  # FILEID_INO32_GEN: stamp, low and high half of the number
INO64_GEN = 0x81  # FILEID_INO64_GEN: number, stamp; not to be opened
MAX_HANDLE_SIZE = 128
KEPT_MAX = 1024
_HANDLE = Struct("=III")
_HANDLE_64 = Struct("=QI")
_NUMBER = Struct("=Q")
SIZE = _HANDLE.size


def _stamp(inode: Inode) -> int:
    """What differs between a file and a later one with the same number."""
    return (inode.btime ^ inode.fs.dev * 0x9E3779B1) & 0xFFFFFFFF


def encode(place: Path, openable: bool) -> tuple[int, bytes]:
    """(type, handle) of a file; EOPNOTSUPP: to be `openable`, on a file system that can't find it."""
    inode = place.inode
    if isinstance(inode.fs, MemoryFileSystem) and not inode.fs.anonymous:
        if openable and isinstance(inode.fs, OverlayFs):
            _keep(inode.fs, place.dentry)
        return handle_of(inode)
    if isinstance(inode, pidfd.PidInode):
        return FILEID_KERNFS, _NUMBER.pack(inode.ino)
    if openable:
        raise Errno(EOPNOTSUPP)
    return handle_of(inode)


def handle_of(inode: Inode) -> tuple[int, bytes]:
    """(type, handle) of a file that is known, to be compared (name_to_handle_at(2), AT_HANDLE_FID)."""
    if isinstance(inode.fs, MemoryFileSystem) and not inode.fs.anonymous:
        return INO32_GEN, _HANDLE.pack(_stamp(inode), inode.ino & 0xFFFFFFFF, inode.ino >> 32)
    return INO64_GEN, _HANDLE_64.pack(inode.ino, _stamp(inode))


def _keep(fs: OverlayFs, dentry: Dentry) -> None:
    """The name stays in the dentry cache, and with it the file's number in a directory of a lower layer."""
    kept = fs.handed_out
    kept.pop(dentry, None)
    kept[dentry] = None
    for gone in [known for known in kept if known.deleted]:
        del kept[gone]
    while len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]


def decode(mount: Mount, kind: int, handle: bytes) -> Path:
    """The file of `mount` with this handle; ESTALE: there is none (any more)."""
    fs = mount.fs
    if not isinstance(fs, MemoryFileSystem) or fs.anonymous or kind != INO32_GEN or len(handle) < SIZE:
        raise Errno(ESTALE)
    stamp, low, high = _HANDLE.unpack_from(handle)
    dentry = _find(fs.root, low | high << 32)
    if dentry is None or dentry.inode is None or _stamp(dentry.inode) != stamp:
        raise Errno(ESTALE)
    if not dentry.is_below(mount.root):
        mount = Mount(
            fs, fs.root, mount.attributes, mount.source, mount.idmap
        )  # nowhere, but what holds for it holds still
    return Path(mount, dentry)


def decode_pidfd(task: Task, kind: int, handle: bytes) -> Path:
    """The file of the process that the task can see and that has this handle; ESTALE: there is none."""
    if kind != FILEID_KERNFS or len(handle) < _NUMBER.size:
        raise Errno(ESTALE)
    (ino,) = _NUMBER.unpack_from(handle)
    for thread in task.kernel.tasks.values():
        holder = thread.group if thread is thread.group.leader else thread
        if holder.identity is not None and holder.identity.ino == ino and task.number(thread.tid):
            return pidfd.place(thread.group, None if thread is thread.group.leader else thread)
    raise Errno(ESTALE)


def _find(root: Dentry, ino: int) -> Dentry | None:
    """The name of the file with this number, as far as directories are known."""
    waiting = [root]
    while waiting:
        dentry = waiting.pop()
        inode = dentry.inode
        assert inode is not None
        if inode.ino == ino:
            return dentry
        if isinstance(inode, MemoryDirectory):
            for name, child in inode.names.items():
                if child is not None and (child.ino == ino or isinstance(child, MemoryDirectory)):
                    waiting.append(_named(dentry, name, child))
    return None


def _named(directory: Dentry, name: bytes, inode: Inode) -> Dentry:
    assert directory.children is not None
    known = directory.children.get(name)
    return known if known is not None and known.inode is inode else directory.attach(name, inode)
