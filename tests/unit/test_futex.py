"""Futexes (futex(2)), with a clock that stands still."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sentry.abi.futex import (
    FUTEX_CMP_REQUEUE,
    FUTEX_LOCK_PI,
    FUTEX_OP_ADD,
    FUTEX_OP_CMP_GT,
    FUTEX_OWNER_DIED,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAITERS,
    FUTEX_WAITV,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
    ROBUST_LIST_HEAD,
)
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTSYS
from sentry.abi.signal import SIGUSR1
from sentry.abi.time import TIMESPEC
from sentry.errors import Errno
from sentry.kernel import robust
from sentry.kernel.signals import signals
from sentry.syscalls.futex import futex
from sentry.syscalls.futex2 import futex_waitv
from tests.unit.kernel_doubles import MEMORY_START, FakeTask, World, handle

WORD = MEMORY_START
OTHER = MEMORY_START + 64
TIME = MEMORY_START + 128


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def tasks(world: World) -> list[FakeTask]:
    leader = world.process(world.init)
    return [leader, *(world.thread(leader) for _ in range(3))]


def call(
    world: World, task: FakeTask, operation: int, address: int, value: int = 0, timeout: int = 0, *more: int
) -> Any:
    """futex(2) by `task`: its answer, -errno, or None while it waits."""
    address2, value3 = (*more, 0, 0)[:2]
    try:
        answer = futex(task, address, operation | FUTEX_PRIVATE_FLAG, value, timeout, address2, value3)
    except Errno as error:
        return -error.code
    return answer if isinstance(answer, int) else world.call(task, answer)


def test_wait_returns_eagain_when_the_word_has_changed(world: World, tasks: list[FakeTask]) -> None:
    assert call(world, tasks[0], FUTEX_WAIT, WORD, 1) == -errno.EAGAIN
    assert len(world.kernel.futexes) == 0


def test_wake_wakes_in_order_and_counts(world: World, tasks: list[FakeTask]) -> None:
    for task in tasks[:3]:
        assert call(world, task, FUTEX_WAIT, WORD) is None
    assert len(world.kernel.futexes) == 3
    assert call(world, tasks[3], FUTEX_WAKE, WORD, 2) == 2
    assert world.turn() == [(tasks[0], 0), (tasks[1], 0)]
    assert call(world, tasks[3], FUTEX_WAKE, WORD, 10) == 1
    assert call(world, tasks[3], FUTEX_WAKE, WORD, 10) == 0
    assert len(world.kernel.futexes) == 0


def test_a_relative_time_out_ends_the_wait(world: World, tasks: list[FakeTask]) -> None:
    tasks[0].copy_out(TIME, TIMESPEC.pack(0, 1000))
    assert call(world, tasks[0], FUTEX_WAIT, WORD, 0, TIME) is None
    assert world.pass_time(999) == []
    assert world.pass_time(1) == [(tasks[0], -errno.ETIMEDOUT)]
    assert len(world.kernel.futexes) == 0


def test_wait_bitset_takes_an_absolute_time(world: World, tasks: list[FakeTask]) -> None:
    tasks[0].copy_out(TIME, TIMESPEC.pack(world.clock.now // 10**9, 500))
    assert call(world, tasks[0], FUTEX_WAIT_BITSET, WORD, 0, TIME, 0, 1) is None
    assert world.pass_time(500) == [(tasks[0], -errno.ETIMEDOUT)]


def test_a_signal_interrupts_and_a_wake_that_came_first_counts(world: World, tasks: list[FakeTask]) -> None:
    for task in tasks[:2]:
        handle(task, SIGUSR1)
        call(world, task, FUTEX_WAIT, WORD)
    signals.send_task(tasks[1], SIGUSR1)
    call(world, tasks[2], FUTEX_WAKE, WORD, 1)
    signals.send_task(tasks[0], SIGUSR1)
    assert sorted(world.turn(), key=lambda end: end[0].tid) == [(tasks[0], 0), (tasks[1], -ERESTARTSYS)]


def test_an_interrupted_timed_wait_restarts_with_the_same_deadline(
    world: World, tasks: list[FakeTask]
) -> None:
    task = tasks[0]
    handle(task, SIGUSR1)
    task.copy_out(TIME, TIMESPEC.pack(0, 1000))
    call(world, task, FUTEX_WAIT, WORD, 0, TIME)
    world.pass_time(400)
    signals.send_task(task, SIGUSR1)
    assert world.turn() == [(task, -ERESTART_RESTARTBLOCK)]
    signals.dequeue(task, ~0)
    assert task.signal.restart_block is not None
    assert world.call(task, task.signal.restart_block()) is None
    assert world.pass_time(600) == [(task, -errno.ETIMEDOUT)]


def test_bitsets_choose_who_wakes(world: World, tasks: list[FakeTask]) -> None:
    call(world, tasks[0], FUTEX_WAIT_BITSET, WORD, 0, 0, 0, 1)
    call(world, tasks[1], FUTEX_WAIT_BITSET, WORD, 0, 0, 0, 2)
    assert call(world, tasks[2], FUTEX_WAKE_BITSET, WORD, 10, 0, 0, 2) == 1
    assert world.turn() == [(tasks[1], 0)]
    assert call(world, tasks[2], FUTEX_WAKE_BITSET, WORD, 1, 0, 0, 0) == -errno.EINVAL


def test_requeue_moves_waiters_that_then_wake_at_the_new_address(world: World, tasks: list[FakeTask]) -> None:
    for task in tasks[:3]:
        call(world, task, FUTEX_WAIT, WORD)
    assert call(world, tasks[3], FUTEX_CMP_REQUEUE, WORD, 1, 1, OTHER, 9) == -errno.EAGAIN
    assert call(world, tasks[3], FUTEX_REQUEUE, WORD, 1, 1, OTHER) == 2
    assert world.turn() == [(tasks[0], 0)]
    assert call(world, tasks[3], FUTEX_WAKE, OTHER, 10) == 1
    assert world.turn() == [(tasks[1], 0)]
    assert call(world, tasks[3], FUTEX_WAKE, WORD, 10) == 1


def test_wake_op_changes_the_second_word_and_wakes_there_if_its_old_value_matches(
    world: World, tasks: list[FakeTask]
) -> None:
    call(world, tasks[0], FUTEX_WAIT, WORD)
    tasks[1].write_u32(OTHER, 5)
    call(world, tasks[1], FUTEX_WAIT, OTHER, 5)
    encoded = FUTEX_OP_ADD << 28 | FUTEX_OP_CMP_GT << 24 | 0xFFF << 12 | 4  # += -1, old > 4
    assert call(world, tasks[2], FUTEX_WAKE_OP, WORD, 1, 1, OTHER, encoded) == 2
    assert tasks[2].read_u32(OTHER) == 4
    assert call(world, tasks[2], FUTEX_WAKE_OP, WORD, 1, 1, OTHER, 9 << 24) == -errno.ENOSYS


def test_misaligned_and_absent_words(world: World, tasks: list[FakeTask]) -> None:
    assert call(world, tasks[0], FUTEX_WAIT, WORD + 2) == -errno.EINVAL
    assert call(world, tasks[0], FUTEX_WAIT, 1 << 40) == -errno.EFAULT
    assert call(world, tasks[0], FUTEX_WAKE, 1 << 63, 1) == -errno.EFAULT


def test_a_pi_lock_is_handed_to_the_first_waiter(world: World, tasks: list[FakeTask]) -> None:
    first, second, third, _ = tasks
    assert call(world, first, FUTEX_LOCK_PI, WORD) == 0
    assert first.read_u32(WORD) == first.tid
    assert call(world, first, FUTEX_LOCK_PI, WORD) == -errno.EDEADLK
    assert call(world, second, FUTEX_TRYLOCK_PI, WORD) == -errno.EAGAIN
    for task in (second, third):
        assert call(world, task, FUTEX_LOCK_PI, WORD) is None
    assert first.read_u32(WORD) == first.tid | FUTEX_WAITERS
    assert call(world, second, FUTEX_UNLOCK_PI, WORD) == -errno.EPERM
    assert call(world, first, FUTEX_UNLOCK_PI, WORD) == 0
    assert first.read_u32(WORD) == second.tid | FUTEX_WAITERS
    assert world.turn() == [(second, 0)]
    assert call(world, second, FUTEX_UNLOCK_PI, WORD) == 0
    assert world.turn() == [(third, 0)]
    assert call(world, third, FUTEX_UNLOCK_PI, WORD) == 0
    assert third.read_u32(WORD) == 0


def test_a_pi_lock_of_nobody_who_lives_gives_esrch(world: World, tasks: list[FakeTask]) -> None:
    tasks[0].write_u32(WORD, 31000)
    assert call(world, tasks[0], FUTEX_LOCK_PI, WORD) == -errno.ESRCH


def test_waitv_tells_which_one_was_woken(world: World, tasks: list[FakeTask]) -> None:
    entries = [FUTEX_WAITV.pack(0, address, 2 | FUTEX_PRIVATE_FLAG, 0) for address in (WORD, OTHER)]
    tasks[0].copy_out(TIME, b"".join(entries))
    assert world.call(tasks[0], futex_waitv(tasks[0], TIME, 2, 0, 0, 1)) is None
    assert call(world, tasks[1], FUTEX_WAKE, OTHER, 1) == 1
    assert world.turn() == [(tasks[0], 1)]
    assert len(world.kernel.futexes) == 0


def test_waitv_that_fails_halfway_leaves_no_waiter(world: World, tasks: list[FakeTask]) -> None:
    entries = [FUTEX_WAITV.pack(value, WORD, 2 | FUTEX_PRIVATE_FLAG, 0) for value in (0, 1)]
    tasks[0].copy_out(TIME, b"".join(entries))
    assert world.call(tasks[0], futex_waitv(tasks[0], TIME, 2, 0, 0, 1)) == -errno.EAGAIN
    assert len(world.kernel.futexes) == 0


# Robust lists

HEAD = MEMORY_START + 0x1000
NODE = MEMORY_START + 0x1100


def test_a_dead_owners_robust_futex_is_marked_and_a_waiter_woken(world: World, tasks: list[FakeTask]) -> None:
    owner, waiter = tasks[:2]
    owner.copy_out(HEAD, ROBUST_LIST_HEAD.pack(NODE, 16, 0))
    owner.write_u64(NODE, HEAD)
    owner.write_u32(NODE + 16, owner.tid | FUTEX_WAITERS)
    world.call(waiter, futex(waiter, NODE + 16, FUTEX_WAIT, owner.tid | FUTEX_WAITERS, 0, 0, 0))
    owner.robust_list = HEAD
    robust.leave(owner)
    assert waiter.read_u32(NODE + 16) == FUTEX_OWNER_DIED | FUTEX_WAITERS
    assert len(world.kernel.futexes) == 0
    assert world.turn() == [(waiter, 0)]


def test_a_robust_list_that_is_a_cycle_ends(tasks: list[FakeTask]) -> None:
    task = tasks[0]
    task.copy_out(HEAD, ROBUST_LIST_HEAD.pack(NODE, 16, 0))
    task.write_u64(NODE, NODE)
    task.robust_list = HEAD
    robust.leave(task)


@pytest.mark.parametrize("offset", [-(2**63), 2**62, 3])
def test_a_robust_list_that_points_nowhere_is_left_alone(tasks: list[FakeTask], offset: int) -> None:
    task = tasks[0]
    task.copy_out(HEAD, ROBUST_LIST_HEAD.pack(NODE, offset, 1 << 50))
    task.robust_list = HEAD
    robust.leave(task)
    assert task.robust_list == 0
