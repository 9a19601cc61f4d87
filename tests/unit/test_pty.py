"""Pseudoterminals and job control (pty(7), ioctl_tty(2), credentials(7))."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from sentry._core import Action
from sentry.abi.fcntl import O_NOCTTY, O_NONBLOCK, O_RDONLY, O_RDWR
from sentry.abi.ioctl import (
    FIONREAD,
    TCFLSH,
    TCGETS,
    TCSETS,
    TCXONC,
    TIOCEXCL,
    TIOCGPGRP,
    TIOCGPTN,
    TIOCGPTPEER,
    TIOCGSID,
    TIOCGWINSZ,
    TIOCNOTTY,
    TIOCPKT,
    TIOCSCTTY,
    TIOCSPGRP,
    TIOCSPTLCK,
    TIOCSTI,
    TIOCSWINSZ,
)
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI
from sentry.abi.restart import ERESTARTSYS
from sentry.abi.signal import SIG_IGN, SIGCONT, SIGHUP, SIGINT, SIGTTIN, SIGTTOU, SIGWINCH, mask_of
from sentry.abi.termios import TOSTOP, VMIN, VTIME, WINSIZE, Termios
from sentry.errors import Errno
from sentry.fs.devpts import DevPts
from sentry.kernel import sessions
from sentry.kernel.creds import Creds
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.file import File
from tests.unit.fs_doubles import FsWorld, link_of, names_in, open_file
from tests.unit.kernel_doubles import MEMORY_START as AT
from tests.unit.kernel_doubles import FakeTask, handle


def refused(call: Callable[[], Any]) -> int:
    with pytest.raises(Errno) as error:
        call()
    return error.value.code


class Pair:
    """A pair, its slave the controlling terminal of a shell's session."""

    def __init__(self) -> None:
        self.world = FsWorld()
        self.shell = self.world.process(self.world.init)
        sessions.setsid(self.shell)
        self.master = open_file(self.shell, b"/dev/ptmx", O_RDWR | O_NOCTTY)
        self.shell.write_u32(AT, 0)
        self.master.ioctl(self.shell, TIOCSPTLCK, AT)
        self.slave = open_file(self.shell, b"/dev/pts/0", O_RDWR)

    @property
    def terminal(self) -> Any:
        return self.shell.group.session.tty

    def job(self, foreground: bool) -> FakeTask:
        """A child in a process group of its own."""
        task = self.world.process(self.shell)
        sessions.setpgid(task, 0, 0)
        if foreground:
            self.terminal.foreground = task.group.process_group
        return task

    def termios(self, **changes: int) -> None:
        values = {"iflag": 0, "oflag": 0, "lflag": 0} | changes
        cc = bytearray(Termios().cc)
        cc[VMIN], cc[VTIME] = values.pop("vmin", 1), values.pop("vtime", 0)
        self.shell.copy_out(AT, Termios(cc=bytes(cc), **values).pack())
        self.slave.ioctl(self.shell, TCSETS, AT)

    def type(self, data: bytes) -> Any:
        return self.master.write(self.shell, data, None)

    def typed(self, count: int = 100) -> Any:
        return self.slave.read(self.shell, count, None)

    def shown(self, count: int = 100) -> Any:
        return self.master.read(self.shell, count, None)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def pending(task: FakeTask) -> int:
    return task.group.pending


def test_what_is_typed_is_read_and_echoed(pair: Pair) -> None:
    assert pair.typed() is WOULD_BLOCK
    assert pair.type(b"ls\r") == 3
    assert pair.typed() == b"ls\n"
    assert pair.shown() == b"ls\r\n"


def test_what_is_written_is_processed(pair: Pair) -> None:
    assert pair.slave.write(pair.shell, b"a\nb", None) == 3
    assert pair.shown() == b"a\r\nb"
    assert pair.shown() is WOULD_BLOCK


def test_a_locked_slave_can_not_be_opened(pair: Pair) -> None:
    second = open_file(pair.shell, b"/dev/ptmx", O_RDWR)
    second.ioctl(pair.shell, TIOCGPTN, AT)
    assert pair.shell.read_u32(AT) == 1
    assert refused(lambda: open_file(pair.shell, b"/dev/pts/1")) == errno.EIO
    pair.shell.write_u32(AT, 0)
    second.ioctl(pair.shell, TIOCSPTLCK, AT)
    open_file(pair.shell, b"/dev/pts/1")


