"""Process groups and sessions (setpgid(2), setsid(2))."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from sentry.errors import Errno
from sentry.kernel import exit as exits
from sentry.kernel import reap, sessions
from sentry.kernel.pids import RESERVED
from sentry.kernel.settings import values
from tests.unit.kernel_doubles import FakeTask, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def task(world: World) -> FakeTask:
    return world.process(world.init)


def refused(call: Callable[[], int]) -> int:
    with pytest.raises(Errno) as error:
        call()
    return error.value.code


def test_setsid_makes_a_session_and_a_process_group(task: FakeTask) -> None:
    assert sessions.setsid(task) == task.tid
    assert (task.group.pgid, task.group.sid) == (task.tid, task.tid)
    assert refused(lambda: sessions.setsid(task)) == errno.EPERM


def test_a_process_group_leader_can_not_found_a_session(task: FakeTask) -> None:
    sessions.setpgid(task, 0, 0)
    assert refused(lambda: sessions.setsid(task)) == errno.EPERM


def test_setpgid_errors(world: World, task: FakeTask) -> None:
    child = world.process(task)
    assert refused(lambda: sessions.setpgid(task, 0, -1)) == errno.EINVAL
    assert refused(lambda: sessions.setpgid(task, 9999, 0)) == errno.ESRCH
    assert refused(lambda: sessions.setpgid(child, task.tid, 0)) == errno.ESRCH  # not its child
    assert refused(lambda: sessions.setpgid(task, child.tid, 9999)) == errno.EPERM  # no such group
    assert refused(lambda: sessions.setpgid(world.init, 0, 5)) == errno.EPERM  # a session leader
    child.group.has_execed = True
    assert refused(lambda: sessions.setpgid(task, child.tid, 0)) == errno.EACCES


def test_a_process_group_ends_with_its_last_member(world: World, task: FakeTask) -> None:
    child = world.process(task)
    sessions.setpgid(task, child.tid, 0)
    assert child.tid in world.kernel.process_groups
    exits.exit_thread(child, 0)
    assert child.tid in world.kernel.process_groups  # a zombie still is one
    reap.release(child.group)
    assert child.tid not in world.kernel.process_groups


def test_a_group_is_orphaned_without_a_parent_elsewhere_in_the_session(world: World, task: FakeTask) -> None:
    child = world.process(task)
    sessions.setpgid(child, 0, 0)
    assert not child.group.process_group.is_orphaned()
    assert child.group.process_group.is_orphaned(without=child.group)
    other = world.process(task)
    sessions.setsid(other)
    assert other.group.process_group.is_orphaned()


def test_ids_in_use_are_not_handed_out(world: World, task: FakeTask) -> None:
    pids = world.kernel.pids
    child = world.process(task)
    sessions.setsid(child)
    grandchild = world.process(child)
    exits.exit_thread(child, 0)
    reap.release(child.group)
    assert pids.taken(child.tid)  # the session and process group live on in the grandchild
    assert grandchild.group.sid == child.tid
    for _ in range(values["pid_max"]):
        pid = pids.allocate()
        assert pid not in (world.init.tid, task.tid, child.tid, grandchild.tid)
    assert pids.last >= RESERVED


def test_set_tid_claims_a_free_id(world: World, task: FakeTask) -> None:
    assert world.kernel.pids.allocate(wanted=(4000,)) == 4000
    assert refused(lambda: world.kernel.pids.allocate(wanted=(task.tid,))) == errno.EEXIST
    assert refused(lambda: world.kernel.pids.allocate(wanted=(values["pid_max"],))) == errno.EINVAL
