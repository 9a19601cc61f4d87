"""Between open files and guest memory: the loop under every read and write.

Partial transfers win over errors: what was moved is the answer, and the error comes back with the next call.
"""

from __future__ import annotations

from errno import EAGAIN, EBADF, EFAULT, EINTR, EINVAL

from sentry import _core
from sentry._core import KIND_NULL, KIND_PIPE, KIND_ZERO
from sentry.abi.fcntl import (
    FMODE_ASKS,
    MAX_FILE_SIZE,
    O_DIRECT,
    O_NONBLOCK,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
)
from sentry.abi.inotify import IN_ACCESS, IN_MODIFY
from sentry.abi.stat import TMPFS_MAGIC
from sentry.errors import Errno
from sentry.kernel.wait import TIMED_OUT, WOULD_BLOCK, block
from sentry.mm.secret import pinnable
from sentry.vfs.notify import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.file import File

    Iovec = list[tuple[int, int]]

PIECE = 1 << 20  # moved at once: what a huge count costs us in memory


def read_into(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool = True
) -> int | Coroutine[Any, Any, int]:
    """Read into guest memory; the count, or a coroutine of it when the file must be waited for.

    Args:
        iov: (address, length) pairs, their sum within MAX_RW_COUNT.
        pos: where in the file; None: at its offset, which moves.
        wait: False: EAGAIN instead of waiting, as O_NONBLOCK.
    """
    if not file.readable:
        raise Errno(EBADF)
    if file.flags & O_DIRECT:
        iov = _direct(task, file, iov)
    if file.flags & FMODE_ASKS:
        waits = notify.read_questions(file)
        if waits:
            return _read_asked(task, file, iov, pos, wait, waits)
    return _read_told(task, file, iov, pos, wait)


async def _read_asked(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool, waits: list[notify.Question]
) -> int:
    await notify.answers(task, waits)
    answer = _read_told(task, file, iov, pos, wait)
    return answer if isinstance(answer, int) else await answer


def _read_told(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool
) -> int | Coroutine[Any, Any, int]:
    answer = _read_into(task, file, iov, pos, wait)
    if notify.level and isinstance(answer, int) and answer > 0:
        notify.tell_file(file, IN_ACCESS)
    return answer


def _read_into(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool
) -> int | Coroutine[Any, Any, int]:
    total = _total(iov, pos)
    if file.kind == KIND_PIPE and pos is None and total:
        moved = _drain(task, file, iov, total)
        if not isinstance(moved, int) and (not wait or file.flags & O_NONBLOCK):
            raise Errno(EAGAIN)
        return moved if isinstance(moved, int) else _drain_later(task, file, iov, total)
    done = 0
    while True:
        want = min(total - done, PIECE)
        try:
            data = file.read(task, want, None if pos is None else pos + done)
        except Errno:
            if done:
                return done
            raise
        if data is WOULD_BLOCK:
            if done or not (total or file.tells_events):
                return done
            if not wait or file.flags & O_NONBLOCK:
                raise Errno(EAGAIN)
            return _read_later(task, file, iov, want)
        assert isinstance(data, bytes)
        if not data:
            return done
        copied = _deliver(task, iov, done, data)
        if copied < len(data) and pos is None and file.pos:  # it has moved over what memory did not take
            file.pos -= len(data) - copied
        done += copied
        if not copied and not done:
            raise Errno(EFAULT)
        if copied < want or not file.whole or done == total:
            return done


def _drain(task: Task, pipe: Any, iov: Iovec, count: int) -> int | _Marker:
    """Read from a pipe; the bytes that guest memory does not take stay in it."""
    data = pipe.peek(min(count, PIECE))
    if data is WOULD_BLOCK or not data:
        return data if data is WOULD_BLOCK else 0
    copied = _deliver(task, iov, 0, data)
    if not copied:
        raise Errno(EFAULT)
    pipe.read(task, copied, None)
    return copied


async def _drain_later(task: Task, pipe: File, iov: Iovec, count: int) -> int:
    events = POLLIN | POLLHUP | POLLERR
    copied: Any = await block(task, lambda: _drain(task, pipe, iov, count), pipe.queue, events)
    assert isinstance(copied, int)
    if copied:
        notify.tell_file(file=pipe, mask=IN_ACCESS)
    return copied


async def _read_later(task: Task, file: File, iov: Iovec, want: int) -> int:
    data: Any = await _wait(
        task, file, lambda: file.read(task, want, None), POLLIN | POLLHUP | POLLERR, file.timeout(False)
    )
    copied = _deliver(task, iov, 0, data)
    if not copied and data:
        raise Errno(EFAULT)
    if copied:
        notify.tell_file(file, IN_ACCESS)
    return copied


