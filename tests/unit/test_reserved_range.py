"""Addresses among the guest's that are not the guest's, and code that may be changed."""

from __future__ import annotations

import random
from errno import EEXIST, ENOMEM
from typing import Any

import pytest

from sentry._core import Vma, VmaList
from sentry.abi.mman import (
    MAP_32BIT,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from sentry.mm.brk import brk
from sentry.mm.layout import PATCH_RANGE
from sentry.mm.mapping import munmap
from sentry.mm.remap import mremap
from sentry.mm.vma import VM_MAYALL, VM_SPECIAL
from tests.unit.mm_doubles import ANON, BASE, PAGE, RW, FakeFile, FakeTask, errno_of, mmap, ranges

START, END = PATCH_RANGE
RX = PROT_READ | PROT_EXEC


@pytest.fixture
def task() -> Any:
    task = FakeTask(BASE)
    task.mm.areas.reserve(START, END)
    return task


def test_it_cannot_be_mapped(task: Any) -> None:
    for addr, pages in ((START, 1), (END - PAGE, 1), (START - PAGE, 2), (END - PAGE, 4), (START - PAGE, 100)):
        assert errno_of(mmap, task, addr, pages, RW, ANON | MAP_FIXED) == ENOMEM
        assert errno_of(mmap, task, addr, pages, RW, ANON | MAP_FIXED_NOREPLACE) == EEXIST
        assert mmap(task, addr, pages) == BASE - pages * PAGE  # a hint is ignored
        munmap(task.mm, task, BASE - pages * PAGE, pages * PAGE)
    assert mmap(task, START - PAGE, 1) == START - PAGE
    assert mmap(task, END, 1) == END
    assert task.agrees()


def test_a_mapping_cannot_move_or_grow_there(task: Any) -> None:
    below = mmap(task, START - PAGE, 1)
    moving = MREMAP_MAYMOVE | MREMAP_FIXED
    assert errno_of(mremap, task.mm, task, below, PAGE, PAGE, moving, START) == ENOMEM
    assert errno_of(mremap, task.mm, task, below, PAGE, 2 * PAGE, 0, 0) == ENOMEM
    assert ranges(task) == [(below, START)]


def test_the_heap_ends_below(task: Any) -> None:
    task.mm.brk_start = task.mm.brk_end = START - 8 * PAGE
    assert brk(task.mm, task, START) == START - 8 * PAGE
    assert brk(task.mm, task, START - PAGE) == START - PAGE
    assert task.agrees()


def test_a_stack_does_not_grow_into_it(task: Any) -> None:
    mmap(task, END + 4 * PAGE, 1, RW, ANON | MAP_FIXED | MAP_GROWSDOWN)
    assert task.mm.fault_in(task, END, True)
    assert not task.mm.fault_in(task, END - 1, True)
    assert ranges(task) == [(END, END + 5 * PAGE)]


def test_unmapping_around_it_spares_it(task: Any) -> None:
    mmap(task, START - 2 * PAGE, 2)
    mmap(task, END, 2)
    task.ctx.orders.clear()
    munmap(task.mm, task, START - PAGE, END - START + 2 * PAGE)
    assert task.ctx.orders == [("unmap", START - PAGE, PAGE), ("unmap", END, PAGE)]
    assert ranges(task) == [(START - 2 * PAGE, START - PAGE), (END + PAGE, END + 2 * PAGE)]


def test_a_search_for_room_steps_over_it(task: Any) -> None:
    first = mmap(task, 0, (START - 0x40000000) // PAGE - 1, RW, ANON | MAP_32BIT)
    assert first == 0x40000000
    assert mmap(task, 0, 2, RW, ANON | MAP_32BIT) == END
    assert mmap(task, 0, 1, RW, ANON | MAP_32BIT) == START - PAGE


@pytest.mark.parametrize("seed", range(10))
def test_room_is_found_beside_it(seed: int) -> None:
    rng = random.Random(seed)
    lowest, base = 0x10000, 0x10000 + 200 * PAGE
    low = lowest + rng.randrange(190) * PAGE
    high = low + rng.randrange(1, 10) * PAGE
    areas = VmaList(lowest, base)
    areas.reserve(low, high)
    taken = set(range(low, min(high, base), PAGE))
    while True:
        count = rng.choice((1, 2, 5, 20))
        room = areas.room_below(count * PAGE)
        free = [
            start
            for start in range(lowest, base - count * PAGE + 1, PAGE)
            if not any(page in taken for page in range(start, start + count * PAGE, PAGE))
        ]
        assert room == (free[-1] if free else None)
        assert areas.room_above(count * PAGE, lowest, base) == (free[0] if free else None)
        if room is None:
            if count == 1:
                break
            continue
        areas.insert(Vma(room, room + count * PAGE, RW, VM_MAYALL))
        taken.update(range(room, room + count * PAGE, PAGE))
        if rng.random() < 0.4:
            page = rng.choice(sorted(taken - set(range(low, high, PAGE))))
            areas.clear(page, page + PAGE)
            taken.remove(page)


def test_a_fork_keeps_it(task: Any) -> None:
    assert task.mm.fork(task, task).areas.is_reserved(START, START + 1)


def test_code_that_may_be_changed(task: Any) -> None:
    may = task.mm.may_patch
    code = mmap(task, 0x400000, 2, RX, MAP_PRIVATE | MAP_FIXED, FakeFile())
    assert may(code, 1)
    assert may(code + PAGE, PAGE)
    assert may(code, 2 * PAGE)
    assert not may(code, 2 * PAGE + 1)
    assert not may(code - 1, 4)
    assert not may(code, 0)
    assert not may(code + 8, 2**64 - 8)
    assert not may(2**64 - 1, 7)
    shared = mmap(task, 0x500000, 1, RX, MAP_SHARED | MAP_FIXED, FakeFile())
    assert not may(shared, 7)
    for prot in (PROT_READ, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC):
        task.mm.mprotect(task, code, PAGE, prot)
        assert not may(code, 7)
        assert may(code + PAGE, 7)
        assert not may(code + PAGE - 1, 7)
    task.mm.areas.insert(Vma(0x600000, 0x601000, RX, VM_MAYALL | VM_SPECIAL))
    assert not may(0x600000, 7)
