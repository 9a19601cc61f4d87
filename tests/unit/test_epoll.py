"""epoll: triggers, one shot, fairness, nesting, and what happens when files go away."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from sentry.abi.poll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
)
from sentry.abi.signal import SIGUSR1
from sentry.abi.stat import S_IFREG
from sentry.syscalls.epoll import epoll_create1, epoll_ctl, epoll_pwait, epoll_wait
from sentry.syscalls.eventfd import eventfd2
from sentry.syscalls.pipe import pipe2
from sentry.vfs.epoll import EpollFile, settings
from sentry.vfs.file import File
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]


def pipe(task: FakeTask) -> tuple[int, int]:
    assert task.run(lambda: pipe2(task, BASE, 0)) == 0
    return task.read_u32(BASE), task.read_u32(BASE + 4)


def control(
    task: FakeTask, epoll: int, operation: int, fd: int, events: int = POLLIN, data: int | None = None
) -> int:
    task.copy_out(BASE, EPOLL_EVENT.pack(events, fd if data is None else data))
    answer: int = task.run(lambda: epoll_ctl(task, epoll, operation, fd, BASE))
    return answer


def wait(task: FakeTask, epoll: int, limit: int = 10, timeout: int = 0) -> list[tuple[int, int]] | int | str:
    """The (events, data) told, or what epoll_wait answered instead."""
    answer = task.run(lambda: epoll_wait(task, epoll, BASE, limit, timeout))
    return told(task, answer) if isinstance(answer, int) and answer >= 0 else answer


def told(task: FakeTask, count: int) -> list[tuple[int, int]]:
    return list(EPOLL_EVENT.iter_unpack(task.copy_in(BASE, count * EPOLL_EVENT.size)))


def test_level_triggered_events_come_again_until_they_are_over(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    assert control(task, epoll, EPOLL_CTL_ADD, reader) == 0
    assert wait(task, epoll) == []
    task.write(writer, b"x")
    assert wait(task, epoll) == [(POLLIN, reader)]
    assert wait(task, epoll) == [(POLLIN, reader)]
    task.read(reader, 1)
    assert wait(task, epoll) == []


def test_edge_triggered_events_come_once_for_each_change(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    control(task, epoll, EPOLL_CTL_ADD, reader, POLLIN | EPOLLET)
    task.write(writer, b"x")
    assert wait(task, epoll) == [(POLLIN, reader)]
    assert wait(task, epoll) == []
    task.write(writer, b"y")
    assert wait(task, epoll) == [(POLLIN, reader)]
    assert wait(task, epoll) == []


def test_one_shot_needs_to_be_armed_again(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    control(task, epoll, EPOLL_CTL_ADD, reader, POLLIN | EPOLLONESHOT)
    task.write(writer, b"x")
    assert wait(task, epoll) == [(POLLIN, reader)]
    task.write(writer, b"x")
    assert wait(task, epoll) == []
    assert control(task, epoll, EPOLL_CTL_MOD, reader, POLLIN | EPOLLONESHOT) == 0
    assert wait(task, epoll) == [(POLLIN, reader)]


def test_hangup_is_told_unasked(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    control(task, epoll, EPOLL_CTL_ADD, reader, 0, data=77)
    task.files.remove(writer)
    assert wait(task, epoll) == [(POLLHUP, 77)]


def test_everyone_gets_a_turn(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    fds = [task.run(lambda: eventfd2(task, 1, 0)) for _ in range(3)]
    for fd in fds:
        control(task, epoll, EPOLL_CTL_ADD, fd)
    seen = [wait(task, epoll, limit=1) for _ in range(6)]
    assert seen == [[(POLLIN, fd)] for fd in fds + fds]


def test_a_waiter_is_woken_and_a_deadline_is_kept(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    control(task, epoll, EPOLL_CTL_ADD, reader)
    assert wait(task, epoll, timeout=-1) == SUSPENDED
    task.write(writer, b"x")
    world.settle()
    assert task.result == 1
    assert told(task, 1) == [(POLLIN, reader)]
    task.read(reader, 1)
    assert wait(task, epoll, timeout=100) == SUSPENDED
    world.sleep(0.099)
    assert task.result == SUSPENDED
    world.sleep(0.002)
    assert task.result == 0


def test_a_signal_interrupts_without_restart(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    assert wait(task, epoll, timeout=-1) == SUSPENDED
    task.pending = 1 << SIGUSR1 - 1
    task.interrupt()
    world.settle()
    assert task.result == -errno.EINTR


def test_pwait_waits_under_its_own_mask_and_puts_the_old_one_back(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    task.sigmask = 0
    task.write_u64(BASE + 256, 1 << SIGUSR1 - 1)
    call = lambda: epoll_pwait(task, epoll, BASE, 1, 50, BASE + 256, 8)  # noqa: E731
    assert task.run(call) == SUSPENDED
    assert task.sigmask == 1 << SIGUSR1 - 1
    world.sleep(0.06)
    assert task.result == 0
    assert task.sigmask == 0
    assert task.signal.saved_mask is None
    assert task.run(lambda: epoll_pwait(task, epoll, BASE, 1, 0, BASE, 4)) == -errno.EINVAL


def test_control_refuses_what_linux_refuses(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, _ = pipe(task)
    assert control(task, epoll, EPOLL_CTL_MOD, reader) == -errno.ENOENT
    assert control(task, epoll, EPOLL_CTL_DEL, reader) == -errno.ENOENT
    assert control(task, epoll, EPOLL_CTL_ADD, reader) == 0
    assert control(task, epoll, EPOLL_CTL_ADD, reader) == -errno.EEXIST
    assert control(task, epoll, EPOLL_CTL_ADD, epoll) == -errno.EINVAL
    assert control(task, epoll, 9, reader) == -errno.EINVAL
    assert control(task, reader, EPOLL_CTL_ADD, reader) == -errno.EINVAL
    assert control(task, epoll, EPOLL_CTL_ADD, 99) == -errno.EBADF
    assert control(task, epoll, EPOLL_CTL_DEL, reader) == 0
    assert control(task, epoll, EPOLL_CTL_ADD, reader, POLLIN | EPOLLEXCLUSIVE) == 0
    assert control(task, epoll, EPOLL_CTL_MOD, reader, POLLIN) == -errno.EINVAL
    assert control(task, epoll, EPOLL_CTL_DEL, reader) == 0
    assert (
        control(task, epoll, EPOLL_CTL_ADD, reader, POLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT) == -errno.EINVAL
    )
    assert wait(task, epoll, limit=0) == -errno.EINVAL


def test_regular_files_cannot_be_watched(world: World) -> None:
    from sentry import _core

    task = world.task()
    inode = _core.InodeBase()
    inode.mode = S_IFREG | 0o644
    fd = task.files.install(File(2, None, inode))  # type: ignore[arg-type]
    assert control(task, epoll_create1(task, 0), EPOLL_CTL_ADD, fd) == -errno.EPERM


def test_a_file_that_is_closed_everywhere_is_no_longer_watched(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, writer = pipe(task)
    copy = task.files.install(task.files.get(reader))
    control(task, epoll, EPOLL_CTL_ADD, reader)
    task.write(writer, b"x")
    task.files.remove(reader)
    assert wait(task, epoll) == [(POLLIN, reader)]  # the description lives on in the copy (epoll(7), Q6)
    task.files.remove(copy)
    assert wait(task, epoll) == []
    file = task.files.get(epoll)
    assert isinstance(file, EpollFile)
    assert not file.ready.interests
    assert len(task.files.get(writer).queue) == 0


def test_an_epoll_that_is_closed_leaves_its_files_queues(world: World) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    reader, _ = pipe(task)
    control(task, epoll, EPOLL_CTL_ADD, reader)
    assert len(task.files.get(reader).queue) == 1
    task.files.remove(epoll)
    assert len(task.files.get(reader).queue) == 0


def test_an_epoll_can_be_watched_by_another(world: World) -> None:
    task = world.task()
    inner, outer = epoll_create1(task, 0), epoll_create1(task, 0)
    reader, writer = pipe(task)
    control(task, inner, EPOLL_CTL_ADD, reader)
    control(task, outer, EPOLL_CTL_ADD, inner)
    assert wait(task, outer, timeout=-1) == SUSPENDED
    task.write(writer, b"x")
    world.settle()
    assert task.result == 1
    task.read(reader, 1)
    assert wait(task, outer) == []
    assert task.files.get(inner).poll() == 0
    task.write(writer, b"x")
    assert task.files.get(inner).poll() == POLLIN | POLLRDNORM


def test_circles_and_towers_of_epolls_are_ELOOP(world: World) -> None:
    task = world.task()
    tower = [epoll_create1(task, 0) for _ in range(6)]
    for upper, lower in pairwise(tower[:5]):
        assert control(task, upper, EPOLL_CTL_ADD, lower) == 0
    assert control(task, tower[4], EPOLL_CTL_ADD, tower[0]) == -errno.ELOOP
    assert control(task, tower[4], EPOLL_CTL_ADD, tower[5]) == -errno.ELOOP
    assert control(task, tower[5], EPOLL_CTL_ADD, tower[0]) == -errno.ELOOP
    assert control(task, tower[5], EPOLL_CTL_ADD, tower[4]) == 0


def test_a_dense_net_of_epolls_costs_no_more_than_its_edges(world: World) -> None:
    task = world.task()
    layers = [[epoll_create1(task, 0) for _ in range(30)] for _ in range(4)]
    for above, below in pairwise(layers):
        for upper in above:
            for lower in below:
                assert control(task, upper, EPOLL_CTL_ADD, lower) == 0
    event = task.run(lambda: eventfd2(task, 0, 0))
    for bottom in layers[3]:  # from which 27,000 ways lead up
        assert control(task, bottom, EPOLL_CTL_ADD, event) == -errno.EINVAL
    assert control(task, layers[0][0], EPOLL_CTL_ADD, event) == 0


@pytest.mark.parametrize("events", [POLLIN, POLLIN | EPOLLET])
def test_only_changes_asked_for_wake_the_waiter(world: World, events: int) -> None:
    task = world.task()
    epoll = epoll_create1(task, 0)
    event = task.run(lambda: eventfd2(task, 0, 0))
    control(task, epoll, EPOLL_CTL_ADD, event, events)
    assert wait(task, epoll, timeout=-1) == SUSPENDED
    task.files.get(event).queue.wake(POLLOUT)
    assert not world.machine.ready


def test_what_a_user_may_watch_is_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings, "max_user_watches", 2)
    task, other = world.task(uid=1000), world.task(uid=1001)
    one, two = epoll_create1(task, 0), epoll_create1(task, 0)
    files = [eventfd2(task, 0, 0) for _ in range(3)]
    assert control(task, one, EPOLL_CTL_ADD, files[0]) == 0
    assert control(task, two, EPOLL_CTL_ADD, files[0]) == 0
    assert control(task, two, EPOLL_CTL_ADD, files[1]) == -errno.ENOSPC
    assert control(other, epoll_create1(other, 0), EPOLL_CTL_ADD, eventfd2(other, 0, 0)) == 0
    assert control(task, one, EPOLL_CTL_DEL, files[0]) == 0
    assert control(task, two, EPOLL_CTL_ADD, files[1]) == 0
    task.files.remove(two)
    assert control(task, one, EPOLL_CTL_ADD, files[2]) == 0
    assert control(task, one, EPOLL_CTL_ADD, files[1]) == 0
    assert control(task, one, EPOLL_CTL_ADD, files[0]) == -errno.ENOSPC
