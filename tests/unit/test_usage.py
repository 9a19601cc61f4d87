"""Context switches of threads, whose host threads are used again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sentry.kernel import usage
from sentry.kernel.usage import Usage


def test_a_host_threads_earlier_switches_are_not_the_next_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(usage, "host_cpu_time", lambda pid: next(clock))
    monkeypatch.setattr(usage, "_counted", {})
    counts = {7: 1000}
    host: Any = SimpleNamespace(
        status=lambda pid, tid=0: {b"nonvoluntary_ctxt_switches": counts[tid]}, process=lambda pid: None
    )
    used = Usage(host)
    used.enter(6)
    for expected, count in ((1000, 1000), (1003, 1003), (1003, 1003)):
        counts[7] = count
        task: Any = SimpleNamespace(
            ctx=SimpleNamespace(host_tid=7), group=SimpleNamespace(usage=used), preempted=0, waits=0,
            kernel=SimpleNamespace(host_proc=host), rchar=0, wchar=0, syscr=0, syscw=0, cpu_before=0,
        )  # fmt: skip
        assert used.total([task]).preempted == expected
        used.end_thread(task)
        assert used.total().preempted == expected


def test_the_host_is_not_asked_about_a_thread_that_ends_within_its_first_slice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage, "host_cpu_time", lambda pid: now)
    asked: list[int] = []

    def status(pid: int, tid: int = 0) -> dict[bytes, int]:
        asked.append(tid)
        return {}

    host: Any = SimpleNamespace(status=status, process=lambda pid: None)
    used, now = Usage(host), 0
    used.enter(6)
    for tid, start, end in ((7, 10**9, 10**9 + 900_000), (8, 10**9, 10**9 + 1_100_000)):
        task: Any = SimpleNamespace(
            ctx=SimpleNamespace(host_tid=tid), group=SimpleNamespace(usage=used), preempted=0, waits=0,
            kernel=SimpleNamespace(host_proc=host), rchar=0, wchar=0, syscr=0, syscw=0, cpu_before=start,
        )  # fmt: skip
        now = end
        used.end_thread(task)
    assert asked == [8]
