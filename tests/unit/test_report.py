"""What the log takes from a guest is harmless, and a report on tasks never disturbs what it interrupts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from sentry.kernel import membarrier, report
from sentry.kernel.log import Log
from tests.unit.kernel_doubles import World


@pytest.fixture
def world() -> Iterator[tuple[World, int]]:
    """A world that reports at SIGUSR2, and the descriptor to read its log from."""
    reader, writer = os.pipe()
    world = World()
    world.kernel.log = Log(writer)
    before = signal.getsignal(signal.SIGUSR2)
    report.on_signal(world.kernel)
    yield world, reader
    signal.signal(signal.SIGUSR2, before)
    os.close(reader)
    os.close(writer)


def test_a_name_with_control_characters_is_escaped(world: tuple[World, int]) -> None:
    world[0].init.comm = "a\n\x1b[2J\x9b".encode()
    signal.raise_signal(signal.SIGUSR2)
    text = os.read(world[1], 4096).decode()
    assert "\n  process 1 (a\\x0a\\x1b[2J\\x9b), parent 0: " in text
    assert "\nthe sentry itself:\n" in text


def test_every_record_is_escaped() -> None:
    reader, writer = os.pipe()
    Log(writer).write("error", "one\nerror: two\x7f", "three\r")
    Log(writer, as_json=True).write("error", "one\n\x1b\x9b")
    plain, rest, last, end = os.read(reader, 4096).decode().split("\n")
    assert plain.endswith(" error: one\\x0aerror: two\\x7f")
    assert rest == "three\\x0d"
    assert '"msg":"one\\u000a\\u001b\\u009b"' in last
    assert not end
    os.close(reader)
    os.close(writer)


def test_a_failing_report_is_logged(world: tuple[World, int]) -> None:
    world[0].init.group.leader = None  # type: ignore[assignment]
    signal.raise_signal(signal.SIGUSR2)
    assert b"error: AttributeError: " in os.read(world[1], 4096)


def test_a_failing_barrier_is_logged(world: tuple[World, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(task: object) -> None:
        raise ValueError("barrier")

    monkeypatch.setattr(membarrier, "passed", fail)
    monkeypatch.setattr(world[0].init.ctx, "rdi", 0, raising=False)
    world[0].kernel.on_barrier(world[0].init)
    assert b"ValueError: barrier" in os.read(world[1], 4096)