def test_the_slave_is_listed_while_the_master_is_open(pair: Pair) -> None:
    assert names_in(pair.shell, b"/dev/pts") == [b"0", b"ptmx"]
    fd = pair.shell.files.install(pair.slave)
    assert link_of(pair.shell, b"/proc/self/fd/%d" % fd) == b"/dev/pts/0"
    inode = pair.slave.inode
    assert (inode.mode, inode.gid, inode.rdev) == (0o020620, 5, 136 << 8)
    del pair.master
    assert names_in(pair.shell, b"/dev/pts") == [b"ptmx"]


def test_the_peer_can_be_opened_without_its_name(pair: Pair) -> None:
    assert isinstance(pair.master.ioctl(pair.shell, TIOCGPTPEER, O_RDWR), int)
    (_, file) = pair.shell.files.items()[0]
    file.write(pair.shell, b"x", None)
    assert pair.shown() == b"x"


def test_opening_it_gave_the_session_its_terminal(pair: Pair) -> None:
    assert pair.terminal is not None
    for request, value in ((TIOCGPGRP, pair.shell.tid), (TIOCGSID, pair.shell.tid)):
        pair.slave.ioctl(pair.shell, request, AT)
        assert pair.shell.read_u32(AT) == value


def test_o_noctty_leaves_the_session_without(pair: Pair) -> None:
    other = pair.world.process(pair.world.init)
    sessions.setsid(other)
    file = open_file(other, b"/dev/pts/0", O_RDWR | O_NOCTTY)
    assert other.group.session.tty is None
    assert refused(lambda: open_file(other, b"/dev/tty")) == errno.ENXIO
    assert refused(lambda: file.ioctl(other, TIOCGPGRP, AT)) == errno.ENOTTY
    assert refused(lambda: file.ioctl(other, TIOCNOTTY, 0)) == errno.ENOTTY


def test_tiocsctty_steals_only_for_root_and_only_with_1(pair: Pair) -> None:
    other = pair.world.process(pair.world.init)
    sessions.setsid(other)
    file = open_file(other, b"/dev/pts/0", O_RDWR | O_NOCTTY)
    assert refused(lambda: file.ioctl(other, TIOCSCTTY, 0)) == errno.EPERM
    file.ioctl(other, TIOCSCTTY, 1)
    assert other.group.session.tty is not None
    assert pair.terminal is None


def test_dev_tty_is_the_controlling_terminal(pair: Pair) -> None:
    open_file(pair.shell, b"/dev/tty", O_RDWR).write(pair.shell, b"hi", None)
    assert pair.shown() == b"hi"


def test_an_interrupt_goes_to_the_foreground(pair: Pair) -> None:
    front, back = pair.job(foreground=True), pair.job(foreground=False)
    for task in (front, back):
        handle(task, SIGINT)
    pair.type(b"abc\x03")
    assert pending(front) == mask_of(SIGINT)
    assert not pending(back)
    assert not pending(pair.shell)
    assert pair.shown() == b"^C"  # the rest was flushed with the input


def test_a_new_size_is_a_signal_to_the_foreground(pair: Pair) -> None:
    front = pair.job(foreground=True)
    handle(front, SIGWINCH)
    pair.shell.copy_out(AT, WINSIZE.pack(24, 80, 0, 0))
    pair.master.ioctl(pair.shell, TIOCSWINSZ, AT)
    assert pending(front) == mask_of(SIGWINCH)
    pair.slave.ioctl(pair.shell, TIOCGWINSZ, AT + 64)
    assert pair.shell.copy_in(AT + 64, 8) == WINSIZE.pack(24, 80, 0, 0)
    front.group.pending = 0
    pair.master.ioctl(pair.shell, TIOCSWINSZ, AT)
    assert not pending(front)  # the same size again


def test_a_background_read_stops_the_reader(pair: Pair) -> None:
    pair.job(foreground=True)
    back = pair.job(foreground=False)
    assert refused(lambda: pair.slave.read(back, 1, None)) == ERESTARTSYS
    assert pending(back) == mask_of(SIGTTIN)


@pytest.mark.parametrize("how", ["ignored", "blocked", "orphaned"])
def test_a_background_read_that_can_not_stop_fails(pair: Pair, how: str) -> None:
    pair.job(foreground=True)
    back = pair.job(foreground=False)
    if how == "ignored":
        back.group.sighand[SIGTTIN] = Action(SIG_IGN)
    elif how == "blocked":
        back.sigmask = mask_of(SIGTTIN)
    else:
        back.group.parent = pair.world.init.group
    assert refused(lambda: pair.slave.read(back, 1, None)) == errno.EIO


