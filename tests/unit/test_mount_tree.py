"""Trees of mounts: names of types, references, limits; what guests can see is in tests/syscalls/mount*.c."""

from __future__ import annotations

import errno
import gc
import weakref
from typing import Any

import pytest

from sentry.fs.proc_system import file_system_names
from sentry.fs.tmpfs import Tmpfs
from sentry.kernel.namespaces.user_namespace import INITIAL, UserNamespace
from sentry.vfs.mounts import mount_namespace, propagation
from sentry.vfs.mounts.file_systems import TYPES
from sentry.vfs.mounts.mount import mounts_alive
from sentry.vfs.mounts.mount_tree import subtree
from tests.unit.vfs_doubles import Guest, fails


@pytest.fixture
def guest() -> Guest:
    guest = Guest(Tmpfs())
    guest.mkdir(b"/a")
    guest.mkdir(b"/b")
    return guest


def test_the_listed_file_systems_are_those_that_can_be_mounted() -> None:
    internal = {b"sockfs", b"pipefs", b"anon_inodefs"}
    assert {name.encode() for name in TYPES} == set(file_system_names()) - internal


def test_a_namespace_ends_with_its_last_user(guest: Guest) -> None:
    namespace = guest.ns.mnt
    propagation.make_shared(namespace.root)
    group = namespace.root.group
    assert group is not None
    copy, pairs = namespace.copy(INITIAL)
    assert len(group.members) == 2
    gone = weakref.ref(pairs[namespace.root])
    pairs.clear()
    del copy
    gc.collect()
    assert len(group.members) == 1
    assert gone() is None


def test_a_less_privileged_namespace_has_slaves_that_are_locked_together(guest: Guest) -> None:
    namespace = guest.ns.mnt
    inner = namespace.mount(Tmpfs(), guest.path(b"/a"), 1)
    for mount in (namespace.root, inner):
        propagation.make_shared(mount)
    _, pairs = namespace.copy(UserNamespace(INITIAL))
    copied = pairs[inner]
    assert copied.master is inner.group
    assert copied.group is None
    assert copied.locked
    assert copied.locked_flags & 1


def test_the_number_of_mounts_is_limited(guest: Guest, monkeypatch: Any) -> None:
    namespace = guest.ns.mnt
    monkeypatch.setattr(mount_namespace, "MOUNTS_MAX", len(namespace.mounts) + 2)
    namespace.mount(Tmpfs(), guest.path(b"/a"))
    namespace.mount(Tmpfs(), guest.path(b"/a"))
    fails(errno.ENOSPC, namespace.mount, Tmpfs(), guest.path(b"/a"))
    assert len(list(subtree(namespace.base))) == len(namespace.mounts)


def test_copies_for_peers_count_too(guest: Guest, monkeypatch: Any) -> None:
    namespace = guest.ns.mnt
    propagation.make_shared(namespace.root)
    copies = [namespace.copy(INITIAL)[0] for _ in range(3)]
    monkeypatch.setattr(mount_namespace, "MOUNTS_MAX", len(namespace.mounts) + 1)
    namespace.mount(Tmpfs(), guest.path(b"/a"))
    assert [len(copy.mounts) for copy in copies] == [len(namespace.mounts)] * 3
    fails(errno.ENOSPC, namespace.mount, Tmpfs(), guest.path(b"/b"))


def test_mounts_in_all_namespaces_are_limited(guest: Guest, monkeypatch: Any) -> None:
    namespace = guest.ns.mnt
    gc.collect()
    monkeypatch.setattr(mount_namespace, "ALL_MOUNTS_MAX", mounts_alive() + len(namespace.mounts))
    copies = [namespace.copy(INITIAL)[0]]
    fails(errno.ENOSPC, namespace.copy, INITIAL)
    copies.clear()
    gc.collect()
    namespace.copy(INITIAL)


def test_dentries_of_unmounted_trees_are_free_again(guest: Guest) -> None:
    namespace = guest.ns.mnt
    place = guest.path(b"/a")
    namespace.mount(Tmpfs(), place)
    assert place.dentry.mounted == 1
    namespace.unmount(guest.path(b"/a"))
    assert place.dentry.mounted == 0
