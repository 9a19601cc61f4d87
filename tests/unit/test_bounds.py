"""What is bounded for the whole sandbox: taken until there is no more, given back with its holder."""

from __future__ import annotations

import errno
import gc
import struct

import pytest

from sentry._core import SocketFilter
from sentry.abi.inotify import IN_Q_OVERFLOW, INOTIFY_EVENT
from sentry.abi.stat import S_IFREG
from sentry.errors import Errno
from sentry.fs import memory
from sentry.fs.memory import Kept
from sentry.fs.tmpfs import MemoryFile, Tmpfs
from sentry.kernel.creds import Creds, Groups
from sentry.kernel.tracing.seccomp import Filter
from sentry.kernel.user_count import UserCount
from sentry.vfs import landlock, posix_acl, snapshots
from sentry.vfs.file import File
from sentry.vfs.landlock import Layer
from sentry.vfs.notify import backlog
from sentry.vfs.notify.backlog import Backlog
from sentry.vfs.notify.inotify import EventQueue, InotifyFile
from sentry.vfs.permissions import ACL_ACCESS, ACL_DEFAULT


@pytest.fixture(autouse=True)
def nothing_left_over() -> None:
    """What other tests have left in cycles must not be given back in the middle of one."""
    gc.collect()


def test_a_share_counts_for_its_user_and_for_all() -> None:
    count = UserCount()
    first, second = count.take(1), count.take(2)
    assert (count.of(1), count.of(2), count.total) == (1, 1, 2)
    del first
    assert (count.of(1), count.of(2), count.total) == (0, 1, 1)
    del second
    assert count.total == 0


def test_landlock_rules_of_all_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "ALL_RULES_MAX", Layer.total + 3)
    layer = Layer(0, 0, 0)
    layer.count(2)
    with pytest.raises(Errno) as error:
        layer.copy()
    assert error.value.code == errno.ENOMEM
    del error
    layer.count(1)
    del layer
    Layer(0, 0, 0).count(3)


def test_bytes_that_files_in_memory_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Kept.bytes
    monkeypatch.setattr(memory, "KEPT_MAX", before + 100)
    node = MemoryFile(Tmpfs(), S_IFREG | 0o600, 0, 0)
    node.setxattr(b"user.a", b"x" * 50, 0)
    assert Kept.bytes - before == 56
    with pytest.raises(Errno) as error:
        node.setxattr(b"user.b", b"x" * 50, 0)
    assert error.value.code == errno.ENOSPC
    node.setxattr(b"user.a", b"x" * 94, 0)
    node.removexattr(b"user.a")
    assert Kept.bytes == before
    node.setxattr(b"user.b", b"x" * 50, 0)
    del node, error
    assert Kept.bytes == before


def test_access_control_lists_and_what_inherits_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Kept.bytes
    creds, fs = Creds(), Tmpfs()
    directory = fs.root.inode
    assert directory is not None
    names = [(posix_acl.USER, 7, number) for number in range(1000)]
    rest = [(tag, 7, 0) for tag in (posix_acl.GROUP_OBJ, posix_acl.MASK, posix_acl.OTHER)]
    acl = ((posix_acl.USER_OBJ, 7, 0), *names, *rest)
    posix_acl.set(creds, directory, ACL_DEFAULT, acl)
    monkeypatch.setattr(memory, "KEPT_MAX", before + 4 * (Kept.bytes - before))
    permissions = posix_acl.masked(directory, 0o700, 0)
    below = directory.mkdir(b"a", permissions, creds)
    posix_acl.inherit(directory, below)
    with pytest.raises(Errno) as error:
        posix_acl.masked(directory, 0o700, 0)
    assert error.value.code == errno.ENOSPC
    for inode in (below, directory):
        posix_acl.set(creds, inode, ACL_DEFAULT, None)
    posix_acl.set(creds, below, ACL_ACCESS, None)
    assert Kept.bytes == before


def test_group_lists_are_counted_while_somebody_has_them() -> None:
    before = Groups.entries
    groups = Groups([3, 1, 2])
    assert (groups, Groups.entries - before) == ((3, 1, 2), 3)
    del groups
    assert Groups.entries == before


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_filters_are_counted_unless_malformed() -> None:
    allow = struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
    before = Filter.length
    with pytest.raises((Errno, OSError)):
        Filter(b"\xff" * 8, None)
    assert Filter.length == before
    kept = Filter(allow, None)
    assert Filter.length > before
    del kept
    assert Filter.length == before


def test_filters_of_all_sockets() -> None:
    longest = struct.pack("<HBBI", 0x06, 0, 0, 0) * 4096
    kept = [SocketFilter(longest) for _ in range(1024)]
    with pytest.raises(Errno) as error:
        SocketFilter(longest)
    assert error.value.code == errno.ENOMEM
    kept.clear()
    SocketFilter(longest)


class Keeper(File):
    """An open file that keeps something, until it is told not to."""

    __slots__ = ("keeps",)

    def __init__(self, size: int) -> None:
        super().__init__(0)
        self.keeps = size
        snapshots.hold(self, size)

    def forget(self) -> None:
        self.keeps = 0


def test_what_open_files_keep_of_what_they_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshots.total
    monkeypatch.setattr(snapshots, "MOST", before + 10_000)
    first, second, small = Keeper(6000), Keeper(3000), Keeper(10)
    assert snapshots.total == before + 9000
    snapshots.hold(first, 5000)  # again, and so it is newer than the second
    third = Keeper(4000)
    assert [keeper.keeps for keeper in (first, second, small, third)] == [6000, 0, 10, 4000]
    assert snapshots.total == before + 9000
    huge = Keeper(20_000)
    assert (first.keeps, third.keeps, huge.keeps) == (0, 0, 20_000)
    del huge
    assert snapshots.total == before


def test_events_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Backlog.total
    monkeypatch.setattr(backlog, "UNREAD_MAX", before + 3)
    one, other = InotifyFile(0, 0), InotifyFile(0, 0)
    for name in (b"a", b"b", b"c"):
        one.state.put(1, 1, 0, name)
    other.state.put(1, 1, 0, b"d")
    assert lost(other.state)
    one.state.take(1 << 12)
    assert not one.state.events
    other.state.put(1, 1, 0, b"e")
    assert not lost(other.state)
    one.release()
    other.release()
    assert Backlog.total == before


def lost(queue: EventQueue) -> bool:
    """Whether the newest event says that there were more."""
    return bool(INOTIFY_EVENT.unpack_from(queue.events[-1])[1] & IN_Q_OVERFLOW)
