"""mmap, munmap, mprotect, mremap, brk and the stack against a host that is a table of pages."""

from __future__ import annotations

import random
from errno import EACCES, EEXIST, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM
from typing import Any

import pytest

from sentry.abi.mman import (
    MADV_DONTFORK,
    MAP_32BIT,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_SYNC,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_GROWSDOWN,
    PROT_NONE,
    PROT_READ,
)
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.resource import RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK
from sentry.errors import Errno
from sentry.mm import advise, layout, mapping
from sentry.mm.brk import brk
from sentry.mm.layout import GUARD_GAP
from sentry.mm.remap import mremap
from sentry.mm.vma import VM_GROWSDOWN, VM_MAYALL, Vma
from tests.unit.mm_doubles import (
    ANON,
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


# Placement


def test_mappings_go_below_the_base_and_join(task: Any) -> None:
    assert mmap(task, 0, 2) == BASE - 2 * PAGE
    assert mmap(task, 0, 1) == BASE - 3 * PAGE
    assert ranges(task) == [(BASE - 3 * PAGE, BASE)]
    assert mmap(task, 0, 1, PROT_READ) == BASE - 4 * PAGE
    assert len(task.mm.areas) == 2


def test_a_hint_is_taken_when_it_is_free(task: Any) -> None:
    assert mmap(task, 0x500000001, 1) == 0x500000000
    assert mmap(task, 0x500000000, 1) == BASE - PAGE


def test_fixed_replaces_and_splits(task: Any) -> None:
    start = mmap(task, 0, 5)
    assert mmap(task, start + PAGE, 1, PROT_READ, ANON | MAP_FIXED) == start + PAGE
    assert [vma.prot for vma in task.mm.areas] == [RW, PROT_READ, RW]
    assert task.agrees()


@pytest.mark.parametrize(
    ("addr", "length", "prot", "flags", "error"),
    [
        (0, 0, RW, ANON, EINVAL),
        (0, 2**64 - 1, RW, ANON, ENOMEM),
        (0, 2**47, RW, ANON, ENOMEM),
        (0x10001, PAGE, RW, ANON | MAP_FIXED, EINVAL),
        (0x1000, PAGE, RW, ANON | MAP_FIXED, EPERM),
        (layout.GUEST_END, PAGE, RW, ANON | MAP_FIXED, ENOMEM),
        (2**64 - PAGE, PAGE, RW, ANON | MAP_FIXED, ENOMEM),
        (0, PAGE, RW, MAP_ANONYMOUS, EINVAL),
        (0, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, EINVAL),
        (0, PAGE, RW, SHARED_ANON | MAP_GROWSDOWN, EINVAL),
    ],
)
def test_bad_arguments(task: Any, addr: int, length: int, prot: int, flags: int, error: int) -> None:
    assert errno_of(task.mm.mmap, task, addr, length, prot, flags) == error
    assert not task.ctx.orders
    assert not ranges(task)


def test_fixed_noreplace_refuses_what_is_taken(task: Any) -> None:
    start = mmap(task, 0, 2)
    assert errno_of(mmap, task, start + PAGE, 4, RW, ANON | MAP_FIXED_NOREPLACE) == EEXIST
    assert mmap(task, start - 4 * PAGE, 1, RW, ANON | MAP_FIXED_NOREPLACE) == start - 4 * PAGE


def test_map_32bit_is_below_2_gib(task: Any) -> None:
    for _ in range(3):
        addr = mmap(task, 0, 3, RW, ANON | MAP_32BIT)
        assert addr + 3 * PAGE <= 2**31


# Files


def test_a_file_mapping_follows_the_open_mode(task: Any) -> None:
    read_only, write_only, both = FakeFile(flags=0), FakeFile(flags=1), FakeFile(flags=2)
    assert errno_of(mmap, task, 0, 1, RW, MAP_SHARED, read_only) == EACCES
    assert errno_of(mmap, task, 0, 1, PROT_READ, MAP_PRIVATE, write_only) == EACCES
    mmap(task, 0, 1, RW, MAP_SHARED, both)
    mmap(task, 0, 1, RW, MAP_PRIVATE, read_only)
    addr = mmap(task, 0, 1, PROT_READ, MAP_SHARED, read_only)
    assert errno_of(task.mm.mprotect, task, addr, PAGE, RW) == EACCES
    assert errno_of(mmap, task, 0, 1, RW, MAP_SHARED_VALIDATE | MAP_SYNC, both) == EOPNOTSUPP
    assert errno_of(mmap, task, 0, 1, RW, MAP_PRIVATE, read_only, 2**63 - PAGE) == EOVERFLOW
    assert errno_of(mmap, task, 0, 1, RW, MAP_PRIVATE, read_only, 1) == EINVAL
    assert task.agrees()


def test_noexec_mounts_forbid_executable_mappings(task: Any) -> None:
    file = FakeFile()
    file.path.mount.flags = MS_NOEXEC
    try:
        assert errno_of(mmap, task, 0, 1, PROT_EXEC, MAP_PRIVATE, file) == EPERM
        addr = mmap(task, 0, 1, PROT_READ, MAP_PRIVATE, file)
        assert errno_of(task.mm.mprotect, task, addr, PAGE, PROT_EXEC) == EACCES
    finally:
        file.path.mount.flags = 0


def test_pieces_of_one_file_join_when_their_offsets_do(task: Any) -> None:
    file = FakeFile()
    start = 0x600000000
    mmap(task, start, 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0)
    mmap(task, start + 2 * PAGE, 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0x2000)
    mmap(task, start + PAGE, 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0x1000)
    mmap(task, start + 3 * PAGE, 1, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0x8000)
    assert ranges(task) == [(start, start + 3 * PAGE), (start + 3 * PAGE, start + 4 * PAGE)]


def test_shared_futexes_are_told_by_what_is_mapped(task: Any) -> None:
    file = FakeFile(flags=2)
    one = mmap(task, 0, 2, RW, MAP_SHARED, file, 0x1000)
    two = mmap(task, 0, 1, RW, MAP_SHARED, file, 0x2000)
    mm = task.mm
    assert mm.futex_key(one + PAGE + 8, True) == mm.futex_key(two + 8, True)
    assert mm.futex_key(one + 8, True) != mm.futex_key(two + 8, True)
    assert mm.futex_key(one + 8, False) != mm.futex_key(one + 8, True)
    memory = mmap(task, 0, 2, RW, SHARED_ANON)
    child: Any = mm.fork(task, task)
    assert mm.futex_key(memory + 4, True) == child.futex_key(memory + 4, True)
    private = mmap(task, 0, 1)
    assert mm.futex_key(private, True) != mm.futex_key(private, False)
    assert mm.futex_key(private, False) != child.futex_key(private, False)
    assert errno_of(mm.futex_key, 0x20000, True) == EFAULT


# Refusals by the host


def test_the_list_stays_true_when_the_host_refuses(task: Any) -> None:
    start = mmap(task, 0, 4)
    before = ranges(task)
    for name, call in (
        ("map", lambda: mmap(task, 0, 1)),
        ("unmap", lambda: task.mm.munmap(task, start + PAGE, PAGE)),
        ("protect", lambda: task.mm.mprotect(task, start, PAGE, PROT_READ)),
        ("remap", lambda: mremap(task.mm, task, start, PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0)),
    ):
        task.ctx.refuse[name] = ENOMEM
        assert errno_of(call) == ENOMEM
        assert ranges(task) == before
        assert task.agrees()


def test_a_fixed_mapping_that_fails_leaves_a_hole(task: Any) -> None:
    start = mmap(task, 0, 4)
    task.ctx.refuse["map"] = ENOMEM
    assert errno_of(mmap, task, start, 2, RW, ANON | MAP_FIXED) == ENOMEM
    assert ranges(task) == [(start + 2 * PAGE, start + 4 * PAGE)]
    assert task.agrees()


def test_a_protection_refused_midway_is_noted_as_far_as_it_went(task: Any) -> None:
    start = mmap(task, 0, 2, RW)
    low = mmap(task, 0, 2, PROT_NONE)
    task.ctx.refuse["protect"] = ENOMEM
    task.mm.mprotect(task, low, 4 * PAGE, PROT_READ)
    assert [order for order in task.ctx.orders if order[0] == "protect"] == [
        ("protect", low, 4 * PAGE, PROT_READ),
        ("protect", low, 2 * PAGE, PROT_READ),
        ("protect", start, 2 * PAGE, PROT_READ),
    ]
    assert task.agrees()


# Limits


def test_rlimit_as_and_data(task: Any) -> None:
    task.group.limit(RLIMIT_DATA, 4 * PAGE)
    start = mmap(task, 0, 4)
    assert errno_of(mmap, task, 0, 1) == ENOMEM
    mmap(task, start, 2, RW, ANON | MAP_FIXED)  # replaces what was counted
    other = mmap(task, 0, 1, PROT_READ)
    assert errno_of(task.mm.mprotect, task, other, PAGE, RW) == ENOMEM
    mmap(task, 0, 1, RW, SHARED_ANON)
    task.group.limit(RLIMIT_AS, 6 * PAGE)
    assert errno_of(mmap, task, 0, 1, PROT_READ) == ENOMEM


def test_max_map_count(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "MAX_MAP_COUNT", 3)
    start = mmap(task, 0, 3)
    mmap(task, 0, 1, PROT_READ)
    mmap(task, 0, 1, PROT_NONE)
    assert errno_of(mmap, task, 0, 1) == ENOMEM
    assert errno_of(task.mm.munmap, task, start + PAGE, PAGE) == ENOMEM
    task.mm.munmap(task, start, PAGE)


# munmap, mprotect


@pytest.mark.parametrize(
    ("addr", "length"), [(1, PAGE), (0x10000, 0), (2**47, PAGE), (0x10000, 2**64 - PAGE)]
)
def test_munmap_of_a_bad_range(task: Any, addr: int, length: int) -> None:
    assert errno_of(task.mm.munmap, task, addr, length) == EINVAL


def test_munmap_of_nothing_orders_nothing(task: Any) -> None:
    task.mm.munmap(task, 0x10000, 0x7FFFFFFE0000)
    assert not task.ctx.orders


def test_mprotect_changes_what_comes_before_a_hole(task: Any) -> None:
    start = mmap(task, 0, 4)
    task.mm.munmap(task, start + 2 * PAGE, PAGE)
    assert errno_of(task.mm.mprotect, task, start, 4 * PAGE, PROT_READ) == ENOMEM
    assert [vma.prot for vma in task.mm.areas] == [PROT_READ, RW]
    assert errno_of(task.mm.mprotect, task, start + 1, PAGE, PROT_READ) == EINVAL
    assert errno_of(task.mm.mprotect, task, start, PAGE, 0x40) == EINVAL
    assert errno_of(task.mm.mprotect, task, start, 2**64 - 1, PROT_READ) == ENOMEM
    assert errno_of(task.mm.mprotect, task, start, PAGE, PROT_READ | PROT_GROWSDOWN) == EINVAL
    task.mm.mprotect(task, start, 0, PROT_NONE)
    assert task.agrees()


def test_a_shared_mapping_that_may_never_be_written_is_private_to_the_host(task: Any) -> None:
    read_only, both = FakeFile(flags=0), FakeFile(flags=2)
    view = mmap(task, 0, 2, PROT_READ, MAP_SHARED, read_only)
    mmap(task, 0, 2, PROT_READ, MAP_SHARED, both)
    second = mremap(task.mm, task, view, 0, PAGE, MREMAP_MAYMOVE, 0)
    longer = mremap(task.mm, task, view, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0)
    kinds = [order[4] & (MAP_SHARED | MAP_PRIVATE) for order in task.ctx.orders if order[0] == "map"]
    assert kinds == [MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE, MAP_PRIVATE]  # the last: it grew in place
    for addr in (second, longer, longer + 2 * PAGE):
        assert task.ctx.pages[addr][:2] == (PROT_READ, False)
    for addr in (second, longer):
        assert task.mm.find(addr).shared  # to the guest
        assert errno_of(task.mm.mprotect, task, addr, PAGE, RW) == EACCES
    assert task.agrees()


def test_mprotect_from_the_middle_of_what_refuses_changes_nothing(task: Any) -> None:
    start = mmap(task, 0, 3, PROT_READ, MAP_SHARED, FakeFile(flags=0))
    assert errno_of(task.mm.mprotect, task, start + PAGE, PAGE, RW) == EACCES
    assert ranges(task) == [(start, start + 3 * PAGE)]


def test_mprotect_to_the_same_is_no_order(task: Any) -> None:
    start = mmap(task, 0, 4)
    task.ctx.orders.clear()
    task.mm.mprotect(task, start + PAGE, PAGE, RW)
    assert not task.ctx.orders


# The stack and the heap


def stack_of(task: Any, pages: int) -> int:
    top = BASE + 2**30
    start = top - pages * PAGE
    task.ctx.map(start, pages * PAGE, RW, ANON | MAP_FIXED)
    task.mm.areas.insert(Vma(start, top, RW, VM_MAYALL | VM_GROWSDOWN))
    return top


def test_a_stack_grows_to_its_limit(task: Any) -> None:
    top = stack_of(task, 1)
    task.group.limit(RLIMIT_STACK, 100 * PAGE)
    fault = task.mm.fault_in
    assert fault(task, top - 3 * PAGE, True)
    assert not fault(task, top - 3 * PAGE, True)  # it is there already
    assert fault(task, top - 100 * PAGE, True)
    assert not fault(task, top - 100 * PAGE - 1, True)
    assert not fault(task, 0, False)
    assert ranges(task) == [(top - 100 * PAGE, top)]
    assert task.agrees()


def test_a_stack_keeps_its_distance(task: Any) -> None:
    top = stack_of(task, 1)
    below = top - 300 * PAGE
    mmap(task, below, 1, PROT_READ, ANON | MAP_FIXED)
    end = below + PAGE
    assert not task.mm.fault_in(task, end + GUARD_GAP - 1, True)
    assert task.mm.fault_in(task, end + GUARD_GAP, True)
    assert task.agrees()


def test_a_stack_that_the_host_cannot_grow(task: Any) -> None:
    top = stack_of(task, 1)
    task.ctx.refuse["map"] = ENOMEM
    assert not task.mm.fault_in(task, top - 2 * PAGE, True)
    assert task.agrees()


def test_brk(task: Any) -> None:
    mm = task.mm
    mm.brk_start = mm.brk_end = 0x555500000000
    start = mm.brk_start

    def move(addr: int) -> int:
        return brk(mm, task, addr)

    assert move(0) == start
    assert move(start + 10) == start + 10
    assert ranges(task) == [(start, start + PAGE)]
    orders = len(task.ctx.orders)
    assert move(start + PAGE) == start + PAGE
    assert len(task.ctx.orders) == orders  # within the page
    assert move(start + 5 * PAGE) == start + 5 * PAGE
    assert move(start + PAGE + 1) == start + PAGE + 1
    assert ranges(task) == [(start, start + 2 * PAGE)]
    mmap(task, start + 10 * PAGE, 1, RW, ANON | MAP_FIXED)
    assert move(start + 10 * PAGE) == start + PAGE + 1  # a page must stay free
    assert move(start + 9 * PAGE) == start + 9 * PAGE
    assert move(start - 1) == start + 9 * PAGE
    assert move(2**64 - 1) == start + 9 * PAGE
    task.group.limit(RLIMIT_DATA, 9 * PAGE)
    assert move(start + 9 * PAGE + 1) == start + 9 * PAGE
    task.ctx.refuse["unmap"] = ENOMEM
    assert move(start) == start + 9 * PAGE
    assert task.agrees()


# Everything at once


@pytest.mark.parametrize("seed", range(15))
def test_random_calls_leave_list_and_host_in_step(seed: int) -> None:
    rng = random.Random(seed)
    task: Any = FakeTask(BASE)
    area = BASE - 64 * PAGE
    file = FakeFile(flags=2)
    refusals = 0
    for _ in range(400):
        addr = area + rng.randrange(64) * PAGE
        length = rng.randrange(1, 12) * PAGE
        prot = rng.choice((PROT_NONE, PROT_READ, RW))
        if rng.random() < 0.05:
            task.ctx.refuse[rng.choice(("map", "unmap", "remap"))] = rng.choice((ENOMEM, EFAULT))
        try:
            match rng.randrange(8):
                case 0 | 1:
                    kind = rng.choice((ANON, SHARED_ANON, ANON | MAP_POPULATE))
                    task.mm.mmap(task, addr, length, prot, kind | rng.choice((0, MAP_FIXED)))
                case 2:
                    kind = rng.choice((MAP_SHARED, MAP_PRIVATE)) | rng.choice((0, MAP_FIXED))
                    task.mm.mmap(task, addr, length, prot, kind, file, rng.randrange(9) * PAGE)
                case 3:
                    task.mm.munmap(task, addr, length)
                case 4:
                    task.mm.mprotect(task, addr, length, prot)
                case 5:
                    flags = rng.choice((0, MREMAP_MAYMOVE))
                    mremap(task.mm, task, addr, length, rng.randrange(12) * PAGE, flags, 0)
                case 6:
                    flags = MREMAP_MAYMOVE | MREMAP_FIXED
                    target = area + rng.randrange(64) * PAGE
                    mremap(task.mm, task, addr, length, length, flags, target)
                case 7:
                    advise.madvise(task.mm, task, addr, length, MADV_DONTFORK)
        except Errno:
            refusals += 1
        task.ctx.refuse.clear()
        assert task.agrees()
    assert refusals < 390
