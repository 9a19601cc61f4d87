"""epoll(7): watched files, and the list of those that became ready.

The list is C's (core/epoll.c): files that become ready are noted there, and most calls of epoll_wait(2) are
answered there.  What is watched is decided here.  An interest knows its file weakly: when the last descriptor
of the file is closed, the interest is gone.
"""

from __future__ import annotations

import errno
from _weakref import ref

from sentry._core import KIND_EPOLL, InterestBase, ReadyListBase, WaitQueue
from sentry.abi.poll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EPOLLWAKEUP,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
)
from sentry.abi.stat import S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, kernel_dev, major, minor
from sentry.errors import Errno
from sentry.vfs.anon import AnonymousFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sentry.kernel.task import Task
    from sentry.kernel.user_count import Share, UserCount
    from sentry.vfs.file import File

MAX_LEVELS = 5  # epolls that watch epolls that ... (epoll_ctl(2), ELOOP)
# How many ways may lead from a file to an epoll that nobody watches, by how many epolls are between: a
# wake-up takes all of them (EINVAL).
_WAYS = (None, 500, 100, 50, 10)
settings = {"max_user_watches": 1 << 16}  # of one user; ENOSPC beyond
MAX_WATCHES = 1 << 18  # of all users, and as far as that may be raised
_MEMORY_DEVICES = 1  # the major number of /dev/null and its kin
_RANDOM = 8  # /dev/random's minor number
_ALWAYS = POLLERR | POLLHUP
_PRIVATE = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE
_EXCLUSIVE_ALLOWED = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE


def _no_file() -> None:
    return None


class Interest(InterestBase):
    """One watched file: a member of that file's wait queue."""

    __slots__ = ("key", "queue", "share")

    ready: ReadyList

    def __init__(
        self, ready: ReadyList, key: tuple[int, int], file: File, events: int, data: int, share: Share
    ) -> None:
        self.ready = ready
        self.share: Share | None = share  # of what its user may watch
        self.key = key
        self.queue: WaitQueue = file.queue
        self.file: Callable[[], File | None] = ref(file, lambda _: ready.forget(self))
        self.set(events, data)

    def set(self, events: int, data: int) -> None:
        self.events = events
        self.mask = (events & ~_PRIVATE) | _ALWAYS
        self.data = data


class ReadyList(ReadyListBase):
    """The interests of one epoll instance.  Not the file: what is watched must not keep that alive."""

    __slots__ = ("interests",)

    def __init__(self) -> None:
        self.interests: dict[tuple[int, int], Interest] = {}

    def forget(self, interest: Interest) -> None:
        if self.interests.get(interest.key) is interest:
            del self.interests[interest.key]
        interest.mask = 0  # if it is in the ready list, it will be dropped there
        interest.queue.remove(interest)
        interest.share = None
        interest.file = _no_file  # breaks the circle through the weak reference's callback

    def close(self) -> None:
        for interest in list(self.interests.values()):
            self.forget(interest)
        self.empty()


