"""Terminal attributes: termios(3), ioctl_tty(2); x86-64 numbers and structures."""

from __future__ import annotations

from struct import Struct

# c_iflag
IGNBRK = 0x0001
BRKINT = 0x0002
IGNPAR = 0x0004
PARMRK = 0x0008
INPCK = 0x0010
ISTRIP = 0x0020
INLCR = 0x0040
IGNCR = 0x0080
ICRNL = 0x0100
IUCLC = 0x0200
IXON = 0x0400
IXANY = 0x0800
IXOFF = 0x1000
IMAXBEL = 0x2000
IUTF8 = 0x4000

# c_oflag
OPOST = 0x01
OLCUC = 0x02
ONLCR = 0x04
OCRNL = 0x08
ONOCR = 0x10
ONLRET = 0x20
TABDLY = 0x1800
XTABS = 0x1800

# c_cflag
CSIZE = 0x0030
CS8 = 0x0030
CREAD = 0x0080
PARENB = 0x0100
CLOCAL = 0x0800
IBSHIFT = 16  # the input speed's code in c_cflag
B38400 = 0x000F
CBAUD = 0x100F
BOTHER = 0x1000

# c_lflag
ISIG = 0x0001
ICANON = 0x0002
ECHO = 0x0008
ECHOE = 0x0010
ECHOK = 0x0020
ECHONL = 0x0040
NOFLSH = 0x0080
TOSTOP = 0x0100
ECHOCTL = 0x0200
ECHOPRT = 0x0400
ECHOKE = 0x0800
FLUSHO = 0x1000
PENDIN = 0x4000
IEXTEN = 0x8000
EXTPROC = 0x10000

# Indices of c_cc; a value of 0 (_POSIX_VDISABLE) switches a character off.
VINTR = 0
VQUIT = 1
VERASE = 2
VKILL = 3
VEOF = 4
VTIME = 5
VMIN = 6
VSWTC = 7
VSTART = 8
VSTOP = 9
VSUSP = 10
VEOL = 11
VREPRINT = 12
VDISCARD = 13
VWERASE = 14
VLNEXT = 15
VEOL2 = 16
NCCS = 19

TERMIOS = Struct("<IIIIB19s")  # the kernel's struct termios: iflag oflag cflag lflag line cc
TERMIOS2 = Struct("<IIIIB19sII")  # ... and ispeed ospeed
TERMIO = Struct("<HHHHB8sx")  # the old struct termio
WINSIZE = Struct("<HHHH")  # rows, columns, width and height in pixels

# TCXONC and TCFLSH arguments
TCOOFF = 0
TCOON = 1
TCIOFF = 2
TCION = 3
TCIFLUSH = 0
TCOFLUSH = 1
TCIOFLUSH = 2

# What a master in packet mode reads first (ioctl_tty(2), TIOCPKT)
TIOCPKT_DATA = 0
TIOCPKT_FLUSHREAD = 1
TIOCPKT_FLUSHWRITE = 2
TIOCPKT_STOP = 4
TIOCPKT_START = 8
TIOCPKT_NOSTOP = 16
TIOCPKT_DOSTOP = 32
TIOCPKT_IOCTL = 64

_SPEEDS = (
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
)  # fmt: skip
_FAST_SPEEDS = (
    57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000,
    3000000, 3500000, 4000000,
)  # fmt: skip

# Ctrl-C Ctrl-\ DEL Ctrl-U Ctrl-D, time 0, min 1, Ctrl-Q Ctrl-S Ctrl-Z, Ctrl-R Ctrl-O Ctrl-W Ctrl-V
DEFAULT_CC = bytes((3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0))


def baud_rate(cflag: int) -> int:
    """The speed that CBAUD's code in `cflag` means; 0 for BOTHER."""
    code = cflag & CBAUD
    if code < len(_SPEEDS):
        return _SPEEDS[code]
    code -= BOTHER + 1
    return _FAST_SPEEDS[code] if 0 <= code < len(_FAST_SPEEDS) else 0


