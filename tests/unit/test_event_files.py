"""eventfd, timerfd, signalfd."""

from __future__ import annotations

import errno
import struct
from typing import Any

from sentry import _core
from sentry.abi.poll import EVENTFD_MAX, POLLIN, POLLOUT
from sentry.abi.signal import SIGUSR1, SIGUSR2
from sentry.abi.time import CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, ITIMERSPEC
from sentry.kernel.creds import Creds
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.signals.signals import send_task
from sentry.kernel.wait import WOULD_BLOCK
from sentry.syscalls import epoll as epolls
from sentry.syscalls import timerfd as timers
from sentry.syscalls.eventfd import eventfd2
from sentry.syscalls.poll import poll
from sentry.syscalls.signalfd import signalfd4
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def test_eventfd_adds_up_and_is_taken_whole(world: World) -> None:
    task = world.task()
    fd = task.run(lambda: eventfd2(task, 3, 0))
    assert task.write(fd, u64(4)) == 8
    assert task.read(fd, 8) == u64(7)
    assert task.read(fd, 8) is WOULD_BLOCK
    assert task.read(fd, 7) == -errno.EINVAL
    assert task.write(fd, u64(EVENTFD_MAX + 1)) == -errno.EINVAL
    assert task.write(fd, u64(EVENTFD_MAX)) == 8
    assert task.files.get(fd).poll() & POLLOUT == 0
    assert task.write(fd, u64(1)) is WOULD_BLOCK
    assert task.write(fd, u64(0)) == 8


def test_eventfd_semaphore_counts_down(world: World) -> None:
    task = world.task()
    fd = task.run(lambda: eventfd2(task, 2, 1))
    assert [task.read(fd, 8) for _ in range(2)] == [u64(1)] * 2
    assert task.read(fd, 8) is WOULD_BLOCK
    assert task.files.get(fd).poll() & (POLLIN | POLLOUT) == POLLOUT


def timer(task: FakeTask, clock: int = CLOCK_MONOTONIC) -> Any:
    return task.run(lambda: timers.timerfd_create(task, clock, 0))


def settime(task: FakeTask, fd: int, value: float, interval: float = 0, flags: int = 0) -> Any:
    times = [int(part * 1e9) for part in (interval, value)]
    task.copy_out(BASE, ITIMERSPEC.pack(*divmod(times[0], 10**9), *divmod(times[1], 10**9)))
    return task.run(lambda: timers.timerfd_settime(task, task.files.get(fd), flags, BASE, BASE + 64))


def left(task: FakeTask, fd: int) -> tuple[int, int, int, int]:
    assert task.run(lambda: timers.timerfd_gettime(task, task.files.get(fd), BASE)) == 0
    fields: tuple[int, int, int, int] = ITIMERSPEC.unpack(task.copy_in(BASE, ITIMERSPEC.size))
    return fields


def test_a_timer_expires_once_and_says_how_long_it_has(world: World) -> None:
    task = world.task()
    fd = timer(task)
    assert settime(task, fd, 1.5) == 0
    world.sleep(1)
    assert left(task, fd) == (0, 0, 0, 500_000_000)
    assert task.read(fd, 8) is WOULD_BLOCK
    world.sleep(1)
    assert task.files.get(fd).poll()
    assert task.read(fd, 8) == u64(1)
    assert task.read(fd, 8) is WOULD_BLOCK
    assert left(task, fd) == (0, 0, 0, 0)


def test_an_interval_counts_what_was_missed(world: World) -> None:
    task = world.task()
    fd = timer(task)
    settime(task, fd, 1, 0.25)
    world.sleep(1.6)
    assert task.read(fd, 8) == u64(3)
    assert left(task, fd) == (0, 250_000_000, 0, 150_000_000)
    world.sleep(0.15)
    assert task.read(fd, 8) == u64(1)
    settime(task, fd, 0)
    assert ITIMERSPEC.unpack(task.copy_in(BASE + 64, 32)) == (0, 250_000_000, 0, 250_000_000)
    world.sleep(5)
    assert task.read(fd, 8) is WOULD_BLOCK


def test_the_shortest_interval_costs_one_wake_up(world: World) -> None:
    task = world.task()
    fd = timer(task)
    settime(task, fd, 1e-9, 1e-9)
    world.sleep(3600)
    assert len(world.timers._heap) == 0
    assert task.read(fd, 8) == u64(3600 * 10**9)


