"""Pipes and FIFOs: what C leaves to Python, and what only Python does."""

from __future__ import annotations

import errno
import gc

import pytest

from sentry.abi.fcntl import O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from sentry.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from sentry.abi.signal import SIGPIPE
from sentry.abi.stat import S_IFIFO
from sentry.errors import Errno
from sentry.fs.tmpfs import Tmpfs
from sentry.kernel.creds import Creds
from sentry.kernel.wait import WOULD_BLOCK
from sentry.syscalls.pipe import pipe2
from sentry.vfs import pipe as pipes
from sentry.vfs.fifo import open_fifo
from sentry.vfs.mounts.mount_namespace import build
from sentry.vfs.path import Path
from sentry.vfs.pipe import PipeEnd, get_size, make_pipe, set_size
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]


def fds(task: FakeTask, flags: int = 0) -> tuple[int, int]:
    assert task.run(lambda: pipe2(task, BASE, flags)) == 0
    return task.read_u32(BASE), task.read_u32(BASE + 4)


def test_bytes_come_out_in_order_and_the_end_follows_the_last_writer(world: World) -> None:
    task = world.task()
    reader, writer = fds(task)
    assert task.write(writer, b"hello ") == 6
    assert task.write(writer, b"world") == 5
    assert task.read(reader, 100) == b"hello world"
    assert task.read(reader, 1) is WOULD_BLOCK
    task.files.remove(writer)
    assert task.read(reader, 1) == b""


def test_a_write_up_to_PIPE_BUF_is_atomic_and_a_longer_one_may_be_partial(world: World) -> None:
    task = world.task()
    _, writer = fds(task)
    assert task.write(writer, bytes(65536 - 10)) == 65526
    assert task.write(writer, bytes(11)) is WOULD_BLOCK
    assert task.write(writer, bytes(4097)) == 10
    assert task.write(writer, bytes(1)) is WOULD_BLOCK


def test_without_readers_a_write_is_EPIPE_and_SIGPIPE(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(pipes, "send_self", lambda task, signo, **options: sent.append(signo))
    task = world.task()
    reader, writer = fds(task)
    task.files.remove(reader)
    assert task.write(writer, b"x") == -errno.EPIPE
    assert sent == [SIGPIPE]
    assert task.write(writer, b"") == 0


def test_poll_tells_data_room_and_the_other_end(world: World) -> None:
    task = world.task()
    reader, writer = fds(task)
    here, there = task.files.get(reader), task.files.get(writer)
    assert here.poll() == 0
    assert there.poll() & (POLLOUT | POLLERR) == POLLOUT
    task.write(writer, bytes(65536 - 4095))
    assert here.poll() & (POLLIN | POLLHUP) == POLLIN
    assert there.poll() == 0  # less than PIPE_BUF of room
    del there
    task.files.remove(writer)
    assert here.poll() & (POLLIN | POLLHUP) == POLLIN | POLLHUP


def test_packet_mode_keeps_writes_apart_and_drops_what_is_not_read(world: World) -> None:
    task = world.task()
    reader, writer = fds(task, O_DIRECT)
    task.write(writer, b"first")
    task.write(writer, b"second")
    assert task.read(reader, 3) == b"fir"
    assert task.read(reader, 100) == b"second"
    assert task.write(writer, bytes(5000)) == 5000
    assert task.read(reader, 9999) == bytes(4096)
    assert task.read(reader, 9999) == bytes(904)


def test_capacity_is_a_power_of_two_pages_and_never_less_than_what_is_inside(world: World) -> None:
    task = world.task(uid=1000)
    reader, writer = make_pipe(task, 0)
    assert get_size(reader) == 65536
    assert set_size(task, writer, 1) == 4096
    assert set_size(task, writer, 5000) == 8192
    writer.write(task, bytes(8000), None)
    with pytest.raises(Errno) as error:
        set_size(task, reader, 4096)
    assert error.value.code == errno.EBUSY
    with pytest.raises(Errno) as error:
        set_size(task, reader, 2 << 20)
    assert error.value.code == errno.EPERM
    assert set_size(world.task(), reader, 2 << 20) == 2 << 20


def test_pages_are_accounted_until_the_pipe_is_gone(world: World) -> None:
    task = world.task()
    gc.collect()  # the pipes of earlier tests
    before, known = pipes._pages_used, len(pipes._pipes)
    reader, writer = make_pipe(task, 0)
    set_size(task, reader, 1 << 20)
    assert pipes._pages_used == before + 256
    del reader, writer
    assert pipes._pages_used == before
    assert len(pipes._pipes) == known


def test_a_bad_pointer_leaves_no_descriptor(world: World) -> None:
    task = world.task()
    assert task.run(lambda: pipe2(task, 1, 0)) == -errno.EFAULT
    assert len(task.files) == 0


def fifo(task: FakeTask, path: object, flags: int) -> object:
    place: object = path
    return task.run(lambda: _opened(task, place, flags))


def _opened(task: FakeTask, path: object, flags: int) -> object:
    result = open_fifo(task, path.inode, path, flags)  # type: ignore[attr-defined, arg-type]
    return task.files.install(result) if isinstance(result, PipeEnd) else _install(task, result)


async def _install(task: FakeTask, opening: object) -> int:
    return task.files.install(await opening)  # type: ignore[misc, no-any-return]


def fifo_path() -> Path:
    filesystem = Tmpfs()
    root = filesystem.root
    assert root.inode is not None
    inode = root.inode.mknod(b"fifo", S_IFIFO | 0o600, 0, Creds())
    return Path(build(filesystem).root, root.attach(b"fifo", inode))


def test_a_pipe_opened_again_waits_for_nobody(world: World) -> None:
    task = world.task()
    reader, writer = make_pipe(task, 0)
    path = reader.path
    writer.write(task, b"left behind", None)
    del writer
    assert fifo(task, path, O_RDONLY) == 0
    assert task.read(0, 100) == b"left behind"
    assert task.read(0, 100) == b""
    assert fifo(task, path, O_WRONLY) == 1


def test_opening_a_fifo_waits_for_the_other_end(world: World) -> None:
    reader, writer = world.task(), world.task()
    path = fifo_path()
    assert path.inode.mode & 0o170000 == S_IFIFO
    assert fifo(reader, path, O_RDONLY) == SUSPENDED
    assert fifo(writer, path, O_WRONLY) == 0
    world.settle()
    assert reader.result == 0
    writer.write(0, b"x")
    assert reader.read(0, 10) == b"x"


def test_a_fifo_without_readers_is_ENXIO_for_a_nonblocking_writer(world: World) -> None:
    task = world.task()
    path = fifo_path()
    assert fifo(task, path, O_WRONLY | O_NONBLOCK) == -errno.ENXIO
    assert fifo(task, path, O_RDONLY | O_NONBLOCK) == 0
    assert task.files.get(0).poll() == 0  # no writer has come yet: no POLLHUP
    assert fifo(task, path, O_WRONLY | O_NONBLOCK) == 1
    task.files.remove(1)
    assert task.files.get(0).poll() == POLLHUP
    assert fifo(task, path, O_RDWR) == 1
    assert task.files.get(1).poll() & POLLHUP == 0
