"""The C objects that the kernel and the C answers share (sentry/core)."""

from __future__ import annotations

import errno
import gc
import os
import random
import struct
import weakref
from collections.abc import Callable

import pytest

from sentry import _core
from sentry.errors import Errno


class Recorder:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def notify(self, events: int) -> bool:
        self.seen.append(events)
        return True


def test_wait_queue_wakes_members_in_order_and_forgets_removed_ones() -> None:
    queue, first, second = _core.WaitQueue(), Recorder(), Recorder()
    queue.add(first)
    queue.add(second)
    queue.wake(1)
    queue.remove(first)
    queue.remove(first)  # absent: ignored
    queue.wake(4)
    assert (first.seen, second.seen, len(queue)) == ([1], [1, 4], 1)


def test_wait_queue_allows_members_to_leave_while_it_wakes() -> None:
    queue = _core.WaitQueue()

    class Leaver:
        def notify(self, events: int) -> bool:
            queue.remove(self)
            return True

    for _ in range(5):
        queue.add(Leaver())
    queue.wake(1)
    assert len(queue) == 0


def test_wait_queue_passes_a_members_exception_on() -> None:
    class Broken:
        def notify(self, events: int) -> bool:
            raise ValueError("broken")

    queue = _core.WaitQueue()
    queue.add(Broken())
    with pytest.raises(ValueError, match="broken"):
        queue.wake(1)


def test_pipe_buffer_is_a_fifo_of_bounded_size() -> None:
    source = random.Random(7)
    pipe, model = _core.PipeBuffer(10000), b""
    for _ in range(2000):
        if source.random() < 0.5:
            data = source.randbytes(source.randrange(6000))
            taken = pipe.put(data)
            assert taken == min(len(data), 10000 - len(model))
            model += data[:taken]
        else:
            count = source.randrange(6000)
            assert pipe.peek(count) == model[:count]
            assert pipe.get(count) == model[:count]
            model = model[count:]
        assert len(pipe) == len(model)


def test_pipe_buffer_shrunk_below_its_contents_takes_nothing() -> None:
    pipe = _core.PipeBuffer(8192)
    pipe.put(b"x" * 8000)
    pipe.capacity = 4096
    assert pipe.put(b"y") == 0
    pipe.get(7000)
    assert pipe.put(b"y" * 5000) == 3096


def test_pipe_buffer_refuses_a_capacity_of_nothing() -> None:
    with pytest.raises(ValueError, match="capacity"):
        _core.PipeBuffer(0)


def test_fd_table_gives_the_lowest_free_descriptor() -> None:
    table, file = _core.FdTable(), _core.FileBase()
    assert [table.install(file) for _ in range(3)] == [0, 1, 2]
    table.remove(1)
    assert table.install(file, minimum=2) == 3
    assert table.install(file) == 1
    assert table.install(file) == 4
    assert len(table) == 5


def failure(call: Callable[..., object], *arguments: object, **named: object) -> int:
    with pytest.raises(Errno) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_fd_table_against_a_model() -> None:
    source = random.Random(11)
    table, model = _core.FdTable(), {}
    table.limit = 200
    for _ in range(5000):
        fd = source.randrange(-2, 210)
        file = _core.FileBase()
        action = source.randrange(4)
        free = next(n for n in range(max(fd, 0), 300) if n not in model)
        if action == 0 and free < 200:
            assert table.install(file, minimum=max(fd, 0)) == free
            model[free] = file
        elif action == 0:
            assert failure(table.install, file, minimum=max(fd, 0)) == errno.EMFILE
        elif action == 1 and 0 <= fd < 200:
            assert table.set(fd, file) is model.get(fd)
            model[fd] = file
        elif action == 1:
            assert failure(table.set, fd, file) == errno.EBADF
        elif fd not in model:
            assert failure(table.remove if action == 2 else table.get, fd) == errno.EBADF
        elif action == 2:
            assert table.remove(fd) is model.pop(fd)
        else:
            assert table.get(fd) is model[fd]
    assert table.items() == sorted(model.items())


def test_fd_table_close_on_exec() -> None:
    table, stays, goes = _core.FdTable(), _core.FileBase(), _core.FileBase()
    table.install(stays)
    table.install(goes, cloexec=True)
    copy = table.copy()
    assert table.close_on_exec() == [goes]
    assert [fd for fd, _ in table.items()] == [0]
    assert [copy.cloexec(fd) for fd in (0, 1)] == [False, True]


def test_files_are_released_when_the_last_descriptor_goes() -> None:
    class File(_core.FileBase):
        pass

    file = File()
    gone = weakref.ref(file)
    table = _core.FdTable()
    table.install(file)
    copy = table.copy()
    del file
    table.remove(0)
    assert gone() is not None
    del copy
    assert gone() is None


def test_cycles_of_files_are_collected() -> None:
    class File(_core.FileBase):
        pass

    file = File()
    file.state = [file]
    gone = weakref.ref(file)
    del file
    gc.collect()
    assert gone() is None


def test_inode_owns_its_descriptor() -> None:
    inode = _core.InodeBase()
    first, second = os.memfd_create("a"), os.memfd_create("b")
    inode.fd = first
    inode.fd = second
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first)
    del inode
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(second)


def test_inode_stat_is_the_kernels_struct() -> None:
    inode = _core.InodeBase()
    inode.ino, inode.dev, inode.mode, inode.nlink = 77, 0x801, 0o100644, 3
    inode.uid, inode.gid, inode.size = 1000, 1001, 5000
    inode.mtime = 1_500_000_000_123_456_789
    inode.atime = -1
    fields = struct.unpack("<QQQIIIxxxxQqqqqQqQqQ24x", inode.stat_bytes(_core.TaskBase()))
    assert fields[:7] == (0x801, 77, 3, 0o100644, 1000, 1001, 0)
    assert fields[7:10] == (5000, 4096, 0)  # no block, as it is stored nowhere
    assert fields[10:14] == (-1, 999_999_999, 1_500_000_000, 123_456_789)


def test_errors_carry_their_number() -> None:
    with pytest.raises(Errno) as caught:
        _core.FdTable().get(5)
    assert caught.value.code == errno.EBADF


def test_host_stat_does_not_leave_its_directory(tmp_path: os.PathLike[str]) -> None:
    os.symlink("/etc/passwd", os.path.join(tmp_path, "link"))
    os.symlink("/etc", os.path.join(tmp_path, "dir"))
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    try:
        assert _core.host_stat(root, b"link")[0] & 0o170000 == 0o120000
        for path in (b"../..", b"dir/passwd", b"/etc/passwd"):
            with pytest.raises(Errno) as caught:
                _core.host_stat(root, path)
            assert caught.value.code in (errno.EXDEV, errno.ELOOP)
    finally:
        os.close(root)
