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
            kernel=SimpleNamespace(host_proc=host), rchar=0, wchar=0, syscr=0, syscw=0,
        )  # fmt: skip
        assert used.total([task]).preempted == expected
        used.end_thread(task)
        assert used.total().preempted == expected
