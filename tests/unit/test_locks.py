"""Byte-range locks (POSIX and OFD) and flock."""

from __future__ import annotations

import errno
import fcntl
import random
from typing import Any

import pytest

from sentry import _core
from sentry.abi.fcntl import F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, O_RDONLY, O_RDWR
from sentry.abi.signal import SIGUSR1
from sentry.errors import Errno
from sentry.vfs import locks
from sentry.vfs.file import File
from sentry.vfs.lock_state import FLOCK, MAX_RANGES, RangeLocks
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]

RD, WR, UN = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
END = (1 << 63) - 1


def inode() -> Any:
    return _core.InodeBase()


def opened(node: Any, flags: int = O_RDWR) -> File:
    return File(flags, None, node)


def lock(
    task: FakeTask, file: File, cmd: int, kind: int, start: int = 0, length: int = 0, whence: int = 0
) -> Any:
    task.copy_out(BASE, FLOCK.pack(kind, whence, start, length, 0))
    return task.run(lambda: locks.fcntl_lock(task, file, cmd, BASE))


def flock(task: FakeTask, file: File, operation: int) -> Any:
    return task.run(lambda: locks.flock(task, file, operation))


def holder(
    task: FakeTask, file: File, kind: int, start: int = 0, length: int = 0, cmd: int = fcntl.F_GETLK
) -> Any:
    assert lock(task, file, cmd, kind, start, length) == 0
    kind, _, start, length, pid = FLOCK.unpack(task.copy_in(BASE, FLOCK.size))
    return None if kind == UN else (kind, start, length, pid)


def ranges(state: RangeLocks) -> list[tuple[int, int, int, int]]:
    return [(held.owner, held.kind, held.start, held.end) for held in state.ranges]


def test_neighbours_of_one_type_become_one_range() -> None:
    state = RangeLocks()
    state.set(1, 1, RD, 0, 9)
    state.set(1, 1, RD, 20, 29)
    state.set(1, 1, RD, 10, 19)
    assert ranges(state) == [(1, RD, 0, 29)]


def test_a_lock_in_the_middle_of_another_type_splits_it() -> None:
    state = RangeLocks()
    state.set(1, 1, RD, 0, END)
    state.set(1, 1, WR, 10, 19)
    assert ranges(state) == [(1, RD, 0, 9), (1, WR, 10, 19), (1, RD, 20, END)]
    state.set(1, 1, UN, 5, 14)
    assert ranges(state) == [(1, RD, 0, 4), (1, WR, 15, 19), (1, RD, 20, END)]


@pytest.mark.parametrize("places", [40, 1000])
def test_ranges_agree_with_a_map_of_single_bytes(places: int) -> None:
    generator = random.Random(7)
    state, model = RangeLocks(), {owner: {} for owner in (1, 2)}  # type: tuple[RangeLocks, dict[int, dict[int, int]]]
    for _ in range(2000):
        owner, kind = generator.choice((1, 2)), generator.choice((RD, WR, UN))
        start = generator.randrange(places)
        end = start + generator.randrange(12)
        other = model[3 - owner]
        clash = any(byte in other and WR in (kind, other[byte]) for byte in range(start, end + 1))
        assert (kind != UN and state.conflict(owner, kind, start, end) is not None) == (clash and kind != UN)
        if clash and kind != UN:
            continue
        state.set(owner, owner, kind, start, end)
        for byte in range(start, end + 1):
            model[owner].pop(byte, None)
            if kind != UN:
                model[owner][byte] = kind
        seen: dict[int, dict[int, int]] = {1: {}, 2: {}}
        for held in state.ranges:
            for byte in range(held.start, held.end + 1):
                assert byte not in seen[held.owner]
                seen[held.owner][byte] = held.kind
        assert seen == model


def test_only_who_gives_something_up_wakes_those_who_wait() -> None:
    woken: list[int] = []

    class Waiter:
        def notify(self, events: int) -> bool:
            woken.append(events)
            return True

    ranges, waiter = RangeLocks(), Waiter()
    ranges.queue.add(waiter)
    for start in (0, 20, 10):  # the last makes one range of all
        ranges.set(1, 1, WR, start, start + 9)
    ranges.set(1, 1, WR, 5, 15)  # held already
    ranges.set(2, 2, UN, 0, END)  # nothing
    assert woken == []
    ranges.set(1, 1, RD, 0, 4)
    assert len(woken) == 1
    ranges.set(1, 1, UN, 8, 9)
    ranges.drop(1)
    ranges.drop(1)
    assert len(woken) == 3


def test_the_number_of_ranges_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RangeLocks, "count", MAX_RANGES - 2)
    state, other = RangeLocks(), RangeLocks()
    state.set(1, 1, WR, 0, 0)
    other.set(1, 1, WR, 0, 0)
    for full in state, other:
        with pytest.raises(Errno) as error:
            full.set(1, 1, WR, 2, 2)
        assert error.value.code == errno.ENOLCK
    state.set(1, 1, WR, 0, 1)  # one range still
    state.set(1, 1, UN, 0, 0)
    other.drop(1)
    state.set(1, 1, WR, 9, 9)


