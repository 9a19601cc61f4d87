"""kcmp(2): whether two processes share something of the kernel's."""

import errno
import os

from sentry.errors import Errno
from sentry.kernel.tracing.trace_access import check_access
from sentry.syscalls.args import Int, Size
from sentry.vfs.epoll import EpollFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

(KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_EPOLL_TFD) = range(8)
_EQUAL, _LESS, _GREATER = range(3)
_EPOLL_SLOT_SIZE = 12  # efd, tfd, toff: 32 bits each
_MASK64 = 2**64 - 1
# The order of objects is any, as long as it stays the same and says nothing of where they are.
_COOKIE = int.from_bytes(os.urandom(8), "little")
_FACTOR = int.from_bytes(os.urandom(8), "little") | 1


def kcmp(task: "Task", pid1: Int, pid2: Int, kind: Int, index1: Size, index2: Size) -> int:
    first, second = task.find(pid1), task.find(pid2)
    if first is None or second is None:
        raise Errno(errno.ESRCH)
    check_access(task, first)
    check_access(task, second)
    if first.state == "dead" or second.state == "dead":
        raise Errno(errno.ESRCH)
    if kind == KCMP_FILE:
        return _compare(_file(first, index1), _file(second, index2))
    if kind == KCMP_EPOLL_TFD:
        return _compare(_file(first, index1), _watched(task, second, index2))
    if kind == KCMP_VM:
        return _compare(first.mm, second.mm)
    if kind == KCMP_FILES:
        return _compare(first.files, second.files)
    if kind == KCMP_FS:
        return _compare(first.fs, second.fs)
    if kind == KCMP_SIGHAND:
        return _compare(first.group.sighand, second.group.sighand)
    if kind == KCMP_IO:
        return _compare(first.sched.io, second.sched.io)
    if kind == KCMP_SYSVSEM:
        return _compare(*(of.sem_undo if of.sem_undo.made else None for of in (first, second)))
    raise Errno(errno.EINVAL)


def _file(task: "Task", index: int) -> object:
    if index >> 31:
        raise Errno(errno.EBADF)
    return task.files.get(index)


def _watched(task: "Task", target: "Task", address: int) -> object:
    """The file that an epoll instance of the target's watches under a descriptor."""
    slot = task.copy_in(address, _EPOLL_SLOT_SIZE)
    epoll_fd, fd, offset = (int.from_bytes(slot[at : at + 4], "little") for at in (0, 4, 8))
    epoll = _file(target, epoll_fd)
    if not isinstance(epoll, EpollFile):
        raise Errno(errno.EINVAL)
    found = epoll.watched(fd)
    if offset >= len(found):
        raise Errno(errno.ENOENT)
    return found[offset]


def _compare(first: object, second: object) -> int:
    if first is second:
        return _EQUAL
    one, other = ((id(thing) ^ _COOKIE) * _FACTOR & _MASK64 for thing in (first, second))
    return _LESS if one < other else _GREATER
