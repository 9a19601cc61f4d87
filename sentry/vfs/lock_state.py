"""The lock state of one inode: byte ranges by owner, and flock(2)'s holders.  No tasks, no waiting.

What must hold, for each owner: the ranges in the list don't overlap and adjacent ranges of one type are one
range; two owners hold overlapping ranges only when both are read locks.  An owner is a number: see vfs.locks.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from bisect import bisect_left, bisect_right, insort

from sentry._core import WaitQueue
from sentry.abi.fcntl import MAX_FILE_SIZE, SEEK_SET
from sentry.errors import Errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.vfs.inode import Inode

FLOCK = struct.Struct("<hh4xqqi4x")  # struct flock, x86-64: type, whence, start, length, pid
TO_THE_END = MAX_FILE_SIZE  # OFFSET_MAX; the end of a range that reaches to the end of the file
MAX_RANGES = 1 << 18  # on all inodes; ENOLCK beyond (Linux is bounded by memory alone)
_FEW = 64  # ranges of an owner that are taken out of an inode's list one by one


class Range:
    """A locked byte range [start, end], both inclusive."""

    __slots__ = ("end", "kind", "owner", "pid", "serial", "start")

    made = 0

    def __init__(self, owner: int, pid: int, kind: int, start: int, end: int) -> None:
        Range.made += 1
        self.serial = Range.made
        self.owner = owner
        self.pid = pid  # F_GETLK's l_pid; -1 for an open file description
        self.kind = kind  # F_RDLCK or F_WRLCK
        self.start = start
        self.end = end

    def conflicts(self, owner: int, kind: int, start: int, end: int) -> bool:
        return (
            self.owner != owner
            and self.start <= end
            and start <= self.end
            and (self.kind == fcntl.F_WRLCK or kind == fcntl.F_WRLCK)
        )

    def pack(self, holder: int) -> bytes:
        """struct flock, as F_GETLK tells about a lock in the way; `holder`: the process's number."""
        length = 0 if self.end == TO_THE_END else self.end - self.start + 1
        return FLOCK.pack(self.kind, SEEK_SET, self.start, length, holder)


class Held:
    """A lock or lease as /proc/locks tells it: `what` it is, the process (-1: none), whether it waits."""

    __slots__ = ("access", "end", "inode", "pid", "start", "waits", "what")

    def __init__(
        self,
        what: bytes,
        access: bytes,
        pid: int,
        inode: Inode,
        start: int = 0,
        end: int = TO_THE_END,
        waits: bool = False,
    ) -> None:
        self.what = what
        self.access = access
        self.pid = pid
        self.inode = inode
        self.start = start
        self.end = end
        self.waits = waits


def _start(held: Range) -> int:
    return held.start


def _place(held: Range) -> tuple[int, int]:
    """The order of an inode's ranges: by start, then the older first."""
    return held.start, held.serial


