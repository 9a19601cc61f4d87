"""Random programs for interpreter.c: an image of memory, and operations whose arguments are mostly plausible."""

from __future__ import annotations

import ast
import random
import struct
from pathlib import Path

from sentry.syscalls.table import TABLE
from tests.fuzz.calls import CALLS

IMAGE = 0x10000000
IMAGE_SIZE = 256 << 10
SLOTS = 256
SECTION = 250  # operations that a worker runs
FORK, VFORK, THREAD, STORE, TOUCH = range(1000, 1005)
_NONE = -1
_OPERATION = struct.Struct("<HHi")
_ARGUMENT = struct.Struct("<BBHIQ")

# Slots by what they hold; a slot is taken again by a later result, so that old values go stale.
_FDS = range(0, 48)
_PIDS = range(64, 80)
_MAPS = range(80, 112)
_TIMERS = range(112, 116)

PATHS = (
    "a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", "l", "l/..", "./a", "..", ".", "/", "", "/tmp", "/tmp/work/a",
    "/tmp/work/d/../a", "fifo", "sock", "/proc/self", "/proc/self/fd/0", "/proc/self/fd/3", "/proc/self/fd/4",
    "/proc/self/exe", "/proc/self/maps", "/proc/self/status", "/proc/self/task", "/proc/1/root", "/proc/2/stat",
    "/proc/self/environ", "/proc/self/mem", "/proc/self/comm", "/proc/self/oom_score_adj", "/proc/sys/kernel/hostname",
    "/proc/mounts", "/proc", "/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx",
    "/dev/pts/0", "/dev/pts/1", "/dev/fd/3", "/dev/shm/x", "/etc/passwd", "/usr/bin/true", "/usr", "/host", "/host/a",
    "/host/d", "/host/d/x", "/host/../tmp", "/nowhere/x", "x" * 255, "y" * 256, "a/", "d/", "a/b", "\udcff\udcfe",
    "/proc/self/cwd/a", "/proc/thread-self/fd", "/sys", "/sys/kernel", "d/m", "d/m/x",
)  # fmt: skip
NAMES = ("user.a", "user.b", "trusted.x", "security.y", "system.posix_acl_access", "user.", "z" * 300, "name")
FSTYPES = ("tmpfs", "proc", "sysfs", "devpts", "ext4", "devtmpfs", "mqueue")
LENGTHS = (0, 1, 2, 4, 7, 8, 16, 64, 100, 128, 1000, 4095, 4096, 4097, 8192, 65536, 65537, 200000, 1 << 20, 1 << 31,
           1 << 63, (1 << 64) - 1)  # fmt: skip
OFFSETS = (0, 0, 1, 10, 100, 4095, 4096, 8192, 65536, 1 << 20, 1 << 24, (1 << 24) + 1, 1 << 31, 1 << 40, (1 << 63) - 1,
           1 << 63, (1 << 64) - 1)  # fmt: skip
MODES = (0, 0o400, 0o600, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o170000)
SIGNALS = (0, 1, 2, 3, 6, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 23, 28, 32, 34, 40, 64, 65, -1)
TIMES = (0, 1, 1000, 100000, 2000000, 999999999, 1000000000, -1, 1 << 62)


