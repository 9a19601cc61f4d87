"""A pseudoterminal: what goes on between its two ends (pty(7)).

The master's writes are typed input for the line discipline; what the slave's programs write, and the echo,
are output for the master to read.  Files (tty.pty_files) are only handles on this.
What must hold: `line.echo` and `line.signals` are empty between two calls, and `typed` unless the line
discipline has no room.
"""

from __future__ import annotations

from sentry import _core
from sentry.abi.poll import ANY_EVENT, POLLPRI, READABLE, WRITABLE
from sentry.abi.signal import SIGWINCH
from sentry.abi.stat import UNIX98_SLAVE_MAJOR, makedev
from sentry.abi.termios import (
    CREAD,
    CS8,
    CSIZE,
    EXTPROC,
    IXON,
    NCCS,
    PARENB,
    TIOCPKT_DOSTOP,
    TIOCPKT_FLUSHREAD,
    TIOCPKT_FLUSHWRITE,
    TIOCPKT_IOCTL,
    TIOCPKT_NOSTOP,
    TIOCPKT_START,
    TIOCPKT_STOP,
    VSTART,
    VSTOP,
    WINSIZE,
    Termios,
)
from sentry.tty.line import LineDiscipline
from sentry.tty.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode
    from sentry.vfs.path import Path

OUTPUT_MAX = 1 << 14  # output that the master has not read
ARRIVED_MAX = 4095  # of it, what is at the master already
TYPED_MAX = 1 << 14  # input that the line discipline has no room for


