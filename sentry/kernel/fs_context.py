"""What a task's paths start from (CLONE_FS shares it): root, working directory and umask."""

from __future__ import annotations

from sentry import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.path import Path


class FsContext(_core.FsContextBase):
    """Root and working directory (path_resolution(7)), umask (umask(2))."""

    __slots__ = ()

    root: Path
    cwd: Path

    def __init__(self, root: Path, cwd: Path, umask: int = 0o022) -> None:
        super().__init__()
        self.root = root
        self.cwd = cwd
        self.umask = umask

    def copy(self) -> FsContext:
        return FsContext(self.root, self.cwd, self.umask)
