"""What a terminal shows of what is typed (termios(3): ECHO and its kin), and where that leaves the cursor.

What must hold: what is `waiting` is shown by `release` alone, and only then moves the cursor: nothing is
shown while output is stopped, and what a signal character throws away never was.
"""

from __future__ import annotations

from sentry.abi.termios import ECHOCTL, IUTF8
from sentry.tty.output import BACKSPACE, TAB, Output, is_continuation, is_control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.abi.termios import Termios

_WAITING_MAX = 4096
_SHOWN_MAX = 1 << 16

# What waits: a character, or one of these, with a number or a character in the low byte.
_CARET = 0x100  # ^X
_LINE_START = 0x200
_BACK = 0x300  # the cursor is a column to the left
_TAB = 0x400  # go back over a tab, so many columns after the start of the line
_TAB_AFTER_TAB = 0x500  # ... after another tab

_CONTROLS = bytes([char for char in range(256) if is_control(char)])
_CONTINUATIONS = bytes([char for char in range(256) if is_continuation(char)])


class Echo:
    """The echo of one line discipline; `termios` is replaced with the discipline's."""

    __slots__ = ("_line_start", "erasing", "output", "shown", "termios", "waiting")

    def __init__(self, termios: Termios) -> None:
        self.termios = termios
        self.output = Output()
        self.waiting: list[int] = []
        self.shown = bytearray()
        self.erasing = False  # between ECHOPRT's \ and /
        self._line_start = 0  # the column where the line being typed begins

    def _put(self, what: int) -> None:
        if len(self.waiting) < _WAITING_MAX:  # nobody reads the screen: the rest is lost, as in Linux
            self.waiting.append(what)

    def room(self) -> int:
        """How many characters can still wait."""
        return _WAITING_MAX - len(self.waiting)

    def raw(self, char: int) -> None:
        """Show a character as a program's output would be."""
        self._put(char)

    def char(self, char: int) -> None:
        """Show a character, a control character as ^X where ECHOCTL says so."""
        caret = self.termios.lflag & ECHOCTL and is_control(char) and char != TAB
        self._put(_CARET | char if caret else char)

    def begin_line(self) -> None:
        """What comes is the first character of a line."""
        self._put(_LINE_START)

    def rest_of_character(self, tail: bytes) -> None:
        """Show the bytes of a UTF-8 character but its first, which take no column."""
        for char in tail:
            self._put(char)
            self._put(_BACK)

    def wipe(self) -> None:
        """Take one column off the screen."""
        for char in b"\b \b":
            self._put(char)

    def wipe_tab(self, line: bytearray) -> None:
        """Go back over a tab that follows `line`; the columns count from the tab before, or its start."""
        before = line.rfind(TAB)
        plain = line[before + 1 :].translate(None, _CONTROLS)
        columns = 2 * (len(line) - before - 1 - len(plain)) if self.termios.lflag & ECHOCTL else 0
        columns += len(plain.translate(None, _CONTINUATIONS) if self.termios.iflag & IUTF8 else plain)
        self._put((_TAB_AFTER_TAB if before >= 0 else _TAB) | columns & 7)

    def last_char(self, line: bytearray) -> bytes:
        """The last character of the line, under IUTF8 with all its bytes; b"" when there is no whole one."""
        at = len(line.rstrip(_CONTINUATIONS) if self.termios.iflag & IUTF8 else line) - 1
        return bytes(line[at:]) if at >= 0 else b""

    def finish_erasing(self) -> None:
        if self.erasing:
            self._put(0x2F)
            self.erasing = False

    def release(self) -> None:
        """Output flows: what waited is shown."""
        waiting, self.waiting = self.waiting, []
        for what in waiting:
            self._show(what & ~0xFF, what & 0xFF)
        del self.shown[_SHOWN_MAX:]

    def _show(self, what: int, char: int) -> None:
        output = self.output
        if what == 0 and char == 0xFF:  # Linux's own mark in what waits, so it passes unprocessed
            self.shown.append(char)
            output.column += 1
        elif what == 0:
            self.shown += output.process(bytes((char,)), self.termios)
        elif what == _CARET:
            self.shown += bytes((0x5E, char ^ 0x40))
            output.column += 2
        elif what == _LINE_START:
            self._line_start = output.column
        elif what == _BACK:
            output.column = max(output.column - 1, 0)
        else:
            columns = char if what == _TAB_AFTER_TAB else char + self._line_start
            back = 8 - columns % 8
            self.shown += bytes((BACKSPACE,)) * back
            output.column = max(output.column - back, 0)
