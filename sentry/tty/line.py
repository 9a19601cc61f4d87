"""The line discipline: what a terminal does to the bytes that go through it (termios(3)); N_TTY of Linux.

A machine without I/O and without clocks.  `receive` takes what was typed and leaves three results for the
caller to fetch: input for readers (`take`), echo to be shown (`echo`), and signals to be sent (`signals`).
`process` turns what a program writes into what the terminal is sent.

What must hold: in canonical mode `lines` holds complete lines and `edited` the one being typed; otherwise all
input is in `edited`.  A line that VEOF ended is told apart: it holds no delimiter, and if empty is an end of
file.
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
    EXTPROC,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    INLCR,
    ISIG,
    ISTRIP,
    IUCLC,
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
from sentry.tty.echo import Echo
from sentry.tty.output import BACKSPACE, CR, NL, TAB, is_control, to_lower

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[int], None]

INPUT_MAX = 4095  # N_TTY_BUF_SIZE less one: what is kept for readers
_LINE_MAX = 4096  # the longest line


def _is_word(char: int) -> bool:
    """A letter (of Latin-1), a digit or an underscore."""
    if char < 0x80:
        return chr(char).isalnum() or char == 0x5F
    return char >= 0xC0 and char not in (0xD7, 0xF7)


class LineDiscipline:
    """The state of one terminal's line discipline."""

    __slots__ = (
        "_actions", "_any_starts", "_echo", "_flow_chars", "_in_lines", "_literal", "edited", "flow_changed",
        "flushed", "frozen", "lines", "signals", "stopped", "termios",
    )  # fmt: skip

    def __init__(self, termios: Termios | None = None) -> None:
        self.lines: deque[tuple[bytearray, bool]] = deque()  # bytes, and whether VEOF ended them
        self._in_lines = 0  # bytes in `lines`
        self.edited = bytearray()
        self.signals: list[int] = []
        self.flushed = False  # a signal character threw input away
        self.stopped = False  # output waits: VSTOP was typed, or
        self.frozen = False  # a program said so (TCOOFF), and another must end it
        self.flow_changed = False  # output was stopped or started
        self._literal = False  # VLNEXT was typed
        self._actions: dict[int, Action] = {}
        self._flow_chars: set[int] = set()  # those that IXANY does not look at
        self._any_starts = False
        self.termios = termios or Termios()
        self._echo = Echo(self.termios)
        self._build()

    @property
    def echo(self) -> bytearray:
        """What is to be shown now."""
        return self._echo.shown

    def configure(self, termios: Termios) -> None:
        """Change the attributes; input that was received stays."""
        old, self.termios = self.termios, termios
        self._echo.termios = termios
        if (old.lflag ^ termios.lflag) & (ICANON | EXTPROC):
            self._regroup()
            self._literal = False
        if old.iflag & IXON and not termios.iflag & IXON and not self.frozen:
            self._start(0)
        self._build()

    def _regroup(self) -> None:
        """All that is there becomes one line without a delimiter, or with no lines, bytes like others."""
        ends = [line + b"\0" if by_eof else line for line, by_eof in self.lines]
        self.edited = bytearray().join([*ends, self.edited])
        self.lines.clear()
        self._in_lines = 0
        self._echo.erasing = False
        if self._is_canonical() and self.edited:
            self._end_line(False)

    def _is_canonical(self) -> bool:
        return self.termios.lflag & (ICANON | EXTPROC) == ICANON

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
            table[CR] = self._mapped(plain, NL, lflag & ICANON)
        if iflag & INLCR:
            table[NL] = self._mapped(plain, CR, True)
        flow = {0}
        if lflag & ISIG:
            for index, signo in ((VSUSP, SIGTSTP), (VQUIT, SIGQUIT), (VINTR, SIGINT)):
                table[cc[index]] = self._signalling(signo)
                flow.add(cc[index])
        if iflag & IXON:
            table[cc[VSTOP]] = self._stop
            table[cc[VSTART]] = self._start
            flow |= {cc[VSTOP], cc[VSTART]}
        table.pop(0, None)  # _POSIX_VDISABLE
        if iflag & PARMRK and 0xFF not in table:
            table[0xFF] = self._doubled
        self._actions = {} if lflag & EXTPROC else table
        self._flow_chars = flow
        self._any_starts = bool(iflag & IXON and iflag & IXANY)

    # Input

    def room(self) -> int:
        """How many bytes `receive` would take now."""
        if self._is_canonical() and not self.lines:
            return 1 << 16  # never refused: a line too long loses its end, but a newline is not lost
        return max(INPUT_MAX - self._held(), 0)

    def receive(self, data: bytes) -> int:
        """What was typed; the count of bytes taken (less than all when readers are slow)."""
        data = data[: self.room()]
        iflag, lflag = self.termios.iflag, self.termios.lflag
        lower = iflag & IUCLC and lflag & IEXTEN
        if not self._actions and not iflag & (ISTRIP | IUCLC) and (lflag & EXTPROC or not lflag & ECHO):
            self.edited += data
            return len(data)
        actions = self._actions
        for taken, char in enumerate(data):
            if self._held() >= INPUT_MAX:
                if not self.room():
                    self._settle()
                    return taken
                del self.edited[_LINE_MAX - 1 :]
            if iflag & ISTRIP:
                char &= 0x7F
            if lower:
                char = to_lower(char)
            if lflag & EXTPROC:
                self.edited.append(char)
                continue
            if self._literal:
                self._literal = False
                self._ordinary(char)
                continue
            if self._any_starts and self.stopped and char not in self._flow_chars:
                self._start(char)
            actions.get(char, self._ordinary)(char)
        self._settle()
        return len(data)

    def _settle(self) -> None:
        if not self.stopped:
            self._echo.release()

    def _held(self) -> int:
        return len(self.edited) + self._in_lines

    def _ordinary(self, char: int) -> None:
        if self.termios.lflag & ECHO:
            self._begin_echo()
            self._echo.char(char)
        self.edited.append(char)

    def _mapped_newline(self, char: int) -> None:
        """A newline that was a carriage return, where it does not end a line."""
        if self.termios.lflag & ECHO:
            self._begin_echo()
            self._echo.raw(NL)
        self.edited.append(NL)

    def _begin_echo(self) -> None:
        self._echo.finish_erasing()
        if not self.edited:
            self._echo.begin_line()

    def _drop(self, char: int) -> None:
        pass

    def _doubled(self, char: int) -> None:
        self._ordinary(char)
        self.edited.append(char)

    def _mapped(self, table: dict[int, Action], to: int, plainly: int) -> Action:
        action = table.get(to, self._ordinary if plainly else self._mapped_newline)
        return lambda char: action(to)

    def _signalling(self, signo: int) -> Action:
        def act(char: int) -> None:
            lflag = self.termios.lflag
            if not lflag & NOFLSH:
                self.flush_input()
                self._echo.waiting.clear()
                self.flushed = True
            if self.termios.iflag & IXON:
                self._flow(False)
            if lflag & ECHO:
                self._echo.char(char)
            else:
                self._settle()
            self.signals.append(signo)

        return act

    # Flow control

    def _stop(self, char: int) -> None:
        self._flow(True)

    def _start(self, char: int) -> None:
        if self.stopped:
            self._flow(False)
            self._settle()

    def _flow(self, stopped: bool) -> None:
        """Stop output or have it go on."""
        if stopped != self.stopped and not self.frozen:
            self.stopped = stopped
            self.flow_changed = True

    def freeze(self, frozen: bool) -> None:
        """Stop output by a program's order, which no character ends; or end that (tcflow(3))."""
        if frozen and not self.frozen:
            self._flow(True)
            self.frozen = True
        elif self.frozen and not frozen:
            self.frozen = False
            self._start(0)

    # Canonical input

    def _newline(self, char: int) -> None:
        if self.termios.lflag & (ECHO | ECHONL):
            self._echo.raw(char)
        self._complete(char)

    def _end_of_line(self, char: int) -> None:
        if self.termios.lflag & ECHO:
            if not self.edited:
                self._echo.begin_line()
            self._echo.char(char)
        self._complete(char)

    def _end_of_file(self, char: int) -> None:
        self._end_line(True)

    def _complete(self, delimiter: int) -> None:
        self.edited.append(delimiter)
        self._end_line(False)

    def _end_line(self, by_eof: bool) -> None:
        self.lines.append((self.edited, by_eof))
        self._in_lines += len(self.edited)
        self.edited = bytearray()

    def _next_literally(self, char: int) -> None:
        self._literal = True
        if self.termios.lflag & ECHO:
            self._echo.finish_erasing()
            if self.termios.lflag & ECHOCTL:
                self._echo.raw(0x5E)
                self._echo.raw(BACKSPACE)

    def _reprint(self, char: int) -> None:
        echo = self._echo
        echo.finish_erasing()
        echo.char(char)
        echo.raw(NL)
        for typed in self.edited[: echo.room()]:
            echo.char(typed)

    def _erase_char(self, char: int) -> None:
        if self.edited:
            self._rub_out(self._echo.last_char(self.edited), char)
            self._after_erasing()

    def _erase_word(self, char: int) -> None:
        if not self.edited:
            return
        seen = False
        while tail := self._echo.last_char(self.edited):
            if _is_word(tail[0]):
                seen = True
            elif seen:
                break
            self._rub_out(tail, char)
        self._after_erasing()

    def _erase_line(self, char: int) -> None:
        lflag = self.termios.lflag
        if not self.edited:
            return
        if not lflag & ECHO:
            self.edited.clear()
        elif lflag & (ECHOK | ECHOKE | ECHOE) == ECHOK | ECHOKE | ECHOE:
            while tail := self._echo.last_char(self.edited):
                self._rub_out(tail, char)
            self._after_erasing()
        else:
            self.edited.clear()
            self._echo.finish_erasing()
            self._echo.char(char)
            if lflag & ECHOK:
                self._echo.raw(NL)

    def _rub_out(self, tail: bytes, typed: int) -> None:
        """Take the character `tail` off the line and the screen; `typed` is what asks for it."""
        if not tail:
            return
        del self.edited[len(self.edited) - len(tail) :]
        lflag, echo, first = self.termios.lflag, self._echo, tail[0]
        if not lflag & ECHO:
            return
        if lflag & ECHOPRT:
            if not echo.erasing:
                echo.raw(0x5C)
                echo.erasing = True
            echo.char(first)
            echo.rest_of_character(tail[1:])
        elif typed == self.termios.cc[VERASE] and not lflag & ECHOE:
            echo.char(typed)
        elif first == TAB:
            echo.wipe_tab(self.edited)
        elif not is_control(first):
            echo.wipe()
        elif lflag & ECHOCTL:
            echo.wipe()
            echo.wipe()

    def _after_erasing(self) -> None:
        if not self.edited and self.termios.lflag & ECHO:
            self._echo.finish_erasing()

    # For readers

    def available(self, poll: bool = False) -> bool:
        """Whether a read would find something; for `poll`, VMIN bytes or more where VTIME is 0."""
        if self._is_canonical():
            return bool(self.lines)
        cc = self.termios.cc
        wanted = cc[VMIN] if poll and not cc[VTIME] and cc[VMIN] else 1
        return len(self.edited) >= wanted

    def readable(self) -> int:
        """How many bytes reads would give (FIONREAD)."""
        return self._in_lines if self._is_canonical() else len(self.edited)

    def take(self, count: int) -> bytes:
        """What a read gets when `available`: at most one line in canonical mode; b"": end of file."""
        if not self._is_canonical():
            data = bytes(self.edited[:count])
            del self.edited[:count]
            return data
        line, _ = self.lines[0]
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
        self._echo.erasing = False

    # For writers

    def process(self, data: bytes) -> bytes:
        """What the terminal is sent for a program's output."""
        return self._echo.output.process(data, self.termios)

    @property
    def column(self) -> int:
        """The column of the screen that comes next, from 0."""
        return self._echo.output.column