def test_absolute_times_are_on_the_timers_clock(world: World) -> None:
    task = world.task()
    for clock, read in ((CLOCK_MONOTONIC, _core.monotonic), (CLOCK_REALTIME, _core.realtime)):
        fd = timer(task, clock)
        now = read()
        task.copy_out(BASE, ITIMERSPEC.pack(0, 0, *divmod(now + 2 * 10**9, 10**9)))
        assert task.run(lambda: timers.timerfd_settime(task, task.files.get(fd), 1, BASE, 0)) == 0  # noqa: B023
        world.sleep(1.9)
        assert task.files.get(fd).poll() == 0
        world.sleep(0.2)
        assert task.files.get(fd).poll()
    settime(task, fd, 1e-9, 0, 1)  # long ago
    assert task.files.get(fd).poll()


def test_a_timer_wakes_epoll_and_dies_with_its_file(world: World) -> None:
    task = world.task()
    fd = timer(task)
    epoll = epolls.epoll_create1(task, 0)
    task.copy_out(BASE, struct.pack("<IQ", POLLIN, 5))
    assert task.run(lambda: epolls.epoll_ctl(task, epoll, 1, fd, BASE)) == 0
    settime(task, fd, 1)
    assert task.run(lambda: epolls.epoll_wait(task, epoll, BASE, 1, -1)) == SUSPENDED
    world.sleep(1.1)
    assert task.result == 1
    settime(task, fd, 1)
    task.files.remove(fd)
    world.sleep(2)
    assert len(world.timers._heap) == 0


def test_clocks_without_timers(world: World) -> None:
    task = world.task()
    assert timer(task, 99) == -errno.EINVAL
    assert timer(task, CLOCK_BOOTTIME_ALARM) >= 0
    task.creds = Creds(1000, 1000)  # without CAP_WAKE_ALARM
    assert timer(task, CLOCK_BOOTTIME_ALARM) == -errno.EPERM


def test_times_are_checked(world: World) -> None:
    task = world.task()
    fd = timer(task)
    for fields in ((0, 10**9, 0, 0), (0, 0, 0, -1), (-1, 0, 0, 0)):
        task.copy_out(BASE, ITIMERSPEC.pack(*fields))
        assert task.run(lambda: timers.timerfd_settime(task, task.files.get(fd), 0, BASE, 0)) == -errno.EINVAL
    assert task.run(lambda: timers.timerfd_settime(task, task.files.get(fd), 8, BASE, 0)) == -errno.EINVAL


def signalfd(task: FakeTask, *signals: int, fd: int = -1) -> Any:
    task.write_u64(BASE, sum(1 << signo - 1 for signo in signals))
    return task.run(lambda: signalfd4(task, fd, BASE, 8, 0))


def test_signalfd_reads_pending_signals(world: World) -> None:
    task = world.task()
    task.sigmask = (1 << SIGUSR1 - 1) | (1 << SIGUSR2 - 1)
    fd = signalfd(task, SIGUSR1)
    assert task.read(fd, 127) == -errno.EINVAL
    assert task.read(fd, 128) is WOULD_BLOCK
    send_task(task, SIGUSR2, SigInfo(SIGUSR2))
    assert task.files.get(fd).poll() == 0
    send_task(task, SIGUSR1, SigInfo(SIGUSR1, 0, 42, 1000))
    assert task.files.get(fd).poll() & POLLIN
    record = task.read(fd, 1000)
    assert len(record) == 128
    assert struct.unpack_from("<IiiII", record) == (SIGUSR1, 0, 0, 42, 1000)
    assert signalfd(task, SIGUSR2, fd=fd) == fd
    assert struct.unpack_from("<I", task.read(fd, 128)) == (SIGUSR2,)
    assert not task.pending


def test_a_signal_ends_a_poll_of_the_signalfd(world: World) -> None:
    task = world.task()
    task.sigmask = 1 << SIGUSR1 - 1
    fd = signalfd(task, SIGUSR1)
    task.copy_out(BASE, struct.pack("<ihH", fd, POLLIN, 0))
    assert task.run(lambda: poll(task, BASE, 1, -1)) == SUSPENDED
    send_task(task, SIGUSR1, SigInfo(SIGUSR1))
    world.settle()
    assert task.result == 1


def test_an_inherited_signalfd_reads_the_childs_own_signals(world: World) -> None:
    parent, child = world.task(), world.task()
    parent.sigmask = child.sigmask = 1 << SIGUSR1 - 1
    child.files = parent.files
    fd = signalfd(parent, SIGUSR1)
    send_task(parent, SIGUSR1, SigInfo(SIGUSR1))
    assert child.read(fd, 128) is WOULD_BLOCK
    child.copy_out(BASE, struct.pack("<ihH", fd, POLLIN, 0))
    assert child.run(lambda: poll(child, BASE, 1, -1)) == SUSPENDED
    send_task(child, SIGUSR1, SigInfo(SIGUSR1))
    world.settle()
    assert child.result == 1
    assert len(parent.read(fd, 1000)) == 128
