"""Output processing (termios(3), c_oflag): what a terminal is sent for a program's bytes, and its column."""

from __future__ import annotations

from sentry.abi.termios import IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.abi.termios import Termios

BACKSPACE, TAB, NL, CR = 8, 9, 10, 13
_PRINTABLE = bytes(range(32, 127))


def is_control(char: int) -> bool:
    return char < 32 or char == 127


def is_continuation(char: int) -> bool:
    """Whether it is a byte of a UTF-8 character, but not its first."""
    return char & 0xC0 == 0x80


def to_upper(char: int) -> int:
    """In Latin-1, as Linux has it: without a care for which letters have a capital."""
    small = 97 <= char <= 122 or (char >= 0xDF and char != 0xF7)
    return char - 32 if small else char


def to_lower(char: int) -> int:
    capital = 65 <= char <= 90 or (0xC0 <= char <= 0xDE and char != 0xD7)
    return char + 32 if capital else char


class Output:
    """The column that comes next, which tabs and erasing depend on."""

    __slots__ = ("column",)

    def __init__(self) -> None:
        self.column = 0

    def process(self, data: bytes, termios: Termios) -> bytes:
        oflag = termios.oflag
        if not oflag & OPOST:
            return data
        if oflag & (OLCUC | OCRNL | ONOCR | ONLRET) or oflag & TABDLY == XTABS or len(data) < 2:
            return self._process_each(data, termios)
        self._track(data, termios)
        return data.replace(b"\n", b"\r\n") if oflag & ONLCR else data

    def _track(self, data: bytes, termios: Termios) -> None:
        """Keep the column over output that needs no change but ONLCR's."""
        start = data.rfind(b"\r")
        if termios.oflag & ONLCR:
            start = max(start, data.rfind(b"\n"))
        if start >= 0:
            self.column = 0
            data = data[start + 1 :]
        if not data.translate(None, _PRINTABLE):
            self.column += len(data)
            return
        for char in data:
            self._advance(char, termios)

    def _advance(self, char: int, termios: Termios) -> None:
        if char == TAB:
            self.column += 8 - self.column % 8
        elif char == BACKSPACE:
            self.column = max(self.column - 1, 0)
        elif not is_control(char) and not (termios.iflag & IUTF8 and is_continuation(char)):
            self.column += 1

    def _process_each(self, data: bytes, termios: Termios) -> bytes:
        oflag = termios.oflag
        out = bytearray()
        for char in data:
            if char == NL:
                if oflag & ONLCR:
                    out.append(CR)
                if oflag & (ONLCR | ONLRET):
                    self.column = 0
            elif char == CR:
                if oflag & ONOCR and self.column == 0:
                    continue
                if oflag & OCRNL:
                    char = NL
                if not oflag & OCRNL or oflag & ONLRET:
                    self.column = 0
            elif char == TAB and oflag & TABDLY == XTABS:
                spaces = 8 - self.column % 8
                self.column += spaces
                out += b" " * spaces
                continue
            else:
                if oflag & OLCUC:
                    char = to_upper(char)
                self._advance(char, termios)
            out.append(char)
        return bytes(out)
