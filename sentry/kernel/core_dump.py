"""Writing core files (core(5)).

As on Linux a signal that ends a process with a core is taken by one of its threads; the others are held until
the file is written.
"""

from __future__ import annotations

from sentry._core import NO_RESULT
from sentry.abi.core import CORE_DUMPED
from sentry.abi.fcntl import AT_FDCWD, O_CREAT, O_EXCL, O_LARGEFILE, O_NOFOLLOW, O_RDWR
from sentry.abi.mman import PAGE_SIZE
from sentry.abi.resource import RLIMIT_CORE
from sentry.errors import Errno
from sentry.kernel import core_image
from sentry.kernel.cgroups import freezer
from sentry.kernel.core_pattern import name_for
from sentry.kernel.wait import INTERRUPTED, suspend
from sentry.vfs import namespace
from sentry.vfs.file import File
from sentry.vfs.namei import walk_parent
from sentry.vfs.open import open_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.core_image import Piece
    from sentry.kernel.signals.siginfo import SigInfo
    from sentry.kernel.task import Task

_FLAGS = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_LARGEFILE
_WINDOW = 4 << 20  # bytes of memory looked at between two chances for others to run
_PIECE = 1 << 18
_TICK = 1_000_000  # ns
_PATIENCE = 2000  # ticks, for threads that run


async def dump(task: Task, info: SigInfo) -> object:
    """End the process by the signal that `task` has taken, with a core where one can be written."""
    group, status = task.group, info.signo
    freezer.set_hold(group, freezer.DUMPING, True)
    try:
        if await _others_stopped(task):
            file = _create(task, info)
            if file is not None and await _write(task, file, info):
                status |= CORE_DUMPED
    except Errno:
        pass  # nobody is told but by the status
    finally:
        group.begin_exit(status)
        freezer.set_hold(group, freezer.DUMPING, False)
    return NO_RESULT


async def _others_stopped(task: Task) -> bool:
    """Wait until no other thread runs guest code; False: the process is killed, or it takes too long."""
    others = [other for other in task.group.tasks if other is not task]
    for _ in range(_PATIENCE):
        if not any(other.ctx is not None and other.ctx.running for other in others):
            return not task.group.exiting
        if not await _pause(task, _TICK):
            return False
    return False


async def _pause(task: Task, length: int) -> bool:
    """Let others run; False: the process is being killed."""
    deadline = task.kernel.clock.monotonic() + length
    return await suspend(task, deadline, interruptible=False) != INTERRUPTED


def _create(task: Task, info: SigInfo) -> File | None:
    """The new file, in the place of one that has its name; Errno."""
    name = name_for(task, info)
    try:
        parent, last = walk_parent(task, AT_FDCWD, name)
        namespace.unlink(task, parent, last, name.endswith(b"/"))
    except Errno:
        pass  # there was none, or it stays
    file: object = open_at(task, AT_FDCWD, name, _FLAGS, 0o600)
    if not isinstance(file, File):
        file.close()  # type: ignore[attr-defined]  # somebody must be asked first
        return None
    inode = file.stat_inode()
    if inode.uid != task.creds.fsuid or inode.mode & 0o677 != 0o600:
        return None  # a file system where it belongs to others
    return file


async def _write(task: Task, file: File, info: SigInfo) -> bool:
    """Write it all, up to RLIMIT_CORE bytes, but for pages that are not there; False: nothing was written."""
    writer = _Writer(task, file, task.group.rlimit(RLIMIT_CORE))
    found = core_image.pieces(task)
    head, start = core_image.head(found, core_image.notes(task, info))
    if not writer.put(0, head):
        return writer.written > 0
    at = start
    for piece in found:
        if not await _write_piece(writer, piece, at):
            return True
        at += piece.size
    file.truncate(at)
    return True


async def _write_piece(writer: _Writer, piece: Piece, at: int) -> bool:
    """One mapping's memory; False once no more may be written."""
    task, first = writer.task, piece.vma.start
    end = first + piece.size
    through = core_image.is_read_through(piece.vma) and piece.size <= writer.through
    if through:
        writer.through -= piece.size
    for window in range(first, end, _WINDOW):
        limit = min(window + _WINDOW, end)
        for start, stop in [(window, limit)] if through else core_image.present(task, window, limit):
            for address in range(start, stop, _PIECE):
                try:
                    data = task.ctx.read(address, min(_PIECE, stop - address))
                except Errno:
                    continue
                if not writer.put(at + address - first, data):
                    return False
        writer.looked += min(_WINDOW, end - window)
        if writer.looked >= _WINDOW:
            writer.looked = 0
            if not await _pause(task, 0):
                return False
    return True


class _Writer:
    """The file, and how much of it may still be written."""

    __slots__ = ("_file", "_left", "looked", "task", "through", "written")

    def __init__(self, task: Task, file: File, limit: int) -> None:
        self.task = task
        self._file = file
        self._left = limit
        self.written = 0
        self.looked = 0  # bytes since others could run
        self.through = core_image.THROUGH_MAX

    def put(self, at: int, data: bytes) -> bool:
        """False: the limit is reached, or the file takes no more.  Of memory whole pages are written."""
        most = self._left // PAGE_SIZE * PAGE_SIZE if at else self._left
        fits = data[:most]
        ends = len(fits) < len(data)
        try:
            while fits:
                count = self._file.write(self.task, fits, at)
                if type(count) is not int or count <= 0:
                    return False
                self._left -= count
                self.written += count
                at += count
                fits = fits[count:]
        except Errno:
            return False
        return not ends
