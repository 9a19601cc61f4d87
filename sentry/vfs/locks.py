"""Advisory locks on files: POSIX and open-file-description byte ranges (fcntl(2)), and flock(2).

Owners: a POSIX lock belongs to a descriptor table (what threads share), an OFD lock and a flock to an open
file description.  An owner is known by its id(), because a lock must not keep its owner alive: whoever drops
the last use of a table calls `drop_process`, and an open file's end is noticed here.  flock and fcntl locks
do not see each other.  What must hold: an inode is in `_ranges` or `_flocks` only while somebody holds a
lock on it or waits for one.
"""

from __future__ import annotations

import errno
import fcntl
from _weakref import ref

from sentry.abi.fcntl import F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, O_PATH, SEEK_CUR, SEEK_END, SEEK_SET
from sentry.errors import Errno
from sentry.kernel.wait import WOULD_BLOCK, block
from sentry.vfs.lock_state import FLOCK, TO_THE_END, FlockState, Held, Range, RangeLocks
from sentry.vfs.notify import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from sentry._core import FdTable
    from sentry.kernel.task import Task
    from sentry.kernel.wait import _Marker
    from sentry.vfs.file import File
    from sentry.vfs.inode import Inode

_UNLOCKED = fcntl.F_UNLCK.to_bytes(2, "little")  # a struct flock's l_type when nothing is in the way
_MAX_CHAIN = 64  # owners followed when looking for a deadlock


_ranges: dict[Inode, RangeLocks] = {}
_flocks: dict[Inode, FlockState] = {}
_owners: dict[int, ref[File]] = {}  # open files that have or had locks of their own
# Who waits for whom among POSIX owners (descriptor tables), for EDEADLK.
_waits: dict[int, int] = {}


def _tidy(inode: Inode) -> None:
    locks = _ranges.get(inode)
    if locks is not None and not locks.ranges and not len(locks.queue):
        del _ranges[inode]
        inode.locked = False
    flocks = _flocks.get(inode)
    if flocks is not None and not flocks.holders and not len(flocks.queue):
        del _flocks[inode]


def fcntl_lock(task: Task, file: File, cmd: int, arg: int) -> int | Coroutine[None, None, Any]:
    """F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms (fcntl(2), "Advisory record locking").

    Args:
        arg: address of a struct flock.

    Raises Errno: EFAULT, EINVAL (type, whence, range), EOVERFLOW, EBADF (not open for that), EAGAIN, EDEADLK,
    ENOLCK.
    """
    request = task.copy_in(arg, FLOCK.size)
    kind, whence, start, length, pid = FLOCK.unpack(request)
    start, end = _range(file, whence, start, length)
    ofd = cmd in (F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)
    if ofd and pid != 0:
        raise Errno(errno.EINVAL)
    owner = id(file) if ofd else id(task.files)
    if cmd in (fcntl.F_GETLK, F_OFD_GETLK):
        if kind not in (fcntl.F_RDLCK, fcntl.F_WRLCK):
            raise Errno(errno.EINVAL)
        locks = _ranges.get(file.inode)
        other = locks.conflict(owner, kind, start, end) if locks is not None else None
        if other is None:
            task.copy_out(arg, _UNLOCKED + request[2:])
        else:
            task.copy_out(arg, other.pack(-1 if other.pid == -1 else task.number(other.pid)))
        return 0
    if kind not in (fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK):
        raise Errno(errno.EINVAL)
    if (kind == fcntl.F_RDLCK and not file.readable) or (kind == fcntl.F_WRLCK and not file.writable):
        raise Errno(errno.EBADF)
    holder = -1 if ofd else task.group.tgid
    if kind == fcntl.F_UNLCK:
        locks = _ranges.get(file.inode)
        if locks is not None:
            locks.set(owner, holder, kind, start, end)
            _tidy(file.inode)
        return 0
    if ofd:
        _follow(file)
    locks = _locks_of(file.inode)
    wait = cmd in (fcntl.F_SETLKW, F_OFD_SETLKW)
    other = locks.conflict(owner, kind, start, end)
    if other is None:
        locks.set(owner, holder, kind, start, end)
        return 0
    if not wait:
        raise Errno(errno.EAGAIN)
    return _wait_for_range(task, file.inode, Range(owner, holder, kind, start, end))


def _locks_of(inode: Inode) -> RangeLocks:
    inode.locked = True
    return _ranges.setdefault(inode, RangeLocks())


def _range(file: File, whence: int, start: int, length: int) -> tuple[int, int]:
    """The inclusive byte range that l_whence, l_start and l_len describe."""
    if whence == SEEK_CUR:
        base = file.pos
    elif whence == SEEK_END:
        base = file.inode.size
    elif whence == SEEK_SET:
        base = 0
    else:
        raise Errno(errno.EINVAL)
    start += base
    if start > TO_THE_END:
        raise Errno(errno.EOVERFLOW)
    if start < 0:
        raise Errno(errno.EINVAL)
    if length == 0:
        return start, TO_THE_END
    if length > 0:
        if start + length - 1 > TO_THE_END:
            raise Errno(errno.EOVERFLOW)
        return start, start + length - 1
    if start + length < 0:
        raise Errno(errno.EINVAL)
    return start + length, start - 1