class Writer:
    """One program in the making."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.image = bytearray()
        self.operations: list[tuple[int, int, int, list[bytes]]] = []
        self.strings: dict[str, int] = {}
        self.numbers = {entry.name: entry.nr for entry in TABLE}
        self.calls = [line.split() for line in CALLS.strip().splitlines()]
        for text in (*PATHS, *NAMES, *FSTYPES):
            self.strings[text] = self.place(text.encode("utf-8", "surrogateescape") + b"\0")
        self.scratch = self.place(bytes(16384))
        self.filled = self.place(self.random.randbytes(4096))

    def place(self, data: bytes) -> int:
        """Put something into the image; its address."""
        while len(self.image) % 8:
            self.image.append(0)
        address = IMAGE + len(self.image)
        self.image += data
        return address

    def pick(self, values: tuple[int, ...]) -> int:
        return self.random.choice(values)

    # Arguments

    def constant(self, value: int) -> bytes:
        return _ARGUMENT.pack(0, 0, 0, 0, value & (1 << 64) - 1)

    def slot(self, slots: range, offset: int = 0) -> bytes:
        return _ARGUMENT.pack(1, self.random.choice(slots), 0, offset, 0)

    def text(self, texts: tuple[str, ...]) -> bytes:
        return self.constant(self.strings[self.random.choice(texts)])

    def buffer(self) -> int:
        return self.scratch + self.random.randrange(0, 16384, 8)

    def argument(self, word: str) -> bytes:
        """An argument as calls.py describes it."""
        chance = self.random.random()
        if chance < 0.01:
            return self.constant(self.random.choice((0, -1, 2, IMAGE - 1, 1 << 47, 0x7FFF80000000, self.random.getrandbits(64))))
        if word[0] == "&":
            options = [int(text, 0) for text in word[1:].split("|")]
            return self.constant(sum(set(self.random.choices(options, k=self.random.randrange(4)))))
        option = self.random.choice(word.split("|"))
        if ".." in option:
            low, high = option.split("..")
            return self.constant(self.random.randrange(int(low), int(high) + 1))
        if option[0] in "-0123456789":
            return self.constant(ast.literal_eval(option))
        if option in STRUCTS:
            return self.constant(self.struct(option))
        return self.plain(option)

    def plain(self, word: str) -> bytes:
        match word:
            case "fd":
                return self.slot(_FDS) if self.random.random() < 0.9 else self.constant(self.random.randrange(-2, 40))
            case "dirfd":
                return self.constant(-100) if self.random.random() < 0.8 else self.slot(_FDS)
            case "path":
                return self.text(PATHS[:20] if self.random.random() < 0.5 else PATHS)
            case "name":
                return self.text(NAMES)
            case "fstype":
                return self.text(FSTYPES)
            case "pid" | "tid":
                return self.slot(_PIDS) if self.random.random() < 0.6 else self.constant(self.random.choice((0, 2, 3, 4, 5, 9, -1, 99999)))
            case "sig":
                return self.constant(self.pick(SIGNALS))
            case "addr":
                return self.slot(_MAPS, self.random.choice((0, 0, 0, 0x1000, 0x2000, 0x8000, 1, 0xFFF)))
            case "pages":
                return self.constant(self.random.choice((0, 1, 2, 3, 8, 16, 100)) * 4096 + self.random.choice((0, 0, 0, 1, 4095)))
            case "prot":
                return self.constant(self.random.choice((0, 1, 2, 3, 4, 5, 7, 8, 0x1000003, 0x2000001)))
            case "in":
                return self.constant(self.filled + self.random.randrange(0, 4096, 4))
            case "out":
                return self.constant(self.buffer())
            case "len":
                return self.constant(self.pick(LENGTHS))
            case "off":
                return self.constant(self.pick(OFFSETS))
            case "mode":
                return self.constant(self.pick(MODES))
            case "pair":
                return self.constant(self.scratch + 8 * self.random.randrange(64))
            case "word" | "slotword":
                return self.constant(self.scratch + 4 * self.random.randrange(8))
            case "wordvalue":
                return self.constant(self.random.choice((0, 1, 3)))
            case "timer":
                return self.constant(self.random.randrange(4))
        raise ValueError(word)

    # Structures

    def struct(self, name: str) -> int:
        return self.place(STRUCTS[name](self))

    def timespec(self) -> bytes:
        seconds = self.random.choice((0, 0, 0, 0, 1, 1000000, -1, (1 << 62)))
        return struct.pack("<qq", seconds, self.pick(TIMES))

    def iovec(self) -> bytes:
        return b"".join(struct.pack("<QQ", self.buffer(), self.pick(LENGTHS[:18])) for _ in range(8))

    def control(self) -> bytes:
        fds = [self.random.randrange(0, 20) for _ in range(self.random.randrange(1, 4))]
        data = struct.pack(f"<QII{len(fds)}i", 16 + 4 * len(fds) + self.random.choice((0, 0, 0, 1, -8)), 1,
                           self.random.choice((1, 1, 1, 2, 3)), *fds)  # fmt: skip
        return data.ljust(32, b"\0")

    def msghdr(self) -> bytes:
        name = self.random.choice((0, 0, self.place(self.sockaddr())))
        control = self.random.choice((0, self.place(self.control()), self.buffer()))
        return struct.pack("<QIIQQQQII", name, self.random.choice((0, 2, 16, 110)), 0, self.place(self.iovec()),
                           self.random.choice((0, 1, 2, 8)), control, self.random.choice((0, 16, 24, 32, 100)) if control else 0,
                           0, 0)  # fmt: skip

    def sockaddr(self) -> bytes:
        path = self.random.choice((b"sock", b"/tmp/work/sock", b"\0abstract", b"d/sock", b"", b"p" * 108, b"/host/sock"))
        return struct.pack("<H108s", self.random.choice((1, 1, 1, 1, 0, 2)), path)

    def pollfds(self) -> bytes:
        return b"".join(struct.pack("<ihH", self.random.randrange(-1, 40), self.random.choice((0, 1, 4, 5, 0x7F)), 0) for _ in range(8))

    def clone_args(self) -> bytes:
        flags = self.random.choice((0, 0, 0x1000, 0x100000, 0x200000, 0x1000000, 0x80000000, 0x100000000, 0x10000))
        return struct.pack("<11Q", flags, self.buffer(), self.buffer(), self.buffer(), self.random.choice((17, 0, 9, 65)),
                           0, 0, 0, self.random.choice((0, 0, 0, self.buffer())), self.random.choice((0, 0, 0, 1, 33)), 0)  # fmt: skip

    # Operations

    def add(self, number: int, arguments: list[bytes], result: int = _NONE, count: int = 0) -> None:
        padding = [self.constant(0)] * (6 - len(arguments))
        self.operations.append((number, count, result, arguments + padding))

    def add_call(self) -> None:
        name, *words = self.random.choice(self.calls)
        keep = words.pop()[1:] if words and words[-1][0] == ">" else ""
        if name not in self.numbers:
            raise ValueError(name)
        arguments = [self.argument(word) for word in words]
        result = {"fd": _FDS, "map": _MAPS}.get(keep)
        self.add(self.numbers[name], arguments, self.random.choice(result) if result else _NONE)

    def add_some(self, count: int, depth: int = 0) -> None:
        """`count` operations, those within forks and threads included."""
        end = len(self.operations) + count
        while len(self.operations) < end:
            chance = self.random.random()
            left = end - len(self.operations) - 1
            if chance < 0.03 and depth < 3 and left > 4:
                inner = self.random.randrange(1, min(left, 60))
                at = len(self.operations)
                kind = self.random.choice((FORK, THREAD, THREAD, VFORK))
                self.add(kind, [], self.random.choice(_PIDS))
                self.add_some(inner, depth + 1)
                number, _, result, arguments = self.operations[at]
                self.operations[at] = (number, len(self.operations) - at - 1, result, arguments)
            elif chance < 0.05:
                self.add(TOUCH, [self.argument("addr"), self.constant(self.random.randrange(2))])
            elif chance < 0.06:
                self.add(STORE, [self.constant(self.buffer()), self.slot(_FDS)])
            else:
                self.add_call()

    def bytes(self) -> bytes:
        """The program as the interpreter reads it."""
        image = bytes(self.image[:IMAGE_SIZE])
        text = struct.pack("<II", len(self.operations), len(image)) + image
        text += bytes(-len(text) % 8)
        for number, count, result, arguments in self.operations:
            text += _OPERATION.pack(number, count, result) + b"".join(arguments)
        return text


STRUCTS = {
    "pollfd": Writer.pollfds,
    "sigaction": lambda w: struct.pack("<QQQQ", w.random.choice((0, 1)), w.random.choice((0, 0x04000000, 0x10000000)), 0, w.random.choice((0, 1 << 9))),
    "sigset": lambda w: struct.pack("<Q", w.random.choice((0, 1 << 9, 1 << 16, 0x200, (1 << 64) - 1 & ~(1 << 13)))),
    "iovec": Writer.iovec,
    "fdset": lambda w: w.random.randbytes(16) + bytes(112),
    "timeval": lambda w: struct.pack("<qq", w.random.choice((0, 0, 1, -1)), w.random.choice((0, 1, 2000, 999999, 1000000))),
    "timespec": Writer.timespec,
    "itimerval": lambda w: struct.pack("<qqqq", 0, w.random.choice((0, 500, 5000)), 0, w.random.choice((0, 500, 5000))),
    "itimerspec": lambda w: w.timespec() + w.timespec(),
    "off_in": lambda w: struct.pack("<q", w.pick(OFFSETS[:12])),
    "lenword": lambda w: struct.pack("<i", w.random.choice((0, 1, 4, 16, 110, -1, 1 << 30))),
    "sockaddr": Writer.sockaddr,
    "msghdr": Writer.msghdr,
    "mmsghdr": lambda w: b"".join(w.msghdr() + bytes(8) for _ in range(4)),
    "flock": lambda w: struct.pack("<hhxxxxqqixxxx", w.random.choice((0, 1, 2, 3)), w.random.choice((0, 1, 2, 3)), w.random.choice((0, 1, -1, 100, 1 << 62)), w.random.choice((0, 1, -5, 100, 1 << 62)), 0),
    "siginfo": lambda w: struct.pack("<iii", w.pick(SIGNALS) & 0x7FFFFFFF, 0, w.random.choice((-1, -2, -6, 0, 1))) + w.random.randbytes(116),
    "sigstack": lambda w: struct.pack("<QixxxxQ", w.buffer(), w.random.choice((0, 1, 2, 4)), w.random.choice((0, 2048, 8192))),
    "rlimit": lambda w: struct.pack("<QQ", w.random.choice((0, 10, 4096, 1 << 26, (1 << 64) - 1)), w.random.choice((64, 1 << 26, (1 << 64) - 1))),
    "epollevent": lambda w: struct.pack("<IQ", w.random.choice((1, 4, 5, 0x80000001, 0x40000001, 0x10000001, 0x2019)), w.random.getrandbits(64)),
    "sigevent": lambda w: struct.pack("<QiiI", w.random.getrandbits(64), w.pick(SIGNALS), w.random.choice((0, 1, 2, 4, 3)), w.random.choice((0, 2, 3))) + bytes(48),
    "openhow": lambda w: struct.pack("<QQQ", w.random.choice((0, 1, 2, 0x42, 0x200000, 0x10000)), w.random.choice((0, 0, 0o644)), w.random.choice((0, 1, 2, 4, 8, 16, 0x1F, 32))),
    "robust": lambda w: struct.pack("<QqQ", w.buffer(), w.random.choice((0, 8, -8, 1 << 40)), w.random.choice((0, w.buffer()))),
    "waitv": lambda w: b"".join(struct.pack("<QQII", 0, w.scratch, w.random.choice((2, 2, 0x82, 0)), 0) for _ in range(2)),
    "cloneargs": Writer.clone_args,
    "argv": lambda w: struct.pack("<QQQ", w.strings["a"], w.strings["/usr"], 0),
}  # fmt: skip


def make(seed: int, sections: int) -> Writer:
    """The program of that seed: the same each time."""
    writer = Writer(seed)
    for _ in range(sections):
        writer.add_some(SECTION)
    return writer


def listing(writer: Writer) -> str:
    """The program as text, to look for what went wrong."""
    names = {number: name for name, number in writer.numbers.items()}
    names |= {FORK: "FORK", VFORK: "VFORK", THREAD: "THREAD", STORE: "STORE", TOUCH: "TOUCH"}
    lines = []
    for index, (number, count, result, arguments) in enumerate(writer.operations):
        texts = []
        for argument in arguments:
            kind, slot, _, offset, value = _ARGUMENT.unpack(argument)
            texts.append(f"slot{slot}+{offset:#x}" if kind else f"{value:#x}")
        lines.append(f"{index:5} {names[number]}({', '.join(texts)})" + (f" -> slot{result}" if result >= 0 else "") + (f" [{count}]" if count else ""))
    return "\n".join(lines)


SOURCE = Path(__file__).with_name("interpreter.c")
