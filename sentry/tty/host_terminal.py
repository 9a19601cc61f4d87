"""The caller's terminal as the guest's: the host's line discipline, our sessions and job control.

Attributes and window size are passed through to the host, in a fixed list of requests; which guest process is
in the foreground is ours to know, as the host sees only the sentry.
"""

from __future__ import annotations

import os
from errno import EIO, EPERM
from fcntl import ioctl

from sentry.abi.fcntl import O_ACCMODE, O_NOCTTY, O_RDWR
from sentry.abi.ioctl import (
    FIONREAD,
    TCFLSH,
    TCGETA,
    TCGETS,
    TCGETS2,
    TCSBRK,
    TCSBRKP,
    TCSETA,
    TCSETAF,
    TCSETAW,
    TCSETS,
    TCSETS2,
    TCSETSF,
    TCSETSF2,
    TCSETSW,
    TCSETSW2,
    TCXONC,
    TIOCGWINSZ,
    TIOCOUTQ,
    TIOCSTI,
    TIOCSWINSZ,
)
from sentry.abi.poll import ANY_EVENT, POLLERR, POLLHUP, POLLIN, POLLOUT, READABLE, WRITABLE
from sentry.abi.signal import SIGTTIN, SIGTTOU
from sentry.abi.stat import UNIX98_SLAVE_MAJOR, makedev
from sentry.abi.termios import (
    ICANON,
    TERMIO,
    TERMIOS,
    TERMIOS2,
    TOSTOP,
    VMIN,
    VTIME,
    WINSIZE,
    Termios,
    unpack,
)
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK
from sentry.tty.read_timer import ReadTimer
from sentry.tty.terminal import Terminal
from sentry.vfs.file import File
from sentry.vfs.host_call import host
from sentry.vfs.host_watch import HostWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.reactor import Reactor
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path

# Guest requests that set attributes: the size of their structure, and the host's request for the same.
_SETS = {
    TCSETS: (TERMIOS.size, TCSETS), TCSETSW: (TERMIOS.size, TCSETSW), TCSETSF: (TERMIOS.size, TCSETSF),
    TCSETS2: (TERMIOS2.size, TCSETS), TCSETSW2: (TERMIOS2.size, TCSETSW), TCSETSF2: (TERMIOS2.size, TCSETSF),
    TCSETA: (TERMIO.size, TCSETS), TCSETAW: (TERMIO.size, TCSETSW), TCSETAF: (TERMIO.size, TCSETSF),
}  # fmt: skip
_ORDERS = (TCSBRK, TCXONC, TCFLSH)  # with a number for an argument
_CHANGES = frozenset((*_SETS, *_ORDERS, TCSBRKP))
_WRITE_MAX = 1024  # a ready terminal takes this much without blocking for long
_READ_MAX = 4096


class HostTerminal(Terminal):
    """The terminal behind one or several of the caller's descriptors."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__()
        self.watches: dict[int, HostWatch] = {}  # by access mode
        self._reactor = reactor

    def add(self, fd: int, flags: int) -> HostWatch:
        """One more descriptor of this terminal, open as `flags` says."""
        watch = HostWatch(self._reactor, fd)
        self.watches.setdefault(flags & O_ACCMODE, watch)
        return watch

    def open(self, task: Task, inode: Inode, path: Path, flags: int) -> File:
        watch = self.watches.get(flags & O_ACCMODE) or self.watches.get(O_RDWR)
        if watch is None:
            raise Errno(EIO)
        file = HostTerminalFile(flags, path, inode, self, watch)
        if not flags & O_NOCTTY and file.readable and self.may_acquire(task):
            self.acquire(task.group)
        return file

    def file(self, path: Path, watch: HostWatch, flags: int) -> File:
        """The caller's own description behind `watch` as the guest's file."""
        return HostTerminalFile(flags, path, path.inode, self, watch)

    def name_as_slave(self, index: int) -> None:
        """It is /dev/pts/`index` in the guest."""
        self.number = makedev(UNIX98_SLAVE_MAJOR, index)

    def hang_up(self) -> None:
        self.lose_session()
        self.hangups += 1
        for watch in self.watches.values():
            watch.queue.wake(ANY_EVENT)


def attributes(fd: int) -> Termios:
    """The host terminal's attributes now; EIO once it is hung up."""
    return unpack(host(ioctl, fd, TCGETS, bytes(TERMIOS.size)))