def test_getlk_tells_the_lock_in_the_way_and_setlk_refuses(world: World) -> None:
    first, second, node = world.task(), world.task(), inode()
    here, there = opened(node), opened(node)
    assert lock(first, here, fcntl.F_SETLK, WR, 10, 5) == 0
    assert holder(first, here, WR) is None  # one's own locks are no obstacle
    assert holder(second, there, RD, 0, 100) == (WR, 10, 5, first.group.tgid)
    assert holder(second, there, RD, 0, 10) is None
    assert lock(second, there, fcntl.F_SETLK, RD, 14, 1) == -errno.EAGAIN
    assert lock(second, there, fcntl.F_SETLK, RD, 15, 0) == 0
    assert holder(first, here, WR, 20, 1) == (RD, 15, 0, second.group.tgid)


@pytest.mark.parametrize(
    ("whence", "start", "length", "code"),
    [
        (0, -1, 0, errno.EINVAL),
        (0, 5, -6, errno.EINVAL),
        (7, 0, 0, errno.EINVAL),
        (0, END, 2, errno.EOVERFLOW),
    ],
)
def test_impossible_ranges_are_refused(world: World, whence: int, start: int, length: int, code: int) -> None:
    task = world.task()
    assert lock(task, opened(inode()), fcntl.F_SETLK, RD, start, length, whence) == -code


def test_whence_and_negative_lengths(world: World) -> None:
    first, second, node = world.task(), world.task(), inode()
    node.size = 100
    file = opened(node)
    file.pos = 50
    assert lock(first, file, fcntl.F_SETLK, WR, 0, -10, 1) == 0
    assert holder(second, file, WR) == (WR, 40, 10, first.group.tgid)
    assert lock(first, file, fcntl.F_SETLK, UN) == 0
    assert lock(first, file, fcntl.F_SETLK, WR, -1, 1, 2) == 0
    assert holder(second, file, WR) == (WR, 99, 1, first.group.tgid)


def test_a_read_lock_needs_reading_and_a_write_lock_writing(world: World) -> None:
    task = world.task()
    assert lock(task, opened(inode(), O_RDONLY), fcntl.F_SETLK, WR) == -errno.EBADF
    assert lock(task, opened(inode(), O_RDONLY), fcntl.F_SETLK, RD) == 0


def test_setlkw_waits_until_the_range_is_free(world: World) -> None:
    first, second, node = world.task(), world.task(), inode()
    file = opened(node)
    lock(first, file, fcntl.F_SETLK, WR)
    assert lock(second, file, fcntl.F_SETLKW, RD) == SUSPENDED
    locks.close_file(first, file)
    world.settle()
    assert second.result == 0
    assert holder(first, file, WR) == (RD, 0, 0, second.group.tgid)


def test_a_signal_ends_the_wait_and_leaves_nothing(world: World) -> None:
    from sentry.abi.restart import ERESTARTSYS

    first, second, node = world.task(), world.task(), inode()
    file = opened(node)
    lock(first, file, fcntl.F_SETLK, WR)
    assert lock(second, file, fcntl.F_SETLKW, RD) == SUSPENDED
    second.pending = 1 << SIGUSR1 - 1
    second.interrupt()
    world.settle()
    assert second.result == -ERESTARTSYS
    lock(first, file, fcntl.F_SETLK, UN)
    assert node not in locks._ranges
    assert not locks._waits


def test_a_circle_of_waiting_processes_is_EDEADLK(world: World) -> None:
    tasks, file = [world.task() for _ in range(3)], opened(inode())
    for index, task in enumerate(tasks):
        assert lock(task, file, fcntl.F_SETLK, WR, index, 1) == 0
    assert lock(tasks[0], file, fcntl.F_SETLKW, WR, 1, 1) == SUSPENDED
    assert lock(tasks[1], file, fcntl.F_SETLKW, WR, 2, 1) == SUSPENDED
    assert lock(tasks[2], file, fcntl.F_SETLKW, WR, 0, 1) == -errno.EDEADLK


def test_ofd_locks_belong_to_the_open_file_and_go_with_it(world: World) -> None:
    task, node = world.task(), inode()
    here, there = opened(node), opened(node)
    assert lock(task, here, F_OFD_SETLK, WR) == 0
    assert lock(task, there, F_OFD_SETLK, WR) == -errno.EAGAIN
    assert holder(task, there, RD, cmd=F_OFD_GETLK) == (WR, 0, 0, -1)
    assert lock(task, there, F_OFD_SETLKW, WR) == SUSPENDED
    locks.close_file(task, there)  # not its business
    world.settle()
    assert task.result == SUSPENDED
    del here
    world.settle()
    assert task.result == 0
    del there
    assert node not in locks._ranges


def test_flock_shares_reading_and_excludes_writing(world: World) -> None:
    task, other, node = world.task(), world.task(), inode()
    here, there = opened(node), opened(node)
    assert locks.flock(task, here, fcntl.LOCK_SH) == 0
    assert locks.flock(task, there, fcntl.LOCK_SH) == 0
    assert flock(task, there, fcntl.LOCK_EX | fcntl.LOCK_NB) == -errno.EWOULDBLOCK
    assert (
        locks.flock(task, here, fcntl.LOCK_EX) == 0
    )  # the failed conversion lost the shared lock (flock(2))
    assert flock(other, there, fcntl.LOCK_SH) == SUSPENDED
    del here
    world.settle()
    assert other.result == 0
    del there
    assert node not in locks._flocks
    assert not locks._owners
