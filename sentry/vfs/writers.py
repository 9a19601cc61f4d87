"""Who has files open for writing: what may not become read-only under them (mount(2), EBUSY)."""

from __future__ import annotations

from sentry.abi.stat import S_IFDIR, S_IFMT, S_IFREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.kernel import Kernel
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import Mount


def has_writers(kernel: Kernel, concerns: Callable[[Mount], bool]) -> bool:
    """Whether some task has a file open for writing, or mapped so, on a mount that `concerns` names."""
    tables = {task.files for task in kernel.tasks.values() if task.files is not None}
    return any(_writes(file, concerns) for table in tables for _, file in table.items())


def _writes(file: File, concerns: Callable[[Mount], bool]) -> bool:
    path = file.path
    if path is None or not file.writable or path.inode.mode & S_IFMT not in (S_IFREG, S_IFDIR):
        return False
    return concerns(path.mount)