class Pty(Terminal):
    """One pair; `queue` is the slave's, `master_queue` the master's."""

    def __init__(self, index: int, make_file: Callable[[Task, Pty, Inode, Path, int], File]) -> None:
        """`index`: N of /dev/pts/N; make_file opens the slave (tty.pty_files.open_slave)."""
        super().__init__()
        self.index = index
        self.number = makedev(UNIX98_SLAVE_MAJOR, index)
        self._make_file = make_file
        self.line = LineDiscipline()
        self.output = bytearray()
        self.typed = bytearray()
        self.master_queue = _core.WaitQueue()
        self.winsize = bytes(WINSIZE.size)
        self.locked = True  # until unlockpt(3)
        self.termios_lock = Termios(0, 0, 0, 0, bytes(NCCS))  # what `configure` leaves alone
        self.master_open = True
        self.slaves = 0  # open files of the slave
        self.had_slave = False
        self.packet = False  # TIOCPKT
        self.events = 0  # TIOCPKT_* bits that the master has not read

    def open(self, task: Task, inode: Inode, path: Path, flags: int) -> File:
        return self._make_file(task, self, inode, path, flags)

    # Output: from the slave's programs to the master

    def output_room(self) -> int:
        """How many bytes a program may write now; ONLCR may double them."""
        return 0 if self.line.stopped else max(OUTPUT_MAX - len(self.output), 0)

    def show(self, data: bytes) -> None:
        """What a program wrote, within output_room."""
        self.output += self.line.process(data)
        self.master_queue.wake(READABLE)

    def take_output(self, count: int) -> bytes:
        """What the master reads."""
        data = bytes(self.output[:count])
        del self.output[:count]
        self.queue.wake(WRITABLE)
        return data

    def flush_output(self) -> None:
        """Forget output that has not reached the master (TCOFLUSH): not what its next read would give."""
        del self.output[ARRIVED_MAX:]
        self.note(TIOCPKT_FLUSHWRITE)
        self.queue.wake(WRITABLE)

    # Input: from the master to the slave's programs

    def type(self, data: bytes) -> int:
        """What the master wrote; the count of bytes taken, 0 when there is no room."""
        taken = data[: max(TYPED_MAX - len(self.typed), 0)]
        self.typed += taken
        self._feed()
        return len(taken)

    def _feed(self) -> None:
        """Hand what was typed to the line discipline, as far as it has room."""
        line = self.line
        del self.typed[: line.receive(bytes(self.typed))]
        if line.flushed:
            line.flushed = False
            self.flush_output()
            self.note(TIOCPKT_FLUSHREAD)
        self._settle_flow()
        if line.available():
            self.queue.wake(READABLE)
        self._show_echo()
        raised, line.signals = line.signals, []
        for signo in raised:
            self.signal_foreground(signo)

    def _show_echo(self) -> None:
        echo = self.line.echo
        if echo:
            # A master that never reads loses echo.
            self.output += echo[: max(2 * OUTPUT_MAX - len(self.output), 0)]
            echo.clear()
            self.master_queue.wake(READABLE)

    def take_input(self, count: int) -> bytes:
        """What a program reads; only when line.available()."""
        data = self.line.take(count)
        if self.typed:
            self._feed()
        self.master_queue.wake(WRITABLE)
        return data

    def input_room(self) -> int:
        """How many bytes the master may write now."""
        return max(TYPED_MAX - len(self.typed), 0)

    def flush_input(self) -> None:
        """Forget what was typed and not read (TCIFLUSH)."""
        self.line.flush_input()
        self.note(TIOCPKT_FLUSHREAD)
        if self.typed:
            self._feed()
        self.master_queue.wake(WRITABLE)

    def forget_output(self) -> None:
        """The master does not want what it could read (its TCIFLUSH)."""
        self.output.clear()
        self.queue.wake(WRITABLE)

    def forget_typed(self) -> None:
        """The master takes back what it wrote and has not arrived (its TCOFLUSH)."""
        self.typed.clear()
        self.master_queue.wake(WRITABLE)

    # Settings

    def configure(self, termios: Termios) -> None:
        """tcsetattr(3), from either end; a pty always has 8 bits and no parity."""
        old, line = self.line.termios, self.line
        termios = termios.with_locked(old, self.termios_lock)
        termios.cflag = termios.cflag & ~(CSIZE | PARENB) | CS8 | CREAD
        line.configure(termios)
        if _flows(old) != _flows(termios):
            self.events &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)
            self.note(TIOCPKT_DOSTOP if _flows(termios) else TIOCPKT_NOSTOP)
        if (old.lflag | termios.lflag) & EXTPROC:
            self.note(TIOCPKT_IOCTL)
        self._settle_flow()
        self._show_echo()
        if self.typed:
            self._feed()
        if line.available():
            self.queue.wake(READABLE)

    def stop(self, stopped: bool) -> None:
        """Suspend or go on with output (tcflow(3))."""
        self.line.freeze(stopped)
        self._settle_flow()
        self._show_echo()

    def _settle_flow(self) -> None:
        if not self.line.flow_changed:
            return
        self.line.flow_changed = False
        self.events &= ~(TIOCPKT_STOP | TIOCPKT_START)
        self.note(TIOCPKT_STOP if self.line.stopped else TIOCPKT_START)
        if not self.line.stopped:
            self.queue.wake(WRITABLE)

    def resize(self, winsize: bytes) -> None:
        """TIOCSWINSZ: SIGWINCH to the foreground when it is another size."""
        if winsize != self.winsize:
            self.winsize = winsize
            self.signal_foreground(SIGWINCH)

    def note(self, event: int) -> None:
        """Tell a master in packet mode."""
        if self.packet:
            self.events |= event
            self.master_queue.wake(READABLE | POLLPRI)

    # The end

    def slave_opened(self) -> None:
        self.slaves += 1
        self.had_slave = True

    def slave_closed(self) -> None:
        """The last one makes the master read EIO until the slave is opened again."""
        self.slaves -= 1
        if not self.slaves:
            self.master_queue.wake(ANY_EVENT)

    def slave_gone(self) -> bool:
        return self.had_slave and not self.slaves

    def master_closed(self) -> None:
        self.master_open = False
        self.output.clear()
        self.hang_up()

    def hang_up(self) -> None:
        self.lose_session()
        self.hangups += 1
        self.line.flush_input()
        self.queue.wake(ANY_EVENT)
        self.master_queue.wake(ANY_EVENT)


def _flows(termios: Termios) -> bool:
    """Whether ^S and ^Q do what a remote terminal may do by itself."""
    return bool(termios.iflag & IXON) and termios.cc[VSTOP] == 0x13 and termios.cc[VSTART] == 0x11