class RangeLocks:
    """The byte-range locks of one inode: all of them, and each owner's, in order.

    An owner's ranges don't overlap, so that what a lock replaces is found by halves; what is in its way is
    looked for among all, unless nobody holds a range for writing.
    """

    __slots__ = ("_longest", "_owners", "_writes", "queue", "ranges", "waiting")

    count = 0  # ranges of all inodes

    def __init__(self) -> None:
        self.ranges: list[Range] = []
        self._owners: dict[int, list[Range]] = {}
        self._longest = 0  # no range is longer
        self._writes = 0  # how many are held for writing
        self.waiting: dict[Range, Range] = {}  # what is wanted, and what it waits for
        self.queue = WaitQueue()

    def conflict(self, owner: int, kind: int, start: int, end: int) -> Range | None:
        """The first range that stands in the way of a lock, or None."""
        if kind != fcntl.F_WRLCK and not self._writes:
            return None
        first = bisect_left(self.ranges, start - self._longest, key=_start)
        for index in range(first, len(self.ranges)):
            held = self.ranges[index]
            if held.start > end:
                break
            if held.conflicts(owner, kind, start, end):
                return held
        return None

    def set(self, owner: int, pid: int, kind: int, start: int, end: int) -> None:
        """Replace what `owner` holds in [start, end] by `kind` (F_UNLCK: nothing); no conflict is checked.

        Raises Errno(ENOLCK) when there are too many ranges.
        """
        own = self._owners.get(owner, [])
        first = bisect_left(own, start, key=_start)
        if first and own[first - 1].end >= start - 1:
            first -= 1
        last = bisect_right(own, end + 1, key=_start)
        keep: list[Range] = []
        new = Range(owner, pid, kind, start, end)
        for held in own[first:last]:
            if held.kind == kind:  # overlapping or adjacent: one range
                new.start = min(new.start, held.start)
                new.end = max(new.end, held.end)
            else:  # what sticks out on either side stays
                if held.start < start:
                    keep.append(Range(owner, held.pid, held.kind, held.start, min(held.end, start - 1)))
                if held.end > end:
                    keep.append(Range(owner, held.pid, held.kind, max(held.start, end + 1), held.end))
        if kind != fcntl.F_UNLCK:
            keep.append(new)
        if len(keep) > last - first and RangeLocks.count + len(keep) - (last - first) > MAX_RANGES:
            raise Errno(errno.ENOLCK)
        keep.sort(key=_place)
        for held in own[first:last]:
            self._remove(held)
        for held in keep:
            self._add(held)
        changed = any(held.kind != kind for held in own[first:last])
        own[first:last] = keep
        if own:
            self._owners[owner] = own
        else:
            self._owners.pop(owner, None)
        if changed:  # else nothing was given up that somebody may wait for
            self.queue.wake(0xFFFFFFFF)

    def drop(self, owner: int) -> None:
        """Release everything `owner` holds."""
        own = self._owners.pop(owner, None)
        if not own:
            return
        if len(own) <= _FEW:
            for held in own:
                self._remove(held)
        else:
            self.ranges = [held for held in self.ranges if held.owner != owner]
            self._writes -= sum(held.kind == fcntl.F_WRLCK for held in own)
            RangeLocks.count -= len(own)
        self.queue.wake(0xFFFFFFFF)

    def _add(self, held: Range) -> None:
        insort(self.ranges, held, key=_place)
        self._longest = max(self._longest, held.end - held.start)
        self._writes += held.kind == fcntl.F_WRLCK
        RangeLocks.count += 1

    def _remove(self, held: Range) -> None:
        del self.ranges[bisect_left(self.ranges, _place(held), key=_place)]
        self._writes -= held.kind == fcntl.F_WRLCK
        RangeLocks.count -= 1


class FlockState:
    """The flock(2) locks of one inode: one exclusive holder, or any number of shared ones."""

    __slots__ = ("holders", "pids", "queue", "waiting")

    def __init__(self) -> None:
        self.holders: dict[int, int] = {}  # id of the open file description -> LOCK_SH or LOCK_EX
        self.pids: dict[int, int] = {}  # the process that took it
        self.waiting: dict[int, tuple[int, int]] = {}  # by the id of the task: what it wants, its process
        self.queue = WaitQueue()

    def take(self, owner: int, kind: int, pid: int) -> bool:
        """Give `owner` the lock; a conversion drops what it held first, as Linux does.  False: must wait."""
        if self.holders.get(owner) == kind:
            return True
        self.drop(owner)
        alone = len(self.holders) == 1  # as who holds it exclusively is
        if self.holders and (kind == fcntl.LOCK_EX or (alone and fcntl.LOCK_EX in self.holders.values())):
            return False
        self.holders[owner] = kind
        self.pids[owner] = pid
        return True

    def drop(self, owner: int) -> None:
        if self.holders.pop(owner, None) is not None:
            del self.pids[owner]
            self.queue.wake(0xFFFFFFFF)
