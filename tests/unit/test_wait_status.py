"""What a parent learns of its children (wait4(2), waitid(2)), and what becomes of orphans."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from sentry._core import Action
from sentry.abi.signal import (
    SA_NOCLDWAIT,
    SA_RESTORER,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGHUP,
    SIGKILL,
    SIGSTOP,
    SIGTERM,
)
from sentry.abi.wait import (
    P_ALL,
    P_PGID,
    P_PID,
    WALL,
    WCLONE,
    WCONTINUED,
    WEXITED,
    WNOHANG,
    WNOTHREAD,
    WNOWAIT,
    WUNTRACED,
)
from sentry.kernel import exit as exits
from sentry.kernel import reap, sessions
from sentry.kernel.signals import job_control, signals
from tests.unit.kernel_doubles import FakeTask, World, handle


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def parent(world: World) -> FakeTask:
    return world.process(world.init)


def look(
    world: World, task: FakeTask, options: int = WEXITED, id_type: int = P_ALL, identity: int = 0
) -> Any:
    """A wait that doesn't block: the Reaped, None, or -errno."""
    return world.call(task, reap.wait(task, id_type, identity, options | WNOHANG))


def test_exit_code_and_siginfo(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    exits.exit_thread(child, 0x107)
    found = look(world, parent)
    assert found.status == 0x0700
    assert (found.info.pid, found.info.code, found.info.status) == (child.tid, 1, 7)
    assert child.tid not in world.kernel.tasks
    assert child.tid not in world.kernel.groups
    assert look(world, parent) == -errno.ECHILD


def test_death_by_signal(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    signals.send_group(child.group, SIGTERM)
    exits.exit_task(child)
    found = look(world, parent)
    assert found.status == SIGTERM
    assert (found.info.code, found.info.status) == (2, SIGTERM)


def test_a_wait_blocks_until_the_child_exits(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    assert world.call(parent, reap.wait(parent, P_PID, child.tid, WEXITED)) is None
    exits.exit_thread(child, 3)
    [(task, found)] = world.turn()
    assert task is parent
    assert found.status == 0x300


def test_wnowait_leaves_the_zombie(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    exits.exit_thread(child, 0)
    assert look(world, parent, WEXITED | WNOWAIT).info.pid == child.tid
    assert look(world, parent).info.pid == child.tid


def test_stop_and_continue_are_reported_once(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    job_control.stop(child.group, SIGSTOP)
    job_control.park(child)
    assert look(world, parent) is None
    assert look(world, parent, WUNTRACED).status == SIGSTOP << 8 | 0x7F
    assert look(world, parent, WUNTRACED) is None
    signals.send_group(child.group, SIGCONT)
    assert look(world, parent, WCONTINUED).status == 0xFFFF
    assert look(world, parent, WCONTINUED) is None


def test_a_child_with_another_exit_signal_is_waited_for_with_wclone_or_wall(
    world: World, parent: FakeTask
) -> None:
    child = world.process(parent)
    child.group.exit_signal = 0
    exits.exit_thread(child, 0)
    assert look(world, parent) == -errno.ECHILD
    assert look(world, parent, WEXITED | WNOWAIT | WCLONE).info.pid == child.tid
    assert look(world, parent, WEXITED | WALL).info.pid == child.tid


def test_wnothread_sees_only_the_callers_own_children(world: World, parent: FakeTask) -> None:
    thread = world.thread(parent)
    child = world.process(parent)
    exits.exit_thread(child, 0)
    assert look(world, thread, WEXITED | WNOTHREAD) == -errno.ECHILD
    assert look(world, thread, WEXITED).info.pid == child.tid


def test_by_process_group(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    assert look(world, parent, WEXITED, P_PGID, child.tid) == -errno.ECHILD
    sessions.setpgid(child, 0, 0)
    exits.exit_thread(child, 0)
    assert look(world, parent, WEXITED, P_PGID, child.tid).info.pid == child.tid


@pytest.mark.parametrize("action", [Action(SIG_IGN), Action(0, SA_NOCLDWAIT)])
def test_a_parent_that_wants_no_zombies_gets_none(world: World, parent: FakeTask, action: Action) -> None:
    parent.group.sighand[SIGCHLD] = action
    child = world.process(parent)
    assert world.call(parent, reap.wait(parent, P_ALL, 0, WEXITED)) is None
    exits.exit_thread(child, 0)
    assert child.tid not in world.kernel.tasks
    assert world.turn() == [(parent, -errno.ECHILD)]


def test_sigchld_tells_of_the_death(world: World, parent: FakeTask) -> None:
    handle(parent, SIGCHLD, SA_RESTORER)
    child = world.process(parent)
    exits.exit_thread(child, 9)
    info = signals.dequeue(parent, ~0)
    assert info is not None
    assert (info.pid, info.code, info.status) == (child.tid, 1, 9)


def test_the_last_thread_decides_and_a_zombie_leader_waits_for_it(world: World, parent: FakeTask) -> None:
    leader = world.process(parent)
    thread = world.thread(leader)
    exits.exit_thread(leader, 1)
    assert not leader.group.dead
    assert look(world, parent) is None
    exits.exit_thread(thread, 2)
    assert look(world, parent).status == 0x200
    assert world.kernel.tasks.keys() == {world.init.tid, parent.tid}


def test_exit_group_decides_once(world: World, parent: FakeTask) -> None:
    leader = world.process(parent)
    thread = world.thread(leader)
    exits.exit_group(thread, 5)
    assert leader.dying
    exits.exit_task(leader)
    assert look(world, parent).status == 0x500


def test_orphans_go_to_init(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    exits.exit_thread(parent, 0)
    assert child.group.parent is world.init.group
    exits.exit_thread(child, 4)
    assert look(world, world.init, WEXITED, P_PID, child.tid).status == 0x400


def test_orphans_go_to_the_nearest_subreaper(world: World, parent: FakeTask) -> None:
    middle = world.process(parent)
    child = world.process(middle)
    parent.group.is_subreaper = True
    exits.exit_thread(middle, 0)
    assert child.group.parent is parent.group


def test_children_stay_with_the_process_while_a_thread_lives(world: World, parent: FakeTask) -> None:
    thread = world.thread(parent)
    child = world.process(thread)
    exits.exit_thread(thread, 0)
    assert child.group.parent is parent.group
    assert child.group.parent_task is parent


def test_the_parent_death_signal(world: World, parent: FakeTask) -> None:
    child = world.process(parent)
    child.parent_death_signal = SIGKILL
    exits.exit_thread(parent, 0)
    assert child.dying


def test_a_stopped_process_group_that_becomes_orphaned_is_hung_up(world: World, parent: FakeTask) -> None:
    sessions.setsid(parent)
    child = world.process(parent)
    sessions.setpgid(child, 0, 0)
    handle(child, SIGHUP)
    job_control.stop(child.group, SIGSTOP)
    job_control.park(child)
    exits.exit_thread(parent, 0)
    assert child.group.pending & 1 << SIGHUP - 1
    assert child.state == "running"  # SIGCONT


def test_inits_death_ends_the_run(world: World) -> None:
    exits.exit_group(world.init, 6)
    assert world.machine.stop
    assert world.kernel.exit_status == 0x600


def test_a_dead_tasks_context_is_ended(world: World, parent: FakeTask) -> None:
    context: Any = parent.ctx
    exits.exit_thread(parent, 0)
    assert context.ended
    assert parent.ctx is None
