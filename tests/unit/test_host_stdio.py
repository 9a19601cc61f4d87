"""The caller's descriptors as the guest's standard input, output and error."""

from __future__ import annotations

import errno
import os
import pty
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sentry.abi.fcntl import O_APPEND, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_SET
from sentry.abi.ioctl import FIONREAD, TCGETS, TCGETS2, TCSETS, TIOCGPGRP, TIOCGWINSZ, TIOCSTI, TIOCSWINSZ
from sentry.abi.poll import POLLHUP, POLLIN, POLLOUT
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.signal import SIGPIPE, mask_of
from sentry.abi.termios import ECHO, ICANON, WINSIZE, unpack
from sentry.errors import Errno
from sentry.kernel import sessions
from sentry.kernel.wait import WOULD_BLOCK, Waiter
from sentry.vfs.file import File
from sentry.vfs.host_stdio import open_stdio
from tests.unit.fs_doubles import FsWorld, link_of, open_file
from tests.unit.kernel_doubles import MEMORY_START as AT
from tests.unit.kernel_doubles import FakeTask, handle


class Watches:
    """A reactor that notes what is watched."""

    def __init__(self, timers: Any) -> None:
        self.timers = timers
        self.watched: dict[int, tuple[int, Any]] = {}

    def watch(self, fd: int, events: int, callback: Any) -> None:
        self.watched[fd] = (events, callback)

    def fire(self, fd: int) -> None:
        events, callback = self.watched.pop(fd)
        callback(events)


class Guest:
    def __init__(self) -> None:
        self.world = FsWorld()
        self.kernel: Any = self.world.kernel
        self.reactor = self.kernel.reactor = Watches(self.kernel.timers)
        self.task = self.world.init
        self.fds: list[int] = []

    def open(self, fd: int, keep: bool = False) -> Any:
        """`fd` as the guest's; closed at the end unless `keep`."""
        if not keep:
            self.fds.append(fd)
        config: Any = SimpleNamespace(stdio=[fd])
        (file,) = open_stdio(self.kernel, config, self.task)
        assert isinstance(file, File)
        return file

    def refused(self, call: Any) -> int:
        with pytest.raises(Errno) as error:
            call()
        return error.value.code


@pytest.fixture
def guest() -> Iterator[Guest]:
    guest = Guest()
    yield guest
    for fd in guest.fds:
        os.close(fd)


@pytest.fixture
def pipe(guest: Guest) -> tuple[int, int]:
    ends = os.pipe()
    guest.fds += ends
    return ends


def test_closed_descriptors_stay_closed(guest: Guest) -> None:
    config: Any = SimpleNamespace(stdio=[-1, -1, -1])
    assert open_stdio(guest.kernel, config, guest.task) == [None, None, None]


def test_a_pipe_is_read_when_it_is_ready(guest: Guest, pipe: tuple[int, int]) -> None:
    out, into = pipe
    file = guest.open(out, keep=True)
    assert file.readable
    assert not file.writable
    assert file.read(guest.task, 10, None) is WOULD_BLOCK
    os.write(into, b"abc")
    assert file.read(guest.task, 10, None) == b"abc"
    assert os.get_blocking(out)  # the description is shared: it must stay as it was


def test_waiting_is_the_reactors(guest: Guest, pipe: tuple[int, int]) -> None:
    out, into = pipe
    file = guest.open(out, keep=True)
    file.read(guest.task, 10, None)
    events, _ = guest.reactor.watched[out]
    assert events == POLLIN
    waiter = Waiter(guest.task)
    file.queue.add(waiter)
    os.write(into, b"x")
    guest.reactor.fire(out)
    assert waiter.fired == POLLIN


def test_polling_a_pipe(guest: Guest, pipe: tuple[int, int]) -> None:
    out, into = pipe
    reader, writer = guest.open(out, keep=True), guest.open(into, keep=True)
    assert not reader.poll()
    assert guest.reactor.watched[out][0] == POLLIN
    assert writer.poll() & POLLOUT
    os.write(into, b"x")
    assert reader.poll() & POLLIN
    guest.task.write_u32(AT, 0)
    reader.ioctl(guest.task, FIONREAD, AT)
    assert guest.task.read_u32(AT) == 1


def test_a_full_pipe_takes_no_more_and_never_blocks(guest: Guest, pipe: tuple[int, int]) -> None:
    file = guest.open(pipe[1], keep=True)
    written = 0
    while (count := file.write(guest.task, bytes(10_000), None)) is not WOULD_BLOCK:
        written += count
    assert 60_000 < written <= 65536
    assert not file.poll() & POLLOUT


def test_end_of_file_and_broken_pipes(guest: Guest) -> None:
    out, into = os.pipe()
    file = guest.open(out)
    os.close(into)
    assert file.poll() & POLLHUP
    assert file.read(guest.task, 1, None) == b""
    out, into = os.pipe()
    file = guest.open(into)
    os.close(out)
    handle(guest.task, SIGPIPE)
    assert guest.refused(lambda: file.write(guest.task, b"x", None)) == errno.EPIPE
    assert guest.task.pending == mask_of(SIGPIPE)


def test_sockets_work_like_pipes(guest: Guest) -> None:
    ours, theirs = socket.socketpair()
    file = guest.open(theirs.detach())
    assert file.write(guest.task, b"out", None) == 3
    assert ours.recv(9) == b"out"
    assert file.read(guest.task, 9, None) is WOULD_BLOCK
    ours.send(b"in")
    assert file.read(guest.task, 9, None) == b"in"
    fd = guest.task.files.install(file)
    assert link_of(guest.task, b"/proc/self/fd/%d" % fd).startswith(b"socket:[")
    ours.close()


