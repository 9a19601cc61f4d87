"""Who may move processes between control groups: cgroup.procs and cgroup.threads (cgroups(7), "Delegation
containment rules").
"""

from __future__ import annotations

from errno import EACCES, ENODEV, ENOENT

from sentry.abi.capability import CAP_DAC_OVERRIDE
from sentry.abi.stat import ACCESS_WRITE
from sentry.errors import Errno
from sentry.fs import cgroup_files
from sentry.fs.kernfs import KernfsFile
from sentry.kernel.cgroups.cgroup import Cgroup, namespace_root
from sentry.vfs.permissions import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.fs.cgroup import CgroupDirectory, MembersInode
    from sentry.kernel.creds import Creds
    from sentry.kernel.task import Task
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

PROCS = b"cgroup.procs"


def check_move(creds: Creds, root: Cgroup, fs: FileSystem, source: Cgroup, target: Cgroup) -> None:
    """May a process be moved?  EACCES, ENOENT.

    Args:
        creds: who must be able to write to the cgroup.procs of the lowest group that both groups are in.
        root: of the cgroup namespace, beyond which nothing can be moved.
        fs: where the file was opened.
    """
    above = target.lineage()
    common = next(group for group in source.lineage() if group in above)
    directory = _directory(fs, common)
    if directory is not None:
        check(creds, directory.lookup(PROCS), ACCESS_WRITE)
    elif not creds.has_cap(CAP_DAC_OVERRIDE):
        raise Errno(EACCES)
    if root not in source.lineage() or root not in above:
        raise Errno(ENOENT)


def _directory(fs: FileSystem, group: Cgroup) -> CgroupDirectory | None:
    """Of a group; None: it is not below the one that the file system shows."""
    directory: CgroupDirectory = fs.root.inode  # type: ignore[assignment]
    lineage = group.lineage()
    if directory.cgroup not in lineage:
        return None
    for below in reversed(lineage[: lineage.index(directory.cgroup)]):
        directory = directory.lookup(below.name)  # type: ignore[assignment]
    return directory


class MembersFile(KernfsFile):
    """It acts with the rights of who opened it."""

    __slots__ = ("_creds", "_root")

    inode: MembersInode

    def __init__(self, flags: int, path: Path, inode: MembersInode, task: Task) -> None:
        super().__init__(flags, path, inode)
        self._creds = task.creds
        self._root = namespace_root(task)

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        if self.inode.is_gone():
            raise Errno(ENODEV)
        if data:
            source = cgroup_files.find(task, data).group.cgroup
            check_move(self._creds, self._root, self.inode.fs, source, self.inode.group)
        return super().write(task, data, pos)
