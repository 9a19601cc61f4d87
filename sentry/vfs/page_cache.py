"""Which pages of a file are in memory (cachestat(2), mincore(2)).

The host's page cache is the guest's.  Of files that neither are the sandbox's nor may be written by it the
host tells nothing, and so do we, whoever asks.  A host before Linux 6.5 leaves an estimate: all data is
there, holes are not.
"""

from __future__ import annotations

import os
from errno import ENXIO, EPERM

from sentry import _core
from sentry.errors import Errno
from sentry.vfs.host_call import host

PAGE = 4096

Counts = tuple[int, int, int, int, int]


def count(fd: int, offset: int, length: int) -> Counts:
    """How many pages of a host file are in memory, dirty, being written back, evicted and recently evicted.

    Args:
        fd: the host's descriptor.
        offset, length: bytes; length 0: to the end.

    Raises Errno(EPERM) for a file that the host tells nothing of.
    """
    try:
        return _core.host_cachestat(fd, offset, length)
    except Errno as error:
        if error.code == EPERM:
            raise
    size = host(os.fstat, fd).st_size
    end = min(offset + length, size) if length else size
    return (sum(_data(fd, offset // PAGE, (end + PAGE - 1) // PAGE)), 0, 0, 0, 0)


def present(fd: int, first: int, pages: int) -> bytearray:
    """A byte for each of some pages, beginning with number `first`: 1 where it is in memory."""
    found = bytearray(pages)
    ranges = [(0, pages)]
    while ranges:  # halved until all of a range is there, or nothing
        low, high = ranges.pop()
        try:
            there = _core.host_cachestat(fd, (first + low) * PAGE, (high - low) * PAGE)[0]
        except Errno as error:
            return bytearray(b"\1" * pages) if error.code == EPERM else _data(fd, first, first + pages)
        if there >= high - low:
            found[low:high] = b"\1" * (high - low)
        elif there:
            middle = (low + high) // 2
            ranges += [(low, middle), (middle, high)]
    return found


def _data(fd: int, first: int, last: int) -> bytearray:
    """A byte for each of some pages: 1 where the file has data, not a hole."""
    found = bytearray(max(last - first, 0))
    position, end = first * PAGE, last * PAGE
    while position < end:
        try:
            data = host(os.lseek, fd, position, os.SEEK_DATA)
            hole = host(os.lseek, fd, data, os.SEEK_HOLE)
        except Errno as error:
            if error.code == ENXIO:  # nothing but a hole follows
                break
            raise
        low, high = data // PAGE - first, min((hole + PAGE - 1) // PAGE, last) - first
        if low < high:
            found[low:high] = b"\1" * (high - low)
        position = hole
    return found
