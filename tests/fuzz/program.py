"""Random programs for interpreter.c: an image of memory, and operations with mostly plausible arguments."""

from __future__ import annotations

import ast
import random
import struct
from pathlib import Path

from sentry.syscalls.table import TABLE
from tests.fuzz.calls import CALLS
from tests.fuzz.idioms import IDIOMS
from tests.fuzz.structs import STRUCTS
from tests.fuzz.values import FSTYPES, LENGTHS, MODES, OFFSETS, PATHS, SIGNALS, TEXTS

IMAGE = 0x70000000
IMAGE_SIZE = 256 << 10
SLOTS = 256
SECTION = 250  # operations that a worker runs
FORK, VFORK, THREAD, STORE, TOUCH, LOAD = range(1000, 1006)
_CONTROL = {"FORK": FORK, "VFORK": VFORK, "THREAD": THREAD, "STORE": STORE, "TOUCH": TOUCH, "LOAD": LOAD}
_CHILDREN = ("FORK", "VFORK", "THREAD")
_NONE = -1
_OPERATION = struct.Struct("<HHi")
_ARGUMENT = struct.Struct("<BBHIQ")

# Slots by what they hold; a slot is taken again by a later result, so that old values go stale.
_KINDS = {
    "file": range(8),
    "dir": range(8, 11),
    "sock": range(11, 19),
    "pipe": range(19, 25),
    "epfd": range(25, 28),
    "special": range(28, 34),
    "shm": range(100, 104),
    "sem": range(104, 108),
    "msg": range(108, 112),
    "key": range(112, 116),
}
_FDS = range(40)
_PIDS = range(64, 70)
_MAPS = range(80, 86)
_LOCALS = range(128, 250)  # what an idiom calls $x

# Where each section begins, so that there is something to work on.
_PROLOGUE = (
    "mmap 0 65536 3 0x22 -1 0 >map",
    "mmap 0 65536 3 0x21 -1 0 >map",
    "openat -100 path 0x42 0x1b6 >file",
    "memfd_create name 2 >file",
    "memfd_create name 0 >file",
    "mkdirat -100 path 0x1ff",
    "openat -100 path 0x10000 0 >dir",
    "pipe2 pair 0x800 >pipe",
    "pipe2 pair 0 >pipe",
    "socketpair 1 1 0 pair >sock",
    "socketpair 1 0x802 0 pair >sock",
    "socketpair 1 5 0 pair >sock",
    "socket 1 1 0 >sock",
    "epoll_create1 0 >epfd",
    "eventfd2 1 0 >special",
    "timerfd_create 1 0 >special",
    "pidfd_open 2 0 >special",
    "mmap 0 16384 3 1 file 0 >map",
    "shmget 0 65536 0x3b6 >shm",
    "semget 0 3 0x3b6 >sem",
    "msgget 0 0x3b6 >msg",
    "inotify_init1 0x800 >special",
)


