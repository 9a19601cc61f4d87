"""madvise, mlock, msync, mseal and names of memory against a host that is a table of pages."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOMEM, EPERM
from typing import Any

import pytest

from sentry.abi.mman import (
    MADV_DODUMP,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_REMOVE,
    MADV_WIPEONFORK,
    MAP_FIXED,
    MAP_SHARED,
    MCL_CURRENT,
    MREMAP_MAYMOVE,
    MS_ASYNC,
    MS_INVALIDATE,
    MS_SYNC,
    PROT_READ,
)
from sentry.abi.resource import RLIMIT_MEMLOCK
from sentry.mm import advise, lock, mapping
from sentry.mm.remap import mremap
from sentry.mm.vma import VM_LOCKED
from tests.unit.mm_doubles import (
    ANON,
    BASE,
    PAGE,
    RW,
    FakeFile,
    FakeTask,
    errno_of,
    mmap,
)


@pytest.fixture
def task() -> Any:
    return FakeTask(BASE)


def test_madvise_reaches_what_is_mapped_and_reports_holes(task: Any) -> None:
    start = mmap(task, 0x600000000, 4)
    task.mm.munmap(task, start + PAGE, PAGE)
    assert errno_of(advise.madvise, task.mm, task, start, 4 * PAGE, MADV_DONTNEED) == ENOMEM
    assert task.ctx.advised == [(start, PAGE, MADV_DONTNEED), (start + 2 * PAGE, 2 * PAGE, MADV_DONTNEED)]
    assert errno_of(advise.madvise, task.mm, task, start, PAGE, 77) == EINVAL
    assert errno_of(advise.madvise, task.mm, task, start + 1, PAGE, MADV_DONTNEED) == EINVAL
    assert errno_of(advise.madvise, task.mm, task, start, 2**64 - 1, MADV_DONTNEED) == EINVAL
    advise.madvise(task.mm, task, start, 0, MADV_DONTNEED)


def test_madvise_is_one_order_for_neighbours(task: Any) -> None:
    start = mmap(task, 0x600000000, 4)
    task.mm.mprotect(task, start, PAGE, PROT_READ)
    advise.madvise(task.mm, task, start, 4 * PAGE, MADV_DONTNEED)
    assert task.ctx.advised == [(start, 4 * PAGE, MADV_DONTNEED)]


def test_madvise_rules_by_kind_of_mapping(task: Any) -> None:
    file = mmap(task, 0, 1, PROT_READ, MAP_SHARED, FakeFile(flags=2))
    assert errno_of(advise.madvise, task.mm, task, file, PAGE, MADV_FREE) == EINVAL
    assert errno_of(advise.madvise, task.mm, task, file, PAGE, MADV_WIPEONFORK) == EINVAL
    assert errno_of(advise.madvise, task.mm, task, file, PAGE, MADV_REMOVE) == EACCES
    private = mmap(task, 0, 1)
    assert errno_of(advise.madvise, task.mm, task, private, PAGE, MADV_REMOVE) == EINVAL
    advise.madvise(task.mm, task, private, PAGE, MADV_DONTDUMP)
    advise.madvise(task.mm, task, private, PAGE, MADV_DODUMP)
    assert not task.ctx.advised


def test_fork_leaves_out_what_must_not_be_inherited(task: Any) -> None:
    task.creds.capabilities.add(14)
    start = mmap(task, 0x600000000, 4)
    advise.madvise(task.mm, task, start + PAGE, PAGE, MADV_DONTFORK)
    lock.mlockall(task.mm, task, MCL_CURRENT)
    child = task.mm.fork(task, task)
    assert [(vma.start, vma.end) for vma in child.areas] == [
        (start, start + PAGE),
        (start + 2 * PAGE, start + 4 * PAGE),
    ]
    assert not any(vma.flags & VM_LOCKED for vma in child.areas)
    assert all(vma.flags & VM_LOCKED for vma in task.mm.areas)
    assert (child.users, child.areas.total) == (1, 3 * PAGE)


def test_mlock_limits(task: Any) -> None:
    task.group.limit(RLIMIT_MEMLOCK, 2 * PAGE)
    start = mmap(task, 0x600000000, 4)
    mm = task.mm
    lock.mlock(mm, task, start + 1, PAGE)  # two pages
    assert mapping.locked_bytes(mm) == 2 * PAGE
    lock.mlock(mm, task, start, PAGE)  # again: not counted twice
    assert errno_of(lock.mlock, mm, task, start, 3 * PAGE) == ENOMEM
    assert errno_of(advise.madvise, mm, task, start, PAGE, MADV_DONTNEED) == EINVAL
    lock.munlock(mm, start, 2 * PAGE)
    assert mapping.locked_bytes(mm) == 0
    task.group.limit(RLIMIT_MEMLOCK, 0)
    assert errno_of(lock.mlock, mm, task, start, PAGE) == EPERM
    assert errno_of(lock.munlock, mm, start, 9 * PAGE) == ENOMEM


def test_seals(task: Any) -> None:
    start = mmap(task, 0x600000000, 3)
    advise.mseal(task.mm, start + PAGE, PAGE)
    mm = task.mm
    assert errno_of(mm.munmap, task, start, 3 * PAGE) == EPERM
    assert errno_of(mm.mprotect, task, start, 3 * PAGE, PROT_READ) == EPERM
    assert errno_of(mmap, task, start, 3, RW, ANON | MAP_FIXED) == EPERM
    assert errno_of(mremap, mm, task, start + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0) == EPERM
    assert errno_of(advise.mseal, mm, start, 4 * PAGE) == ENOMEM


def test_msync(task: Any) -> None:
    start = mmap(task, 0, 2, RW, MAP_SHARED, FakeFile(flags=2))
    advise.msync(task.mm, task, start, PAGE, MS_SYNC)
    assert task.ctx.orders[-1] == ("sync", start, PAGE, MS_SYNC)
    assert errno_of(advise.msync, task.mm, task, start, PAGE, MS_SYNC | MS_ASYNC) == EINVAL
    assert errno_of(advise.msync, task.mm, task, start, PAGE, 8) == EINVAL
    assert errno_of(advise.msync, task.mm, task, start, 3 * PAGE, MS_INVALIDATE) == ENOMEM


def test_names_of_anonymous_memory(task: Any) -> None:
    start = mmap(task, 0x600000000, 3)
    advise.set_anon_name(task.mm, start, PAGE, b"heap of mine")
    assert [vma.name for vma in task.mm.areas] == [b"heap of mine", None]
    assert errno_of(advise.set_anon_name, task.mm, start, PAGE, b"a[b]") == EINVAL
    assert errno_of(advise.set_anon_name, task.mm, start, PAGE, b"x" * 80) == EINVAL
    assert errno_of(advise.set_anon_name, task.mm, start, 4 * PAGE, None) == ENOMEM
    assert len(task.mm.areas) == 1
