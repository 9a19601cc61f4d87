"""Cycles are looked for when there is much new, and what that costs does not grow with what lives."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sentry.kernel import garbage
from sentry.kernel.garbage import LEAST, Garbage


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A number for each time that somebody looked."""
    counted: list[int] = []
    collect = gc.collect

    class Counting:
        get_count = staticmethod(gc.get_count)
        get_objects = staticmethod(gc.get_objects)

        @staticmethod
        def collect() -> None:
            counted.append(collect())

    monkeypatch.setattr(garbage, "gc", Counting)
    collect()
    gc.disable()
    yield counted
    gc.enable()


def test_nobody_looks_while_little_is_new(looks: list[int]) -> None:
    state = Garbage()
    kept = [[] for _ in range(1000)]  # type: list[list[int]]
    state.tend()
    assert looks == []
    assert kept


def test_cycles_are_found(looks: list[int]) -> None:
    for _ in range(LEAST + 1):
        cycle: list[object] = []
        cycle.append(cycle)
    Garbage().tend()
    assert len(looks) == 1
    assert looks[0] > LEAST // 2


def test_looks_become_rare_as_more_lives(looks: list[int]) -> None:
    state = Garbage()
    kept: list[list[int]] = []
    for _ in range(20 * LEAST):
        kept.append([])
        if len(kept) % 1000 == 0:
            state.tend()
    assert 1 <= len(looks) <= 8  # one each `LEAST` would be 20