class Writer:
    """One program in the making."""

    def __init__(self, seed: int) -> None:
        self.random: random.Random = random.Random(seed)
        self.image = bytearray()
        self.operations: list[tuple[int, int, int, list[bytes]]] = []
        self.strings: dict[str, int] = {}
        self.numbers = {entry.name: entry.nr for entry in TABLE}
        self.calls = [line.split() for line in CALLS.strip().splitlines()]
        self.locals: dict[str, int] = {}
        for text in (*PATHS, *FSTYPES, *(text for texts in TEXTS.values() for text in texts)):
            self.strings[text] = self.place(text.encode("utf-8", "surrogateescape") + b"\0")
        self.scratch: int = self.place(bytes(16384))
        self.filled: int = self.place(self.random.randbytes(4096))

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
            return self.constant(
                self.random.choice(
                    (0, -1, 2, IMAGE - 1, 1 << 47, 0x7FFF80000000, self.random.getrandbits(64))
                )
            )
        if word[0] == "&":
            options = [int(text, 0) for text in word[1:].split("|")]
            return self.constant(sum(set(self.random.choices(options, k=self.random.randrange(4)))))
        option = self.random.choice(word.split("|"))
        if option[0] == "$":
            return _ARGUMENT.pack(1, self.local(option), 0, 0, 0)
        if option[0] == "'":
            return self.constant(self.quoted(option[1:-1]))
        if ".." in option:
            low, high = option.split("..")
            return self.constant(self.random.randrange(int(low, 0), int(high, 0) + 1))
        if option[0] in "-0123456789":
            return self.constant(ast.literal_eval(option))
        if option in STRUCTS:
            return self.constant(self.struct(option))
        return self.plain(option)

    def plain(self, word: str) -> bytes:
        match word:
            case "fd":
                return (
                    self.slot(_FDS)
                    if self.random.random() < 0.9
                    else self.constant(self.random.randrange(-2, 40))
                )
            case "shm" | "sem" | "msg" | "key":
                return self.slot(_KINDS[word])
            case "file" | "dir" | "sock" | "pipe" | "epfd" | "special":
                return self.slot(_KINDS[word] if self.random.random() < 0.9 else _FDS)
            case "dirfd":
                return self.constant(-100) if self.random.random() < 0.8 else self.slot(_FDS)
            case "path":
                return self.text(PATHS[:20] if self.random.random() < 0.5 else PATHS)
            case "name" | "mqname" | "keytype" | "keyname":
                return self.text(TEXTS[word])
            case "fstype":
                return self.text(FSTYPES)
            case "pid" | "tid":
                return (
                    self.slot(_PIDS)
                    if self.random.random() < 0.6
                    else self.constant(self.random.choice((0, 2, 3, 4, 5, 9, -1, 99999)))
                )
            case "sig":
                return self.constant(self.pick(SIGNALS))
            case "addr":
                return self.slot(_MAPS, self.random.choice((0, 0, 0, 0x1000, 0x2000, 0x8000, 1, 0xFFF)))
            case "pages":
                return self.constant(
                    self.random.choice((0, 1, 2, 3, 8, 16, 100)) * 4096
                    + self.random.choice((0, 0, 0, 1, 4095))
                )
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

    def local(self, name: str) -> int:
        """The slot that has this name in the idiom being written."""
        if name not in self.locals:
            self.locals[name] = self.random.choice(_LOCALS)
        return self.locals[name]

    def quoted(self, text: str) -> int:
        """The address of a text of idioms.py."""
        if text not in self.strings:
            escaped = text.replace("~", " ").replace("^", "\n").encode().decode("unicode_escape")
            self.strings[text] = self.place(escaped.encode("latin-1") + b"\0")
        return self.strings[text]

    # Structures

    def struct(self, name: str) -> int:
        return self.place(STRUCTS[name](self))

    # Operations

    def add(self, number: int, arguments: list[bytes], result: int = _NONE, count: int = 0) -> None:
        padding = [self.constant(0)] * (6 - len(arguments))
        self.operations.append((number, count, result, arguments + padding))

    def add_call(self, words: list[str]) -> None:
        name, *words = words
        keep = words.pop()[1:] if words and words[-1][0] == ">" else ""
        arguments = [self.argument(word) for word in words]
        slots = _FDS if keep == "fd" else _MAPS if keep == "map" else _KINDS.get(keep)
        if keep[:1] == "$":
            slots = range(self.local(keep), self.local(keep) + 1)
        if name in _CONTROL:
            self.add(_CONTROL[name], arguments, slots[0] if slots else _NONE)
            return
        pair = "pair" in words
        self.add(self.numbers[name], arguments, self.random.choice(slots) if slots and not pair else _NONE)
        if pair and slots:
            address = _ARGUMENT.unpack(arguments[words.index("pair")])[4]
            for offset, slot in zip((0, 4), self.random.sample(slots, 2), strict=True):
                self.add(LOAD, [self.constant(address + offset)], slot)

    def add_idiom(self) -> None:
        """One of idioms.py, now and then with a line missing or something else in between."""
        self.locals = {}
        parents: list[int] = []
        for line in self.random.choice(IDIOMS):
            depth = len(line) - len(line.lstrip("\t"))
            while len(parents) > depth:
                self.end_child(parents.pop())
            words = line.split()
            chance = self.random.random()
            if chance < 0.06 and words[0] not in _CHILDREN:
                continue
            if chance > 0.9:
                self.add_call(self.random.choice(self.calls))
            if words[0] in _CHILDREN:
                parents.append(len(self.operations))
            self.add_call(words)
        for at in reversed(parents):
            self.end_child(at)

    def end_child(self, at: int) -> None:
        """All that was added since the FORK, VFORK or THREAD at `at` is what its child does."""
        number, _, result, arguments = self.operations[at]
        self.operations[at] = (number, len(self.operations) - at - 1, result, arguments)

    def add_section(self) -> None:
        """What one worker runs: SECTION operations."""
        start = len(self.operations)
        for line in _PROLOGUE:
            self.add_call(line.split())
        self.add_some(SECTION - (len(self.operations) - start))
        del self.operations[start + SECTION :]

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
                self.end_child(at)
            elif chance < 0.035:
                self.add_idiom()
            elif chance < 0.05:
                self.add(TOUCH, [self.argument("addr"), self.constant(self.random.randrange(2))])
            elif chance < 0.06:
                self.add(STORE, [self.constant(self.buffer()), self.slot(_FDS)])
            else:
                self.add_call(self.random.choice(self.calls))

    def bytes(self) -> bytes:
        """The program as the interpreter reads it."""
        image = bytes(self.image[:IMAGE_SIZE])
        text = struct.pack("<II", len(self.operations), len(image)) + image
        text += bytes(-len(text) % 8)
        for number, count, result, arguments in self.operations:
            text += _OPERATION.pack(number, count, result) + b"".join(arguments)
        return text


def make(seed: int, sections: int) -> Writer:
    """The program of that seed: the same each time."""
    writer = Writer(seed)
    for _ in range(sections):
        writer.add_section()
    return writer


def listing(writer: Writer) -> str:
    """The program as text, to look for what went wrong."""
    names = {number: name for name, number in writer.numbers.items()}
    names |= {number: name for name, number in _CONTROL.items()}
    lines = []
    for index, (number, count, result, arguments) in enumerate(writer.operations):
        texts = []
        for argument in arguments:
            kind, slot, _, offset, value = _ARGUMENT.unpack(argument)
            texts.append(f"slot{slot}+{offset:#x}" if kind else f"{value:#x}")
        lines.append(
            f"{index:5} {names[number]}({', '.join(texts)})"
            + (f" -> slot{result}" if result >= 0 else "")
            + (f" [{count}]" if count else "")
        )
    return "\n".join(lines)


SOURCE = Path(__file__).with_name("interpreter.c")
