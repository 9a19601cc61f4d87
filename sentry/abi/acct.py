"""struct acct_v3 of acct(5), and its two kinds of short numbers."""

from struct import Struct

# flag version tty exitcode uid gid pid ppid btime etime utime stime mem io rw minflt majflt swaps comm
ACCT_V3 = Struct("<BBHIIIIIII8H16s")
VERSION = 3
HZ = 100  # AHZ: ticks a second

AFORK = 0x01
ASU = 0x02
ACORE = 0x08
AXSIG = 0x10

_FRACTION = (1 << 13) - 1


def comp(value: int) -> int:
    """A comp_t: 13 bits, times a power of 8, rounded."""
    exponent = rest = 0
    while value > _FRACTION:
        rest = value & 4
        value >>= 3
        exponent += 1
    if rest:
        value += 1
        if value > _FRACTION:
            value >>= 3
            exponent += 1
    return exponent << 13 | value if exponent < 8 else 0xFFFF


def single(value: int) -> int:
    """The bits of a float, cut off."""
    if not value:
        return 0
    length = value.bit_length()
    return (length + 126) << 23 | (value << 24 >> length) & 0x7FFFFF
