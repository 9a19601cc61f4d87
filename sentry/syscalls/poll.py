"""poll, ppoll, select, pselect6: waiting for any of several files."""

import errno
from struct import Struct

from sentry import _core
from sentry.abi.fcntl import O_PATH
from sentry.abi.personality import STICKY_TIMEOUTS
from sentry.abi.poll import POLLERR, POLLFD, POLLHUP, POLLNVAL, SELECT_EXCEPT, SELECT_READ, SELECT_WRITE
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from sentry.abi.time import NSEC, TIMESPEC, TIMEVAL, USEC
from sentry.errors import Errno
from sentry.kernel.wait import INTERRUPTED, TIMED_OUT_OUTCOME, Waiter, suspend
from sentry.syscalls.args import Int, Ptr, Size, UInt
from sentry.syscalls.temporary_mask import read_mask, under_mask
from sentry.vfs.signalfd import SignalFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from sentry._core import WaitQueue
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    # What to look at: (file or None, the events wanted), and what was found, in the same order.
    Watch = list[tuple[File | None, int]]

_WATCHED_MAX = 1 << 22  # descriptors that all tasks together wait for: what there is memory for
_watched = 0
_REVENTS = Struct("<H")
_REVENTS_AT = 6  # in struct pollfd
_FAR = 1 << 62  # nanoseconds; a longer time-out is for ever


def poll(task: "Task", fds: Ptr, count: UInt, timeout: Int) -> "int | Coroutine[None, None, Any]":
    deadline = None if timeout < 0 else _core.monotonic() + timeout * 1_000_000 if timeout else 0
    return _poll(task, fds, count, deadline)


def ppoll(
    task: "Task", fds: Ptr, count: UInt, timeout: Ptr, mask: Ptr, size: Size
) -> "int | Coroutine[None, None, Any]":
    duration = _read_timespec(task, timeout)

    def call(deadline: int | None) -> "int | Coroutine[None, None, Any]":
        return _poll(task, fds, count, deadline, ERESTARTNOHAND)

    return under_mask(
        task, read_mask(task, mask, size), lambda: _timed(task, duration, timeout, TIMESPEC, call)
    )


def select(
    task: "Task", count: Int, readable: Ptr, writable: Ptr, exceptional: Ptr, timeout: Ptr
) -> "int | Coroutine[None, None, Any]":
    duration = None
    if timeout:
        seconds, microseconds = TIMEVAL.unpack(task.copy_in(timeout, TIMEVAL.size))
        duration = seconds * NSEC + microseconds * 1000
        if seconds < 0 or microseconds < 0:
            raise Errno(errno.EINVAL)
    sets = (readable, writable, exceptional)
    return _timed(task, duration, timeout, TIMEVAL, lambda deadline: _select(task, count, sets, deadline))


def pselect6(
    task: "Task", count: Int, readable: Ptr, writable: Ptr, exceptional: Ptr, timeout: Ptr, sigmask: Ptr
) -> "int | Coroutine[None, None, Any]":
    duration = _read_timespec(task, timeout)
    mask = read_mask(task, task.read_u64(sigmask), task.read_u64(sigmask + 8)) if sigmask else None
    sets = (readable, writable, exceptional)

    def call(deadline: int | None) -> "int | Coroutine[None, None, Any]":
        return _select(task, count, sets, deadline)

    return under_mask(task, mask, lambda: _timed(task, duration, timeout, TIMESPEC, call))


# The two forms


