"""Structures in guest memory that system calls read: random, and right more often than not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.fuzz.values import LENGTHS, OFFSETS, SIGNALS, TIMES

if TYPE_CHECKING:
    from tests.fuzz.program import Writer


def timespec(w: Writer) -> bytes:
    seconds = w.random.choice((0, 0, 0, 0, 1, 1000000, -1, (1 << 62)))
    return struct.pack("<qq", seconds, w.pick(TIMES))


def iovec(w: Writer) -> bytes:
    return b"".join(struct.pack("<QQ", w.buffer(), w.pick(LENGTHS[:18])) for _ in range(8))


def control(w: Writer) -> bytes:
    fds = [w.random.randrange(0, 20) for _ in range(w.random.randrange(1, 4))]
    data = struct.pack(
        f"<QII{len(fds)}i",
        16 + 4 * len(fds) + w.random.choice((0, 0, 0, 1, -8)),
        1,
        w.random.choice((1, 1, 1, 2, 3)),
        *fds,
    )
    return data.ljust(32, b"\0")


def msghdr(w: Writer) -> bytes:
    name = w.random.choice((0, 0, w.place(sockaddr(w))))
    rights = w.random.choice((0, w.place(control(w)), w.buffer()))
    return struct.pack(
        "<QIIQQQQII",
        name,
        w.random.choice((0, 2, 16, 110)),
        0,
        w.place(iovec(w)),
        w.random.choice((0, 1, 2, 8)),
        rights,
        w.random.choice((0, 16, 24, 32, 100)) if rights else 0,
        0,
        0,
    )


def sockaddr(w: Writer) -> bytes:
    path = w.random.choice(
        (b"sock", b"/tmp/play/sock", b"\0abstract", b"d/sock", b"", b"p" * 108, b"/host/sock")
    )
    return struct.pack("<H108s", w.random.choice((1, 1, 1, 1, 0, 2)), path)


def pollfds(w: Writer) -> bytes:
    return b"".join(
        struct.pack("<ihH", w.random.randrange(-1, 40), w.random.choice((0, 1, 4, 5, 0x7F)), 0)
        for _ in range(8)
    )


def clone_args(w: Writer) -> bytes:
    flags = w.random.choice((0, 0, 0x1000, 0x100000, 0x200000, 0x1000000, 0x80000000, 0x100000000, 0x10000))
    return struct.pack(
        "<11Q",
        flags,
        w.buffer(),
        w.buffer(),
        w.buffer(),
        w.random.choice((17, 0, 9, 65)),
        0,
        0,
        0,
        w.random.choice((0, 0, 0, w.buffer())),
        w.random.choice((0, 0, 0, 1, 33)),
        0,
    )


def fprog(w: Writer) -> bytes:
    """A filter that answers one system call with something else, or something that is no filter."""
    action = w.random.choice((0x50001, 0x50026, 0x7FFF0000, 0x30000, 0x7FC00000, 0x7FF00000, 0x80000000))
    filters = [
        (0x20, 0, 0, w.random.choice((0, 0, 0, 4, 16, 1))),
        (0x15, 0, w.random.choice((1, 1, 1, 9)), w.random.randrange(0, 470)),
        (0x06, 0, 0, action),
        (0x06, 0, 0, 0x7FFF0000),
    ]
    if w.random.random() < 0.2:
        filters[w.random.randrange(4)] = (w.random.getrandbits(8), 0, 0, w.random.getrandbits(5))
    program = b"".join(struct.pack("<HBBI", *line) for line in filters)
    return struct.pack("<HxxxxxxQ", w.random.choice((4, 4, 4, 0, 3, 5000)), w.place(program))


def regs(w: Writer) -> bytes:
    """A user_regs_struct: the words of one that was read, or some that point nowhere good."""
    words = [w.random.choice((0, 1, w.buffer(), 1 << 47, 0xFFFFFFFFFF600000, 39)) for _ in range(27)]
    words[16] = w.random.choice((0x401000, w.buffer(), 0, 1 << 63))
    words[17] = w.random.choice((0x33, 0x33, 0x33, 0, 0x23, 0xFFFF))
    return struct.pack("<27Q", *words)


def regset(w: Writer) -> bytes:
    return struct.pack("<QQ", w.buffer(), w.random.choice((0, 8, 216, 512, 832, 4096, 1 << 40)))


def notifying(w: Writer) -> bytes:
    """A filter that tells its listener of getppid, getpgid and sched_yield, or stops a tracer there."""
    action = w.random.choice((0x7FC00000, 0x7FC00000, 0x7FF00000, 0x30000))
    lines = [(0x20, 0, 0, 0)]
    lines += [(0x15, 3 - at, 0, number) for at, number in enumerate((110, 121, 24))]
    lines += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, action)]
    program = b"".join(struct.pack("<HBBI", *line) for line in lines)
    return struct.pack("<HxxxxxxQ", len(lines), w.place(program))


def iocbs(w: Writer) -> bytes:
    """Pointers to eight control blocks for io_submit(2)."""
    blocks = [
        struct.pack(
            "<QIIHhIQQQQII",
            w.random.getrandbits(64),
            0,
            w.random.choice((0, 0, 1, 8, 0x100)),
            w.random.choice((0, 1, 2, 3, 5, 6, 7, 8, 99)),
            w.random.choice((0, 0, 5)),
            w.random.randrange(0, 30),
            w.random.choice((w.buffer(), w.place(iovec(w)))),
            w.random.choice((0, 1, 8, 100, 4096, 1 << 31)),
            w.pick(OFFSETS),
            0,
            w.random.choice((0, 0, 0, 1)),
            w.random.randrange(0, 30),
        )
        for _ in range(8)
    ]
    return struct.pack("<8Q", *(w.place(block) for block in blocks))


def termios(w: Writer) -> bytes:
    flags = [w.random.choice((0, usual, w.random.getrandbits(16))) for usual in (0x500, 5, 0xBF, 0x8A3B)]
    return struct.pack("<4IB", *flags, 0) + bytes(
        w.random.choice((usual, 0, 255, 10))
        for usual in (3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 255, 18, 15, 23, 22, 255, 0, 0)
    )


STRUCTS: dict[str, Callable[[Writer], bytes]] = {
    "pollfd": pollfds,
    "sigaction": lambda w: struct.pack(
        "<QQQQ",
        w.random.choice((0, 1)),
        w.random.choice((0, 0x04000000, 0x10000000)),
        0,
        w.random.choice((0, 1 << 9)),
    ),
    "sigset": lambda w: struct.pack(
        "<Q", w.random.choice((0, 1 << 9, 1 << 16, 0x200, (1 << 64) - 1 & ~(1 << 13)))
    ),
    "iovec": iovec,
    "fdset": lambda w: w.random.randbytes(16) + bytes(112),
    "timeval": lambda w: struct.pack(
        "<qq", w.random.choice((0, 0, 1, -1)), w.random.choice((0, 1, 2000, 999999, 1000000))
    ),
    "timespec": timespec,
    "itimerval": lambda w: struct.pack(
        "<qqqq", 0, w.random.choice((0, 500, 5000)), 0, w.random.choice((0, 500, 5000))
    ),
    "itimerspec": lambda w: timespec(w) + timespec(w),
    "off_in": lambda w: struct.pack("<q", w.pick(OFFSETS[:12])),
    "lenword": lambda w: struct.pack("<i", w.random.choice((0, 1, 4, 16, 110, -1, 1 << 30))),
    "sockaddr": sockaddr,
    "msghdr": msghdr,
    "mmsghdr": lambda w: b"".join(msghdr(w) + bytes(8) for _ in range(4)),
    "flock": lambda w: struct.pack(
        "<hhxxxxqqixxxx",
        w.random.choice((0, 1, 2, 3)),
        w.random.choice((0, 1, 2, 3)),
        w.random.choice((0, 1, -1, 100, 1 << 62)),
        w.random.choice((0, 1, -5, 100, 1 << 62)),
        0,
    ),
    "siginfo": lambda w: (
        struct.pack("<iii", w.pick(SIGNALS) & 0x7FFFFFFF, 0, w.random.choice((-1, -2, -6, 0, 1)))
        + w.random.randbytes(116)
    ),
    "sigstack": lambda w: struct.pack(
        "<QixxxxQ", w.buffer(), w.random.choice((0, 1, 2, 4)), w.random.choice((0, 2048, 8192))
    ),
    "rlimit": lambda w: struct.pack(
        "<QQ",
        w.random.choice((0, 10, 4096, 1 << 26, (1 << 64) - 1)),
        w.random.choice((64, 1 << 26, (1 << 64) - 1)),
    ),
    "epollevent": lambda w: struct.pack(
        "<IQ",
        w.random.choice((1, 4, 5, 0x80000001, 0x40000001, 0x10000001, 0x2019)),
        w.random.getrandbits(64),
    ),
    "sigevent": lambda w: (
        struct.pack(
            "<QiiI",
            w.random.getrandbits(64),
            w.pick(SIGNALS),
            w.random.choice((0, 1, 2, 4, 3)),
            w.random.choice((0, 2, 3)),
        )
        + bytes(48)
    ),
    "openhow": lambda w: struct.pack(
        "<QQQ",
        w.random.choice((0, 1, 2, 0x42, 0x200000, 0x10000)),
        w.random.choice((0, 0, 0o644)),
        w.random.choice((0, 1, 2, 4, 8, 16, 0x1F, 32)),
    ),
    "robust": lambda w: struct.pack(
        "<QqQ", w.buffer(), w.random.choice((0, 8, -8, 1 << 40)), w.random.choice((0, w.buffer()))
    ),
    "waitv": lambda w: b"".join(
        struct.pack("<QQII", 0, w.scratch, w.random.choice((2, 2, 0x82, 0)), 0) for _ in range(2)
    ),
    "cloneargs": clone_args,
    "sembuf": lambda w: b"".join(
        struct.pack(
            "<Hhh",
            w.random.choice((0, 0, 1, 2, 300)),
            w.random.choice((0, 1, -1, 2, -2, 32767)),
            w.random.choice((0, 0x800, 0x1000, 0x1800)),
        )
        for _ in range(4)
    ),
    "msgbuf": lambda w: struct.pack("<q", w.random.choice((1, 1, 2, 0, -1))) + w.random.randbytes(64),
    "mqattr": lambda w: struct.pack(
        "<8q",
        w.random.choice((0, 0x800)),
        w.random.choice((1, 10, 0, 1 << 40)),
        w.random.choice((1, 8192, 0, 1 << 40)),
        0,
        0,
        0,
        0,
        0,
    ),
    "fprog": fprog,
    "notifying": notifying,
    "regs": regs,
    "regset": regset,
    "iocbs": iocbs,
    "termios": termios,
    "zeros": lambda w: bytes(64),
    "handle": lambda w: (
        struct.pack("<Ii", w.random.choice((0, 8, 12, 128, 1 << 30)), w.random.choice((0, 1, 129, 254)))
        + w.random.randbytes(128)
    ),
    "mountattr": lambda w: struct.pack(
        "<4Q",
        w.random.choice((0, 1, 2, 4, 8, 0x10, 0x80, 0x100000)),
        w.random.choice((0, 1, 0x70)),
        w.random.choice((0, 0, 1 << 17, 1 << 18, 1 << 19, 1 << 20)),
        w.random.choice((0, 3)),
    ),
    "mountid": lambda w: struct.pack(
        "<IIQQQ",
        w.random.choice((24, 32, 0, 5000)),
        0,
        w.random.choice(((1 << 64) - 1, w.random.randrange(0, 40), (1 << 31) + w.random.randrange(0, 40))),
        w.random.choice((0, 0x1FF, (1 << 64) - 1)),
        0,
    ),
    "landlock": lambda w: struct.pack(
        "<3Q",
        w.random.choice((0, 1, 0x1FFF, 0x7FFF, (1 << 64) - 1)),
        w.random.choice((0, 0, 1, 3)),
        w.random.choice((0, 0, 1, 3)),
    ),
    "landlockpath": lambda w: struct.pack(
        "<Qi", w.random.choice((0, 4, 0xC, 0x1FFF, 0x7FFF)), w.random.randrange(0, 20)
    ),
    "xattrargs": lambda w: struct.pack(
        "<QII", w.buffer(), w.random.choice((0, 1, 100, 65536, 65537)), w.random.choice((0, 0, 1, 2))
    ),
    "argv": lambda w: struct.pack("<QQQ", w.strings["a"], w.strings["/usr"], 0),
}