async def _wait_for_range(task: Task, inode: Inode, want: Range) -> int:
    locks = _locks_of(inode)

    def attempt() -> int | _Marker:
        other = locks.conflict(want.owner, want.kind, want.start, want.end)
        if other is None:
            locks.set(want.owner, want.pid, want.kind, want.start, want.end)
            return 0
        if want.pid != -1:  # OFD locks have no deadlock detection
            if _deadlock(want.owner, other.owner):
                raise Errno(errno.EDEADLK)
            _waits[want.owner] = other.owner
        locks.waiting[want] = other
        return WOULD_BLOCK

    try:
        await block(task, attempt, locks.queue)
    finally:
        _waits.pop(want.owner, None)
        locks.waiting.pop(want, None)
        _tidy(inode)
    return 0


def _deadlock(owner: int, holder: int) -> bool:
    """Whether waiting for `holder` would close a circle of POSIX owners."""
    for _ in range(_MAX_CHAIN):
        if holder == owner:
            return True
        if holder not in _waits:
            return False
        holder = _waits[holder]
    return False


def flock(task: Task, file: File, operation: int) -> int | Coroutine[None, None, Any]:
    """flock(2).  Raises Errno: EINVAL, EWOULDBLOCK."""
    kind = operation & ~fcntl.LOCK_NB
    inode = file.inode
    if kind == fcntl.LOCK_UN:
        flocks = _flocks.get(inode)
        if flocks is not None:
            flocks.drop(id(file))
            _tidy(inode)
        return 0
    if kind not in (fcntl.LOCK_SH, fcntl.LOCK_EX):
        raise Errno(errno.EINVAL)
    _follow(file)
    flocks = _flocks.setdefault(inode, FlockState())
    if flocks.take(id(file), kind, task.group.tgid):
        return 0
    if operation & fcntl.LOCK_NB:
        _tidy(inode)
        raise Errno(errno.EWOULDBLOCK)
    return _wait_for_flock(task, file, kind)


async def _wait_for_flock(task: Task, file: File, kind: int) -> int:
    flocks = _flocks.setdefault(file.inode, FlockState())
    pid = task.group.tgid
    flocks.waiting[id(task)] = kind, pid
    try:
        await block(task, lambda: 0 if flocks.take(id(file), kind, pid) else WOULD_BLOCK, flocks.queue)
    finally:
        del flocks.waiting[id(task)]
        _tidy(file.inode)
    return 0


def close_file(task: Task, file: File) -> None:
    """What each close of a descriptor does to its file: the process's POSIX locks on it go (fcntl(2))."""
    file.flush(task)
    notify.descriptor_closed(task, file)
    if _ranges and file.inode is not None and not file.flags & O_PATH:
        _drop(id(task.files), file.inode)


def drop_process(files: FdTable) -> None:
    """Drop all POSIX locks of a descriptor table that nobody uses any more (exit)."""
    for inode in list(_ranges):
        _drop(id(files), inode)


def _drop(owner: int, inode: Inode) -> None:
    locks = _ranges.get(inode)
    if locks is not None:
        locks.drop(owner)
        _tidy(inode)


def _follow(file: File) -> None:
    """See to it that the file's flock and OFD locks go with it."""
    owner, inode = id(file), file.inode
    if owner not in _owners:
        _owners[owner] = ref(file, lambda _: _owner_gone(owner, inode))


def _owner_gone(owner: int, inode: Inode) -> None:
    del _owners[owner]
    _drop(owner, inode)
    flocks = _flocks.get(inode)
    if flocks is not None:
        flocks.drop(owner)
        _tidy(inode)


def every() -> list[Held]:
    """All locks, each followed by those that wait for it."""
    found = []
    for inode, locks in _ranges.items():
        waiting: dict[Range, list[Range]] = {}
        for want, blocker in locks.waiting.items():
            waiting.setdefault(blocker, []).append(want)
        for held in locks.ranges:
            found.append(_told(inode, held, False))
            found += [_told(inode, want, True) for want in waiting.get(held, ())]
    for inode, flocks in _flocks.items():
        wanted = list(flocks.waiting.values())
        for owner, kind in flocks.holders.items():
            found.append(_told_flock(inode, kind, flocks.pids[owner], False))
            found += [_told_flock(inode, want, pid, True) for want, pid in wanted]
            wanted = []  # all wait for the first of those that share it
    return found


def _told_flock(inode: Inode, kind: int, pid: int, waits: bool) -> Held:
    access = b"WRITE" if kind == fcntl.LOCK_EX else b"READ"
    return Held(b"FLOCK  ADVISORY ", access, pid, inode, waits=waits)


def _told(inode: Inode, held: Range, waits: bool) -> Held:
    what = b"OFDLCK ADVISORY " if held.pid == -1 else b"POSIX  ADVISORY "
    access = b"WRITE" if held.kind == fcntl.F_WRLCK else b"READ"
    return Held(what, access, held.pid, inode, held.start, held.end, waits)