def _poll(
    task: "Task", fds: int, count: int, deadline: int | None, restart: int = ERESTART_RESTARTBLOCK
) -> "int | Coroutine[None, None, Any]":
    """deadline: 0 to look once, None to wait for ever."""
    if count > task.files.limit:
        raise Errno(errno.EINVAL)
    records = task.copy_in(fds, POLLFD.size * count) if count else b""
    watch: Watch = []
    closed = []
    for index, (fd, events, _) in enumerate(POLLFD.iter_unpack(records)):
        file = _file(task, fd) if fd >= 0 else None
        watch.append((file, events & 0xFFFF | POLLERR | POLLHUP))
        if file is None and fd >= 0:
            closed.append(index)

    def answer(found: list[int]) -> int:
        told = bytearray(records)
        told[_REVENTS_AT :: POLLFD.size] = told[_REVENTS_AT + 1 :: POLLFD.size] = bytes(count)
        for index in closed:
            found[index] = POLLNVAL
        ready = [index for index, revents in enumerate(found) if revents]
        for index in ready:
            _REVENTS.pack_into(told, index * POLLFD.size + _REVENTS_AT, found[index])
        if count:
            task.copy_out(fds, told)
        return len(ready)

    # A restarted call looks its descriptors up again: until then nothing may keep the files open.
    again = (lambda: _poll(task, fds, count, deadline)) if restart == ERESTART_RESTARTBLOCK else None
    if closed:
        return _wait(task, watch, answer, 0, restart, again)  # a closed descriptor is an event
    return _wait(task, watch, answer, deadline, restart, again)


