"""Trees of mounts that are nowhere: what open_tree(2) and fsmount(2) give a descriptor of."""

from __future__ import annotations

from sentry.abi.fcntl import O_PATH
from sentry.vfs.file import PathFile
from sentry.vfs.mounts.mount import Mount
from sentry.vfs.mounts.mount_namespace import detach, unmount
from sentry.vfs.mounts.mount_tree import subtree
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


class DetachedTree(PathFile):
    """The root of a tree, as if opened with O_PATH; the tree ends with it, unless it was moved somewhere."""

    __slots__ = ("_namespace",)

    def __init__(self, task: Task, tree: Mount) -> None:
        super().__init__(O_PATH, Path(tree, tree.root))
        self._namespace = detach(tree, task.ns.mnt.owner)

    def release(self) -> None:
        namespace = self._namespace
        if namespace.mounts:
            unmount(list(subtree(namespace.base)), connected=True)
