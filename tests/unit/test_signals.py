"""Sending and taking signals (signal(7))."""

from __future__ import annotations

import errno

import pytest

from sentry import _core
from sentry._core import Action
from sentry.abi.resource import RLIMIT_SIGPENDING
from sentry.abi.signal import (
    SI_QUEUE,
    SI_TKILL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGINT,
    SIGKILL,
    SIGRTMIN,
    SIGSEGV,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    SIGUSR1,
    SIGUSR2,
    mask_of,
)
from sentry.errors import Errno
from sentry.kernel.signals import job_control, signals
from sentry.kernel.signals.siginfo import SigInfo
from tests.unit.kernel_doubles import FakeTask, World, handle


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def task(world: World) -> FakeTask:
    return world.process(world.init)


def taken(task: FakeTask) -> list[int]:
    """All signals that the task can take, in order."""
    found = []
    while (info := signals.dequeue(task, ~task.sigmask)) is not None:
        found.append(info.signo)
    return found


def test_a_standard_signal_is_pending_once(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    signals.send_group(task.group, SIGUSR1, SigInfo(SIGUSR1, pid=1))
    signals.send_group(task.group, SIGUSR1, SigInfo(SIGUSR1, pid=2))
    info = signals.dequeue(task, ~0)
    assert info is not None
    assert info.pid == 1
    assert signals.dequeue(task, ~0) is None
    assert task.group.pending == 0


def test_realtime_signals_queue_lowest_number_first_and_in_order_of_sending(task: FakeTask) -> None:
    first, second = SIGRTMIN + 3, SIGRTMIN + 2
    for signo in (first, second):
        handle(task, signo)
    for value in (1, 2):
        signals.send_group(task.group, first, SigInfo(first, SI_QUEUE, value=value))
        signals.send_group(task.group, second, SigInfo(second, SI_QUEUE, value=value + 10))
    values = []
    while (info := signals.dequeue(task, ~0)) is not None:
        values.append(info.value)
    assert values == [11, 12, 1, 2]


def test_faults_are_taken_before_other_private_signals_and_those_before_the_groups(task: FakeTask) -> None:
    for signo in (SIGINT, SIGSEGV, SIGUSR1):
        handle(task, signo)
    signals.send_group(task.group, SIGINT)
    signals.send_task(task, SIGUSR1)
    signals.send_task(task, SIGSEGV)
    assert taken(task) == [SIGSEGV, SIGUSR1, SIGINT]


def test_an_ignored_signal_is_dropped_unless_it_is_blocked(task: FakeTask) -> None:
    task.group.sighand[SIGUSR1] = Action(SIG_IGN)
    assert not signals.send_group(task.group, SIGUSR1)
    assert not signals.send_group(task.group, SIGCHLD)
    task.sigmask = mask_of(SIGUSR1)
    assert signals.send_group(task.group, SIGUSR1)
    assert task.group.pending == mask_of(SIGUSR1)


def test_setting_an_action_to_ignore_drops_what_is_pending(task: FakeTask) -> None:
    task.sigmask = mask_of(SIGUSR1)
    signals.send_group(task.group, SIGUSR1)
    signals.send_task(task, SIGUSR1)
    signals.set_action(task.group, SIGUSR1, Action(SIG_IGN))
    assert signals.pending(task) == 0
    assert task.group.queue.infos == []
    assert task.signal.queue.infos == []


def test_a_fatal_signal_dooms_every_thread_at_once(world: World, task: FakeTask) -> None:
    other = world.thread(task)
    signals.send_group(task.group, SIGTERM)
    assert task.group.exiting
    assert task.group.exit_code == SIGTERM
    assert task.dying
    assert other.dying
    assert other.work & _core.WORK_EXIT


def test_a_blocked_fatal_signal_waits(task: FakeTask) -> None:
    task.sigmask = mask_of(SIGTERM)
    signals.send_group(task.group, SIGTERM)
    assert not task.group.exiting
    assert task.group.pending == mask_of(SIGTERM)


def test_a_thread_that_does_not_block_a_group_signal_takes_it(world: World, task: FakeTask) -> None:
    handle(task, SIGUSR1)
    other = world.thread(task)
    task.sigmask = mask_of(SIGUSR1)
    other.ctx.running = True
    signals.send_group(task.group, SIGUSR1)
    assert other.work & _core.WORK_SIGNAL
    assert other.ctx.interrupts == 1  # type: ignore[attr-defined]
    assert not task.work


def test_blocking_a_pending_group_signal_passes_it_to_another_thread(world: World, task: FakeTask) -> None:
    handle(task, SIGUSR1)
    signals.send_group(task.group, SIGUSR1)
    assert task.work & _core.WORK_SIGNAL
    other = world.thread(task)
    signals.set_mask(task, mask_of(SIGUSR1))
    assert other.work & _core.WORK_SIGNAL


def test_kill_and_stop_can_not_be_blocked(task: FakeTask) -> None:
    signals.set_mask(task, mask_of(SIGKILL, SIGSTOP, SIGUSR1))
    assert task.sigmask == mask_of(SIGUSR1)


def test_init_gets_only_what_it_handles_but_dies_by_a_signal_from_outside(world: World) -> None:
    init = world.init
    for signo in (SIGTERM, SIGKILL, SIGSTOP):
        assert not signals.send_group(init.group, signo)
    handle(init, SIGTERM)
    assert signals.send_group(init.group, SIGTERM)
    assert not init.dying
    assert signals.send_group(init.group, SIGINT, force=True)
    assert init.dying
    assert init.group.exit_code == SIGINT


def test_a_fault_kills_even_init_and_can_not_be_blocked_or_ignored(world: World) -> None:
    init = world.init
    init.sigmask = mask_of(SIGSEGV)
    handle(init, SIGSEGV)
    signals.force_fault(init, SigInfo(SIGSEGV, 1))
    assert init.dying
    assert init.group.exit_code == SIGSEGV


def test_continue_discards_pending_stops_and_a_stop_discards_a_pending_continue(task: FakeTask) -> None:
    task.sigmask = mask_of(SIGTSTP, SIGCONT)
    signals.send_group(task.group, SIGTSTP)
    signals.send_group(task.group, SIGCONT)
    assert task.group.pending == mask_of(SIGCONT)
    signals.send_group(task.group, SIGTSTP)
    assert task.group.pending == mask_of(SIGTSTP)


def test_a_stopped_process_keeps_fatal_signals_until_it_goes_on_but_not_sigkill(
    world: World, task: FakeTask
) -> None:
    job_control.stop(task.group, SIGSTOP)
    assert job_control.park(task)
    signals.send_group(task.group, SIGTERM)
    assert not task.group.exiting
    signals.send_group(task.group, SIGKILL)
    assert task.group.exiting
    assert task.state == "running"  # sent back to die
    world.turn()
    assert world.machine.started == [task]


def test_too_many_queued_realtime_signals_give_eagain(task: FakeTask) -> None:
    task.group.rlimits[RLIMIT_SIGPENDING] = (4, 4)
    signo = SIGRTMIN + 1
    handle(task, signo)
    for _ in range(4):
        signals.send_group(task.group, signo, SigInfo(signo, SI_QUEUE))
    with pytest.raises(Errno) as refused:
        signals.send_group(task.group, signo, SigInfo(signo, SI_QUEUE))
    assert refused.value.code == errno.EAGAIN
    handle(task, SIGUSR1)
    signals.send_task(task, SIGUSR1, SigInfo(SIGUSR1, SI_TKILL))  # never fails: only its siginfo is lost
    assert not task.signal.queue.infos
    signals.send_group(task.group, SIGUSR2)  # kill(2) is not limited
    assert len(task.group.queue.infos) == 5


def test_signal_sets_of_proc_status(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    task.group.sighand[SIGINT] = Action(SIG_IGN)
    assert task.group.sighand.caught() == mask_of(SIGUSR1)
    assert task.group.sighand.ignored() == mask_of(SIGINT)
    task.group.sighand.reset_handlers()
    assert task.group.sighand.caught() == 0
    assert task.group.sighand.ignored() == mask_of(SIGINT)