def _table_size(task: "Task") -> int:
    """How many slots the table of descriptors has on Linux: 64, then 128 times a power of two."""
    highest = max((fd for fd, _ in task.files.items()), default=0)
    return 64 if highest < 64 else 128 << (highest // 128).bit_length()


def _select(
    task: "Task", count: int, sets: tuple[int, int, int], deadline: int | None
) -> "int | Coroutine[None, None, Any]":
    if count < 0:
        raise Errno(errno.EINVAL)
    count = min(count, max(task.files.limit, 1024))
    size = (count + 63) // 64 * 8
    wanted = [task.copy_in(at, size) if at and size else bytes(size) for at in sets]
    reads, writes, excepts = wanted
    fds = _members(wanted, count)
    events = (SELECT_READ, SELECT_WRITE, SELECT_EXCEPT)
    watch: Watch = []
    places = []
    for fd in fds:
        at, bit = fd >> 3, fd & 7
        mask = reads[at] >> bit & 1 | (writes[at] >> bit & 1) << 1 | (excepts[at] >> bit & 1) << 2
        file = _file(task, fd)
        if file is None:
            if fd >= _table_size(task):
                fds = fds[: len(watch)]  # Linux looks no further than its table of descriptors reaches
                break
            task.files.get(fd)  # EBADF, unless a mere place is open
            places.append(len(watch))
        watch.append((file, _SELECT_EVENTS[mask]))

    def answer(found: list[int]) -> int:
        for index in places:
            found[index] = -1  # ready for all that is asked: so Linux takes POLLNVAL here
        ready = [bytearray(size), bytearray(size), bytearray(size)]
        total = 0
        for fd, revents in zip(fds, found, strict=True):
            if not revents:
                continue
            at, bit = fd >> 3, 1 << (fd & 7)
            for index in range(3):
                if revents & events[index] and wanted[index][at] & bit:
                    ready[index][at] |= bit
                    total += 1
        for address, bits in zip(sets, ready, strict=True):
            if address and size:
                task.copy_out(address, bits)
        return total

    return _wait(task, watch, answer, 0 if places else deadline, ERESTARTNOHAND)


def _members(sets: list[bytes], count: int) -> list[int]:
    """The descriptors below `count` that are in any of the sets, which are equally long."""
    bits = 0
    for each in sets:
        bits |= int.from_bytes(each, "little")
    return [
        fd
        for index, byte in enumerate(bits.to_bytes(len(sets[0]), "little"))
        if byte
        for fd in range(index * 8, min(index * 8 + 8, count))
        if byte >> (fd & 7) & 1
    ]


# The events of each combination of select's three sets (1 read, 2 write, 4 except).
_SELECT_EVENTS = [
    (SELECT_READ if n & 1 else 0) | (SELECT_WRITE if n & 2 else 0) | (SELECT_EXCEPT if n & 4 else 0)
    for n in range(8)
]


# Waiting


def _scan(task: "Task", watch: "Watch") -> list[int]:
    found = []
    for file, events in watch:
        if file is None:
            found.append(0)
            continue
        if type(file) is SignalFile:
            file.adopt(task)
        found.append(file.poll() & events)
    return found


def _wait(
    task: "Task",
    watch: "Watch",
    answer: "Callable[[list[int]], int]",
    deadline: int | None,
    restart: int,
    again: "Callable[[], Any] | None" = None,
) -> "int | Coroutine[None, None, Any]":
    """Wait until something is found; `restart` is a signal's error, `again` what restart_syscall(2) does."""
    found = _scan(task, watch)
    if deadline == 0 or any(found):
        return answer(found)
    return _suspended(task, watch, answer, deadline, restart, again)


async def _suspended(
    task: "Task",
    watch: "Watch",
    answer: "Callable[[list[int]], int]",
    deadline: int | None,
    restart: int,
    again: "Callable[[], Any] | None",
) -> int:
    global _watched
    if _watched + len(watch) > _WATCHED_MAX:
        raise Errno(errno.ENOMEM)
    _watched += len(watch)
    wanted: dict[WaitQueue, int] = {}
    for file, events in watch:
        if file is not None:
            wanted[file.queue] = wanted.get(file.queue, 0) | events
    waiters = [(queue, Waiter(task, events)) for queue, events in wanted.items()]
    for queue, waiter in waiters:
        queue.add(waiter)
    try:
        while True:
            outcome = await suspend(task, deadline)
            found = _scan(task, watch)
            if outcome == TIMED_OUT_OUTCOME or any(found):
                return answer(found)
            if outcome == INTERRUPTED:
                if again is not None:
                    task.signal.restart_block = again
                raise Errno(restart)
    finally:
        _watched -= len(watch)
        for queue, waiter in waiters:
            queue.remove(waiter)


def _file(task: "Task", fd: int) -> "File | None":
    try:
        file: File = task.files.get(fd)
    except Errno:
        return None
    return None if file.flags & O_PATH else file


# Time-outs and masks


def _read_timespec(task: "Task", at: int) -> int | None:
    if not at:
        return None
    seconds, nanoseconds = TIMESPEC.unpack(task.copy_in(at, TIMESPEC.size))
    if seconds < 0 or not 0 <= nanoseconds < NSEC:
        raise Errno(errno.EINVAL)
    duration: int = seconds * NSEC + nanoseconds
    return duration


def _timed(
    task: "Task", duration: int | None, at: int, form: "Struct", call: "Callable[[int | None], Any]"
) -> "int | Coroutine[None, None, Any]":
    """Make `call` with its deadline; afterwards tell the time left at `at`."""
    deadline = None
    if duration is not None and duration < _FAR:
        deadline = _core.monotonic() + duration if duration else 0
    answer = call(deadline)
    if isinstance(answer, int):
        _tell_left(task, deadline, at, form)
        return answer
    return _finish(task, deadline, at, form, answer)


async def _finish(
    task: "Task", deadline: int | None, at: int, form: "Struct", call: "Coroutine[None, None, Any]"
) -> int:
    try:
        answer: int = await call
    finally:
        _tell_left(task, deadline, at, form)
    return answer


def _tell_left(task: "Task", deadline: int | None, at: int, form: "Struct") -> None:
    # Linux writes what is left, and does not mind when it can't (select(2), NOTES).
    if deadline is None or not at or task.personality & STICKY_TIMEOUTS:
        return
    left = max(deadline - _core.monotonic(), 0) if deadline else 0
    seconds, nanoseconds = divmod(left, NSEC)
    try:
        task.copy_out(
            at, form.pack(seconds, nanoseconds // (NSEC // USEC) if form is TIMEVAL else nanoseconds)
        )
    except Errno:
        return
