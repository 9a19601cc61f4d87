"""The in-memory overlay: the host directory is never written, and nobody can tell that it is below."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path as HostPath

import pytest

from sentry.errors import Errno
from sentry.fs.overlay import LowerDirectory, OverlayFs
from sentry.vfs.path import prune
from tests.unit.vfs_doubles import Guest, directory_fd, fails


@pytest.fixture
def lower(tmp_path: HostPath) -> Iterator[HostPath]:
    tree = tmp_path / "lower"
    (tree / "dir" / "sub").mkdir(parents=True)
    (tree / "file").write_bytes(b"lower text")
    (tree / "dir" / "inner").write_bytes(b"inner text")
    (tree / "dir" / "link").symlink_to("inner")
    (tree / "outside").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"secret")
    os.link(tree / "file", tree / "second")
    before = snapshot(tree)
    yield tree
    assert snapshot(tree) == before, "the lower directory was written to"


def snapshot(tree: HostPath) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        found[str(path)] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if plain else b"")
    return found


@pytest.fixture
def guest(lower: HostPath) -> Guest:
    return Guest(OverlayFs(directory_fd(lower)))


def test_lower_files_are_seen(guest: Guest) -> None:
    assert guest.get(b"/dir/link") == b"inner text"
    assert guest.list(b"/") == [b"dir", b"file", b"outside", b"second"]
    assert guest.inode(b"/dir").nlink == 3


def test_host_links_are_resolved_in_the_guest(guest: Guest) -> None:
    fails(errno.ENOENT, guest.get, b"/outside")
    fails(errno.ENOENT, guest.get, b"/../secret")


def test_who_has_the_file_open_sees_what_is_written(guest: Guest) -> None:
    reader = guest.open(b"/file")
    assert reader.read(guest.task, 5, 0) == b"lower"
    number = reader.inode.ino
    writer = guest.open(b"/file", os.O_RDWR)
    assert writer.write(guest.task, b"UPPER", 0) == 5
    assert reader.read(guest.task, 100, 0) == b"UPPER text"
    assert reader.inode is writer.inode
    assert guest.inode(b"/file").ino == number


def test_a_file_with_two_names_is_one_file_after_it_is_changed(guest: Guest) -> None:
    guest.open(b"/file", os.O_WRONLY).write(guest.task, b"X", 0)
    prune(guest.fs.root.mount.fs.root)
    assert guest.get(b"/second") == b"Xower text"
    guest.unlink(b"/file")
    prune(guest.fs.root.mount.fs.root)
    assert (guest.get(b"/second"), guest.inode(b"/second").nlink) == (b"Xower text", 1)


def test_removed_names_stay_removed(guest: Guest) -> None:
    guest.unlink(b"/dir/inner")
    prune(guest.fs.root.mount.fs.root)
    fails(errno.ENOENT, guest.path, b"/dir/inner")
    assert guest.list(b"/dir") == [b"link", b"sub"]
    guest.put(b"/dir/inner", b"new")
    assert guest.get(b"/dir/link") == b"new"


def test_a_name_that_was_made_again_and_removed_again_stays_removed(guest: Guest) -> None:
    root = guest.fs.root.mount.fs.root
    guest.unlink(b"/dir/inner")
    guest.put(b"/dir/inner", b"new")
    guest.unlink(b"/dir/inner")
    guest.put(b"/dir/own", b"own")
    guest.rename(b"/dir/own", b"/dir/link")  # over a lower name
    guest.unlink(b"/dir/link")
    guest.rename(b"/file", b"/dir/moved")  # a lower file under a name of ours
    prune(root)
    assert guest.get(b"/dir/moved") == b"lower text"
    guest.unlink(b"/dir/moved")
    prune(root)
    assert guest.list(b"/dir") == [b"sub"]
    for name in (b"/dir/inner", b"/dir/link", b"/dir/moved", b"/dir/own", b"/file"):
        fails(errno.ENOENT, guest.inode, name)
    directory = guest.inode(b"/dir")
    assert isinstance(directory, LowerDirectory)
    assert sorted(name for name, inode in directory.names.items() if inode is None) == [b"inner", b"link"]


def test_a_directory_made_where_one_was_removed_is_empty(guest: Guest) -> None:
    fails(errno.ENOTEMPTY, guest.rmdir, b"/dir")
    for name in (b"/dir/inner", b"/dir/link"):
        guest.unlink(name)
    guest.rmdir(b"/dir/sub")
    guest.rmdir(b"/dir")
    guest.mkdir(b"/dir")
    assert guest.list(b"/dir") == []
    fails(errno.ENOENT, guest.path, b"/dir/inner")


def test_a_lower_directory_can_be_renamed(guest: Guest) -> None:
    guest.rename(b"/dir", b"/moved")
    assert guest.list(b"/moved") == [b"inner", b"link", b"sub"]
    assert guest.get(b"/moved/inner") == b"inner text"
    fails(errno.ENOENT, guest.path, b"/dir")
    assert guest.list(b"/") == [b"file", b"moved", b"outside", b"second"]


def test_changed_attributes_survive_the_cache(guest: Guest) -> None:
    guest.inode(b"/dir/inner").setattr(mode=0o600, uid=7)
    prune(guest.fs.root.mount.fs.root)
    inode = guest.inode(b"/dir/inner")
    assert (inode.mode, inode.uid) == (0o100600, 7)
    assert guest.get(b"/dir/inner") == b"inner text"


def test_clean_names_are_forgotten(guest: Guest) -> None:
    guest.get(b"/dir/inner")
    root = guest.fs.root.mount.fs.root
    prune(root)
    assert not root.children
    assert guest.get(b"/dir/inner") == b"inner text"


def test_truncating_does_not_copy_what_is_thrown_away(guest: Guest) -> None:
    guest.open(b"/file", os.O_WRONLY | os.O_TRUNC)
    assert (guest.get(b"/file"), guest.inode(b"/file").fd) == (b"", -1)
    guest.open(b"/dir/inner", os.O_WRONLY).truncate(5)
    assert guest.get(b"/dir/inner") == b"inner"


def test_growing_a_lower_file_leaves_a_hole(guest: Guest) -> None:
    guest.open(b"/file", os.O_WRONLY).truncate(20)
    assert guest.get(b"/file") == b"lower text" + bytes(10)


def test_short_lived_names_leave_nothing_behind(guest: Guest) -> None:
    directory = guest.inode(b"/dir")
    for number in range(20):
        guest.put(b"/dir/t%d" % number)
        guest.unlink(b"/dir/t%d" % number)
    assert not [name for name in directory.names if name.startswith(b"t")]  # type: ignore[attr-defined]


def test_new_inode_numbers_do_not_meet_lower_ones(guest: Guest, lower: HostPath) -> None:
    guest.put(b"/new")
    lowest = max(path.lstat().st_ino for path in lower.rglob("*"))
    assert guest.inode(b"/new").ino > lowest
    assert guest.inode(b"/new").dev == guest.inode(b"/file").dev


def test_special_files_of_the_lower_layer_are_not_opened_there(lower: HostPath, guest: Guest) -> None:
    pipe, before = lower / "dir" / "pipe", (lower / "dir").stat()
    os.mkfifo(pipe)
    try:
        # On the host this open would wait for a writer for ever.
        file = guest.open(b"/dir/pipe", os.O_RDONLY | os.O_NONBLOCK)
        assert file.inode.fd == -1
    finally:
        pipe.unlink()
        os.utime(lower / "dir", ns=(before.st_atime_ns, before.st_mtime_ns))


def test_many_open_files_need_few_host_descriptors(lower: HostPath, guest: Guest) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        assert guest.list(b"/dir")
        assert guest.inode(b"/dir/inner").size == 10
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_extended_attributes_come_through(lower: HostPath) -> None:
    try:
        os.setxattr(lower / "file", "user.note", b"from below")
    except OSError:
        pytest.skip("this file system has no user attributes")
    guest = Guest(OverlayFs(directory_fd(lower)))
    inode = guest.inode(b"/file")
    assert inode.getxattr(b"user.note") == b"from below"
    inode.setxattr(b"user.note", b"changed", 0)
    assert os.getxattr(lower / "file", "user.note") == b"from below"
    with pytest.raises(Errno):
        inode.getxattr(b"user.other")
