"""Path resolution (path_resolution(7), openat2(2)) and the names that are cached on the way."""

from __future__ import annotations

import errno
import os

import pytest

from sentry.abi.fcntl import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
)
from sentry.abi.mount import MS_NODEV, MS_RDONLY
from sentry.fs.tmpfs import Tmpfs
from sentry.vfs.path import Path, prune
from tests.unit.vfs_doubles import Guest, fails


@pytest.fixture
def guest() -> Guest:
    guest = Guest(Tmpfs())
    for name in (b"/a", b"/a/b", b"/a/b/c", b"/other"):
        guest.mkdir(name)
    guest.put(b"/a/file", b"text")
    return guest


def test_dot_and_dotdot_and_repeated_slashes(guest: Guest) -> None:
    assert guest.where(guest.path(b"//a/./b//../b/c/..")) == b"/a/b"


def test_dotdot_stops_at_the_root(guest: Guest) -> None:
    assert guest.path(b"/../../..") == guest.fs.root
    guest.fs.root = guest.path(b"/a")
    guest.fs.cwd = guest.path(b"/b")
    assert guest.where(guest.path(b"../../../b/c")) == b"/b/c"


def test_a_path_outside_the_root_is_unreachable(guest: Guest) -> None:
    outside = guest.path(b"/other")
    guest.fs.root = guest.path(b"/a")
    assert guest.where(outside) == b"(unreachable)/other"


def test_a_file_is_no_directory(guest: Guest) -> None:
    for name in (b"/a/file/x", b"/a/file/.", b"/a/file/..", b"/a/file/"):
        fails(errno.ENOTDIR, guest.path, name)


def test_the_empty_name_and_a_long_component(guest: Guest) -> None:
    fails(errno.ENOENT, guest.path, b"")
    fails(errno.ENOENT, guest.path, b"/" + b"n" * 255)
    fails(errno.ENAMETOOLONG, guest.path, b"/" + b"n" * 256)


def test_symbolic_links_are_followed_where_they_must_be(guest: Guest) -> None:
    guest.symlink(b"../a/b", b"/other/link")
    guest.symlink(b"/a/file", b"/absolute")
    assert guest.where(guest.path(b"/other/link")) == b"/a/b"
    assert guest.where(guest.path(b"/other/link", follow=False)) == b"/other/link"
    assert guest.where(guest.path(b"/other/link/", follow=False)) == b"/a/b"
    assert guest.get(b"absolute") == b"text"


def test_forty_links_are_followed_and_not_one_more(guest: Guest) -> None:
    previous = b"/a/file"
    for number in range(41):
        name = b"/link%d" % number
        guest.symlink(previous, name)
        previous = name
    assert guest.get(b"/link39") == b"text"
    fails(errno.ELOOP, guest.path, b"/link40")
    guest.symlink(b"loop", b"/loop")
    fails(errno.ELOOP, guest.path, b"/loop")


def test_search_permission_is_needed_on_the_way_but_not_at_the_end(guest: Guest) -> None:
    guest.inode(b"/a").setattr(mode=0o700)
    guest.become(1000, 1000)
    fails(errno.EACCES, guest.path, b"/a/file")
    fails(errno.EACCES, guest.path, b"/a/../other")
    assert guest.inode(b"/a").is_dir()


def test_what_was_absent_is_found_once_it_is_made(guest: Guest) -> None:
    fails(errno.ENOENT, guest.path, b"/new")
    guest.mkdir(b"/new")
    assert guest.inode(b"/new").is_dir()
    guest.rmdir(b"/new")
    fails(errno.ENOENT, guest.path, b"/new")


def test_resolve_beneath(guest: Guest) -> None:
    guest.symlink(b"../other", b"/a/out")
    guest.symlink(b"b/..", b"/a/in")
    guest.fs.cwd = guest.path(b"/a")
    for name in (b"..", b"/a/b", b"out", b"b/../../other"):
        fails(errno.EXDEV, guest.path, name, True, RESOLVE_BENEATH)
    assert guest.where(guest.path(b"in/b", True, RESOLVE_BENEATH)) == b"/a/b"


