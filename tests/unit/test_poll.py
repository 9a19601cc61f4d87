"""poll and select: what is told, what is waited for, and the time that is left."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest

from sentry.abi.poll import POLLERR, POLLFD, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDNORM
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from sentry.abi.signal import SIGUSR1
from sentry.abi.time import TIMESPEC, TIMEVAL
from sentry.syscalls import poll as calls
from sentry.syscalls.pipe import pipe2
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]

TIME = BASE + 0x4000
MASK = BASE + 0x5000


def pipe(task: FakeTask) -> tuple[int, int]:
    task.run(lambda: pipe2(task, BASE, 0))
    return task.read_u32(BASE), task.read_u32(BASE + 4)


def poll(task: FakeTask, entries: list[tuple[int, int]], timeout: int = 0) -> Any:
    task.copy_out(BASE, b"".join(POLLFD.pack(fd, events, 0) for fd, events in entries))
    return task.run(lambda: calls.poll(task, BASE, len(entries), timeout))


def revents(task: FakeTask, count: int) -> list[int]:
    return [found for _, _, found in POLLFD.iter_unpack(task.copy_in(BASE, 8 * count))]


def interrupt(world: World, task: FakeTask) -> Any:
    task.pending = 1 << SIGUSR1 - 1
    task.interrupt()
    world.settle()
    return task.result


def test_what_is_ready_is_told_at_once(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    assert poll(task, [(reader, POLLIN), (writer, POLLOUT), (-1, POLLIN), (77, POLLIN)], -1) == 2
    assert revents(task, 4) == [0, POLLOUT, 0, POLLNVAL]
    task.files.remove(reader)
    assert poll(task, [(writer, 0)], -1) == 1
    assert revents(task, 1) == [POLLERR]
    assert poll(task, [(writer, POLLIN)] * 257) == -errno.EINVAL  # more than RLIMIT_NOFILE


def test_a_closed_descriptor_does_not_wait(world: World) -> None:
    task = world.task()
    assert poll(task, [(5, POLLIN)], -1) == 1
    assert revents(task, 1) == [POLLNVAL]


def test_no_more_is_waited_for_than_there_is_memory_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_WATCHED_MAX", 20)
    one, other = world.task(), world.task()
    (reader, writer), (theirs, _) = pipe(one), pipe(other)
    assert poll(one, [(reader, POLLIN), (reader, POLLRDNORM)] * 6, -1) == SUSPENDED
    assert len(one.files.get(reader).queue) == 1  # however often it was named
    assert poll(other, [(theirs, POLLIN)] * 9, -1) == -errno.ENOMEM
    one.write(writer, b"x")
    world.settle()
    assert one.result == 12
    assert poll(other, [(theirs, POLLIN)] * 9, -1) == SUSPENDED


def test_an_event_ends_the_wait(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    assert poll(task, [(reader, POLLIN), (reader, POLLRDNORM)], -1) == SUSPENDED
    task.write(writer, b"x")
    world.settle()
    assert task.result == 2
    assert revents(task, 2) == [POLLIN, POLLRDNORM]
    assert len(task.files.get(reader).queue) == 0


def test_a_file_that_was_polled_is_not_held_afterwards(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    assert poll(task, [(reader, POLLIN), (writer, POLLOUT)]) == 1
    assert poll(task, [(reader, POLLIN)], 100) == SUSPENDED
    world.sleep(0.11)
    task.files.remove(writer)
    assert task.files.get(reader).poll() == POLLHUP


def test_a_time_out_ends_the_wait(world: World) -> None:
    task = world.task()
    reader, _ = pipe(task)
    assert poll(task, [(reader, POLLIN)], 100) == SUSPENDED
    world.sleep(0.11)
    assert task.result == 0
    assert revents(task, 1) == [0]
    assert len(task.files.get(reader).queue) == 0


def test_an_interrupted_poll_goes_on_with_the_time_that_is_left(world: World) -> None:
    task = world.task()
    reader, _ = pipe(task)
    assert poll(task, [(reader, POLLIN)], 100) == SUSPENDED
    world.sleep(0.06)
    assert interrupt(world, task) == -ERESTART_RESTARTBLOCK
    task.pending = 0
    restart = task.signal.restart_block
    assert restart is not None
    assert task.run(restart) == SUSPENDED
    world.sleep(0.039)
    assert task.result == SUSPENDED
    world.sleep(0.002)
    assert task.result == 0


def test_ppoll_tells_the_time_left_and_keeps_the_mask_for_the_handler(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    task.copy_out(TIME, TIMESPEC.pack(1, 0))
    task.write_u64(MASK, 0)
    task.sigmask = 1 << SIGUSR1 - 1
    task.copy_out(BASE, POLLFD.pack(reader, POLLIN, 0))
    call = lambda: calls.ppoll(task, BASE, 1, TIME, MASK, 8)  # noqa: E731
    assert task.run(call) == SUSPENDED
    world.sleep(0.25)
    assert interrupt(world, task) == -ERESTARTNOHAND
    assert TIMESPEC.unpack(task.copy_in(TIME, 16)) == (0, 750_000_000)
    assert task.sigmask == 0
    assert task.signal.saved_mask == 1 << SIGUSR1 - 1
    task.sigmask, task.signal.saved_mask, task.pending = 1 << SIGUSR1 - 1, None, 0
    task.write(writer, b"x")
    assert task.run(call) == 1
    assert task.sigmask == 1 << SIGUSR1 - 1
    task.copy_out(TIME, TIMESPEC.pack(0, 1_000_000_000))
    assert task.run(call) == -errno.EINVAL


def select(task: FakeTask, count: int, read: int, write: int, timeout: tuple[int, int] | None) -> Any:
    task.copy_out(BASE, struct.pack("<QQQ", read, write, 0))
    if timeout is not None:
        task.copy_out(TIME, TIMEVAL.pack(*timeout))
    return task.run(lambda: calls.select(task, count, BASE, BASE + 8, 0, TIME if timeout else 0))


def test_select_counts_bits_and_clears_the_others(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    both = 1 << reader | 1 << writer
    assert select(task, 64, both, both, (0, 0)) == 1
    assert struct.unpack("<QQ", task.copy_in(BASE, 16)) == (0, 1 << writer)
    task.write(writer, b"x")
    assert select(task, 64, both, 0, None) == 1
    assert task.read_u64(BASE) == 1 << reader
    assert select(task, 64, 1 << 9, 0, None) == -errno.EBADF
    assert select(task, -1, 0, 0, None) == -errno.EINVAL
    assert select(task, 0, 0, 0, (0, -1)) == -errno.EINVAL


def test_select_waits_and_writes_back_what_is_left(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    assert select(task, reader + 1, 1 << reader, 0, (1, 500_000)) == SUSPENDED
    world.sleep(0.5)
    task.write(writer, b"x")
    world.settle()
    assert task.result == 1
    assert TIMEVAL.unpack(task.copy_in(TIME, 16)) == (1, 0)
    task.read(reader, 1)
    assert select(task, reader + 1, 1 << reader, 0, (1, 0)) == SUSPENDED
    world.sleep(0.25)
    assert interrupt(world, task) == -ERESTARTNOHAND
    assert TIMEVAL.unpack(task.copy_in(TIME, 16)) == (0, 750_000)


def test_select_tells_the_end_as_readable(world: World) -> None:
    task = world.task()
    reader, writer = pipe(task)
    task.files.remove(writer)
    assert task.files.get(reader).poll() == POLLHUP
    assert select(task, 64, 1 << reader, 0, (0, 0)) == 1
