"""What is looked at before a core file is written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sentry.abi.mman import PROT_READ
from sentry.kernel import core_image

SIZE = 64 << 20


class HostProc:
    """Says of every page that it is the file's, and counts how often it is asked and about how much."""

    def __init__(self) -> None:
        self.asked = self.times = 0

    def pagemap(self, pid: int, start: int, end: int) -> bytes:
        self.asked += end - start
        self.times += 1
        return b"\0\0\0\0\0\0\0\xa0" * ((end - start) // 4096)


def looked(count: int, length: int) -> HostProc:
    """At a process with private mappings of files."""
    host = HostProc()
    file: Any = SimpleNamespace(path=None)
    areas = [
        SimpleNamespace(
            start=at * length, end=(at + 1) * length, length=length, flags=0, shared=False, file=file,
            prot=PROT_READ, offset=4096,
        )
        for at in range(count)
    ]  # fmt: skip
    task: Any = SimpleNamespace(
        mm=SimpleNamespace(areas=areas),
        group=SimpleNamespace(coredump_filter=0x33, usage=SimpleNamespace(host_pid=1)),
        kernel=SimpleNamespace(host_proc=host),
    )
    found = core_image.pieces(task)
    assert [piece.size for piece in found] == [0] * count
    return host


def test_looks_for_own_pages_of_files_mappings() -> None:
    host = looked(3, SIZE)
    assert (host.times, host.asked) == (3, 3 * SIZE)


def test_bounds_how_much_it_looks_at() -> None:
    assert looked(200, SIZE).asked <= 2 << 30


def test_bounds_how_often_it_looks() -> None:
    assert looked(20_000, 4096).times <= 2048
