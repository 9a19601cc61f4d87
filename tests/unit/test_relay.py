"""Bytes from file to file: sendfile, splice, tee, vmsplice, copy_file_range."""

from __future__ import annotations

import errno
from typing import Any

from sentry.abi.fcntl import O_APPEND, O_NONBLOCK
from sentry.abi.socket import AF_UNIX, SOCK_STREAM
from sentry.mm.space import AddressSpace
from sentry.syscalls.memfd import memfd_create
from sentry.syscalls.pipe import pipe2
from sentry.syscalls.sendfile import copy_file_range, sendfile
from sentry.syscalls.socket import socketpair
from sentry.syscalls.splice import splice, tee, vmsplice
from tests.unit.ipc_doubles import BASE, SUSPENDED, FakeTask, World, world

__all__ = ["world"]

NAME = BASE + 0x1000
OFFSET = BASE + 0x2000
VECTOR = BASE + 0x3000
DATA = BASE + 0x8000


def memory_file(task: FakeTask, data: bytes) -> int:
    task.copy_out(NAME, b"file\0")
    fd: int = task.run(lambda: memfd_create(task, NAME, 0))
    assert task.write(fd, data) == len(data)
    task.files.get(fd).pos = 0
    return fd


def pipe(task: FakeTask) -> tuple[int, int]:
    task.run(lambda: pipe2(task, BASE, 0))
    return task.read_u32(BASE), task.read_u32(BASE + 4)


def call(task: FakeTask, handler: Any, *arguments: int) -> Any:
    return task.run(lambda: handler(task, *arguments))


def test_sendfile_moves_the_offset_it_was_given(world: World) -> None:
    task = world.task()
    source, (reader, writer) = memory_file(task, b"0123456789"), pipe(task)
    assert call(task, sendfile, writer, source, 0, 4) == 4
    assert task.files.get(source).pos == 4
    task.write_u64(OFFSET, 7)
    assert call(task, sendfile, writer, source, OFFSET, 100) == 3
    assert (task.read_u64(OFFSET), task.files.get(source).pos) == (10, 4)
    assert task.read(reader, 100) == b"0123789"
    assert call(task, sendfile, source, reader, 0, 1) == -errno.EINVAL
    assert call(task, sendfile, reader, source, 0, 1) == -errno.EBADF
    task.write_u64(OFFSET, 1 << 63)
    assert call(task, sendfile, writer, source, OFFSET, 1) == -errno.EINVAL


def test_sendfile_waits_for_room_in_a_pipe_and_answers_when_it_is_full(world: World) -> None:
    task, reading = world.task(), world.task()
    data = bytes(range(256)) * 300
    source, (reader, writer) = memory_file(task, data), pipe(task)
    reading.files = task.files
    assert call(task, sendfile, writer, source, 0, len(data)) == 65536
    assert call(task, sendfile, writer, source, 0, len(data)) == SUSPENDED
    got = reading.read(reader, 1 << 17)
    world.settle()
    got += reading.read(reader, 1 << 17)
    assert got == data
    assert task.result == len(data) - 65536
    assert task.files.get(source).pos == len(data)
    task.files.get(source).pos = 0
    task.files.get(writer).flags |= O_NONBLOCK
    assert call(task, sendfile, writer, source, 0, len(data)) == 65536
    assert call(task, sendfile, writer, source, 0, len(data)) == -errno.EAGAIN
    assert task.files.get(source).pos == 65536