@pytest.fixture
def host_file(tmp_path: Any) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return str(path)


def test_the_offset_is_the_hosts(guest: Guest, host_file: str) -> None:
    fd = os.open(host_file, os.O_RDWR)
    file = guest.open(fd)
    os.lseek(fd, 3, os.SEEK_SET)
    assert file.read(guest.task, 2, None) == b"34"
    assert os.lseek(fd, 0, os.SEEK_CUR) == 5
    assert file.seek(guest.task, 1, SEEK_CUR) == 6
    assert file.read(guest.task, 2, 0) == b"01"
    file.write(guest.task, b"X", None)
    assert os.pread(fd, 10, 0) == b"012345X789"
    assert file.stat_inode().size == 10


def test_appending_is_the_hosts(guest: Guest, host_file: str) -> None:
    fd = os.open(host_file, os.O_WRONLY | os.O_APPEND)
    file = guest.open(fd)
    assert file.flags == O_WRONLY | O_APPEND
    with open(host_file, "ab") as other:
        other.write(b"theirs")
    file.write(guest.task, b"ours", None)
    with open(host_file, "rb") as check:
        assert check.read() == b"0123456789theirsours"


def test_opening_it_again_gives_an_offset_of_its_own(guest: Guest, host_file: str) -> None:
    file = guest.open(os.open(host_file, os.O_RDONLY))
    guest.task.files.set(0, file)
    file.seek(guest.task, 5, SEEK_SET)
    again = open_file(guest.task, b"/dev/stdin")
    assert again.read(guest.task, 3, None) == b"012"
    assert file.read(guest.task, 1, None) == b"5"


def test_it_can_not_be_opened_for_more_than_was_given(guest: Guest, pipe: tuple[int, int]) -> None:
    guest.task.files.set(0, guest.open(pipe[0], keep=True))
    assert guest.refused(lambda: open_file(guest.task, b"/proc/self/fd/0", O_WRONLY)) == errno.EACCES
    open_file(guest.task, b"/proc/self/fd/0", O_RDONLY)


def test_the_hosts_dev_null_is_the_guests(guest: Guest) -> None:
    file = guest.open(os.open("/dev/null", os.O_RDWR))
    fd = guest.task.files.install(file)
    assert link_of(guest.task, b"/proc/self/fd/%d" % fd) == b"/dev/null"
    assert file.read(guest.task, 9, None) == b""


class HostPty:
    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.master, self.slave = pty.openpty()
        guest.fds += [self.master, self.slave]
        self.file = guest.open(self.slave, keep=True)

    @property
    def terminal(self) -> Any:
        return self.guest.task.group.session.tty


@pytest.fixture
def tty(guest: Guest) -> HostPty:
    return HostPty(guest)


def test_a_terminal_becomes_the_sessions(guest: Guest, tty: HostPty) -> None:
    assert tty.terminal is not None
    fd = guest.task.files.install(tty.file)
    name = link_of(guest.task, b"/proc/self/fd/%d" % fd)
    assert name == b"/dev/pts/0"
    named = guest.world.walk(guest.task, name).inode
    assert (named.ino, named.dev, named.rdev) == (tty.file.inode.ino, tty.file.inode.dev, tty.file.inode.rdev)
    tty.file.ioctl(guest.task, TIOCGPGRP, AT)
    assert guest.task.read_u32(AT) == guest.task.tid
    open_file(guest.task, b"/dev/tty", O_RDWR).write(guest.task, b"hello", None)
    assert os.read(tty.master, 9) == b"hello"


def test_its_lines_are_the_hosts(guest: Guest, tty: HostPty) -> None:
    assert tty.file.read(guest.task, 9, None) is WOULD_BLOCK
    os.write(tty.master, b"ab\n")
    assert tty.file.read(guest.task, 9, None) == b"ab\n"


def test_its_attributes_are_the_hosts(guest: Guest, tty: HostPty) -> None:
    task = guest.task
    tty.file.ioctl(task, TCGETS, AT)
    termios = unpack(task.copy_in(AT, 36))
    assert termios.lflag & ICANON
    termios.lflag &= ~(ICANON | ECHO)
    task.copy_out(AT, termios.pack())
    tty.file.ioctl(task, TCSETS, AT)
    os.write(tty.master, b"q")
    assert tty.file.read(task, 9, None) == b"q"
    tty.file.ioctl(task, TCGETS2, AT)
    assert not unpack(task.copy_in(AT, 44)).lflag & ICANON
    task.copy_out(AT, WINSIZE.pack(10, 20, 0, 0))
    tty.file.ioctl(task, TIOCSWINSZ, AT)
    tty.file.ioctl(task, TIOCGWINSZ, AT + 8)
    assert task.copy_in(AT + 8, 8) == WINSIZE.pack(10, 20, 0, 0)
    assert guest.refused(lambda: tty.file.ioctl(task, TIOCSTI, AT)) == errno.EPERM


def test_job_control_is_ours(guest: Guest, tty: HostPty) -> None:
    job: FakeTask = guest.world.process(guest.task)
    sessions.setpgid(job, 0, 0)
    assert guest.refused(lambda: tty.file.read(job, 1, None)) == ERESTARTSYS
    assert tty.file.write(job, b"x", None) == 1
    tty.terminal.foreground = job.group.process_group
    assert tty.file.read(job, 1, None) is WOULD_BLOCK


def test_a_hung_up_terminal_is_dead_for_its_old_files(guest: Guest, tty: HostPty) -> None:
    tty.terminal.hang_up()
    assert tty.file.read(guest.task, 1, None) == b""
    assert guest.refused(lambda: tty.file.write(guest.task, b"x", None)) == errno.EIO
    assert tty.file.poll() & POLLHUP