class EpollFile(AnonymousFile):
    """An open epoll instance; `watches` are counted for the user `uid`."""

    __slots__ = ("_uid", "_watches", "ready")

    can_read = can_write = False

    def __init__(self, watches: UserCount, uid: int) -> None:
        self._watches = watches
        self._uid = uid
        super().__init__(0, b"[eventpoll]")
        self.ready = self.state = ReadyList()
        self.queue = self.ready.queue
        self.kind = KIND_EPOLL

    def poll(self) -> int:
        return POLLIN | POLLRDNORM if self.ready.has_ready() else 0

    def ioctl(self, task: Task, request: int, arg: int) -> int:
        raise Errno(errno.EINVAL)

    def watched(self, fd: int) -> list[File]:
        """The files watched under a descriptor's number."""
        found = [interest.file() for (number, _), interest in self.ready.interests.items() if number == fd]
        return [file for file in found if file is not None]

    def fdinfo(self, reader: Task) -> bytes:
        rows = []
        for (fd, _), interest in self.ready.interests.items():
            file = interest.file()
            if file is None or file.inode is None:
                continue
            inode = file.inode
            rows.append(
                b"tfd: %8d events: %8x data: %16x  pos:%d ino:%x sdev:%x\n"
                % (
                    fd,
                    interest.mask | interest.events & _PRIVATE,
                    interest.data,
                    file.pos,
                    inode.ino,
                    kernel_dev(inode.dev),
                )
            )
        return b"".join(rows)

    def release(self) -> None:
        ready = getattr(self, "ready", None)
        if ready is not None:
            ready.close()

    def control(self, operation: int, fd: int, file: File, events: int, data: int) -> None:
        """epoll_ctl(2) for a file that can be polled.  Raises: EEXIST, ENOENT, EINVAL, ELOOP, ENOSPC."""
        if file is self or (operation == EPOLL_CTL_MOD and events & EPOLLEXCLUSIVE):
            raise Errno(errno.EINVAL)
        key = (fd, id(file))
        interest = self.ready.interests.get(key)
        if operation == EPOLL_CTL_ADD:
            self._add(key, file, events, data, interest is not None)
        elif interest is None and operation in (EPOLL_CTL_DEL, EPOLL_CTL_MOD):
            raise Errno(errno.ENOENT)
        elif operation == EPOLL_CTL_DEL and interest is not None:
            self.ready.forget(interest)
        elif operation == EPOLL_CTL_MOD and interest is not None:
            if interest.events & EPOLLEXCLUSIVE:
                raise Errno(errno.EINVAL)
            interest.set(events, data)
            interest.check()
        else:
            raise Errno(errno.EINVAL)

    def _add(self, key: tuple[int, int], file: File, events: int, data: int, known: bool) -> None:
        if events & EPOLLEXCLUSIVE and (events & ~_EXCLUSIVE_ALLOWED or isinstance(file, EpollFile)):
            raise Errno(errno.EINVAL)
        if isinstance(file, EpollFile):
            _check_nesting(self.ready, file.ready)
        if known:
            raise Errno(errno.EEXIST)
        watches = self._watches
        if watches.of(self._uid) >= settings["max_user_watches"] or watches.total >= MAX_WATCHES:
            raise Errno(errno.ENOSPC)
        interest = Interest(self.ready, key, file, events, data, self._watches.take(self._uid))
        self.ready.interests[key] = interest
        interest.queue.add(interest)
        if isinstance(file, EpollFile) or any(_watchers(self.ready)):
            try:
                _check_ways(file)
            except Errno:
                self.ready.forget(interest)
                raise
        interest.check()


def _check_nesting(watcher: ReadyList, watched: ReadyList) -> None:
    """Raise Errno(ELOOP) if `watcher` watching `watched` closes a circle or stacks more than MAX_LEVELS."""
    if _levels(watcher, _watchers) + _levels(watched, _watched, watcher) > MAX_LEVELS:
        raise Errno(errno.ELOOP)


def _levels(
    start: ReadyList,
    neighbours: Callable[[ReadyList], Iterator[ReadyList]],
    forbidden: ReadyList | None = None,
) -> int:
    """The length of the longest chain from `start`; level by level, so that diamonds cost no more than their
    edges."""
    levels = 0
    level = {start}
    while level:
        levels += 1
        if levels > MAX_LEVELS or forbidden in level:
            raise Errno(errno.ELOOP)
        level = {other for here in level for other in neighbours(here)}
    return levels


def _check_ways(file: File) -> None:
    """Raise Errno(EINVAL) if too many ways lead up from `file`, or from one that it watches as an epoll."""
    seen: set[ReadyList] = set()
    files = {file}
    while files:
        inner = {each for each in files if isinstance(each, EpollFile)}
        for each in files - inner:
            _count_ways(each)
        found = {each.ready for each in inner} - seen
        seen |= found
        files = {each for ready in found for each in _files(ready)}


def _count_ways(file: File) -> None:
    level: dict[ReadyList, int] = {}  # how many ways lead there
    for member in file.queue:
        if isinstance(member, Interest) and member.file() is file:
            level[member.ready] = 1
    for limit in _WAYS:
        ends = 0
        above: dict[ReadyList, int] = {}
        for ready, ways in level.items():
            watchers = list(_watchers(ready))
            ends += ways if not watchers else 0
            for watcher in watchers:
                above[watcher] = above.get(watcher, 0) + ways
        if limit is not None and ends > limit:
            raise Errno(errno.EINVAL)
        level = above


def _files(ready: ReadyList) -> list[File]:
    files = [interest.file() for interest in ready.interests.values()]
    return [file for file in files if file is not None]


def _watchers(ready: ReadyList) -> Iterator[ReadyList]:
    return (member.ready for member in ready.queue if isinstance(member, Interest))


def _watched(ready: ReadyList) -> Iterator[ReadyList]:
    return (file.ready for file in _files(ready) if isinstance(file, EpollFile))


def can_poll(file: File) -> bool:
    """Whether the file has a state to wait for; regular files, directories and most memory devices don't."""
    inode = file.inode
    kind = inode.mode & S_IFMT
    if kind == S_IFCHR and major(inode.rdev) == _MEMORY_DEVICES:
        return minor(inode.rdev) == _RANDOM
    return kind not in (S_IFREG, S_IFDIR) or file.has_readiness
