"""cachestat: how much of a file is in memory."""

import os
from errno import EBADF, EINVAL, EOPNOTSUPP, EPERM
from struct import Struct

from sentry.abi.fcntl import O_PATH
from sentry.abi.stat import ACCESS_WRITE
from sentry.errors import Errno
from sentry.mm.vma import VM_HUGETLB
from sentry.syscalls.args import File, Ptr, UInt
from sentry.vfs.host_call import host
from sentry.vfs.idmap import acting
from sentry.vfs.permissions import is_owner, permitted
from sentry.vfs.regular import RegularInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_RANGE = Struct("=QQ")  # offset, length
_CACHESTAT = Struct("=QQQQQ")  # in the cache, dirty, being written, evicted, evicted recently
_PAGE = 4096


def cachestat(task: "Task", file: File, ranges: Ptr, out: Ptr, flags: UInt) -> int:
    if file.flags & O_PATH:
        raise Errno(EBADF)
    offset, length = _RANGE.unpack(task.copy_in(ranges, _RANGE.size))
    inode = file.inode
    creds = acting(task, file.path.mount if file.path is not None else None)
    if not (file.writable or is_owner(creds, inode) or permitted(creds, inode, ACCESS_WRITE)):
        raise Errno(EPERM)
    if file.mapping_flags & VM_HUGETLB:
        raise Errno(EOPNOTSUPP)
    if flags:
        raise Errno(EINVAL)
    pages = 0
    if isinstance(inode, RegularInode) and file.stat_inode().size:
        end = inode.size if not length else min(offset + length, inode.size)
        pages = _resident(inode.contents(False), offset // _PAGE * _PAGE, end)
    task.copy_out(out, _CACHESTAT.pack(pages, 0, 0, 0, 0))
    return 0


def _resident(fd: int, start: int, end: int) -> int:
    """The pages of [start, end) that hold data: holes have none."""
    pages = 0
    while start < end:
        try:
            data = os.lseek(fd, start, os.SEEK_DATA)
        except OSError:  # ENXIO: nothing but a hole follows
            break
        hole = min(host(os.lseek, fd, data, os.SEEK_HOLE), end)
        if data >= end:
            break
        first = max(data, start) // _PAGE
        pages += (hole + _PAGE - 1) // _PAGE - first
        start = (hole + _PAGE - 1) // _PAGE * _PAGE
    return pages
