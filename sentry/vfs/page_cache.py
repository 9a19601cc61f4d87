"""Which pages of a file are in memory (cachestat(2), mincore(2)).

The host's page cache is the guest's.  Of files that neither are the sandbox's nor may be written by it the
host tells nothing, and so do we, whoever asks.  A host before Linux 6.5 has no cachestat and leaves an
estimate: all data is there, holes are not.
"""

from __future__ import annotations

import os
from errno import EAGAIN, ENXIO, EPERM

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


def present(fd: int, first: int, pages: int) -> bytes:
    """A byte for each of some pages, beginning with number `first`: 1 where it is in memory.

    Raises Errno(EAGAIN) where the host has no room for a mapping.
    """
    try:
        return _core.host_mincore(fd, first * PAGE, pages)
    except Errno:
        raise Errno(EAGAIN) from None


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
