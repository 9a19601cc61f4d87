"""cachestat: how much of a file is in memory."""

from errno import EBADF, EINVAL, EOPNOTSUPP, EPERM
from struct import Struct

from sentry.abi.fcntl import O_PATH
from sentry.abi.stat import ACCESS_WRITE
from sentry.errors import Errno
from sentry.mm.vma import VM_HUGETLB
from sentry.syscalls.args import File, Ptr, UInt
from sentry.vfs.idmap import acting
from sentry.vfs.page_cache import count
from sentry.vfs.permissions import is_owner, permitted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_RANGE = Struct("=QQ")  # offset, length
_CACHESTAT = Struct("=QQQQQ")  # in the cache, dirty, being written, evicted, evicted recently
_OFFSETS = 1 << 63


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
    fd = inode.cache_fd()
    counts = (0, 0, 0, 0, 0) if fd < 0 or offset >= _OFFSETS else count(fd, offset, length)
    task.copy_out(out, _CACHESTAT.pack(*counts))
    return 0