def test_background_writes_are_free_without_tostop(pair: Pair) -> None:
    pair.job(foreground=True)
    back = pair.job(foreground=False)
    assert pair.slave.write(back, b"x", None) == 1
    pair.terminal.line.termios.lflag |= TOSTOP
    assert refused(lambda: pair.slave.write(back, b"x", None)) == ERESTARTSYS
    assert pending(back) == mask_of(SIGTTOU)
    back.sigmask = mask_of(SIGTTOU)
    assert pair.slave.write(back, b"x", None) == 1


def test_the_foreground_is_chosen_within_the_session(pair: Pair) -> None:
    job = pair.job(foreground=False)
    pair.shell.write_u32(AT, job.tid)
    pair.slave.ioctl(pair.shell, TIOCSPGRP, AT)
    assert pair.terminal.foreground is job.group.process_group
    stranger = pair.world.process(pair.world.init)
    sessions.setsid(stranger)
    shell = pair.shell
    shell.sigmask = mask_of(SIGTTOU)  # it is in the background now
    for pgid, code in ((stranger.tid, errno.EPERM), (9999, errno.ESRCH), (2**31, errno.EINVAL)):
        shell.write_u32(AT, pgid)
        assert refused(lambda: pair.slave.ioctl(shell, TIOCSPGRP, AT)) == code


def test_closing_the_master_hangs_up(pair: Pair) -> None:
    front = pair.job(foreground=True)
    handle(front, SIGHUP)
    handle(pair.shell, SIGHUP)
    handle(pair.shell, SIGCONT)
    del pair.master
    assert pending(pair.shell) == mask_of(SIGHUP, SIGCONT)
    assert pair.shell.group.session.tty is None
    assert pair.typed() == b""
    assert refused(lambda: pair.slave.write(pair.shell, b"x", None)) == errno.EIO
    assert refused(lambda: pair.slave.ioctl(pair.shell, TCGETS, AT)) == errno.EIO
    assert pair.slave.poll() & (POLLIN | POLLOUT | POLLERR | POLLHUP) == POLLIN | POLLOUT | POLLERR | POLLHUP


def test_the_leaders_exit_hangs_up_the_foreground(pair: Pair) -> None:
    front = pair.job(foreground=True)
    handle(front, SIGHUP)
    pair.terminal.leader_exited()
    assert pending(front) == mask_of(SIGHUP)
    assert pair.typed() is WOULD_BLOCK  # a pseudoterminal itself is not hung up


def test_the_master_reads_eio_once_the_slave_is_closed(pair: Pair) -> None:
    pair.slave.write(pair.shell, b"last", None)
    del pair.slave
    assert pair.master.poll() & POLLHUP
    assert pair.shown() == b"last"
    assert refused(pair.shown) == errno.EIO
    pair.slave = open_file(pair.shell, b"/dev/pts/0", O_RDWR)
    assert pair.shown() is WOULD_BLOCK


def test_a_master_without_a_slave_yet_waits(pair: Pair) -> None:
    fresh = open_file(pair.shell, b"/dev/ptmx", O_RDWR)
    assert fresh.read(pair.shell, 1, None) is WOULD_BLOCK
    assert not fresh.poll() & POLLHUP


def test_flow_control_holds_output(pair: Pair) -> None:
    pair.type(b"\x13")
    assert pair.slave.write(pair.shell, b"x", None) is WOULD_BLOCK
    assert not pair.slave.poll() & POLLOUT
    pair.type(b"\x11")
    assert pair.slave.write(pair.shell, b"x", None) == 1
    pair.slave.ioctl(pair.shell, TCXONC, 0)
    assert pair.slave.write(pair.shell, b"x", None) is WOULD_BLOCK


def test_output_is_bounded(pair: Pair) -> None:
    written = 0
    while (count := pair.slave.write(pair.shell, bytes(5000), None)) is not WOULD_BLOCK:
        assert isinstance(count, int)
        written += count
        assert written < 1 << 20
    assert pair.shown(10) == bytes(10)
    assert pair.slave.write(pair.shell, bytes(50), None) == 10


