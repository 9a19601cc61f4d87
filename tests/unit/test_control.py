"""Signals that the command line passes on."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sentry.abi.signal import SIGINT, SIGKILL, SIGTERM, SIGTSTP, SIGUSR1, SIGWINCH
from sentry.kernel import control
from sentry.kernel.sessions import ProcessGroup
from tests.unit.kernel_doubles import World, handle


class FakeTerminal:
    def __init__(self, foreground: ProcessGroup | None) -> None:
        self.foreground = foreground


class FakeWatcher:
    """As much of a Reactor as is used."""

    def __init__(self) -> None:
        self.callback: Callable[[int], None] | None = None

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self.callback = callback

    def forget(self, fd: int) -> None:
        self.callback = None


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("signo", [SIGINT, SIGTERM, SIGKILL])
def test_a_signal_without_a_handler_ends_init(world: World, signo: int) -> None:
    control.deliver(world.kernel, signo)
    assert world.init.dying
    assert world.init.group.exit_code == signo


def test_a_handler_of_inits_gets_the_signal(world: World) -> None:
    handle(world.init, SIGTERM)
    control.deliver(world.kernel, SIGTERM)
    assert not world.init.dying
    assert world.init.group.pending == 1 << SIGTERM - 1


def test_what_is_typed_is_for_the_foreground_of_the_terminal(world: World) -> None:
    child = world.process(world.init)
    job = ProcessGroup(child.group.tgid, child.group.session)
    job.members.append(child.group)
    world.init.group.session.tty = FakeTerminal(job)
    for task in (world.init, child):
        handle(task, SIGTERM)
        handle(task, SIGWINCH)
    for signo in (SIGWINCH, SIGTERM):
        control.deliver(world.kernel, signo)
    assert world.init.group.pending == 1 << SIGTERM - 1
    assert child.group.pending == 1 << SIGWINCH - 1
    control.deliver(world.kernel, SIGINT)
    assert child.dying
    assert not world.init.dying


def test_what_is_typed_ends_an_init_in_the_foreground_but_never_stops_it(world: World) -> None:
    world.init.group.session.tty = FakeTerminal(world.init.group.process_group)
    control.deliver(world.kernel, SIGTSTP)
    assert not world.init.dying
    assert not world.init.group.pending
    control.deliver(world.kernel, SIGINT)
    assert world.init.dying
    assert world.init.group.exit_code == SIGINT


def test_a_terminal_without_a_foreground_takes_no_signals(world: World) -> None:
    world.init.group.session.tty = FakeTerminal(None)
    control.deliver(world.kernel, SIGINT)
    assert not world.init.dying


def test_bytes_that_are_no_signal_are_dropped(world: World) -> None:
    for number in (0, 65, 255):
        control.deliver(world.kernel, number)
    assert not world.init.dying


def test_bytes_of_the_pipe_are_signals_until_it_is_closed(world: World) -> None:
    watcher = FakeWatcher()
    world.kernel.reactor = watcher  # type: ignore[assignment]
    reader, writer = os.pipe2(os.O_NONBLOCK)
    try:
        handle(world.init, SIGUSR1)
        handle(world.init, SIGTERM)
        control.listen(world.kernel, reader)
        assert watcher.callback is not None
        watcher.callback(0)  # spurious
        os.write(writer, bytes([SIGUSR1, SIGTERM]))
        watcher.callback(0)
        assert world.init.group.pending == 1 << SIGUSR1 - 1 | 1 << SIGTERM - 1
    finally:
        os.close(writer)
    assert watcher.callback is not None
    watcher.callback(0)
    assert watcher.callback is None
    os.close(reader)
