"""Which flags clone(2) and clone3(2) refuse."""

from __future__ import annotations

import errno

import pytest

from sentry.abi.clone import (
    CLONE_ARGS,
    CLONE_CLEAR_SIGHAND,
    CLONE_DETACHED,
    CLONE_FS,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    CLONE_PARENT,
    CLONE_PIDFD,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VM,
)
from sentry.abi.resource import RLIMIT_NPROC
from sentry.abi.restart import ERESTARTNOINTR
from sentry.abi.signal import SIGCHLD, SIGUSR1
from sentry.errors import Errno
from sentry.kernel.clone import CloneArgs, clone
from sentry.kernel.creds import Creds
from sentry.kernel.namespaces import unshare
from sentry.kernel.signals import signals
from sentry.syscalls.process import clone3
from tests.unit.kernel_doubles import MEMORY_START, FakeTask, World, handle


@pytest.fixture
def task() -> FakeTask:
    world = World()
    return world.process(world.init)


def refusal(task: FakeTask, flags: int, tls: int = 0) -> int:
    args = CloneArgs(flags, SIGCHLD)
    args.tls = tls
    with pytest.raises(Errno) as error:
        args.check(task)
    return error.value.code


@pytest.mark.parametrize(
    "flags",
    [
        CLONE_SIGHAND,
        CLONE_THREAD | CLONE_VM,
        CLONE_FS | CLONE_NEWNS,
        CLONE_FS | CLONE_NEWUSER,
        CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID,
        CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND,
        CLONE_PIDFD | CLONE_DETACHED,
    ],
)
def test_flags_that_contradict_each_other(task: FakeTask, flags: int) -> None:
    assert refusal(task, flags) == errno.EINVAL


def test_new_namespaces_need_a_capability(task: FakeTask) -> None:
    task.creds = Creds(1000)
    with pytest.raises(Errno) as error:
        unshare.new_namespaces(task, CLONE_NEWUTS, task.creds.user_ns, task.fs)
    assert error.value.code == errno.EPERM


def test_a_tls_outside_memory(task: FakeTask) -> None:
    assert refusal(task, CLONE_SETTLS, 1 << 47) == errno.EPERM


def test_init_can_not_have_siblings(task: FakeTask) -> None:
    assert refusal(task.kernel.tasks[1], CLONE_PARENT) == errno.EINVAL  # type: ignore[arg-type]


def test_a_pending_signal_is_taken_before_a_fork(task: FakeTask) -> None:
    handle(task, SIGUSR1)
    signals.send_group(task.group, SIGUSR1)
    with pytest.raises(Errno) as error:
        clone(task, CloneArgs(0, SIGCHLD))
    assert error.value.code == ERESTARTNOINTR


def test_too_many_processes_of_a_user(task: FakeTask) -> None:
    task.creds = Creds(1000)
    task.group.rlimits[RLIMIT_NPROC] = (1, 1)
    with pytest.raises(Errno) as error:
        clone(task, CloneArgs(0, SIGCHLD))
    assert error.value.code == errno.EAGAIN


def clone3_error(task: FakeTask, data: bytes, size: int) -> int:
    task.copy_out(MEMORY_START, data)
    with pytest.raises(Errno) as error:
        clone3(task, MEMORY_START, size)
    return error.value.code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ((1,), errno.EINVAL),  # an exit signal among the flags
        ((CLONE_DETACHED,), errno.EINVAL),
        ((1 << 40,), errno.EINVAL),
        ((0, 0, 0, 0, 65), errno.EINVAL),  # no such signal
        ((CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, SIGCHLD), errno.EINVAL),
        ((0, 0, 0, 0, 0, MEMORY_START), errno.EINVAL),  # a stack without a size
        ((0, 0, 0, 0, 0, 0, 4096), errno.EINVAL),  # and a size without a stack
        ((0, 0, 0, 0, 0, 0, 0, 0, 0, 1), errno.EINVAL),  # set_tid_size without set_tid
        ((0, 0, 0, 0, 0, 0, 0, 0, 1 << 50, 1), errno.EFAULT),
        ((0x200000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 31), errno.EINVAL),  # CLONE_INTO_CGROUP
    ],
)
def test_clone3_arguments(task: FakeTask, fields: tuple[int, ...], code: int) -> None:
    data = CLONE_ARGS.pack(*fields, *(0,) * (11 - len(fields)))
    assert clone3_error(task, data, len(data)) == code


def test_clone3_sizes(task: FakeTask) -> None:
    assert clone3_error(task, bytes(64), 63) == errno.EINVAL
    assert clone3_error(task, bytes(64), 4097) == errno.E2BIG
    assert clone3_error(task, bytes(88) + b"\1" * 8, 96) == errno.E2BIG