def _direct(task: Task, file: File, iov: Iovec) -> Iovec:
    """What of a vector can be the memory of direct I/O; EFAULT.  Files in memory copy all the same."""
    if not file.whole or file.inode.fs.magic == TMPFS_MAGIC:
        return iov
    return pinnable(task.mm, iov)


def write_from(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool = True
) -> int | Coroutine[Any, Any, int]:
    """Write from guest memory; arguments and result as `read_into`."""
    if not file.writable:
        raise Errno(EBADF)
    if file.flags & O_DIRECT:
        iov = _direct(task, file, iov)
    answer = _write_from(task, file, iov, pos, wait)
    if notify.level and isinstance(answer, int) and answer > 0:
        notify.tell_file(file, IN_MODIFY)
    return answer


def _write_from(
    task: Task, file: File, iov: Iovec, pos: int | None, wait: bool
) -> int | Coroutine[Any, Any, int]:
    total = _total(iov, pos)
    if file.kind in (KIND_NULL, KIND_ZERO):
        return total  # swallowed unread: the memory need not even be there
    done = 0
    while True:
        want = min(total - done, PIECE)
        data = b""
        try:
            if want:
                data = _collect(task, iov, done, want)
            written = file.write(task, data, None if pos is None else pos + done)
        except Errno:
            if done:
                return done
            raise
        if written is WOULD_BLOCK:
            if not wait or file.flags & O_NONBLOCK:
                if done or not total:
                    return done
                raise Errno(EAGAIN)
            return _write_later(task, file, iov, done, total)
        assert isinstance(written, int)
        done += written
        if (
            done >= total
            or (written < len(data) and (not written or file.whole or file.flags & O_NONBLOCK))
            or len(data) < want
        ):
            return done


async def _write_later(task: Task, file: File, iov: Iovec, done: int, total: int) -> int:
    try:
        while done < total:
            data = _collect(task, iov, done, min(total - done, PIECE))
            done += await _write_piece(task, file, data)
    except Errno:
        if not done:
            raise
    notify.tell_file(file, IN_MODIFY)
    return done


async def _write_piece(task: Task, file: File, data: bytes) -> int:
    written: Any = await _wait(
        task, file, lambda: file.write(task, data, None), POLLOUT | POLLHUP | POLLERR, file.timeout(True)
    )
    count: int = written
    return count


async def _wait(task: Task, file: File, attempt: Callable[[], Any], events: int, timeout: int | None) -> Any:
    """`attempt` until it has an answer.  A wait that has a time-out (ns) fails with EAGAIN when that is over,
    and is not restarted after a signal (signal(7))."""
    if timeout is None:
        return await block(task, attempt, file.queue, events)
    answer = await block(task, attempt, file.queue, events, _core.monotonic() + timeout, EINTR)
    if answer is TIMED_OUT:
        raise Errno(EAGAIN)
    return answer


def _total(iov: Iovec, pos: int | None) -> int:
    """The bytes to move; EINVAL when they end beyond every offset."""
    total = length_of(iov)
    if pos is not None and pos + total > MAX_FILE_SIZE:
        raise Errno(EINVAL)
    return total


def length_of(iov: Iovec) -> int:
    return iov[0][1] if len(iov) == 1 else sum(length for _, length in iov)


def part(iov: Iovec, skip: int, count: int) -> Iovec:
    """The piece of the vector behind `skip` bytes, `count` bytes long."""
    if len(iov) == 1:
        address = iov[0][0]
        return [(address + skip, count)]
    pieces: Iovec = []
    for address, length in iov:
        if skip >= length:
            skip -= length
            continue
        taken = min(length - skip, count)
        pieces.append((address + skip, taken))
        count -= taken
        skip = 0
        if not count:
            break
    return pieces


def _deliver(task: Task, iov: Iovec, skip: int, data: bytes) -> int:
    """Copy out; how much of it could be (0: EFAULT at once)."""
    if not data:
        return 0
    try:
        if len(iov) == 1:
            return task.copy_out_some(iov[0][0] + skip, data)
        return task.scatter(part(iov, skip, len(data)), data)
    except Errno:
        return 0


def _collect(task: Task, iov: Iovec, skip: int, count: int) -> bytes:
    """Copy in; short where memory ends, EFAULT when there is none."""
    if len(iov) == 1:
        return task.copy_in_some(iov[0][0] + skip, count)
    return task.gather(part(iov, skip, count))
