"""How ids and capabilities change (credentials(7), capabilities(7))."""

from __future__ import annotations

import errno

import pytest

from sentry.abi.capability import ALL_CAPS, CAP_CHOWN, CAP_KILL, CAP_SETUID, SECBIT_KEEP_CAPS, SECBIT_NOROOT
from sentry.errors import Errno
from sentry.kernel.creds import Creds
from sentry.kernel.exec_creds import transform
from sentry.syscalls.ids import setfsuid, setresuid, setreuid, setuid
from sentry.syscalls.prctl import prctl
from tests.unit.kernel_doubles import FakeTask, World

KEEP = 0xFFFFFFFF


@pytest.fixture
def task() -> FakeTask:
    world = World()
    return world.process(world.init)


def uids(task: FakeTask) -> tuple[int, int, int, int]:
    creds = task.creds
    return creds.uid, creds.euid, creds.suid, creds.fsuid


def test_setuid_by_root_sets_all_and_drops_every_capability(task: FakeTask) -> None:
    setuid(task, 1000)
    assert uids(task) == (1000, 1000, 1000, 1000)
    assert (task.creds.permitted, task.creds.effective) == (0, 0)
    with pytest.raises(Errno) as refused:
        setuid(task, 0)
    assert refused.value.code == errno.EPERM


def test_the_effective_uid_can_leave_root_and_come_back(task: FakeTask) -> None:
    setresuid(task, KEEP, 1000, KEEP)
    assert uids(task) == (0, 1000, 0, 1000)
    assert task.creds.effective == 0
    assert task.creds.permitted == ALL_CAPS
    setuid(task, 0)
    assert task.creds.effective == ALL_CAPS


def test_setreuid_changes_the_saved_uid_with_the_real_one(task: FakeTask) -> None:
    setreuid(task, 1, 2)
    assert uids(task) == (1, 2, 2, 2)


def test_an_unprivileged_user_may_swap_among_its_own_ids(task: FakeTask) -> None:
    setresuid(task, 1, 2, 3)
    setresuid(task, 2, 3, 1)
    assert uids(task) == (2, 3, 1, 3)
    with pytest.raises(Errno):
        setresuid(task, 7, KEEP, KEEP)


def test_keep_caps_keeps_the_permitted_set(task: FakeTask) -> None:
    new = task.creds.copy()
    new.securebits |= SECBIT_KEEP_CAPS
    task.creds = new
    setuid(task, 1000)
    assert (task.creds.permitted, task.creds.effective) == (ALL_CAPS, 0)


def test_setfsuid_returns_the_old_id_and_touches_file_capabilities_alone(task: FakeTask) -> None:
    assert setfsuid(task, 1000) == 0
    assert not task.creds.has_cap(CAP_CHOWN)
    assert task.creds.has_cap(CAP_KILL)
    assert setfsuid(task, KEEP) == 1000


def test_execve_as_root_gains_the_bounding_set() -> None:
    creds = Creds(0)
    creds.permitted = creds.effective = 0
    creds.bounding = 1 << CAP_KILL
    new = transform(creds, None, None)[0]
    assert (new.permitted, new.effective) == (1 << CAP_KILL, 1 << CAP_KILL)
    creds.securebits = SECBIT_NOROOT
    assert transform(creds, None, None)[0].permitted == 0


def test_execve_of_a_set_uid_root_program_and_of_a_common_one() -> None:
    user = Creds(1000, 1000)
    raised = transform(user, 0, None)[0]
    assert (raised.uid, raised.euid, raised.suid, raised.fsuid) == (1000, 0, 0, 0)
    assert raised.effective == ALL_CAPS
    assert transform(user, None, None)[0].effective == 0


def test_ambient_capabilities_survive_execve_but_not_a_set_id_program() -> None:
    user = Creds(1000, 1000)
    user.permitted = user.inheritable = user.ambient = 1 << CAP_SETUID
    assert transform(user, None, None)[0].effective == 1 << CAP_SETUID
    assert transform(user, 1001, None)[0].effective == 0


def test_prctl_ambient_needs_permitted_and_inheritable(task: FakeTask) -> None:
    with pytest.raises(Errno) as refused:
        prctl(task, 47, 2, CAP_KILL, 0, 0)
    assert refused.value.code == errno.EPERM
    new = task.creds.copy()
    new.inheritable = 1 << CAP_KILL
    task.creds = new
    assert prctl(task, 47, 2, CAP_KILL, 0, 0) == 0
    assert prctl(task, 47, 1, CAP_KILL, 0, 0) == 1


def test_no_new_privs_can_be_set_and_never_cleared(task: FakeTask) -> None:
    assert prctl(task, 38, 1, 0, 0, 0) == 0
    assert prctl(task, 39, 0, 0, 0, 0) == 1
    with pytest.raises(Errno):
        prctl(task, 38, 0, 0, 0, 0)


def test_who_may_signal_whom() -> None:
    assert Creds(1000).may_signal(Creds(1000))
    assert not Creds(1000).may_signal(Creds(1001))
    swapped = Creds(1001)
    swapped.suid = 1000
    assert Creds(1000).may_signal(swapped)
