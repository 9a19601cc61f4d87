"""prctl(2): what concerns the address space."""

import errno
import struct

from sentry.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN, CAP_SYS_RESOURCE
from sentry.abi.mman import TASK_SIZE
from sentry.abi.mount import MS_NOEXEC
from sentry.abi.prctl import (
    PR_MDWE_NO_INHERIT,
    PR_MDWE_REFUSE_EXEC_GAIN,
    PR_SET_MM_AUXV,
    PR_SET_MM_EXE_FILE,
    PR_SET_MM_MAP,
    PR_SET_MM_MAP_SIZE,
    PRCTL_MM_MAP_SIZE,
)
from sentry.abi.resource import RLIMIT_DATA
from sentry.abi.stat import ACCESS_EXEC, S_IFMT, S_IFREG
from sentry.errors import Errno
from sentry.mm.layout import GUEST_START
from sentry.vfs.idmap import acting
from sentry.vfs.permissions import check
from sentry.vfs.text_busy import ProgramPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SAVED_AUXV_SIZE = 448  # bytes that Linux keeps of it
# What PR_SET_MM_START_CODE and its followers set, by number.
_FIELDS = (
    None, "code_start", "code_end", "data_start", "data_end", "stack_start", "brk_start", "brk_end",
    "arg_start", "arg_end", "env_start", "env_end",
)  # fmt: skip
_MAPPED = (
    "stack_start",
    "arg_start",
    "arg_end",
    "env_start",
    "env_end",
)  # something must lie there, or above
_MAP_FIELDS = (
    "code_start", "code_end", "data_start", "data_end", "brk_start", "brk_end", "stack_start", "arg_start",
    "arg_end", "env_start", "env_end",
)  # fmt: skip
_MM_MAP = struct.Struct("=11QQII")  # struct prctl_mm_map: the fields, then auxv, auxv_size, exe_fd
_NO_FD = 0xFFFFFFFF


def set_mdwe(task: "Task", bits: int, b: int, c: int, d: int) -> int:
    known = PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT
    if b | c | d or bits & ~known or bits == PR_MDWE_NO_INHERIT:
        raise Errno(errno.EINVAL)
    mm = task.mm
    if mm.mdwe and mm.mdwe != bits:
        raise Errno(errno.EPERM)
    mm.mdwe = bits
    return 0


def get_mdwe(task: "Task", a: int, b: int, c: int, d: int) -> int:
    if a | b | c | d:
        raise Errno(errno.EINVAL)
    return task.mm.mdwe


def get_auxv(task: "Task", address: int, size: int, c: int, d: int) -> int:
    if c | d:
        raise Errno(errno.EINVAL)
    auxv = task.mm.auxv.ljust(_SAVED_AUXV_SIZE, b"\0")
    task.copy_out(address, auxv[:size])
    return len(auxv)


def set_mm(task: "Task", option: int, value: int, size: int, d: int) -> int:
    if d or (size and option not in (PR_SET_MM_AUXV, PR_SET_MM_MAP, PR_SET_MM_MAP_SIZE)):
        raise Errno(errno.EINVAL)
    if option == PR_SET_MM_MAP_SIZE:
        task.write_u32(value, PRCTL_MM_MAP_SIZE)
        return 0
    if option == PR_SET_MM_MAP:
        return _set_map(task, value, size)
    if not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    if option == PR_SET_MM_EXE_FILE:
        return _set_exe(task, value & 0xFFFFFFFF)
    if option == PR_SET_MM_AUXV:
        if size > _SAVED_AUXV_SIZE:
            raise Errno(errno.EINVAL)
        task.mm.auxv = task.copy_in(value, size)
        return 0
    field = _FIELDS[option] if option < len(_FIELDS) else None
    if field is None or not GUEST_START <= value < TASK_SIZE:
        raise Errno(errno.EINVAL)
    fields = {name: getattr(task.mm, name) for name in _MAP_FIELDS}
    fields[field] = value
    _check(task, fields)
    if field in _MAPPED and not any(vma.end > value for vma in task.mm.vmas[-1:]):
        raise Errno(errno.EFAULT)
    setattr(task.mm, field, value)
    return 0


def _set_map(task: "Task", address: int, size: int) -> int:
    """All fields at once, from a struct prctl_mm_map; nothing is changed when one is wrong."""
    if size != PRCTL_MM_MAP_SIZE:
        raise Errno(errno.EINVAL)
    *values, auxv_address, auxv_size, exe_fd = _MM_MAP.unpack(task.copy_in(address, size))
    fields = dict(zip(_MAP_FIELDS, values, strict=True))
    _check(task, fields)
    auxv = None
    if auxv_size:
        if not auxv_address or auxv_size > _SAVED_AUXV_SIZE:
            raise Errno(errno.EINVAL)
        auxv = task.copy_in(auxv_address, auxv_size)
    if exe_fd != _NO_FD:
        creds = task.creds
        if not any(creds.has_cap(cap, creds.user_ns) for cap in (CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN)):
            raise Errno(errno.EPERM)
        _set_exe(task, exe_fd)
    for name, value in fields.items():
        setattr(task.mm, name, value)
    if auxv is not None:
        task.mm.auxv = auxv
    return 0


def _check(task: "Task", fields: dict[str, int]) -> None:
    """EINVAL unless the areas lie in user memory and the right way round, the data within its limit."""
    data = fields["data_end"] - fields["data_start"]
    heap = fields["brk_end"] - fields["brk_start"]
    if (
        any(not GUEST_START <= value < TASK_SIZE for value in fields.values())
        or fields["code_start"] >= fields["code_end"]
        or fields["arg_start"] > fields["arg_end"]
        or fields["env_start"] > fields["env_end"]
        or data < 0
        or heap < 0
        or data + heap > task.group.rlimits[RLIMIT_DATA][0]
    ):
        raise Errno(errno.EINVAL)


def _set_exe(task: "Task", fd: int) -> int:
    """Where /proc/PID/exe leads from now on: EACCES for what can't be executed, EBUSY as long as the program
    before is mapped.
    """
    file = task.files.get((fd & 0xFFFFFFFF ^ 0x80000000) - 0x80000000)
    path = file.path
    if path is None or path.inode.mode & S_IFMT != S_IFREG or path.mount.flags & MS_NOEXEC:
        raise Errno(errno.EACCES)
    check(acting(task, path.mount), path.inode, ACCESS_EXEC)
    mm = task.mm
    if mm.exe is not None and any(
        vma.file is not None and vma.file.path is not None and vma.file.path.inode is mm.exe.inode
        for vma in mm.vmas
    ):
        raise Errno(errno.EBUSY)
    mm.exe = ProgramPath(path.mount, path.dentry)
    return 0
