"""The line discipline: what a terminal does to the bytes that go through it (termios(3)); N_TTY of Linux.

A machine without I/O and without clocks.  `receive` takes what was typed and leaves three results for the
caller to fetch: input for readers (`take`), echo to be shown (`echo`), and signals to be sent (`signals`).
`process` turns what a program writes into what the terminal is sent.

What must hold: in canonical mode `lines` holds complete lines and `edited` the one being typed; otherwise all
input is in `edited`.  A line that ends by VEOF holds no delimiter, so an empty one is an end of file.
"""

from __future__ import annotations

from _collections import deque

from sentry.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from sentry.abi.termios import (
    ECHO,
    ECHOCTL,
    ECHOE,
    ECHOK,
    ECHOKE,
    ECHONL,
    ECHOPRT,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    IMAXBEL,
    INLCR,
    ISIG,
    ISTRIP,
    IUCLC,
    IUTF8,
    IXANY,
    IXON,
    NOFLSH,
    PARMRK,
    VEOF,
    VEOL,
    VEOL2,
    VERASE,
    VINTR,
    VKILL,
    VLNEXT,
    VMIN,
    VQUIT,
    VREPRINT,
    VSTART,
    VSTOP,
    VSUSP,
    VTIME,
    VWERASE,
    Termios,
)
from sentry.tty.output import BACKSPACE, CR, NL, TAB, Output, is_continuation, is_control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[int], None]

INPUT_MAX = 4095  # N_TTY_BUF_SIZE less one: what is kept for readers, and the longest line
_BELL = 7


def _is_word(char: int) -> bool:
    return chr(char).isalnum() or char == 0x5F


