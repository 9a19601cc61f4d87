"""The open files of a pseudoterminal's two ends."""

from __future__ import annotations

from errno import EINVAL, EIO

from sentry.abi.fcntl import O_CLOEXEC, O_DIRECT, O_NOCTTY, O_NONBLOCK, O_PATH
from sentry.abi.ioctl import (
    FIONREAD,
    TIOCGPKT,
    TIOCGPTLCK,
    TIOCGPTN,
    TIOCGPTPEER,
    TIOCOUTQ,
    TIOCPKT,
    TIOCSIG,
    TIOCSPTLCK,
)
from sentry.abi.poll import POLLERR, POLLHUP, POLLPRI, READABLE, WRITABLE
from sentry.abi.signal import SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU
from sentry.abi.termios import ICANON, TIOCPKT_DATA, TOSTOP, VMIN, VTIME
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.tty.attributes import attribute_ioctl, check_exclusive
from sentry.tty.pty import ARRIVED_MAX, Pty
from sentry.tty.read_timer import ReadTimer
from sentry.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path


class SlaveFile(File):
    """The end that programs use as their terminal."""

    __slots__ = ("_hangups", "_timer", "pty")

    gives = True
    takes = True
    can_signal = True
    can_nowait = False

    def __init__(self, flags: int, path: Path, inode: Inode, pty: Pty) -> None:
        super().__init__(flags, path, inode)
        self.pty = pty
        self.queue = pty.queue
        self._hangups = pty.hangups
        self._timer = ReadTimer(pty.queue)
        pty.slave_opened()

    def is_dead(self) -> bool:
        """Whether the terminal was hung up since this file was opened."""
        return self._hangups != self.pty.hangups

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        pty = self.pty
        if self.is_dead() or not count:
            return b""
        pty.check_background(task, SIGTTIN)
        line = pty.line
        if line.termios.lflag & ICANON:
            return pty.take_input(count) if line.available() else WOULD_BLOCK
        cc = line.termios.cc
        minimum, have = min(cc[VMIN], count), line.readable()
        if have and (have >= minimum or self.flags & O_NONBLOCK):
            return pty.take_input(count)
        if cc[VTIME]:
            if self.flags & O_NONBLOCK or not self._timer.expired(task, cc[VTIME], have, bool(cc[VMIN])):
                return WOULD_BLOCK
            return pty.take_input(count)
        return WOULD_BLOCK if minimum else b""

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        pty = self.pty
        if self.is_dead() or not pty.master_open:
            raise Errno(EIO)
        if pty.line.termios.lflag & TOSTOP:
            pty.check_background(task, SIGTTOU)
        if not data:
            return 0
        room = pty.output_room()
        if not room:
            return WOULD_BLOCK
        pty.show(data[:room])
        return min(room, len(data))

    def signal_reason(self, events: int) -> int:
        return 0 if self.is_dead() else super().signal_reason(events)

    def poll(self) -> int:
        pty = self.pty
        if self.is_dead():
            return READABLE | WRITABLE | POLLERR | POLLHUP
        events = READABLE if pty.line.available(poll=True) else 0
        if not pty.master_open:
            events |= POLLHUP
        elif pty.output_room():
            events |= WRITABLE
        return events

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        pty = self.pty
        if self.is_dead():
            raise Errno(EIO)
        if request == FIONREAD:
            task.write_u32(arg, pty.line.readable())
            return 0
        if request == TIOCOUTQ:
            task.write_u32(arg, 0)  # what was written is at the master at once
            return 0
        if request == TIOCGPTPEER:
            raise Errno(EIO)
        if not attribute_ioctl(pty, task, request, arg, master=False):
            pty.session_ioctl(task, request, arg, self.readable)
        return 0

    def release(self) -> None:
        if hasattr(self, "pty"):
            self.pty.slave_closed()


class MasterFile(File):
    """The end of the terminal emulator."""

    __slots__ = ("_on_release", "_slave_path", "pty")

    gives = True
    takes = True
    can_signal = True
    can_nowait = False

    def __init__(
        self, flags: int, path: Path, inode: Inode, pty: Pty, slave_path: Callable[[Task], Path | None],
        on_release: Callable[[], None],
    ) -> None:  # fmt: skip
        """`slave_path`: where the slave is for a task, for TIOCGPTPEER; on_release: the pair is gone."""
        super().__init__(flags, path, inode)
        self.pty = pty
        self.queue = pty.master_queue
        self._slave_path = slave_path
        self._on_release = on_release

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        pty = self.pty
        if not count:
            return b""
        if pty.packet and pty.events:
            events, pty.events = pty.events, 0
            return bytes((events,))
        if not pty.output:
            if pty.slave_gone():
                raise Errno(EIO)
            return WOULD_BLOCK
        if pty.packet:
            return bytes((TIOCPKT_DATA,)) + pty.take_output(count - 1)
        return pty.take_output(count)

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        if not data:
            return 0
        return self.pty.type(data) or WOULD_BLOCK  # without a slave, too: who opens it next reads that

    def poll(self) -> int:
        pty = self.pty
        events = READABLE if pty.output else 0
        if pty.packet and pty.events:
            events |= READABLE | POLLPRI
        if pty.slave_gone():
            events |= POLLHUP
        if pty.input_room():
            events |= WRITABLE
        return events

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        pty = self.pty
        if request == TIOCGPTN:
            task.write_u32(arg, pty.index)
        elif request == TIOCSPTLCK:
            pty.locked = bool(task.read_u32(arg))
        elif request == TIOCGPTLCK:
            task.write_u32(arg, pty.locked)
        elif request == TIOCGPTPEER:
            return self._open_peer(task, arg)
        elif request == TIOCPKT:
            packet = bool(task.read_u32(arg))
            if packet and not pty.packet:
                pty.events = 0
            pty.packet = packet
        elif request == TIOCGPKT:
            task.write_u32(arg, pty.packet)
        elif request == TIOCSIG:
            if arg not in (SIGINT, SIGQUIT, SIGTSTP):
                raise Errno(EINVAL)
            pty.signal_foreground(arg)
        elif request == FIONREAD:
            task.write_u32(arg, min(len(pty.output), ARRIVED_MAX))
        elif request == TIOCOUTQ:
            task.write_u32(arg, 0)
        elif not attribute_ioctl(pty, task, request, arg, master=True):
            pty.session_ioctl(task, request, arg, self.readable, master=True)
        return 0

    def _open_peer(self, task: Task, arg: int) -> int:
        """A descriptor of the slave without going by its name (ioctl_tty(2), TIOCGPTPEER)."""
        flags = arg & 0x7FFFFFFF  # an int; no flag has its sign
        if flags & O_DIRECT and not flags & O_PATH:
            raise Errno(EINVAL)
        path = self._slave_path(task)
        if path is None:
            raise Errno(EIO)
        file = open_slave(task, self.pty, path.inode, path, flags)
        file.flags |= flags & O_CLOEXEC  # which F_GETFL shows, as nowhere else
        return task.files.install(file, bool(flags & O_CLOEXEC))

    def release(self) -> None:
        if hasattr(self, "pty"):
            self.pty.master_closed()
            self._on_release()


def open_slave(task: Task, pty: Pty, inode: Inode, path: Path, flags: int) -> SlaveFile:
    """Open the slave, maybe as the controlling terminal.  EIO: locked, or the master is closed."""
    if pty.locked or not pty.master_open:
        raise Errno(EIO)
    check_exclusive(pty, task)
    file = SlaveFile(flags, path, inode, pty)
    if not flags & O_NOCTTY and file.readable and pty.may_acquire(task):
        pty.acquire(task.group)
    return file
