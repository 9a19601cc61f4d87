"""The way back to user mode: EINTR or restart, handlers, stops (signal(7), sigaction(2))."""

from __future__ import annotations

from errno import EINTR
from typing import Any

import pytest

from sentry import _core
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS
from sentry.abi.signal import (
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SA_RESTORER,
    SIG_DFL,
    SIGCHLD,
    SIGCONT,
    SIGSEGV,
    SIGSTOP,
    SIGTSTP,
    SIGUSR1,
    SIGUSR2,
    mask_of,
)
from sentry.kernel import run
from sentry.kernel.signals import signals
from sentry.kernel.wait import INTERRUPTED, suspend
from tests.unit.kernel_doubles import MEMORY_SIZE, MEMORY_START, FakeTask, World, handle

NR = 35
RIP = 0x4000
RESTART_SYSCALL = 219


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def task(world: World) -> FakeTask:
    task = world.process(world.init)
    task.ctx.rip = RIP
    task.ctx.rsp = MEMORY_START + MEMORY_SIZE
    task.syscall_nr = NR
    return task


def errno_of(task: FakeTask) -> int:
    return 2**64 - task.ctx.rax


@pytest.mark.parametrize(
    ("code", "nr"),
    [(ERESTARTSYS, NR), (ERESTARTNOINTR, NR), (ERESTARTNOHAND, NR), (ERESTART_RESTARTBLOCK, RESTART_SYSCALL)],
)
def test_without_a_handler_an_interrupted_call_starts_again(task: FakeTask, code: int, nr: int) -> None:
    assert run.on_return(task, -code)
    assert task.ctx.rip == RIP - 2
    assert task.ctx.rax == nr


@pytest.mark.parametrize(
    ("code", "flags", "restarts"),
    [
        (ERESTARTSYS, 0, False),
        (ERESTARTSYS, SA_RESTART, True),
        (ERESTARTNOHAND, SA_RESTART, False),
        (ERESTARTNOINTR, 0, True),
        (ERESTART_RESTARTBLOCK, SA_RESTART, False),
    ],
)
def test_after_a_handler_sa_restart_decides_for_erestartsys_alone(
    task: FakeTask, code: int, flags: int, restarts: bool
) -> None:
    handle(task, SIGUSR1, SA_RESTORER | flags)
    signals.send_task(task, SIGUSR1)
    assert run.on_return(task, -code)
    assert task.ctx.rip == 0x5000
    saved = task.ctx.rsp + 8 + 40  # the frame's gregs
    rip, rax = task.read_u64(saved + 16 * 8), task.read_u64(saved + 13 * 8)
    assert (rip, rax) == ((RIP - 2, NR) if restarts else (RIP, 2**64 - EINTR))


def test_a_finished_call_keeps_its_result_beside_a_handler(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    signals.send_task(task, SIGUSR1)
    assert run.on_return(task, 42)
    assert task.read_u64(task.ctx.rsp + 8 + 40 + 13 * 8) == 42


def test_the_handler_runs_with_its_mask_and_its_signal_blocked(task: FakeTask) -> None:
    handle(task, SIGUSR1, SA_RESTORER, mask_of(SIGUSR2))
    signals.send_task(task, SIGUSR1)
    run.on_return(task, 0)
    assert task.sigmask == mask_of(SIGUSR1, SIGUSR2)


def test_sa_nodefer_and_sa_resethand(task: FakeTask) -> None:
    handle(task, SIGUSR1, SA_RESTORER | SA_NODEFER | SA_RESETHAND)
    signals.send_task(task, SIGUSR1)
    run.on_return(task, 0)
    assert task.sigmask == 0
    assert task.group.sighand[SIGUSR1].handler == SIG_DFL


def test_two_deliverable_signals_stack_two_frames(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    handle(task, SIGUSR2)
    signals.send_task(task, SIGUSR1)
    signals.send_task(task, SIGUSR2)
    run.on_return(task, 0)
    assert task.pending == 0
    assert task.ctx.rdi == SIGUSR2
    assert task.read_u64(task.ctx.rsp + 8 + 40 + 16 * 8) == 0x5000  # the second one interrupts the first


def test_a_temporary_mask_is_restored_when_no_handler_runs(task: FakeTask) -> None:
    task.signal.saved_mask = mask_of(SIGUSR1)
    task.sigmask = 0
    run.on_return(task, -ERESTARTNOHAND)
    assert task.sigmask == mask_of(SIGUSR1)
    assert task.signal.saved_mask is None


def test_a_frame_that_does_not_fit_kills_with_sigsegv(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    task.ctx.rsp = 0x100
    signals.send_task(task, SIGUSR1)
    assert not run.on_return(task, 0)
    assert task.state == "dead"
    assert task.group.exit_code == SIGSEGV


def test_a_stop_parks_the_thread_and_continue_restarts_its_call(world: World, task: FakeTask) -> None:
    signals.send_group(task.group, SIGSTOP)
    assert not run.on_return(task, -ERESTARTSYS)
    assert task.state == "stopped"
    assert task.group.stop_report == SIGSTOP
    assert world.init.group.pending == 0  # SIGCHLD is ignored by default
    signals.send_group(task.group, SIGCONT)
    assert task.group.continue_report
    world.turn()
    assert world.machine.started == [task]
    assert task.work  # or the dispatcher would not ask
    assert run.on_return(task, _core.NO_RESULT)
    assert (task.ctx.rip, task.ctx.rax) == (RIP - 2, NR)


def test_a_terminal_stop_does_not_stop_an_orphaned_process_group(world: World, task: FakeTask) -> None:
    signals.send_group(task.group, SIGTSTP)
    assert run.on_return(task, 0)  # its parent is init: nobody could continue it
    assert task.state == "running"


def test_the_parent_hears_of_a_stop(world: World, task: FakeTask) -> None:
    handle(world.init, SIGCHLD)
    signals.send_group(task.group, SIGSTOP)
    run.on_return(task, 0)
    info = signals.dequeue(world.init, ~0)
    assert info is not None
    assert (info.signo, info.code, info.status, info.pid) == (SIGCHLD, 5, SIGSTOP, task.tid)


def test_a_wait_is_interrupted_by_a_signal_that_is_handled(world: World, task: FakeTask) -> None:
    async def wait() -> Any:
        return await suspend(task)

    handle(task, SIGUSR1)
    assert world.call(task, wait()) is None
    signals.send_group(task.group, SIGCHLD)  # ignored: the wait goes on
    assert world.turn() == []
    signals.send_group(task.group, SIGUSR1)
    assert world.turn() == [(task, INTERRUPTED)]


def test_an_uninterruptible_wait_ends_only_by_death(world: World, task: FakeTask) -> None:
    async def wait() -> Any:
        return await suspend(task, interruptible=False)

    handle(task, SIGUSR1)
    world.call(task, wait())
    signals.send_group(task.group, SIGUSR1)
    assert world.turn() == []
    signals.send_group(task.group, 9)
    assert world.turn() == [(task, INTERRUPTED)]


def test_a_fault_carries_its_address_and_error_code(task: FakeTask) -> None:
    handle(task, SIGSEGV)
    assert run.on_fault(task, SIGSEGV, 2, 0xDEAD000, 14, 0)
    assert run.on_return(task, _core.NO_RESULT)
    gregs = task.ctx.rsp + 8 + 40
    error, trapno, cr2 = (task.read_u64(gregs + 8 * index) for index in (19, 20, 22))
    assert (error, trapno, cr2) == (5, 14, 0xDEAD000)
    assert task.read_u64(task.ctx.rsi + 16) == 0xDEAD000