class HostTerminalFile(File):
    """An open description of the caller's terminal."""

    __slots__ = ("_hangups", "_timer", "_watch", "terminal")

    gives = True
    takes = True
    can_signal = True

    def __init__(
        self, flags: int, path: Path, inode: Inode, terminal: HostTerminal, watch: HostWatch
    ) -> None:
        super().__init__(flags, path, inode)
        self.terminal = terminal
        self._watch = watch
        self.queue = watch.queue
        self._hangups = terminal.hangups
        self._timer = ReadTimer(watch.queue)

    def _is_dead(self) -> bool:
        return self._hangups != self.terminal.hangups

    def read(self, task: Task, count: int, pos: int | None) -> bytes | _Marker:
        if self._is_dead() or not count:
            return b""
        self.terminal.check_background(task, SIGTTIN)
        watch = self._watch
        if not watch.ready() & (POLLIN | POLLHUP | POLLERR):
            cc = (termios := attributes(watch.fd)).cc
            if termios.lflag & ICANON or cc[VMIN]:
                over = False
            else:
                over = not cc[VTIME] or self._timer.expired(task, cc[VTIME], 0, False)
            if over:
                return b""
            watch.want(POLLIN)
            return WOULD_BLOCK
        return host(os.read, watch.fd, min(count, _READ_MAX))

    def write(self, task: Task, data: bytes, pos: int | None) -> int | _Marker:
        if self._is_dead():
            raise Errno(EIO)
        terminal, watch = self.terminal, self._watch
        if terminal.foreground is not task.group.process_group and attributes(watch.fd).lflag & TOSTOP:
            terminal.check_background(task, SIGTTOU)
        if not data:
            return 0
        written = 0
        while written < len(data):
            if not watch.ready() & (POLLOUT | POLLHUP | POLLERR):
                if written:
                    break
                watch.want(POLLOUT)
                return WOULD_BLOCK
            try:
                written += os.write(watch.fd, data[written : written + _WRITE_MAX])
            except OSError as error:
                if written:
                    break
                raise Errno(error.errno or EIO) from None
        return written

    def poll(self) -> int:
        if self._is_dead():
            return READABLE | WRITABLE | POLLERR | POLLHUP
        return self._watch.poll((POLLIN if self.readable else 0) | (POLLOUT if self.writable else 0))

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        if self._is_dead():
            raise Errno(EIO)
        terminal, fd = self.terminal, self._watch.fd
        if request in _CHANGES:
            terminal.check_background(task, SIGTTOU)
        if request == TCGETS:
            task.copy_out(arg, attributes(fd).pack())
        elif request == TCGETS2:
            task.copy_out(arg, attributes(fd).pack2())
        elif request == TCGETA:
            task.copy_out(arg, attributes(fd).pack_old())
        elif request in _SETS:
            size, order = _SETS[request]
            data = task.copy_in(arg, size)
            new = attributes(fd).with_old(data) if size == TERMIO.size else unpack(data)
            host(ioctl, fd, order, new.pack())
        elif request == TIOCGWINSZ:
            task.copy_out(arg, host(ioctl, fd, request, bytes(WINSIZE.size)))
        elif request == TIOCSWINSZ:
            host(ioctl, fd, request, task.copy_in(arg, WINSIZE.size))
        elif request in (FIONREAD, TIOCOUTQ):
            task.copy_out(arg, host(ioctl, fd, request, bytes(4)))
        elif request in _ORDERS:
            host(ioctl, fd, request, arg & 0x7FFFFFFF)
        elif request == TCSBRKP:
            host(ioctl, fd, TCSBRK, 1)  # to wait for the output is all that a break can mean here
        elif request == TIOCSTI:
            raise Errno(EPERM)  # it would type into the caller's session
        else:
            terminal.session_ioctl(task, request, arg, self.readable)
        return 0
