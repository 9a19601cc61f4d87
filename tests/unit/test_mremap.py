"""mremap(2) against a host that is a table of pages."""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOMEM
from typing import Any

import pytest

from sentry.abi.mman import (
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_READ,
)
from sentry.mm.remap import mremap
from tests.unit.mm_doubles import (
    BASE,
    PAGE,
    RW,
    SHARED_ANON,
    FakeFile,
    FakeTask,
    errno_of,
    mmap,
    ranges,
)


@pytest.fixture
def task() -> Any:
    return FakeTask(BASE)


def remap(task: Any, addr: int, old: int, new: int, flags: int = 0, target: int = 0) -> int:
    return mremap(task.mm, task, addr, old * PAGE, new * PAGE, flags, target)


def test_mremap_shrinks_and_grows_in_place(task: Any) -> None:
    start = mmap(task, 0x600000000, 4)
    assert remap(task, start, 4, 2) == start
    assert ranges(task) == [(start, start + 2 * PAGE)]
    assert remap(task, start, 2, 6) == start
    assert ranges(task) == [(start, start + 6 * PAGE)]
    assert task.agrees()


def test_mremap_moves_when_it_may(task: Any) -> None:
    start = mmap(task, 0x600000000, 2)
    mmap(task, start + 2 * PAGE, 1, PROT_READ)
    assert errno_of(remap, task, start, 2, 4) == ENOMEM
    moved = remap(task, start, 2, 4, MREMAP_MAYMOVE)
    assert moved == BASE - 4 * PAGE
    assert ranges(task) == [(start + 2 * PAGE, start + 3 * PAGE), (moved, BASE)]
    assert task.agrees()


def test_mremap_fixed_unmaps_the_target(task: Any) -> None:
    start = mmap(task, 0x600000000, 4)
    target = mmap(task, 0x700000000, 4, PROT_READ)
    assert remap(task, start + PAGE, 2, 1, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE) == target + PAGE
    assert [(v.start, v.end, v.prot) for v in task.mm.areas] == [
        (start, start + PAGE, RW),
        (start + 3 * PAGE, start + 4 * PAGE, RW),
        (target, target + PAGE, PROT_READ),
        (target + PAGE, target + 2 * PAGE, RW),
        (target + 2 * PAGE, target + 4 * PAGE, PROT_READ),
    ]
    assert task.agrees()


def test_mremap_dontunmap_leaves_the_old_range(task: Any) -> None:
    start = mmap(task, 0x600000000, 2)
    moved = remap(task, start, 2, 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)
    assert ranges(task) == [(start, start + 2 * PAGE), (moved, moved + 2 * PAGE)]
    assert task.agrees()


def test_mremap_of_length_0_doubles_a_shared_mapping(task: Any) -> None:
    start = mmap(task, 0x600000000, 2, RW, SHARED_ANON)
    second = remap(task, start, 0, 2, MREMAP_MAYMOVE)
    assert second != start
    assert task.mm.futex_key(start, True) == task.mm.futex_key(second, True)
    private = mmap(task, 0, 1)
    assert errno_of(remap, task, private, 0, 1, MREMAP_MAYMOVE) == EINVAL
    assert task.agrees()


def test_mremap_grows_a_file_mapping_with_more_of_the_file(task: Any) -> None:
    file = FakeFile(flags=2)
    start = mmap(task, 0x600000000, 2, RW, MAP_SHARED, file, 0x3000)
    assert remap(task, start, 2, 3) == start
    assert ranges(task) == [(start, start + 3 * PAGE)]
    assert task.ctx.pages[start + 2 * PAGE] == (RW, True, 5, 0x5000)


def test_mremap_by_halves_when_the_host_has_several_mappings(task: Any) -> None:
    start = mmap(task, 0x600000000, 4)
    task.ctx.refuse["remap"] = EFAULT
    moved = remap(task, start, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, 0x700000000)
    assert [order[1:] for order in task.ctx.orders if order[0] == "remap"] == [
        (start, 4 * PAGE, 4 * PAGE, 0, moved),
        (start, 2 * PAGE, 2 * PAGE, 0, moved),
        (start + 2 * PAGE, 2 * PAGE, 2 * PAGE, 0, moved + 2 * PAGE),
    ]
    assert task.agrees()


@pytest.mark.parametrize(
    ("addr", "old", "new", "flags", "target", "error"),
    [
        (1, PAGE, PAGE, 0, 0, EINVAL),
        (0, PAGE, PAGE, 8, 0, EINVAL),
        (0, PAGE, 0, 0, 0, EINVAL),
        (0, PAGE, 2**64 - 1, 0, 0, EINVAL),
        (0, PAGE, PAGE, MREMAP_FIXED, 0x700000000, EINVAL),
        (0, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0, EINVAL),
        (0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x600000000, EINVAL),
        (0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x700000001, EINVAL),
        (0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 2**64 - PAGE, EINVAL),
        (0, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE, 0, EFAULT),
        (-0x10000, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0, EFAULT),
    ],
)
def test_mremap_refuses(
    task: Any, addr: int, old: int, new: int, flags: int, target: int, error: int
) -> None:
    start = mmap(task, 0x600000000, 2)
    assert errno_of(mremap, task.mm, task, start + addr, old, new, flags, target) == error
    assert ranges(task) == [(start, start + 2 * PAGE)]
