"""tmpfs: links and sizes, limits, renames, permissions of what is made in it."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from sentry.abi.fcntl import O_TMPFILE, RENAME_EXCHANGE, RENAME_NOREPLACE, SEEK_DATA, SEEK_HOLE
from sentry.fs import tmpfs
from sentry.fs.tmpfs import MemoryFile, Tmpfs
from sentry.vfs import attributes
from sentry.vfs.namei import walk
from sentry.vfs.regular import DescriptorPool, descriptors
from tests.unit.vfs_doubles import Guest, fails


@pytest.fixture
def guest() -> Guest:
    return Guest(Tmpfs())


def test_written_bytes_are_read_from_where_the_offset_is(guest: Guest) -> None:
    file = guest.open(b"f", os.O_RDWR | os.O_CREAT)
    assert file.write(guest.task, b"hello world", None) == 11
    assert file.read(guest.task, 5, None) == b""
    assert file.seek(guest.task, 6, os.SEEK_SET) == 6
    assert file.read(guest.task, 100, None) == b"world"
    assert file.read(guest.task, 5, 0) == b"hello"
    assert file.pos == 11


def test_a_file_that_was_never_written_has_no_descriptor(guest: Guest) -> None:
    guest.put(b"empty")
    assert guest.inode(b"empty").fd == -1
    assert guest.get(b"empty") == b""


def test_an_unlinked_file_lives_while_it_is_open(guest: Guest) -> None:
    guest.put(b"f", b"data")
    file = guest.open(b"f")
    assert file.path is not None
    guest.unlink(b"f")
    assert (file.inode.nlink, file.read(guest.task, 4, None)) == (0, b"data")
    assert guest.where(file.path) == b"/f (deleted)"


def test_link_counts(guest: Guest) -> None:
    guest.mkdir(b"d")
    assert (guest.inode(b"/").nlink, guest.inode(b"d").nlink) == (3, 2)
    guest.mkdir(b"d/e")
    guest.put(b"f")
    guest.link(b"f", b"d/g")
    assert (guest.inode(b"d").nlink, guest.inode(b"f").nlink) == (3, 2)
    assert guest.inode(b"f") is guest.inode(b"d/g")
    guest.rename(b"d/e", b"e")
    assert (guest.inode(b"/").nlink, guest.inode(b"d").nlink) == (4, 2)
    fails(errno.EPERM, guest.link, b"d", b"d2")
    fails(errno.ENOTEMPTY, guest.rmdir, b"d")


def test_append_goes_to_the_end_whatever_the_offset(guest: Guest) -> None:
    guest.put(b"f", b"one")
    file = guest.open(b"f", os.O_WRONLY | os.O_APPEND)
    assert file.write(guest.task, b"two", 0) == 3
    assert guest.get(b"f") == b"onetwo"


def test_rlimit_fsize_cuts_a_write_and_refuses_the_next(guest: Guest, monkeypatch: Any) -> None:
    sent: list[int] = []
    monkeypatch.setattr(
        "sentry.kernel.signals.signals.send_task", lambda task, signo, info, force: sent.append(signo)
    )
    guest.group.fsize_limit = 10
    file = guest.open(b"f", os.O_WRONLY | os.O_CREAT)
    assert file.write(guest.task, b"x" * 20, None) == 10
    fails(errno.EFBIG, file.write, guest.task, b"x", None)
    assert sent == [25]


def test_a_full_file_system_takes_what_fits_and_then_nothing() -> None:
    fs = Tmpfs(pages=2)
    guest = Guest(fs)
    file = guest.open(b"f", os.O_RDWR | os.O_CREAT)
    assert file.write(guest.task, b"x" * 10000, None) == 8192
    fails(errno.ENOSPC, file.write, guest.task, b"x", None)
    assert file.write(guest.task, b"y" * 8192, 0) == 8192, "pages that are there can be written again"
    assert fs.statfs().bfree == 0
    file.truncate(0)
    assert fs.statfs().bfree == 2
    del file
    guest.unlink(b"f")
    assert fs.pool.used == 0


def test_the_number_of_inodes_is_limited() -> None:
    guest = Guest(Tmpfs(inodes=3))
    guest.put(b"a")
    guest.mkdir(b"b")
    fails(errno.ENOSPC, guest.put, b"c")
    fails(errno.ENOSPC, guest.symlink, b"x", b"c")
    guest.unlink(b"a")
    guest.put(b"c")


def test_mount_options() -> None:
    kernel: Any = None
    fs: Any = tmpfs.mount(kernel, ["size=64k", "mode=0750", "uid=5", "nr_inodes=1k"])
    inode = fs.root.inode
    assert (fs.pages, fs.inodes, inode.mode, inode.uid) == (16, 1024, 0o40750, 5)
    assert fs.options() == b",size=64k,nr_inodes=1024,mode=750,uid=5"
    fails(errno.EINVAL, tmpfs.mount, kernel, ["size=lots"])
    fails(errno.EINVAL, tmpfs.mount, kernel, ["size=-1"])


def test_holes(guest: Guest) -> None:
    file = guest.open(b"f", os.O_RDWR | os.O_CREAT)
    file.write(guest.task, b"end", 1 << 20)
    assert file.inode.size == (1 << 20) + 3
    assert file.inode.blocks() * 512 < 1 << 16
    assert file.seek(guest.task, 0, SEEK_DATA) == 1 << 20
    assert file.seek(guest.task, 0, SEEK_HOLE) == 0
    assert file.read(guest.task, 4, 100) == bytes(4)


def test_the_sticky_bit_protects_names_from_others(guest: Guest) -> None:
    guest.mkdir(b"t")
    guest.inode(b"t").setattr(mode=0o1777)
    guest.become(1000, 1000)
    guest.put(b"t/mine")
    guest.become(2000, 2000)
    fails(errno.EPERM, guest.unlink, b"t/mine")
    fails(errno.EPERM, guest.rename, b"t/mine", b"t/stolen")
    guest.become(1000, 1000)
    guest.unlink(b"t/mine")


def test_a_setgid_directory_hands_its_group_down(guest: Guest) -> None:
    guest.mkdir(b"d")
    guest.inode(b"d").setattr(mode=0o2777, gid=77)
    guest.become(1000, 1000)
    guest.mkdir(b"d/e")
    guest.put(b"d/f")
    assert (guest.inode(b"d/e").gid, guest.inode(b"d/e").mode & 0o2000) == (77, 0o2000)
    assert guest.inode(b"d/f").gid == 77


def test_a_write_takes_the_setuid_bit_away(guest: Guest) -> None:
    guest.put(b"f", b"program")
    guest.inode(b"f").setattr(mode=0o6755, uid=1000)
    guest.become(1000, 1000)
    guest.open(b"f", os.O_WRONLY).write(guest.task, b"x", None)
    assert guest.inode(b"f").mode == 0o100755


def test_chown_takes_the_setuid_bit_away_even_from_root(guest: Guest) -> None:
    guest.put(b"f")
    guest.inode(b"f").setattr(mode=0o4755)
    attributes.chown(guest.task, walk(guest.task, -100, b"f"), 5, 0xFFFFFFFF)
    assert (guest.inode(b"f").mode, guest.inode(b"f").uid) == (0o100755, 5)


def test_rename_replaces_exchanges_and_refuses(guest: Guest) -> None:
    guest.put(b"a", b"A")
    guest.put(b"b", b"B")
    guest.mkdir(b"d")
    fails(errno.EEXIST, guest.rename, b"a", b"b", RENAME_NOREPLACE)
    guest.rename(b"a", b"d", RENAME_EXCHANGE)
    assert guest.get(b"d") == b"A"
    assert guest.inode(b"a").is_dir()
    fails(errno.EISDIR, guest.rename, b"b", b"a")
    fails(errno.ENOTDIR, guest.rename, b"a", b"b")
    guest.rename(b"b", b"a/b")
    guest.rename(b"d", b"a/b")
    assert guest.get(b"a/b") == b"A"
    assert guest.list(b"/") == [b"a"]


def test_a_directory_cannot_go_below_itself(guest: Guest) -> None:
    guest.mkdir(b"a")
    guest.mkdir(b"a/b")
    fails(errno.EINVAL, guest.rename, b"a", b"a/b/c")
    fails(errno.EINVAL, guest.rename, b"a", b"a/b")
    fails(errno.ENOTEMPTY, guest.rename, b"a/b", b"a")


def test_nothing_can_be_made_in_a_removed_directory(guest: Guest) -> None:
    guest.mkdir(b"d")
    guest.fs.cwd = guest.path(b"d")
    guest.rmdir(b"/d")
    fails(errno.ENOENT, guest.put, b"f")
    fails(errno.ENOENT, guest.mkdir, b"e")
    assert guest.list(b".") == []


def test_a_nameless_file_can_be_given_a_name(guest: Guest) -> None:
    file = guest.open(b"/", O_TMPFILE | os.O_RDWR)
    file.write(guest.task, b"late", None)
    assert (file.inode.nlink, guest.list(b"/")) == (0, [])
    assert file.path is not None
    from sentry.vfs import namespace

    namespace.link(guest.task, file.path, guest.fs.root, b"named")
    assert guest.get(b"named") == b"late"
    assert file.inode.nlink == 1


def test_open_flags(guest: Guest) -> None:
    guest.put(b"f", b"text")
    guest.symlink(b"f", b"l")
    guest.symlink(b"nowhere", b"dangling")
    fails(errno.EEXIST, guest.open, b"f", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    fails(errno.EEXIST, guest.open, b"dangling", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    fails(errno.ELOOP, guest.open, b"l", os.O_NOFOLLOW)
    fails(errno.ENOTDIR, guest.open, b"f", os.O_DIRECTORY)
    fails(errno.EISDIR, guest.open, b"/", os.O_WRONLY)
    fails(errno.EISDIR, guest.open, b"new/", os.O_WRONLY | os.O_CREAT)
    guest.put(b"dangling", b"through the link")
    assert guest.get(b"nowhere") == b"through the link"
    link = guest.open(b"l", os.O_PATH | os.O_NOFOLLOW)
    assert link.inode.readlink() == b"f"
    assert not link.readable


def test_a_new_file_obeys_the_umask_but_not_its_own_mode(guest: Guest) -> None:
    guest.fs.umask = 0o027
    guest.become(1000, 1000)
    file = guest.open(b"f", os.O_RDWR | os.O_CREAT, 0o0777)
    assert file.inode.mode == 0o100750
    assert guest.open(b"g", os.O_RDWR | os.O_CREAT, 0).writable
    fails(errno.EACCES, guest.open, b"g")


def test_when_there_are_too_many_descriptors_idle_files_do_without(guest: Guest, monkeypatch: Any) -> None:
    pool = DescriptorPool(8)
    monkeypatch.setattr("sentry.fs.memory_file.descriptors", pool)
    for number in range(50):
        guest.put(b"f%d" % number, b"contents %d" % number)
    held = [guest.inode(b"f%d" % number) for number in range(50)]
    assert sum(inode.fd >= 0 for inode in held) <= 8
    for number in range(50):
        assert guest.get(b"f%d" % number) == b"contents %d" % number
    assert len(descriptors) >= 0


def test_a_mapped_file_keeps_its_descriptor(guest: Guest) -> None:
    guest.put(b"f", b"mapped")
    inode = guest.inode(b"f")
    assert isinstance(inode, MemoryFile)
    source = guest.open(b"f", os.O_RDWR).mmap(guest.task, 3, 1, 0, 4096)
    assert source.key is inode
    assert not inode.park()


def test_extended_attributes(guest: Guest) -> None:
    guest.put(b"f")
    inode = guest.inode(b"f")
    fails(errno.ENODATA, inode.getxattr, b"user.a")
    fails(errno.ENODATA, inode.setxattr, b"user.a", b"1", 2)
    inode.setxattr(b"user.a", b"1", 0)
    fails(errno.EEXIST, inode.setxattr, b"user.a", b"2", 1)
    assert (inode.listxattr(), inode.getxattr(b"user.a")) == ([b"user.a"], b"1")
    fails(errno.EOPNOTSUPP, inode.setxattr, b"other.a", b"1", 0)
    fails(errno.ENOSPC, inode.setxattr, b"user.b", bytes(1 << 18), 0)
    inode.removexattr(b"user.a")
    fails(errno.ENODATA, inode.removexattr, b"user.a")


def test_a_listing_keeps_its_places_while_names_are_removed(guest: Guest) -> None:
    for number in range(10):
        guest.put(b"f%d" % number)
    listing = guest.open(b"/", os.O_DIRECTORY)
    before = list(listing.readdir(12))
    listing.pos = 5
    for entry in before[2:11]:
        assert entry is not None
        guest.unlink(entry[0])
    assert listing.readdir(1) == before[:5] + [None] * 6 + before[11:]
    listing.seek(guest.task, 0, os.SEEK_SET)
    assert len(listing.readdir(12)) == 3
