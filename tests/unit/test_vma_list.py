"""The ordered list of mappings against a naive model: a dict of pages."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sentry.abi.mman import PROT_NONE, PROT_READ, PROT_WRITE
from sentry.mm.layout import GUARD_GAP
from sentry.mm.vma import VM_GROWSDOWN, VM_MAYALL, VM_SHARED, SharedMemory, Vma, VmaList

PAGE = 4096
LOWEST = 0x10000
BASE = LOWEST + 400 * PAGE


def check(areas: VmaList, model: dict[int, tuple[int, int, int]]) -> None:
    """The list says what the model says, and is as short as it can be."""
    seen = {}
    for vma in areas:
        assert vma.start < vma.end
        for page in range(vma.start, vma.end, PAGE):
            assert page not in seen
            offset = vma.offset + page - vma.start if vma.source is not None else 0
            seen[page] = (vma.prot, vma.flags, offset)
    assert seen == model

    starts = [vma.start for vma in areas]
    assert starts == sorted(starts)
    assert not any(a.joins(b) for a, b in zip(areas.vmas, areas.vmas[1:], strict=False))
    assert areas.total == len(model) * PAGE
    assert areas.data == PAGE * sum(
        1 for prot, flags, _ in model.values() if prot & PROT_WRITE and not flags & (VM_SHARED | VM_GROWSDOWN)
    )


def highest_room(model: dict[int, tuple[int, int, int]], areas: VmaList, count: int) -> int | None:
    """Where `count` pages fit highest below BASE, by looking at every page."""
    taken = set(model)
    for vma in areas:
        if vma.flags & VM_GROWSDOWN:
            taken.update(range(vma.start - GUARD_GAP, vma.start, PAGE))
    run = 0
    for page in range(BASE - PAGE, LOWEST - PAGE, -PAGE):
        run = 0 if page in taken else run + 1
        if run == count:
            return page
    return None


def changer(prot: int) -> Callable[[Vma], Vma]:
    return lambda vma: vma.changed(prot, vma.flags)


@pytest.mark.parametrize("seed", range(20))
def test_random_changes_agree_with_a_table_of_pages(seed: int) -> None:
    rng = random.Random(seed)
    areas = VmaList(LOWEST, BASE)
    model: dict[int, tuple[int, int, int]] = {}
    source = SharedMemory()
    for _ in range(600):
        start = LOWEST + rng.randrange(420) * PAGE
        count = rng.choice((1, 1, 2, 3, 10, 40))
        end = start + count * PAGE
        prot = rng.choice((PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE))
        action = rng.randrange(6)
        if action == 0:
            areas.clear(start, end)
            for page in range(start, end, PAGE):
                model.pop(page, None)
        elif action == 1:
            shared = rng.random() < 0.3
            flags = VM_MAYALL | (VM_SHARED if shared else 0)
            # Offsets equal to addresses: neighbours of one source are one piece of it.
            vma = Vma(start, end, prot, flags, None, source if shared else None, start if shared else 0)
            if rng.random() < 0.5 and not areas.overlapping(start, end):
                areas.insert(vma)
            else:
                areas.replace(start, end, [vma])
            for page in range(start, end, PAGE):
                model[page] = (prot, flags, page if shared else 0)
        elif action == 2:
            areas.update(start, end, changer(prot))
            for page in range(start, end, PAGE):
                if page in model:
                    model[page] = (prot, *model[page][1:])
        elif action in (3, 4):
            expected = highest_room(model, areas, count)
            room = areas.room_below(count * PAGE)
            assert room == expected
            if room is not None and rng.random() < 0.7:
                areas.insert(Vma(room, room + count * PAGE, prot, VM_MAYALL))
                for page in range(room, room + count * PAGE, PAGE):
                    model[page] = (prot, VM_MAYALL, 0)
        else:
            page = start
            found = areas.find(page + rng.randrange(PAGE))
            assert (found is not None) == (page in model)
            covered = areas.covered(start, end)
            reach = start
            while reach < end and reach in model:
                reach += PAGE
            assert covered == reach
        check(areas, model)


def test_room_keeps_clear_of_the_guard_gap_of_a_stack() -> None:
    areas = VmaList(LOWEST, BASE)
    stack = BASE - 10 * PAGE
    areas.insert(Vma(stack, BASE, PROT_READ, VM_MAYALL | VM_GROWSDOWN))
    assert areas.room_below(PAGE) == stack - GUARD_GAP - PAGE
    assert not areas.is_free(stack - GUARD_GAP, stack - GUARD_GAP + PAGE)
    areas.clear(stack, BASE)
    assert areas.room_below(PAGE) == BASE - PAGE


def test_room_is_found_without_looking_at_every_mapping() -> None:
    areas = VmaList(LOWEST, LOWEST + 10**6 * PAGE)
    for index in range(3000):
        room = areas.room_below(PAGE)
        assert room is not None
        areas.insert(Vma(room, room + PAGE, index % 2, VM_MAYALL))
        # What is remembered: the search starts at the lowest mapping made so far.
        assert areas.gap_floor == room + PAGE


def test_copies_are_independent() -> None:
    areas = VmaList(LOWEST, BASE)
    areas.insert(Vma(LOWEST, LOWEST + 4 * PAGE, PROT_READ, VM_MAYALL))
    other = areas.fork()
    other.clear(LOWEST + PAGE, LOWEST + 2 * PAGE)
    assert [vma.length // PAGE for vma in areas] == [4]
    assert [vma.length // PAGE for vma in other] == [1, 2]
    assert (areas.total, other.total) == (4 * PAGE, 3 * PAGE)


def test_unmapping_reopens_the_highest_gap() -> None:
    areas = VmaList(LOWEST, BASE)
    for _ in range(5):
        room = areas.room_below(4 * PAGE)
        assert room is not None
        areas.insert(Vma(room, room + 4 * PAGE, PROT_READ, VM_MAYALL | VM_SHARED, None, SharedMemory()))
    areas.clear(BASE - 8 * PAGE, BASE - 4 * PAGE)
    assert areas.room_below(8 * PAGE) == BASE - 28 * PAGE
    assert areas.room_below(4 * PAGE) == BASE - 8 * PAGE
