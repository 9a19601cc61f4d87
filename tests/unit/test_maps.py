"""What /proc tells of an address space (proc(5))."""

from __future__ import annotations

from typing import Any

import pytest

from sentry.abi.mman import (
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from sentry.mm import advise
from sentry.mm.brk import brk
from sentry.mm.maps import Totals, maps_text, smaps_text, statm
from tests.unit.mm_doubles import FakeFile, FakeTask

PAGE = 4096
RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
START = 0x555500000000


@pytest.fixture
def task() -> Any:
    return FakeTask()


def lines(task: Any) -> list[str]:
    return maps_text(task.mm, task.root).decode().splitlines()


def test_a_line_names_range_protection_offset_device_and_inode(task: Any) -> None:
    task.mm.mmap(task, START, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, FakeFile(flags=2), 0x3000)
    expected = "555500000000-555500002000 r--s 00003000 08:02 77".ljust(73) + "/bin/program"
    assert lines(task) == [expected]


def test_nameless_memory_ends_in_a_space(task: Any) -> None:
    task.mm.mmap(task, START, PAGE, RW, ANON)
    assert lines(task) == ["555500000000-555500001000 rw-p 00000000 00:00 0 "]


def test_names_of_heap_shared_and_named_memory(task: Any) -> None:
    mm = task.mm
    mm.brk_start = mm.brk_end = START
    brk(mm, task, START + PAGE)
    mm.mmap(task, START + 0x10000, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
    mm.mmap(task, START + 0x20000, PAGE, RW, ANON)
    advise.set_anon_name(mm, START + 0x20000, PAGE, b"pool")
    assert [line[73:] for line in lines(task)] == ["[heap]", "/dev/zero (deleted)", "[anon:pool]"]


def test_a_newline_in_a_name_is_escaped(task: Any) -> None:
    file = FakeFile()
    file.path.text = b"/a\nb"
    task.mm.mmap(task, START, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file)
    assert lines(task)[0].endswith(" /a\\012b")


def test_statm_counts_pages(task: Any) -> None:
    mm = task.mm
    mm.mmap(task, START, 4 * PAGE, RW, ANON)
    mm.mmap(task, START + 0x10000, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, FakeFile())
    mm.mmap(task, START + 0x20000, 8 * PAGE, PROT_NONE, ANON)
    mm.mmap(task, START + 0x30000, 16 * PAGE, RW, ANON | MAP_NORESERVE)
    mm.code_start, mm.code_end = START + 10, START + PAGE + 10
    assert statm(mm) == (30, 6, 2, 2, 0, 20, 0)
    totals = Totals(mm)
    assert (totals.size, totals.resident, totals.data) == (30 * PAGE, 6 * PAGE, 20 * PAGE)


def test_smaps_has_the_flags_of_each_mapping(task: Any) -> None:
    task.mm.mmap(task, START, 2 * PAGE, RW, ANON)
    advise.madvise(task.mm, task, START, 2 * PAGE, MADV_DONTFORK)
    advise.madvise(task.mm, task, START, 2 * PAGE, MADV_DONTDUMP)
    text = smaps_text(task.mm, task.root).decode()
    assert "Size:                  8 kB\n" in text
    assert "VmFlags: rd wr mr mw me dc ac dd \n" in text
