"""Random memory calls on a real stub: after each, the list and the host's /proc/PID/maps must say the same.

Run by test_mm_on_host in a process of its own, `python -m tests.unit.mm_on_host SEED STEPS`; it prints the
first difference.
"""

from __future__ import annotations

import os
import random
import sys
from typing import Any

from sentry import _core
from sentry.abi.mman import (
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_KEEPONFORK,
    MADV_POPULATE_WRITE,
    MADV_WIPEONFORK,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from sentry.errors import Errno
from sentry.mm import advise
from sentry.mm.remap import mremap
from sentry.mm.space import AddressSpace
from sentry.platform.base import load, stub_path
from tests.unit.mm_doubles import FakeFile, FakeTask

BASE = 0x7F0000000000
PAGE = 4096
PAGES = 64
AREA = BASE - PAGES * PAGE
ADVICE = (
    MADV_DONTNEED, MADV_FREE, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK,
    MADV_POPULATE_WRITE, MADV_DODUMP,
)  # fmt: skip

Pages = dict[int, tuple[int, bool]]


def on_host(ctx: _core.Context) -> Pages:
    """Page to (protection, shared), as the host has it around the area."""
    pages = {}
    with open(f"/proc/{ctx.host_tid}/maps") as file:
        for line in file:
            place, letters = line.split()[:2]
            start, end = (int(word, 16) for word in place.split("-"))
            if abs(start - BASE) < 1 << 30:
                prot = (
                    PROT_READ * ("r" in letters)
                    + PROT_WRITE * ("w" in letters)
                    + PROT_EXEC * ("x" in letters)
                )
                for page in range(start, end, PAGE):
                    pages[page] = (prot, "s" in letters)
    return pages


def in_list(mm: AddressSpace) -> Pages:
    """The same, as the list has it."""
    return {page: (vma.prot, vma.shared) for vma in mm.areas for page in range(vma.start, vma.end, PAGE)}


def step(rng: random.Random, task: Any, file: Any) -> None:
    """One random call; Errno when it is refused."""
    mm = task.mm
    addr = AREA + rng.randrange(PAGES) * PAGE
    length = rng.randrange(1, 12) * PAGE
    other = rng.randrange(12) * PAGE
    prot = rng.choice((PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE))
    kind = rng.choice((MAP_SHARED, MAP_PRIVATE)) | rng.choice((0, MAP_FIXED))
    match rng.randrange(10):
        case 0 | 1:
            mm.mmap(task, addr, length, prot, kind | MAP_ANONYMOUS)
        case 2:
            mm.mmap(task, addr, length, prot, kind, file, other)
        case 3:
            mm.munmap(task, addr, length)
        case 4:
            mm.mprotect(task, addr, length, prot)
        case 5:
            mremap(mm, task, addr, length, other, rng.choice((0, MREMAP_MAYMOVE)), 0)
        case 6:
            target = AREA + rng.randrange(PAGES) * PAGE
            mremap(mm, task, addr, length, other, MREMAP_MAYMOVE | MREMAP_FIXED, target)
        case 7:
            mremap(mm, task, addr, length, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0)
        case 8:
            advise.madvise(mm, task, addr, length, rng.choice(ADVICE))
        case 9:
            task.ctx.write(addr, b"x" * length)  # gives pages a history: the host then joins fewer mappings


def main(seed: int, steps: int) -> str:
    machine = load("ptrace")
    machine.init(os.open(stub_path("ptrace"), os.O_RDONLY | os.O_CLOEXEC))
    try:
        rng = random.Random(seed)
        fd = os.memfd_create("file", os.MFD_CLOEXEC)
        os.ftruncate(fd, PAGES * PAGE)
        file = FakeFile(flags=os.O_RDWR, fd=fd)
        task: Any = FakeTask(BASE)
        task.ctx = machine.new_space()
        for number in range(steps):
            try:
                step(rng, task, file)
            except Errno:
                pass
            if on_host(task.ctx) != in_list(task.mm):
                return f"seed {seed}, step {number}: the host's mappings differ from the list"
            if number % 25 == 0:
                child = task.ctx.fork()
                if on_host(child) != in_list(task.mm.fork(task, task)):
                    return f"seed {seed}, step {number}: the child's mappings differ from its list"
                child.end()
        return "" if len(task.mm.areas) > 5 else "hardly anything was mapped: the test tests nothing"
    finally:
        machine.shutdown()


if __name__ == "__main__":
    found = main(int(sys.argv[1]), int(sys.argv[2]))
    print(found)
    sys.exit(1 if found else 0)
