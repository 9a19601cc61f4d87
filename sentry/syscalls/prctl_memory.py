"""prctl(2): what concerns the address space."""

import errno

from sentry.abi.capability import CAP_SYS_RESOURCE
from sentry.abi.mman import TASK_SIZE
from sentry.abi.prctl import (
    PR_MDWE_NO_INHERIT,
    PR_MDWE_REFUSE_EXEC_GAIN,
    PR_SET_MM_AUXV,
    PR_SET_MM_MAP,
    PR_SET_MM_MAP_SIZE,
    PRCTL_MM_MAP_SIZE,
)
from sentry.errors import Errno
from sentry.mm.layout import GUEST_START

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task

_SAVED_AUXV_SIZE = 448  # bytes that Linux keeps of it
# What PR_SET_MM_START_CODE and its followers set, by number.
_FIELDS = (
    None, "code_start", "code_end", "data_start", "data_end", "stack_start", "brk_start", "brk_end",
    "arg_start", "arg_end", "env_start", "env_end",
)  # fmt: skip


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
    """Fields of the address space one by one; a whole struct prctl_mm_map is refused."""
    if d or (size and option not in (PR_SET_MM_AUXV, PR_SET_MM_MAP, PR_SET_MM_MAP_SIZE)):
        raise Errno(errno.EINVAL)
    if option == PR_SET_MM_MAP_SIZE:
        task.write_u32(value, PRCTL_MM_MAP_SIZE)
        return 0
    if option == PR_SET_MM_MAP:
        raise Errno(errno.EINVAL)
    if not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    if option == PR_SET_MM_AUXV:
        if size > _SAVED_AUXV_SIZE:
            raise Errno(errno.EINVAL)
        task.mm.auxv = task.copy_in(value, size)
        return 0
    field = _FIELDS[option] if option < len(_FIELDS) else None
    if field is None or not GUEST_START <= value < TASK_SIZE or task.mm.find(value) is None:
        raise Errno(errno.EINVAL)
    setattr(task.mm, field, value)
    return 0
