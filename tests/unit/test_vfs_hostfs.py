"""Directories shared with the host: changes are seen both ways, and nothing outside can be reached."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path as HostPath

import pytest

from sentry.abi.fcntl import RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT
from sentry.errors import Errno
from sentry.fs.hostfs import HostFs
from sentry.vfs import attributes
from tests.unit.vfs_doubles import Guest, directory_fd, fails


@pytest.fixture
def shared(tmp_path: HostPath) -> HostPath:
    tree = tmp_path / "shared"
    (tree / "dir").mkdir(parents=True)
    (tree / "file").write_bytes(b"text")
    (tmp_path / "secret").write_bytes(b"secret")
    return tree


@pytest.fixture
def guest(shared: HostPath) -> Guest:
    return Guest(HostFs(directory_fd(shared)), os.geteuid(), os.getegid())


def test_what_the_guest_writes_the_host_reads(guest: Guest, shared: HostPath) -> None:
    guest.put(b"/dir/new", b"from inside")
    assert (shared / "dir" / "new").read_bytes() == b"from inside"
    guest.rename(b"/dir/new", b"/moved")
    guest.mkdir(b"/made")
    guest.symlink(b"moved", b"/link")
    guest.link(b"/moved", b"/made/hard")
    guest.unlink(b"/file")
    assert sorted(os.listdir(shared)) == ["dir", "link", "made", "moved"]
    assert (shared / "made" / "hard").stat().st_nlink == 2
    assert os.readlink(shared / "link") == "moved"


def test_what_the_host_changes_the_guest_sees(guest: Guest, shared: HostPath) -> None:
    assert guest.get(b"/file") == b"text"
    (shared / "file").write_bytes(b"longer than before")
    assert guest.get(b"/file") == b"longer than before"
    (shared / "file").unlink()
    fails(errno.ENOENT, guest.path, b"/file")
    (shared / "fresh").write_bytes(b"")
    assert guest.list(b"/") == [b"dir", b"fresh"]


def test_an_open_file_outlives_its_name(guest: Guest, shared: HostPath) -> None:
    file = guest.open(b"/file", os.O_RDWR)
    (shared / "file").unlink()
    assert file.read(guest.task, 10, None) == b"text"
    assert file.stat_inode().nlink == 0
    file.truncate(2)
    assert file.stat_inode().size == 2


def test_the_same_file_is_the_same_inode(guest: Guest) -> None:
    guest.link(b"/file", b"/other")
    held = guest.inode(b"/file")
    assert guest.inode(b"/other") is held


def test_a_descriptor_is_held_only_while_the_file_is_open(guest: Guest) -> None:
    file = guest.open(b"/file")
    inode = guest.inode(b"/file")
    assert inode.fd >= 0
    del file
    assert inode.fd == -1


def test_links_do_not_lead_outside(guest: Guest, shared: HostPath) -> None:
    (shared / "absolute").symlink_to(shared.parent / "secret")
    (shared / "relative").symlink_to("../secret")
    fails(errno.ENOENT, guest.open, b"/absolute")
    fails(errno.ENOENT, guest.open, b"/relative")


def test_a_directory_swapped_for_a_link_is_not_followed(guest: Guest, shared: HostPath) -> None:
    guest.fs.cwd = guest.path(b"/dir")
    (shared / "dir").rename(shared / "gone")
    (shared / "dir").symlink_to(shared.parent)
    for attempt in (lambda: guest.open(b"secret"), lambda: guest.list(b"."), lambda: guest.put(b"made")):
        with pytest.raises(Errno) as caught:
            attempt()
        assert caught.value.code in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
    assert not (shared.parent / "made").exists()


def test_a_file_swapped_for_a_fifo_is_not_opened(guest: Guest, shared: HostPath) -> None:
    inode = guest.inode(b"/file")
    (shared / "file").unlink()
    os.mkfifo(shared / "file")
    fails(errno.EIO, inode.contents, False)  # type: ignore[attr-defined]


def test_device_nodes_are_not_made_on_the_host(guest: Guest) -> None:
    root = guest.fs.root.inode
    fails(errno.EPERM, root.mknod, b"null", stat.S_IFCHR | 0o666, 0x103, guest.creds)


def test_a_read_only_share_is_not_written(shared: HostPath) -> None:
    guest = Guest(HostFs(directory_fd(shared), readonly=True), os.geteuid(), os.getegid())
    inode = guest.inode(b"/file")
    fails(errno.EROFS, guest.put, b"/new")
    fails(errno.EROFS, guest.open, b"/file", os.O_RDWR)
    fails(errno.EROFS, guest.unlink, b"/file")
    fails(errno.EROFS, guest.rename, b"/file", b"/moved")
    fails(errno.EROFS, inode.contents, True)  # type: ignore[attr-defined]
    assert guest.get(b"/file") == b"text"


def test_attributes_are_changed_on_the_host(guest: Guest, shared: HostPath) -> None:
    attributes.chmod(guest.task, guest.path(b"/file"), 0o604)
    attributes.set_times(guest.task, guest.path(b"/file"), ((5, 7), (6, 8)))
    status = (shared / "file").stat()
    assert status.st_mode & 0o7777 == 0o604
    assert (status.st_atime_ns, status.st_mtime_ns) == (5000000007, 6000000008)
    attributes.truncate(guest.task, guest.path(b"/file"), 2)
    assert (shared / "file").read_bytes() == b"te"


def test_the_flags_of_rename(guest: Guest, shared: HostPath) -> None:
    guest.put(b"/dir/below", b"")
    guest.rename(b"/file", b"/dir", RENAME_EXCHANGE)
    assert (shared / "dir").read_bytes() == b"text"
    assert guest.list(b"/file") == [b"below"]
    assert guest.get(b"/dir") == b"text"
    fails(errno.EEXIST, guest.rename, b"/dir", b"/file", RENAME_NOREPLACE)
    guest.rename(b"/dir", b"/new", RENAME_NOREPLACE)
    assert guest.get(b"/new") == b"text"


def test_a_single_file_can_be_shared(shared: HostPath) -> None:
    fs = HostFs(os.open(shared / "file", os.O_RDWR | os.O_CLOEXEC))
    assert fs.root.inode is not None
    guest = Guest(HostFs(directory_fd(shared)), os.geteuid(), os.getegid())
    guest.ns.mnt.mount(fs, guest.path(b"/file"))
    guest.open(b"/file", os.O_WRONLY | os.O_APPEND).write(guest.task, b" and more", None)
    assert (shared / "file").read_bytes() == b"text and more"
    assert guest.get(b"/file") == b"text and more"


def test_foreign_device_numbers_are_not_shown(guest: Guest, shared: HostPath) -> None:
    assert guest.inode(b"/file").dev != (shared / "file").stat().st_dev
    assert guest.inode(b"/file").dev == guest.inode(b"/dir").dev


def test_setting_the_times_to_now_does_not_go_back_behind_the_host_s_finer_clock(
    guest: Guest, shared: HostPath
) -> None:
    for _ in range(50):
        (shared / "file").write_bytes(b"")
        changed = (shared / "file").stat().st_ctime_ns  # whoever looks gets a time finer than a tick
        attributes.set_times(guest.task, guest.path(b"/file"), None)
        assert (shared / "file").stat().st_mtime_ns >= changed


def test_a_fifo_s_mode_can_be_changed_without_opening_it(guest: Guest, shared: HostPath) -> None:
    os.mkfifo(shared / "fifo", 0o600)
    attributes.chmod(guest.task, guest.path(b"/fifo"), 0o640)
    assert stat.S_IMODE((shared / "fifo").stat().st_mode) == 0o640


def test_a_hole_holds_no_blocks_and_a_directory_what_the_host_says(guest: Guest, shared: HostPath) -> None:
    os.truncate(shared / "file", 10 << 20)
    for name in ("file", "dir"):
        assert guest.inode(b"/" + name.encode()).blocks() == (shared / name).stat().st_blocks


def test_paths_longer_than_the_host_takes_at_once(guest: Guest) -> None:
    name = b"d" * 250
    deep = guest.inode(b"/")
    for _ in range(40):
        deep = deep.mkdir(name, 0o755, guest.task.creds)
    assert deep.is_dir()
    deep.getattr()
    assert deep.nlink == 2


def test_a_directory_that_is_gone_still_has_its_attributes(guest: Guest, shared: HostPath) -> None:
    gone = guest.inode(b"/dir")
    (shared / "dir").rmdir()
    gone.getattr()
    assert gone.nlink == 0
    assert gone.is_dir()


def test_a_whiteout_is_the_only_device_that_can_come_to_be(guest: Guest, shared: HostPath) -> None:
    guest.rename(b"/file", b"/moved", RENAME_WHITEOUT)
    left = (shared / "file").lstat()
    assert (stat.S_ISCHR(left.st_mode), left.st_rdev, left.st_uid) == (True, 0, os.geteuid())
    assert (shared / "moved").read_bytes() == b"text"
