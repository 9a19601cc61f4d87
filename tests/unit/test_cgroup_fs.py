"""Who looked at a control group, and what counts for that, is forgotten in time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sentry.errors import Errno
from sentry.fs import cgroup
from sentry.kernel.cgroups.cgroup import CgroupNamespace
from sentry.kernel.garbage import LEAST_IN_NEED
from sentry.kernel.namespaces.namespaces import UtsNamespace
from sentry.kernel.namespaces.user_namespace import UserNamespace
from sentry.vfs.mounts.file_systems import TYPES
from sentry.vfs.mounts.mount import Mount
from tests.unit.kernel_doubles import World

USER = 1000


@pytest.fixture
def world() -> Iterator[World]:
    gc.disable()
    yield World()
    gc.enable()


@pytest.fixture
def owner(world: World) -> UserNamespace:
    namespace = world.init.creds.user_ns
    namespace.limits = dict.fromkeys((b"cgroup", b"uts"), 3)
    return namespace


def test_who_watched_a_quiet_group_is_forgotten(world: World) -> None:
    root = world.kernel.cgroups.root
    quiet = root.make(b"quiet")
    for _ in range(10):
        inode = cgroup.CgroupDirectory(cgroup.CgroupFs(root), quiet)
        inode.lookup(b"cgroup.events")
    assert len(quiet.events[b"cgroup.events"]._watchers) == 1


def test_an_unmounted_hierarchy_lets_go_of_its_namespace(world: World, owner: UserNamespace) -> None:
    task = world.init
    task.ns = task.ns.copy()
    for _ in range(10):
        namespace = CgroupNamespace(world.kernel.cgroups.root, owner)
        namespace.charge_to(USER)
        task.ns.cgroup = namespace
        fs = TYPES["cgroup2"].instance(world.kernel, [], task)
        Mount(fs, fs.root, 0, b"cgroup2")


def test_dead_namespaces_in_cycles_do_not_count(owner: UserNamespace) -> None:
    gc.collect()
    for _ in range(3):
        dead = UtsNamespace(b"", b"", owner)
        dead.charge_to(USER)
        dead.cycle = dead  # type: ignore[attr-defined]
    del dead
    kept = [[] for _ in range(LEAST_IN_NEED + 1)]  # type: list[list[int]]
    living = [UtsNamespace(b"", b"", owner) for _ in range(4)]
    for namespace in living[:3]:
        namespace.charge_to(USER)
    with pytest.raises(Errno):
        living[3].charge_to(USER)
    assert kept
