"""What the files about pressure have in common (Linux, accounting/psi): the text, and triggers.

Nothing here ever waits for memory, for a disk or, as far as the sentry can tell, for a CPU: all times are 0,
and a trigger is taken, checked and never fires.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL, EIO

from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.fcntl import POLLERR, POLLPRI
from sentry.errors import Errno
from sentry.fs.kernfs import KernfsFile
from sentry.fs.pseudo import TextFile, TextInode, Unspliced, fixed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.mounts.mount import FileSystem
    from sentry.vfs.path import Path

_LINE = b"%b avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
CALM = _LINE % b"some" + _LINE % b"full"
_WITHOUT_TRIGGER = POLLERR | POLLPRI
_TEXT_MAX = 32  # bytes of a trigger that /proc takes, of which the last one is overwritten
_WINDOW_MAX = 10_000_000  # us
_SLOW_WINDOW = 2_000_000  # whoever has no privilege needs a multiple of this


def check_trigger(task: Task, text: bytes) -> None:
    """EINVAL unless it is "some" or "full", a threshold and a window in us."""
    if text[:4] not in (b"some", b"full"):
        raise Errno(EINVAL)
    threshold, rest = _number(text[4:])
    window, _ = _number(rest)
    if not 0 < window <= _WINDOW_MAX or not 0 < threshold <= window:
        raise Errno(EINVAL)
    if window % _SLOW_WINDOW and not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(EINVAL)


def _number(text: bytes) -> tuple[int, bytes]:
    """What scanf's %u makes of the beginning, and what follows it."""
    text = text.partition(b"\0")[0].lstrip()
    count = 0
    while text[count : count + 1].isdigit():
        count += 1
    if not count:
        raise Errno(EINVAL)
    return int(text[:count]) & 0xFFFFFFFF, text[count:]


class _ProcFile(TextFile):
    """A file of /proc/pressure: one trigger for each open file."""

    __slots__ = ("_has_trigger",)

    def __init__(self, flags: int, path: Path, inode: TextInode) -> None:
        super().__init__(flags, path, inode)
        self._has_trigger = False

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        if pos is not None:
            raise Errno(EIO)
        if not data:
            raise Errno(EINVAL)
        if self._has_trigger:
            raise Errno(EBUSY)
        check_trigger(task, data[:_TEXT_MAX][:-1])
        self._has_trigger = True
        return len(data)

    def poll(self) -> int:
        return super().poll() | (0 if self._has_trigger else _WITHOUT_TRIGGER)


class _ProcInode(TextInode):
    __slots__ = ()

    spliceable = False

    def __init__(self, fs: FileSystem, how: Unspliced) -> None:
        super().__init__(fs, how.show, lambda task, data: None, 0o666)

    def open(self, task: Task, path: Path, flags: int) -> File:
        return _ProcFile(flags, path, self)


PROC_FILE = Unspliced(fixed(CALM), kind=_ProcInode)


class CgroupFile(KernfsFile):
    """The same of a control group."""

    __slots__ = ("_has_trigger",)

    def __init__(self, flags: int, path: Path, inode: TextInode) -> None:
        super().__init__(flags, path, inode)  # type: ignore[arg-type]
        self._has_trigger = False

    def write(self, task: Task, data: bytes, pos: int | None) -> int:
        if data and self._has_trigger:
            raise Errno(EBUSY)
        written = super().write(task, data, pos)
        self._has_trigger = self._has_trigger or bool(data)
        return written

    def poll(self) -> int:
        return TextFile.poll(self) | (0 if self._has_trigger else _WITHOUT_TRIGGER)
