"""Deadlines, interval timers and timers with ids (setitimer(2), timer_create(2)), without sleeping."""

from __future__ import annotations

import pytest

from sentry.abi.signal import SIGALRM, SIGUSR1, mask_of
from sentry.abi.time import CLOCK_MONOTONIC, CLOCK_REALTIME, ITIMER_REAL
from sentry.kernel.signals import signals
from sentry.kernel.timekeeping.posix_timers import PosixTimer
from sentry.kernel.timekeeping.timers import KTIME_MAX, Timers
from tests.unit.kernel_doubles import FakeTask, World, handle

MS = 1_000_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def task(world: World) -> FakeTask:
    task = world.process(world.init)
    handle(task, SIGALRM)
    handle(task, SIGUSR1)
    return task


def take(task: FakeTask) -> int:
    """The signal that is pending, 0: none."""
    info = signals.dequeue(task, ~0)
    return info.signo if info else 0


def test_a_deadline_beyond_64_bits_is_cut_down() -> None:
    armed: list[int] = []
    timers = Timers(lambda: 0, armed.append)
    timers.at(1 << 80, lambda: None)
    assert armed == [KTIME_MAX]


@pytest.mark.parametrize("live", [0, 1000])
def test_cancelled_deadlines_are_forgotten(live: int) -> None:
    timers = Timers(lambda: 0, lambda when: None)
    kept = [timers.at(10, lambda: None) for _ in range(live)]
    for _ in range(20_000):
        timers.at(10, lambda: None).cancel()
    assert len(timers._heap) <= max(256, 2 * live)
    assert all(timer.callback is not None for timer in kept)


def test_callbacks_that_set_many_deadlines_are_each_called_once() -> None:
    """Cancelled entries are dropped while the due ones are being called."""
    now, called = [0], [0] * 500
    timers = Timers(lambda: now[0], lambda when: None)

    def call(index: int) -> None:
        called[index] += 1
        timers.at(1000, lambda: None).cancel()

    for index in range(500):
        timers.at(10, lambda index=index: call(index))  # type: ignore[misc]
    now[0] = 10
    timers.run()
    timers.run()
    assert called == [1] * 500


def test_a_callback_that_raises_does_not_cost_the_others_theirs() -> None:
    now, fired, bugs = [0], [0], [0]
    timers = Timers(lambda: now[0], lambda when: None)

    def fire() -> None:
        fired[0] += 1

    def note() -> None:
        bugs[0] += 1

    timers.on_bug = note
    timers.at(1, lambda: [][1])
    timers.at(2, fire)
    now[0] = 5
    timers.run()
    assert (fired, bugs) == ([1], [1])


def test_deadlines_fire_in_order_and_cancelled_ones_do_not() -> None:
    now = [0]
    fired: list[str] = []
    armed: list[int] = []
    timers = Timers(lambda: now[0], armed.append)
    timers.at(30, lambda: fired.append("c"))
    timers.at(10, lambda: fired.append("a"))
    timers.at(20, lambda: fired.append("b")).cancel()
    now[0] = 10
    timers.run()
    assert fired == ["a"]
    now[0] = 40
    timers.run()
    assert fired == ["a", "c"]
    assert armed[:2] == [30, 10]


def test_the_real_timer_fires_once_or_each_interval(world: World, task: FakeTask) -> None:
    timers = task.group.itimers
    timers.set(ITIMER_REAL, 0, 5 * MS)
    assert timers.get(ITIMER_REAL) == (0, 5 * MS)
    world.pass_time(5 * MS - 1)
    assert take(task) == 0
    world.pass_time(1)
    assert take(task) == SIGALRM
    assert timers.get(ITIMER_REAL) == (0, 0)
    timers.set(ITIMER_REAL, 2 * MS, 5 * MS)
    world.pass_time(5 * MS)
    assert take(task) == SIGALRM
    assert timers.get(ITIMER_REAL) == (2 * MS, 2 * MS)
    world.pass_time(7 * MS)  # late: three are missed, one signal comes
    assert take(task) == SIGALRM
    assert timers.get(ITIMER_REAL) == (2 * MS, 1 * MS)


def test_disarming_the_real_timer(world: World, task: FakeTask) -> None:
    task.group.itimers.set(ITIMER_REAL, 0, MS)
    task.group.itimers.set(ITIMER_REAL, 0, 0)
    world.pass_time(2 * MS)
    assert take(task) == 0


def timer(task: FakeTask, clock_id: int = CLOCK_MONOTONIC) -> PosixTimer:
    made = PosixTimer(task.group, 0, clock_id, None)
    made.signo, made.value = SIGUSR1, 77
    task.group.posix_timers[0] = made
    return made


def test_a_timer_signal_carries_id_value_and_overrun(world: World, task: FakeTask) -> None:
    made = timer(task)
    made.set(10 * MS, 10 * MS, absolute=False)
    world.pass_time(35 * MS)  # due at 10, 20 and 30
    info = signals.dequeue(task, ~0)
    assert info is not None
    assert (info.timer_id, info.value, info.overrun) == (0, 77, 2)
    assert made.overrun == 2
    assert made.get() == (10 * MS, 5 * MS)
    world.pass_time(5 * MS)
    assert take(task) == SIGUSR1
    assert made.overrun == 0


def test_a_blocked_timer_signal_is_queued_once_and_counts_what_it_misses(
    world: World, task: FakeTask
) -> None:
    made = timer(task)
    task.sigmask = mask_of(SIGUSR1)
    made.set(MS, MS, absolute=False)
    for _ in range(5):
        world.pass_time(MS)
    assert len(task.group.queue.infos) == 1
    assert take(task) == SIGUSR1
    assert made.overrun == 4


def test_an_absolute_realtime_timer(world: World, task: FakeTask) -> None:
    made = timer(task, CLOCK_REALTIME)
    made.set(0, world.clock.realtime() + MS, absolute=True)
    world.pass_time(MS - 1)
    assert take(task) == 0
    world.pass_time(1)
    assert take(task) == SIGUSR1
    assert made.get() == (0, 0)


def test_an_ignored_timer_signal_does_not_stop_the_timer(world: World, task: FakeTask) -> None:
    made = timer(task)
    made.signo = 28  # SIGWINCH: ignored by default
    made.set(MS, MS, absolute=False)
    world.pass_time(MS)
    assert made.get() == (MS, MS)
    handle(task, 28)
    world.pass_time(MS)
    assert take(task) == 28


def test_a_deleted_timer_is_not_armed_again_by_its_last_signal(world: World, task: FakeTask) -> None:
    made = timer(task)
    made.set(MS, MS, absolute=False)
    world.pass_time(MS)
    made.cancel()
    del task.group.posix_timers[0]
    assert take(task) == SIGUSR1
    world.pass_time(10 * MS)
    assert take(task) == 0
