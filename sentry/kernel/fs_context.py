"""What a task's paths start from (CLONE_FS shares it): root, working directory and umask."""

from __future__ import annotations

from sentry import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.mount import MountNamespace
    from sentry.vfs.path import Path


class FsContext(_core.FsContextBase):
    """Root and working directory (path_resolution(7)), umask (umask(2)), and the mounts that are seen."""

    __slots__ = ()

    namespace: MountNamespace
    root: Path
    cwd: Path

    def __init__(self, namespace: MountNamespace, root: Path, cwd: Path, umask: int = 0o022) -> None:
        super().__init__()
        self.namespace = namespace
        self.root = root
        self.cwd = cwd
        self.umask = umask

    def copy(self) -> FsContext:
        return FsContext(self.namespace, self.root, self.cwd, self.umask)