class LineDiscipline:
    """The state of one terminal's line discipline."""

    __slots__ = (
        "_actions", "_erasing", "_in_lines", "_literal", "_output", "_start_column", "echo", "edited",
        "flushed",
        "lines", "signals", "stopped", "termios",
    )  # fmt: skip

    def __init__(self, termios: Termios | None = None) -> None:
        self.lines: deque[bytearray] = deque()
        self._in_lines = 0  # bytes in `lines`
        self.edited = bytearray()
        self.echo = bytearray()
        self.signals: list[int] = []
        self.flushed = False  # a signal character threw input and output away: the caller drops its output
        self.stopped = False  # VSTOP was typed: output waits
        self._output = Output()
        self._start_column = 0  # where the edited line begins on the screen
        self._literal = False  # VLNEXT was typed
        self._erasing = False  # between ECHOPRT's \ and /
        self._actions: dict[int, Action] = {}
        self.termios = termios or Termios()
        self._build()

    def configure(self, termios: Termios) -> None:
        """Change the attributes; input that was received stays."""
        canonical = self.termios.lflag & ICANON
        self.termios = termios
        if termios.lflag & ICANON and not canonical and self.edited:
            self._end_line()  # Linux makes what is there a line, without a delimiter
        elif canonical and not termios.lflag & ICANON:
            self._end_line()
            self.edited = bytearray(b"".join(self.lines))
            self.lines.clear()
            self._in_lines = 0
        if not termios.iflag & IXON:
            self.stopped = False
        self._literal = False
        self._build()

    def _build(self) -> None:
        """The table from input character to action.  What is entered later wins: Linux tests it first."""
        iflag, lflag, cc = self.termios.iflag, self.termios.lflag, self.termios.cc
        table: dict[int, Action] = {}
        extended = lflag & IEXTEN
        if lflag & ICANON:
            if extended:
                table[cc[VEOL2]] = self._end_of_line
            table[cc[VEOL]] = self._end_of_line
            table[cc[VEOF]] = self._end_of_file
            table[NL] = self._newline
            if extended:
                if lflag & ECHO:
                    table[cc[VREPRINT]] = self._reprint
                table[cc[VLNEXT]] = self._next_literally
                table[cc[VWERASE]] = self._erase_word
            table[cc[VKILL]] = self._erase_line
            table[cc[VERASE]] = self._erase_char
        plain = table.copy()
        if iflag & IGNCR:
            table[CR] = self._drop
        elif iflag & ICRNL:
            table[CR] = self._mapped(plain, NL)
        if iflag & INLCR:
            table[NL] = self._mapped(plain, CR)
        if lflag & ISIG:
            for index, signo in ((VSUSP, SIGTSTP), (VQUIT, SIGQUIT), (VINTR, SIGINT)):
                table[cc[index]] = self._signalling(signo)
        if iflag & IXON:
            table[cc[VSTOP]] = self._stop
            table[cc[VSTART]] = self._start
        table.pop(0, None)  # _POSIX_VDISABLE
        if iflag & PARMRK and 0xFF not in table:
            table[0xFF] = self._doubled
        self._actions = table

    # Input

    def room(self) -> int:
        """How many bytes `receive` would take now."""
        if self.termios.lflag & ICANON and not self.lines:
            return 1 << 16  # never refused: what is too long for a line is thrown away, but a newline is not
        return max(INPUT_MAX - self._held(), 0)

    def receive(self, data: bytes) -> int:
        """What was typed; the count of bytes taken (less than all when readers are slow)."""
        if len(data) > self.room():
            data = data[: self.room()]
        if self._receives_raw():
            self.edited += data
            return len(data)
        iflag = self.termios.iflag
        lower = iflag & IUCLC and self.termios.lflag & IEXTEN
        actions = self._actions
        for taken, char in enumerate(data):
            if self._held() >= INPUT_MAX and self.room() == 0:
                return taken
            if iflag & ISTRIP:
                char &= 0x7F
            if lower and 65 <= char <= 90:
                char += 32
            if self._literal:
                self._literal = False
                self._ordinary(char)
                continue
            if self.stopped and iflag & IXANY:
                self.stopped = False
            actions.get(char, self._ordinary)(char)
        return len(data)

    def _receives_raw(self) -> bool:
        termios = self.termios
        changed = termios.lflag & (ICANON | ECHO) or termios.iflag & (ISTRIP | IUCLC)
        return not self._actions and not changed

    def _held(self) -> int:
        return len(self.edited) + self._in_lines

    def _put(self, char: int) -> bool:
        if self.termios.lflag & ICANON and self._held() >= INPUT_MAX:
            if self.termios.iflag & IMAXBEL:
                self.echo.append(_BELL)
            return False
        self.edited.append(char)
        return True

    def _ordinary(self, char: int) -> None:
        if self._put(char) and self.termios.lflag & ECHO:
            self._finish_erasing()
            if len(self.edited) == 1:
                self._start_column = self.column
            if char == NL:
                self._echo_raw(char)
            else:
                self._echo_char(char)

    def _drop(self, char: int) -> None:
        pass

    def _doubled(self, char: int) -> None:
        self._put(char)
        self._ordinary(char)

    def _mapped(self, table: dict[int, Action], to: int) -> Action:
        action = table.get(to, self._ordinary)
        return lambda char: action(to)

    def _signalling(self, signo: int) -> Action:
        def act(char: int) -> None:
            lflag = self.termios.lflag
            if not lflag & NOFLSH:
                self.flush_input()
                self.echo.clear()
                self.flushed = True
            if self.termios.iflag & IXON:
                self.stopped = False
            if lflag & ECHO:
                self._echo_char(char)
            self.signals.append(signo)

        return act

    def _stop(self, char: int) -> None:
        self.stopped = True

    def _start(self, char: int) -> None:
        self.stopped = False

    # Canonical input

    def _newline(self, char: int) -> None:
        if self.termios.lflag & (ECHO | ECHONL):
            self._finish_erasing()
            self._echo_raw(char)
        self._complete(char)

    def _end_of_line(self, char: int) -> None:
        if self.termios.lflag & ECHO:
            self._finish_erasing()
            self._echo_char(char)
        self._complete(char)

    def _end_of_file(self, char: int) -> None:
        self._complete(None)

    def _complete(self, delimiter: int | None) -> None:
        if delimiter is not None:
            del self.edited[INPUT_MAX - 1 :]
            self.edited.append(delimiter)
        self._end_line()

    def _end_line(self) -> None:
        self.lines.append(self.edited)
        self._in_lines += len(self.edited)
        self.edited = bytearray()

    def _next_literally(self, char: int) -> None:
        self._literal = True
        if self.termios.lflag & ECHO:
            self._finish_erasing()
            if self.termios.lflag & ECHOCTL:
                self._echo_raw(0x5E)
                self._echo_raw(BACKSPACE)

    def _reprint(self, char: int) -> None:
        self._finish_erasing()
        self._echo_char(char)
        self._echo_raw(NL)
        self._start_column = self.column
        for typed in self.edited:
            self._echo_char(typed)

    def _erase_char(self, char: int) -> None:
        if self.edited:
            self._rub_out(char)
            self._after_erasing()

    def _erase_word(self, char: int) -> None:
        seen = False
        while self.edited:
            last = self.edited[-1]
            if seen and not _is_word(last):
                break
            seen = seen or _is_word(last)
            self._rub_out(char)
        self._after_erasing()

    def _erase_line(self, char: int) -> None:
        lflag = self.termios.lflag
        if not self.edited:
            return
        if not lflag & ECHO:
            self.edited.clear()
        elif lflag & (ECHOK | ECHOKE | ECHOE) == ECHOK | ECHOKE | ECHOE:
            while self.edited:
                self._rub_out(char)
            self._after_erasing()
        else:
            self.edited.clear()
            self._finish_erasing()
            self._echo_char(char)
            if lflag & ECHOK:
                self._echo_raw(NL)

    def _rub_out(self, typed: int) -> None:
        """Take the last character (all its bytes under IUTF8) off the line and the screen."""
        removed = self.edited.pop()
        tail = bytes((removed,))
        while self.termios.iflag & IUTF8 and is_continuation(removed) and self.edited:
            removed = self.edited.pop()
            tail = bytes((removed,)) + tail
        lflag = self.termios.lflag
        if not lflag & ECHO:
            return
        if lflag & ECHOPRT:
            if not self._erasing:
                self._echo_raw(0x5C)
                self._erasing = True
            self._echo_char(removed)
            for char in tail[1:]:
                self._echo_raw(char)
        elif typed == self.termios.cc[VERASE] and not lflag & ECHOE:
            self._echo_char(typed)
        elif removed == TAB:
            for _ in range(self.column - self._column_of_edited()):
                self._echo_raw(BACKSPACE)
        else:
            if is_control(removed) and lflag & ECHOCTL:
                self._wipe()
            if not is_control(removed) or lflag & ECHOCTL:
                self._wipe()

    def _wipe(self) -> None:
        for char in b"\b \b":
            self._echo_raw(char)

    def _after_erasing(self) -> None:
        if not self.edited:
            self._finish_erasing()

    def _finish_erasing(self) -> None:
        if self._erasing:
            self._erasing = False
            self._echo_raw(0x2F)

    def _column_of_edited(self) -> int:
        """The screen column after the line being typed, as it would be after echoing it from its start."""
        column = self._start_column
        for char in self.edited:
            if char == TAB:
                column += 8 - column % 8
            elif is_control(char):
                column += 2 if self.termios.lflag & ECHOCTL else 0
            elif not (self.termios.iflag & IUTF8 and is_continuation(char)):
                column += 1
        return column

    # Echo

    def _echo_char(self, char: int) -> None:
        if self.termios.lflag & ECHOCTL and is_control(char) and char != TAB:
            self._echo_raw(0x5E)
            self._echo_raw(char ^ 0x40)
        else:
            self._echo_raw(char)

    def _echo_raw(self, char: int) -> None:
        if len(self.echo) < 1 << 16:  # nobody reads the screen: the rest is lost, as in Linux
            self.echo += self.process(bytes((char,)))

    # For readers

    def available(self, poll: bool = False) -> bool:
        """Whether a read would find something; for `poll`, VMIN bytes or more where VTIME is 0."""
        if self.termios.lflag & ICANON:
            return bool(self.lines)
        cc = self.termios.cc
        wanted = cc[VMIN] if poll and not cc[VTIME] and cc[VMIN] else 1
        return len(self.edited) >= wanted

    def readable(self) -> int:
        """How many bytes reads would give (FIONREAD)."""
        if self.termios.lflag & ICANON:
            return self._in_lines
        return len(self.edited)

    def take(self, count: int) -> bytes:
        """What a read gets when `available`: at most one line in canonical mode; b"": end of file."""
        if not self.termios.lflag & ICANON:
            data = bytes(self.edited[:count])
            del self.edited[:count]
            return data
        line = self.lines[0]
        if len(line) <= count:
            self.lines.popleft()
            self._in_lines -= len(line)
            return bytes(line)
        data = bytes(line[:count])
        del line[:count]
        self._in_lines -= count
        return data

    def flush_input(self) -> None:
        """Forget what was received and not read (TCIFLUSH)."""
        self.lines.clear()
        self._in_lines = 0
        self.edited.clear()
        self._literal = False
        self._erasing = False

    # For writers

    def process(self, data: bytes) -> bytes:
        """What the terminal is sent for a program's output."""
        return self._output.process(data, self.termios)

    @property
    def column(self) -> int:
        """The column of the screen that comes next, from 0."""
        return self._output.column