def test_flushing_forgets_what_was_typed(pair: Pair) -> None:
    pair.type(b"abc\n")
    pair.slave.ioctl(pair.shell, FIONREAD, AT)
    assert pair.shell.read_u32(AT) == 4
    pair.slave.ioctl(pair.shell, TCFLSH, 0)
    assert pair.typed() is WOULD_BLOCK
    assert pair.shown() == b"abc\r\n"
    assert refused(lambda: pair.slave.ioctl(pair.shell, TCFLSH, 3)) == errno.EINVAL


def test_vmin_waits_for_so_many_bytes(pair: Pair) -> None:
    pair.termios(vmin=3)
    pair.type(b"ab")
    assert pair.typed() is WOULD_BLOCK
    assert pair.typed(2) == b"ab"  # a smaller buffer is enough
    pair.type(b"cde")
    assert pair.typed() == b"cde"


def test_without_vmin_and_vtime_a_read_never_waits(pair: Pair) -> None:
    pair.termios(vmin=0)
    assert pair.typed() == b""


def reading(pair: Pair) -> Any:
    """A read that waits: its coroutine."""
    slave: File = pair.slave
    return block(pair.shell, lambda: slave.read(pair.shell, 10, None), slave.queue, POLLIN)


def test_vtime_ends_a_read_without_vmin(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry._core.monotonic", pair.world.clock.monotonic)
    pair.termios(vmin=0, vtime=5)
    assert pair.world.call(pair.shell, reading(pair)) is None
    assert pair.world.pass_time(400_000_000) == []
    assert pair.world.pass_time(101_000_000) == [(pair.shell, b"")]


def test_vtime_with_vmin_runs_between_bytes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentry._core.monotonic", pair.world.clock.monotonic)
    pair.termios(vmin=5, vtime=5)
    assert pair.world.call(pair.shell, reading(pair)) is None
    assert pair.world.pass_time(10_000_000_000) == []
    pair.type(b"ab")
    assert pair.world.turn() == []
    assert pair.world.pass_time(501_000_000) == [(pair.shell, b"ab")]


def test_nonblocking_reads_take_what_there_is(pair: Pair) -> None:
    pair.termios(vmin=5)
    pair.slave.flags |= O_NONBLOCK
    pair.type(b"ab")
    assert pair.typed() == b"ab"
    assert pair.typed() is WOULD_BLOCK


def test_packet_mode_tells_of_data_and_events(pair: Pair) -> None:
    pair.shell.write_u32(AT, 1)
    pair.master.ioctl(pair.shell, TIOCPKT, AT)
    pair.slave.write(pair.shell, b"x", None)
    assert pair.shown() == b"\0x"
    pair.slave.ioctl(pair.shell, TCFLSH, 0)
    assert pair.master.poll() & POLLPRI
    assert pair.shown() == b"\x01"


def test_exclusive_use_keeps_others_out(pair: Pair) -> None:
    pair.slave.ioctl(pair.shell, TIOCEXCL, 0)
    open_file(pair.shell, b"/dev/pts/0", O_RDONLY)  # CAP_SYS_ADMIN
    pair.shell.creds = Creds(1000, 1000)
    pair.slave.inode.mode |= 0o004
    assert refused(lambda: open_file(pair.shell, b"/dev/pts/0", O_RDONLY)) == errno.EBUSY


def test_tiocsti_types_into_ones_own_terminal(pair: Pair) -> None:
    for char in b"hi\n":
        pair.shell.copy_out(AT, bytes((char,)))
        pair.slave.ioctl(pair.shell, TIOCSTI, AT)
    assert pair.typed() == b"hi\n"


def test_unknown_requests_are_refused(pair: Pair) -> None:
    for file in (pair.master, pair.slave):
        assert refused(lambda file=file: file.ioctl(pair.shell, 0x1234, 0)) == errno.ENOTTY
    assert refused(lambda: pair.slave.ioctl(pair.shell, TCGETS, 1)) == errno.EFAULT


def test_numbers_are_used_again(pair: Pair) -> None:
    second = open_file(pair.shell, b"/dev/ptmx", O_RDWR)
    third = open_file(pair.shell, b"/dev/ptmx", O_RDWR)
    assert names_in(pair.shell, b"/dev/pts") == [b"0", b"1", b"2", b"ptmx"]
    del second
    fourth = open_file(pair.shell, b"/dev/ptmx", O_RDWR)
    fourth.ioctl(pair.shell, TIOCGPTN, AT)
    assert pair.shell.read_u32(AT) == 1
    del third


def test_devpts_tells_its_options() -> None:
    assert DevPts(0o620, 0o666, gid=5).options() == b",gid=5,mode=620,ptmxmode=666"