def _choose(mask: int, chosen: int, other: int) -> int:
    return chosen & mask | other & ~mask


class Termios:
    """One terminal's attributes; immutable by convention, replaced whole."""

    __slots__ = ("cc", "cflag", "iflag", "ispeed", "lflag", "line", "oflag", "ospeed")

    def __init__(
        self,
        iflag: int = ICRNL | IXON,
        oflag: int = OPOST | ONLCR,
        cflag: int = B38400 | CS8 | CREAD,
        lflag: int = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        cc: bytes = DEFAULT_CC,
        line: int = 0,
        ispeed: int = 0,
        ospeed: int = 0,
    ) -> None:
        """The defaults are Linux's tty_std_termios; speeds in baud, for where `cflag` says BOTHER."""
        self.iflag = iflag
        self.oflag = oflag
        self.cflag = cflag
        self.lflag = lflag
        self.line = line
        self.cc = cc
        self.ospeed = ospeed & 0xFFFFFFFF if cflag & CBAUD == BOTHER else baud_rate(cflag)
        code = cflag >> IBSHIFT & CBAUD
        if not code:
            self.ispeed = self.ospeed
        else:
            self.ispeed = ispeed & 0xFFFFFFFF if code == BOTHER else baud_rate(code)

    def pack(self) -> bytes:
        """struct termios (36 bytes)."""
        return TERMIOS.pack(self.iflag, self.oflag, self.cflag, self.lflag, self.line, self.cc)

    def pack2(self) -> bytes:
        """struct termios2 (44 bytes)."""
        return self.pack() + TERMIOS2.pack(0, 0, 0, 0, 0, b"", self.ispeed, self.ospeed)[TERMIOS.size :]

    def pack_old(self) -> bytes:
        """struct termio (18 bytes): the low halves of the flags and the first 8 characters."""
        low = (self.iflag & 0xFFFF, self.oflag & 0xFFFF, self.cflag & 0xFFFF, self.lflag & 0xFFFF)
        return TERMIO.pack(*low, self.line, self.cc[:8])

    def with_locked(self, old: Termios, lock: Termios) -> Termios:
        """These attributes, but those of `old` where `lock` has bits or characters (TIOCSLCKTRMIOS)."""
        return Termios(
            _choose(lock.iflag, old.iflag, self.iflag),
            _choose(lock.oflag, old.oflag, self.oflag),
            _choose(lock.cflag, old.cflag, self.cflag),
            _choose(lock.lflag, old.lflag, self.lflag),
            bytes([was if held else new for held, was, new in zip(lock.cc, old.cc, self.cc, strict=True)]),
            old.line if lock.line else self.line,
            self.ispeed,
            self.ospeed,
        )

    def with_old(self, data: bytes) -> Termios:
        """These attributes with what struct termio `data` can say replaced."""
        iflag, oflag, cflag, lflag, line, cc = TERMIO.unpack(data)
        high = ~0xFFFF
        return Termios(
            self.iflag & high | iflag,
            self.oflag & high | oflag,
            self.cflag & high | cflag,
            self.lflag & high | lflag,
            cc + self.cc[8:],
            line,
            self.ispeed,
            self.ospeed,
        )


def unpack(data: bytes, old: Termios | None = None) -> Termios:
    """From struct termios, with the speeds of `old`, or, 8 bytes longer, struct termios2."""
    if len(data) == TERMIOS2.size:
        iflag, oflag, cflag, lflag, line, cc, ispeed, ospeed = TERMIOS2.unpack(data)
    else:
        iflag, oflag, cflag, lflag, line, cc = TERMIOS.unpack(data)
        ispeed, ospeed = (old.ispeed, old.ospeed) if old is not None else (0, 0)
    return Termios(iflag, oflag, cflag, lflag, cc, line, ispeed, ospeed)