def test_resolve_in_root(guest: Guest) -> None:
    guest.symlink(b"/b/c", b"/a/absolute")
    guest.fs.cwd = guest.path(b"/a")
    for name in (b"/b/c", b"../../b/c", b"absolute"):
        assert guest.where(guest.path(name, True, RESOLVE_IN_ROOT)) == b"/a/b/c"


def test_resolve_no_symlinks_and_no_xdev(guest: Guest) -> None:
    guest.symlink(b"b", b"/a/link")
    guest.ns.mnt.mount(Tmpfs(), guest.path(b"/other"))
    fails(errno.ELOOP, guest.path, b"/a/link", True, RESOLVE_NO_SYMLINKS)
    fails(errno.EXDEV, guest.path, b"/other", True, RESOLVE_NO_XDEV)
    guest.fs.cwd = guest.path(b"/other")
    fails(errno.EXDEV, guest.path, b"..", True, RESOLVE_NO_XDEV)


def test_a_mount_hides_what_it_is_on_until_it_is_gone(guest: Guest) -> None:
    guest.put(b"/other/below", b"1")
    guest.ns.mnt.mount(Tmpfs(), guest.path(b"/other"))
    fails(errno.ENOENT, guest.path, b"/other/below")
    guest.put(b"/other/above", b"2")
    assert guest.where(guest.path(b"/other/above")) == b"/other/above"
    assert guest.path(b"/other/..") == guest.fs.root
    fails(errno.EBUSY, guest.rmdir, b"/other")
    guest.ns.mnt.unmount(guest.path(b"/other"))
    assert guest.list(b"/other") == [b"below"]


def test_a_read_only_mount_refuses_every_change(guest: Guest) -> None:
    mount = guest.ns.mnt.mount(Tmpfs(), guest.path(b"/other"))
    guest.put(b"/other/file", b"x")
    mount.flags |= MS_RDONLY
    fails(errno.EROFS, guest.open, b"/other/file", os.O_WRONLY)
    fails(errno.EROFS, guest.open, b"/other/new", os.O_WRONLY | os.O_CREAT)
    fails(errno.EROFS, guest.unlink, b"/other/file")
    fails(errno.EROFS, guest.rename, b"/other/file", b"/other/new")
    fails(errno.EROFS, guest.mkdir, b"/other/new")
    fails(errno.EEXIST, guest.mkdir, b"/other/file")
    assert guest.get(b"/other/file") == b"x"
    assert guest.open(b"/other/file", os.O_RDONLY | os.O_CREAT).readable


def test_device_nodes_are_dead_on_a_nodev_mount() -> None:
    guest = Guest(Tmpfs(), flags=MS_NODEV)
    root = guest.fs.root
    root.dentry.attach(b"null", root.inode.mknod(b"null", 0o20666, 0x103, guest.creds))
    fails(errno.EACCES, guest.open, b"/null")


def test_unused_names_are_forgotten_and_used_ones_are_not() -> None:
    fs = Tmpfs()
    guest = Guest(fs)
    guest.mkdir(b"/dir")
    held = guest.path(b"/dir")
    fs.DENTRIES_MAX = fs.dentries_limit = 100
    for number in range(1000):
        fails(errno.ENOENT, guest.path, b"/dir/%d" % number)
    assert fs.dentries <= 200
    assert guest.path(b"/dir").dentry is held.dentry
    guest.put(b"/dir/file", b"still here")
    del held
    prune(fs.root)
    assert not fs.root.children
    assert guest.get(b"/dir/file") == b"still here"


def test_paths_are_equal_when_they_are_the_same_place(guest: Guest) -> None:
    assert guest.path(b"/a/b") == guest.path(b"a/b")
    assert hash(guest.path(b"/a/b")) == hash(guest.path(b"a/b"))
    assert guest.path(b"/a") != guest.path(b"/a/b")
    assert Path(guest.fs.root.mount, guest.fs.root.dentry) == guest.path(b"/")