def test_splice_needs_a_pipe_and_no_offset_for_it(world: World) -> None:
    task = world.task()
    source, target, (reader, writer) = memory_file(task, b"abc"), memory_file(task, b"..."), pipe(task)
    assert call(task, splice, source, 0, target, 0, 3, 0) == -errno.EINVAL
    assert call(task, splice, source, 0, writer, OFFSET, 3, 0) == -errno.ESPIPE
    assert call(task, splice, reader, 0, writer, 0, 3, 0) == -errno.EINVAL
    assert call(task, splice, source, 0, writer, 0, 3, 64) == -errno.EINVAL
    assert call(task, splice, source, 0, writer, 0, 2, 0) == 2
    task.write_u64(OFFSET, 1)
    assert call(task, splice, reader, 0, target, OFFSET, 9, 0) == 2
    assert task.files.get(target).read(task, 9, 0) == b".ab"
    assert call(task, splice, reader, 0, target, 0, 9, 2) == -errno.EAGAIN
    task.files.get(target).flags |= O_APPEND
    task.write(writer, b"x")
    assert call(task, splice, reader, 0, target, 0, 9, 0) == -errno.EINVAL


def test_splice_waits_for_something_and_takes_what_is_there(world: World) -> None:
    task, other = world.task(), world.task()
    (reader, writer), target = pipe(task), memory_file(task, b"")
    other.files = task.files
    assert call(other, splice, reader, 0, target, 0, 100, 0) == SUSPENDED
    task.write(writer, b"now")
    world.settle()
    assert other.result == 3
    task.files.remove(writer)
    assert call(other, splice, reader, 0, target, 0, 100, 0) == 0


def test_splice_from_a_socket_takes_no_more_than_the_pipe_has_room_for(world: World) -> None:
    task = world.task()
    assert task.run(lambda: socketpair(task, AF_UNIX, SOCK_STREAM, 0, BASE)) == 0
    here, there = task.read_u32(BASE), task.read_u32(BASE + 4)
    reader, writer = pipe(task)
    task.write(writer, bytes(65_000))
    task.write(here, b"y" * 1000)
    assert call(task, splice, there, 0, writer, 0, 1000, 0) == 536
    assert len(task.read(reader, 1 << 20)) == 65536
    assert call(task, splice, there, 0, writer, 0, 1000, 0) == 464
    assert task.read(reader, 1000) == b"y" * 464


def test_tee_copies_and_leaves(world: World) -> None:
    task = world.task()
    (reader, writer), (copy, target) = pipe(task), pipe(task)
    task.write(writer, b"twice")
    assert call(task, tee, reader, target, 4, 0) == 4
    assert (task.read(copy, 9), task.read(reader, 9)) == (b"twic", b"twice")
    assert call(task, tee, reader, target, 4, 2) == -errno.EAGAIN
    assert call(task, tee, reader, writer, 4, 0) == -errno.EINVAL


def test_vmsplice_goes_both_ways(world: World) -> None:
    task = world.task()
    task.mm = AddressSpace(1 << 40)
    reader, writer = pipe(task)
    task.copy_out(DATA, b"from memory")
    for index, (at, length) in enumerate([(DATA, 5), (DATA + 5, 6)]):
        task.write_u64(VECTOR + 16 * index, at)
        task.write_u64(VECTOR + 16 * index + 8, length)
    assert call(task, vmsplice, writer, VECTOR, 2, 0) == 11
    task.copy_out(DATA, bytes(11))
    assert call(task, vmsplice, reader, VECTOR, 2, 0) == 11
    assert task.copy_in(DATA, 11) == b"from memory"
    assert call(task, vmsplice, reader, VECTOR, 2, 2) == -errno.EAGAIN


def test_copy_file_range_between_and_within_files(world: World) -> None:
    task = world.task()
    source, target = memory_file(task, b"0123456789"), memory_file(task, b"")
    assert call(task, copy_file_range, source, 0, target, 0, 4, 0) == 4
    task.write_u64(OFFSET, 8)
    assert call(task, copy_file_range, source, OFFSET, target, 0, 100, 0) == 2
    assert task.files.get(target).read(task, 99, 0) == b"012389"
    assert task.read_u64(OFFSET) == 10
    task.write_u64(OFFSET, 2)
    task.files.get(source).pos = 0
    assert call(task, copy_file_range, source, 0, source, OFFSET, 4, 0) == -errno.EINVAL  # overlap
    _, writer = pipe(task)
    assert call(task, copy_file_range, source, 0, writer, 0, 4, 0) == -errno.EINVAL
