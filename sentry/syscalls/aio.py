"""Asynchronous I/O: io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents."""

import errno

from sentry.abi.aio import (
    IOCB,
    IOCB_CMD_FDSYNC,
    IOCB_CMD_FSYNC,
    IOCB_CMD_POLL,
    IOCB_CMD_PREAD,
    IOCB_CMD_PREADV,
    IOCB_CMD_PWRITE,
    IOCB_CMD_PWRITEV,
    IOCB_FLAG_IOPRIO,
    IOCB_FLAG_RESFD,
    IOCB_KEY_OFFSET,
    KIOCB_KEY,
)
from sentry.abi.fcntl import MAX_RW_COUNT, O_PATH
from sentry.abi.mman import TASK_SIZE
from sentry.abi.restart import ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS
from sentry.errors import Errno
from sentry.ipc import aio
from sentry.ipc.aio import AioContext, PollRequest, Request
from sentry.syscalls.args import Long, Ptr, UInt
from sentry.syscalls.ioprio import check_ioprio
from sentry.syscalls.temporary_mask import read_mask, under_mask
from sentry.syscalls.timespec import read_timespec
from sentry.syscalls.transfer_flags import RWF_NOWAIT, check_flags, write_with_flags
from sentry.vfs.eventfd import EventFile
from sentry.vfs.transfer import read_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.vfs.file import File

    Answer = int | Coroutine[None, None, Any]

_POINTER = 8
_RESTARTS = (ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK)
_READS = (IOCB_CMD_PREAD, IOCB_CMD_PREADV)
_WRITES = (IOCB_CMD_PWRITE, IOCB_CMD_PWRITEV)
_SYNCS = (IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC)


def io_setup(task: "Task", count: UInt, address: Ptr) -> int:
    if task.read_u64(address) or not count:
        raise Errno(errno.EINVAL)
    context = aio.setup(task, count)
    try:
        task.write_u64(address, context)
    except Errno:
        aio.destroy(task, aio.find(task, context))
        raise
    return 0


def io_destroy(task: "Task", address: Ptr) -> int:
    aio.destroy(task, aio.find(task, address))
    return 0


async def io_submit(task: "Task", address: Ptr, count: Long, pointers: Ptr) -> int:
    context = aio.find(task, address)
    if count < 0:
        raise Errno(errno.EINVAL)
    done = 0
    try:
        while done < min(count, context.slots):
            await _submit(task, context, task.read_u64(pointers + done * _POINTER))
            done += 1
    except Errno:
        if not done:
            raise
    return done


async def _submit(task: "Task", context: AioContext, address: int) -> None:
    """Do one request, or have it wait.  What is wrong with the request itself raises."""
    data, _, rw_flags, opcode, priority, fd, buffer, count, offset, reserved, flags, result_fd = IOCB.unpack(
        task.copy_in(address, IOCB.size)
    )
    if reserved or count >= 1 << 63:
        raise Errno(errno.EINVAL)
    if context.dead:  # destroyed while an earlier request of this call waited
        raise Errno(errno.EINVAL)
    context.reserve()
    file: File = task.files.get(fd)
    if file.flags & O_PATH:
        raise Errno(errno.EBADF)
    request = Request(address, data, _eventfd(task, result_fd) if flags & IOCB_FLAG_RESFD else None)
    task.write_u32(address + IOCB_KEY_OFFSET, KIOCB_KEY)
    if opcode in _READS + _WRITES:
        if flags & IOCB_FLAG_IOPRIO:
            check_ioprio(task, priority)
        result = await _transfer(task, file, opcode, buffer, count, offset, rw_flags)
    elif opcode in _SYNCS:
        if buffer or offset or count or rw_flags:
            raise Errno(errno.EINVAL)
        result = _sync(file)
    elif opcode == IOCB_CMD_POLL:
        if buffer > 0xFFFF or offset or count or rw_flags:
            raise Errno(errno.EINVAL)
        if address in context.polls:
            raise Errno(errno.EAGAIN)  # one struct iocb for two requests: only one could be cancelled
        PollRequest(context, request, file, buffer).start()
        return
    else:
        raise Errno(errno.EINVAL)
    if not context.dead:  # it may have been destroyed while this one waited
        context.complete(request, result)


def _eventfd(task: "Task", fd: int) -> EventFile:
    file = task.files.get(fd)
    if not isinstance(file, EventFile):
        raise Errno(errno.EINVAL)
    return file


async def _transfer(
    task: "Task", file: "File", opcode: int, buffer: int, count: int, offset: int, flags: int
) -> int:
    reads = opcode in _READS
    check_flags(file, flags)
    if not (file.readable if reads else file.writable):
        raise Errno(errno.EBADF)
    if not (file.can_read and file.reads_iter if reads else file.can_write and file.writes_iter):
        raise Errno(errno.EINVAL)
    if opcode in (IOCB_CMD_PREADV, IOCB_CMD_PWRITEV):
        vectors = task.read_iovec(buffer, count)
    elif buffer + count > TASK_SIZE:
        raise Errno(errno.EFAULT)
    else:
        vectors = [(buffer, min(count, MAX_RW_COUNT))]
    if offset < 0:
        raise Errno(errno.EINVAL)
    at = offset if file.seekable else None
    try:
        if reads:
            answer = read_into(task, file, vectors, at, not flags & RWF_NOWAIT)
        else:
            answer = write_with_flags(task, file, vectors, at, flags)
        return answer if isinstance(answer, int) else await answer
    except Errno as error:
        return -(errno.EINTR if error.code in _RESTARTS else error.code)


def _sync(file: "File") -> int:
    try:
        file.fsync()
    except Errno as error:
        if error.code == errno.EINVAL:  # there is nothing to sync in such a file
            raise
        return -error.code
    return 0


def io_cancel(task: "Task", address: Ptr, iocb: Ptr, result: Ptr) -> int:
    if task.read_u32(iocb + IOCB_KEY_OFFSET) != KIOCB_KEY:
        raise Errno(errno.EINVAL)
    poll = aio.find(task, address).polls.get(iocb)
    if poll is None:
        raise Errno(errno.EINVAL)
    poll.finish(0)
    raise Errno(errno.EINPROGRESS)  # as Linux: the outcome is in the ring


def io_getevents(task: "Task", address: Ptr, least: Long, most: Long, events: Ptr, timeout: Ptr) -> "Answer":
    deadline = _deadline(task, timeout)
    return _collect(task, address, least, most, events, deadline)


def io_pgetevents(
    task: "Task", address: Ptr, least: Long, most: Long, events: Ptr, timeout: Ptr, mask: Ptr
) -> "Answer":
    deadline = _deadline(task, timeout)
    signals = read_mask(task, task.read_u64(mask), task.read_u64(mask + _POINTER)) if mask else None
    return under_mask(
        task, signals, lambda: _restarted(_collect(task, address, least, most, events, deadline))
    )


def _deadline(task: "Task", address: int) -> int | None:
    """None: wait for ever."""
    if not address:
        return None
    return task.kernel.clock.monotonic() + read_timespec(task, address)


def _collect(
    task: "Task", address: int, least: int, most: int, events: int, deadline: int | None
) -> "Coroutine[None, None, int]":
    context = aio.find(task, address)
    if not 0 <= least <= most:
        raise Errno(errno.EINVAL)
    return context.collect(task, least, most, events, deadline)


async def _restarted(call: "Coroutine[None, None, int]") -> int:
    try:
        return await call
    except Errno as error:
        raise Errno(ERESTARTNOHAND if error.code == errno.EINTR else error.code) from None
