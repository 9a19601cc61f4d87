"""memfd_create, memfd_secret."""

import errno

from sentry.abi.fcntl import O_CLOEXEC
from sentry.errors import Errno
from sentry.syscalls.args import Ptr, UInt
from sentry.vfs.hugetlb import HUGE_SIZES, make_huge
from sentry.vfs.memfd import make_memfd
from sentry.vfs.secretmem import make_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task
    from sentry.vfs.file import File

MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
MFD_HUGETLB = 0x4
MFD_NOEXEC_SEAL = 0x8
MFD_EXEC = 0x10
MFD_HUGE_SHIFT = 26
_NAME_MAX = 249  # NAME_MAX less "memfd:"


def memfd_create(task: "Task", name: Ptr, flags: UInt) -> int:
    size = flags >> MFD_HUGE_SHIFT
    flags &= (1 << MFD_HUGE_SHIFT) - 1
    if flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC):
        raise Errno(errno.EINVAL)
    if size and not flags & MFD_HUGETLB:
        raise Errno(errno.EINVAL)
    if flags & MFD_EXEC and flags & MFD_NOEXEC_SEAL:
        raise Errno(errno.EINVAL)
    noexec = task.group.pid_ns.memfd_noexec
    if not flags & (MFD_EXEC | MFD_NOEXEC_SEAL):
        flags |= MFD_NOEXEC_SEAL if noexec else MFD_EXEC
    if noexec > 1 and flags & MFD_EXEC:
        raise Errno(errno.EACCES)
    try:
        label = task.copy_in_str(name, _NAME_MAX + 1)
    except Errno as error:
        raise Errno(errno.EINVAL if error.code == errno.ENAMETOOLONG else error.code) from None
    executable = not flags & MFD_NOEXEC_SEAL
    sealable = bool(flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL))
    file: File
    if flags & MFD_HUGETLB:
        if size not in HUGE_SIZES:
            raise Errno(errno.ENODEV)
        file = make_huge(task, b"/memfd:" + label, size, sealable, executable)
    else:
        file = make_memfd(task, label, sealable, executable)
    return task.files.install(file, bool(flags & MFD_CLOEXEC))


def memfd_secret(task: "Task", flags: UInt) -> int:
    if flags & ~O_CLOEXEC:
        raise Errno(errno.EINVAL)
    return task.files.install(make_secret(task), bool(flags & O_CLOEXEC))
