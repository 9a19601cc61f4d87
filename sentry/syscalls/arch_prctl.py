"""arch_prctl(2)."""

from errno import EEXIST, EINVAL, ENODEV, EOPNOTSUPP, EPERM

from sentry.abi.mman import TASK_SIZE
from sentry.abi.prctl import (
    ARCH_GET_CPUID,
    ARCH_GET_FS,
    ARCH_GET_GS,
    ARCH_GET_XCOMP_GUEST_PERM,
    ARCH_GET_XCOMP_PERM,
    ARCH_GET_XCOMP_SUPP,
    ARCH_MAP_VDSO_32,
    ARCH_MAP_VDSO_64,
    ARCH_REQ_XCOMP_GUEST_PERM,
    ARCH_REQ_XCOMP_PERM,
    ARCH_SET_CPUID,
    ARCH_SET_FS,
    ARCH_SET_GS,
    XFEATURE_MAX,
    XFEATURES_ON_REQUEST,
)
from sentry.errors import Errno
from sentry.kernel.signals.sigframe import user_features
from sentry.syscalls.args import Int, Ptr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry.kernel.task import Task


def arch_prctl(task: "Task", operation: Int, address: Ptr) -> int:
    if operation == ARCH_GET_CPUID:
        return 1
    if operation == ARCH_SET_CPUID:
        raise Errno(ENODEV)
    if operation in (ARCH_GET_XCOMP_SUPP, ARCH_GET_XCOMP_PERM, ARCH_GET_XCOMP_GUEST_PERM):
        task.write_u64(address, user_features(task) & ~XFEATURES_ON_REQUEST)
        return 0
    if operation in (ARCH_REQ_XCOMP_PERM, ARCH_REQ_XCOMP_GUEST_PERM):
        # What has to be asked for, AMX, is not there; all else need not be asked for.
        raise Errno(EOPNOTSUPP if address < XFEATURE_MAX else EINVAL)
    if operation in (ARCH_MAP_VDSO_32, ARCH_MAP_VDSO_64):
        raise Errno(EEXIST)  # it has been mapped
    return segment_base(task, task, operation, address)


def segment_base(task: "Task", target: "Task", operation: int, address: int) -> int:
    """Tell `task` a segment base of `target`, at `address`, or set it to that; EINVAL, EPERM, EFAULT."""
    ctx = target.ctx
    if operation in (ARCH_GET_FS, ARCH_GET_GS):
        task.write_u64(address, ctx.fs_base if operation == ARCH_GET_FS else ctx.gs_base)
        return 0
    if operation not in (ARCH_SET_FS, ARCH_SET_GS):
        raise Errno(EINVAL)
    if address >= TASK_SIZE:
        raise Errno(EPERM)
    if operation == ARCH_SET_FS:
        ctx.fs_base = address
    else:
        ctx.gs_base = address
    return 0
