"""Programs that run can't be written to: ETXTBSY (open(2), truncate(2))."""

from __future__ import annotations

from errno import ETXTBSY

from sentry.errors import Errno
from sentry.vfs.path import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import Inode
    from sentry.vfs.mounts.mount import Mount
    from sentry.vfs.path import Dentry

_running: dict[Inode, int] = {}


class ProgramPath(Path):
    """The place of the program that an address space runs, which is busy as long as this exists."""

    __slots__ = ("_inode",)

    def __init__(self, mount: Mount, dentry: Dentry) -> None:
        super().__init__(mount, dentry)
        inode = self._inode = self.inode
        _running[inode] = _running.get(inode, 0) + 1
        inode.wary += 1

    def __del__(self) -> None:
        inode = self._inode
        inode.wary -= 1
        _running[inode] -= 1
        if not _running[inode]:
            del _running[inode]

    def place(self) -> Path:
        """The same place, for those who don't run it."""
        return Path(self.mount, self.dentry)


def check_writable(inode: Inode) -> None:
    """ETXTBSY for a program that runs."""
    if inode in _running:
        raise Errno(ETXTBSY)
