"""/proc/locks (proc_locks(5)): who holds which lock on which file, and who waits for it."""

from __future__ import annotations

from sentry.abi.stat import major, minor
from sentry.vfs import leases, locks
from sentry.vfs.lock_state import TO_THE_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def show_locks(task: Task) -> bytes:
    """A line a lock, those that wait for it below; without locks of processes that the reader can't see."""
    lines = []
    count = 0
    for held in locks.every() + leases.every():
        count += not held.waits
        pid = held.pid if held.pid == -1 else task.number(held.pid)
        if not pid:
            continue
        inode = held.inode
        lines.append(
            b"%d: %b%b %b %d %02x:%02x:%d %d %b\n"
            % (
                count,
                b"-> " if held.waits else b"",
                held.what,
                held.access,
                pid,
                major(inode.dev),
                minor(inode.dev),
                inode.ino,
                held.start,
                b"EOF" if held.end == TO_THE_END else b"%d" % held.end,
            )
        )
    return b"".join(lines)
