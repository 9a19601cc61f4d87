"""prctl(2)."""

import errno

from sentry.abi.capability import (
    CAP_LAST_CAP,
    CAP_SETPCAP,
    CAP_SYS_RESOURCE,
    SECBIT_KEEP_CAPS,
    SECBIT_KEEP_CAPS_LOCKED,
    SECBIT_NO_CAP_AMBIENT_RAISE,
    SECURE_ALL_BITS,
    SECURE_ALL_LOCKS,
)
from sentry.abi.mman import TASK_SIZE
from sentry.abi.prctl import (
    COMM_LEN,
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_IS_SET,
    PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    PR_GET_AUXV,
    PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE,
    PR_GET_IO_FLUSHER,
    PR_GET_KEEPCAPS,
    PR_GET_MDWE,
    PR_GET_MEMORY_MERGE,
    PR_GET_NAME,
    PR_GET_NO_NEW_PRIVS,
    PR_GET_PDEATHSIG,
    PR_GET_SECCOMP,
    PR_GET_SECUREBITS,
    PR_GET_SPECULATION_CTRL,
    PR_GET_THP_DISABLE,
    PR_GET_TID_ADDRESS,
    PR_GET_TIMERSLACK,
    PR_GET_TIMING,
    PR_GET_TSC,
    PR_MCE_KILL,
    PR_MCE_KILL_CLEAR,
    PR_MCE_KILL_DEFAULT,
    PR_MCE_KILL_GET,
    PR_MCE_KILL_SET,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_IO_FLUSHER,
    PR_SET_KEEPCAPS,
    PR_SET_MDWE,
    PR_SET_MEMORY_MERGE,
    PR_SET_MM,
    PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    PR_SET_SECUREBITS,
    PR_SET_SPECULATION_CTRL,
    PR_SET_SYSCALL_USER_DISPATCH,
    PR_SET_THP_DISABLE,
    PR_SET_TIMERSLACK,
    PR_SET_TIMING,
    PR_SET_TSC,
    PR_SET_VMA,
    PR_SET_VMA_ANON_NAME,
    PR_SPEC_COUNT,
    PR_SPEC_NOT_AFFECTED,
    PR_SYS_DISPATCH_OFF,
    PR_SYS_DISPATCH_ON,
    PR_TASK_PERF_EVENTS_DISABLE,
    PR_TASK_PERF_EVENTS_ENABLE,
    PR_TIMING_STATISTICAL,
    PR_TSC_ENABLE,
)
from sentry.abi.signal import NSIG
from sentry.errors import Errno
from sentry.kernel.tracing import dispatch
from sentry.kernel.tracing import seccomp as filters
from sentry.mm.advise import ANON_NAME_MAX, set_anon_name
from sentry.syscalls import prctl_memory, seccomp
from sentry.syscalls.args import Int, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry.kernel.task import Task

    Operation = Callable[[Task, int, int, int, int], int]

_MASK64 = 2**64 - 1


def prctl(task: "Task", operation: Int, a: Size, b: Size, c: Size, d: Size) -> int:
    handler = _OPERATIONS.get(operation)
    if handler is None:
        raise Errno(errno.EINVAL)
    return handler(task, a, b, c, d)


def _invalid_unless(condition: bool) -> None:
    if not condition:
        raise Errno(errno.EINVAL)


def _set_death_signal(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a <= NSIG)
    task.parent_death_signal = a
    return 0


def _get_death_signal(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.write_u32(a, task.parent_death_signal)
    return 0


def _set_dumpable(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a in (0, 1))
    task.group.dumpable = a
    return 0


def _set_name(task: "Task", a: int, b: int, c: int, d: int) -> int:
    try:
        task.comm = task.copy_in_str(a, COMM_LEN)
    except Errno as error:
        if error.code != errno.ENAMETOOLONG:
            raise
        task.comm = task.copy_in(a, COMM_LEN - 1)
    return 0


def _get_name(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.copy_out(a, task.comm.ljust(COMM_LEN, b"\0"))
    return 0


def _set_keep_caps(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a in (0, 1))
    if task.creds.securebits & SECBIT_KEEP_CAPS_LOCKED:
        raise Errno(errno.EPERM)
    new = task.creds.copy()
    new.securebits = new.securebits & ~SECBIT_KEEP_CAPS | (SECBIT_KEEP_CAPS if a else 0)
    task.creds = new
    return 0


def _set_securebits(task: "Task", a: int, b: int, c: int, d: int) -> int:
    old = task.creds.securebits
    locked = (old & SECURE_ALL_LOCKS) >> 1
    if a & ~(SECURE_ALL_BITS | SECURE_ALL_LOCKS) or (old ^ a) & locked or old & SECURE_ALL_LOCKS & ~a:
        raise Errno(errno.EPERM)
    if not task.creds.has_cap(CAP_SETPCAP, task.creds.user_ns):
        raise Errno(errno.EPERM)
    new = task.creds.copy()
    new.securebits = a
    task.creds = new
    return 0


def _read_bounding(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a <= CAP_LAST_CAP)
    return task.creds.bounding >> a & 1


def _drop_bounding(task: "Task", a: int, b: int, c: int, d: int) -> int:
    if not task.creds.has_cap(CAP_SETPCAP, task.creds.user_ns):
        raise Errno(errno.EPERM)
    _invalid_unless(a <= CAP_LAST_CAP)
    new = task.creds.copy()
    new.bounding &= ~(1 << a)
    task.creds = new
    return 0


def _ambient(task: "Task", a: int, b: int, c: int, d: int) -> int:
    creds = task.creds
    if a == PR_CAP_AMBIENT_CLEAR_ALL:
        _invalid_unless(not (b | c | d))
        new = creds.copy()
        new.ambient = 0
        task.creds = new
        return 0
    _invalid_unless(not (c | d) and b <= CAP_LAST_CAP)
    bit = 1 << b
    if a == PR_CAP_AMBIENT_IS_SET:
        return int(bool(creds.ambient & bit))
    _invalid_unless(a in (PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_LOWER))
    new = creds.copy()
    if a == PR_CAP_AMBIENT_LOWER:
        new.ambient &= ~bit
    else:
        if not creds.permitted & creds.inheritable & bit or creds.securebits & SECBIT_NO_CAP_AMBIENT_RAISE:
            raise Errno(errno.EPERM)
        new.ambient |= bit
    task.creds = new
    return 0


def _set_subreaper(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.group.is_subreaper = bool(a)
    return 0


def _get_subreaper(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.write_u32(a, int(task.group.is_subreaper))
    return 0


def _set_no_new_privs(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a == 1 and not (b | c | d))
    new = task.creds.copy()
    new.no_new_privs = True
    task.creds = new
    return 0


def _get_no_new_privs(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (a | b | c | d))
    return int(task.creds.no_new_privs)


def _set_timer_slack(task: "Task", a: int, b: int, c: int, d: int) -> int:
    if not task.sched.is_realtime():
        task.timer_slack = a or task.default_timer_slack
    return 0


def _get_timer_slack(task: "Task", a: int, b: int, c: int, d: int) -> int:
    return task.timer_slack if task.timer_slack < 1 << 63 else -1  # as on Linux, like an error


def _get_tid_address(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.write_u64(a, task.clear_child_tid)
    return 0


def _set_thp_disable(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (b | c | d))
    task.group.thp_disabled = bool(a)
    return 0


def _get_thp_disable(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (a | b | c | d))
    return int(task.group.thp_disabled)


def _set_timing(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a == PR_TIMING_STATISTICAL)
    return 0


def _set_tsc(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(a == PR_TSC_ENABLE)
    return 0


def _get_tsc(task: "Task", a: int, b: int, c: int, d: int) -> int:
    task.write_u32(a, PR_TSC_ENABLE)
    return 0


def _set_vma(task: "Task", attribute: int, start: int, length: int, name: int) -> int:
    _invalid_unless(attribute == PR_SET_VMA_ANON_NAME)
    try:
        label = task.copy_in_str(name, ANON_NAME_MAX) if name else None
    except Errno as error:
        raise Errno(errno.EINVAL if error.code == errno.ENAMETOOLONG else error.code) from None
    set_anon_name(task.mm, start, length, label)
    return 0


def _no_perf_events(task: "Task", a: int, b: int, c: int, d: int) -> int:
    return 0  # there are none to turn on or off


def _set_mce_kill(task: "Task", operation: int, policy: int, c: int, d: int) -> int:
    """What is to happen to the task when its memory breaks: remembered only."""
    _invalid_unless(not (c | d))
    if operation == PR_MCE_KILL_CLEAR:
        _invalid_unless(not policy)
        task.mce_policy = PR_MCE_KILL_DEFAULT
        return 0
    _invalid_unless(operation == PR_MCE_KILL_SET and policy <= PR_MCE_KILL_DEFAULT)
    task.mce_policy = policy
    return 0


def _get_mce_kill(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (a | b | c | d))
    return task.mce_policy


def _get_speculation(task: "Task", kind: int, b: int, c: int, d: int) -> int:
    """The host sees to it; a guest has nothing to turn on or off."""
    _invalid_unless(not (b | c | d))
    if kind >= PR_SPEC_COUNT:
        raise Errno(errno.ENODEV)
    return PR_SPEC_NOT_AFFECTED


def _set_speculation(task: "Task", kind: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (c | d))
    raise Errno(errno.ENODEV if kind >= PR_SPEC_COUNT else errno.ENXIO)


def _set_io_flusher(task: "Task", on: int, b: int, c: int, d: int) -> int:
    if not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    _invalid_unless(not (b | c | d) and on <= 1)
    task.io_flusher = bool(on)
    return 0


def _get_io_flusher(task: "Task", a: int, b: int, c: int, d: int) -> int:
    if not task.creds.has_cap(CAP_SYS_RESOURCE):
        raise Errno(errno.EPERM)
    _invalid_unless(not (a | b | c | d))
    return int(task.io_flusher)


def _set_dispatch(task: "Task", mode: int, start: int, length: int, selector: int) -> int:
    if mode == PR_SYS_DISPATCH_OFF:
        _invalid_unless(not (start | length | selector))
        dispatch.set(task, None)
        return 0
    _invalid_unless(mode == PR_SYS_DISPATCH_ON)
    _invalid_unless(not start or (start + length) & _MASK64 > start)
    if selector >= TASK_SIZE:
        raise Errno(errno.EFAULT)
    dispatch.set(task, dispatch.Dispatch(start, length, selector))
    return 0


def _set_merge(task: "Task", on: int, b: int, c: int, d: int) -> int:
    """Remembered only: the host does not look for equal pages."""
    _invalid_unless(not (b | c | d))
    task.group.merges_memory = bool(on)
    return 0


def _get_merge(task: "Task", a: int, b: int, c: int, d: int) -> int:
    _invalid_unless(not (a | b | c | d))
    return int(task.group.merges_memory)


_OPERATIONS: "dict[int, Operation]" = {
    PR_SET_PDEATHSIG: _set_death_signal,
    PR_GET_PDEATHSIG: _get_death_signal,
    PR_GET_DUMPABLE: lambda task, a, b, c, d: task.group.dumpable,
    PR_SET_DUMPABLE: _set_dumpable,
    PR_GET_KEEPCAPS: lambda task, a, b, c, d: int(bool(task.creds.securebits & SECBIT_KEEP_CAPS)),
    PR_SET_KEEPCAPS: _set_keep_caps,
    PR_GET_TIMING: lambda task, a, b, c, d: PR_TIMING_STATISTICAL,
    PR_SET_TIMING: _set_timing,
    PR_SET_NAME: _set_name,
    PR_GET_NAME: _get_name,
    PR_GET_SECCOMP: lambda task, a, b, c, d: filters.mode(task),
    PR_SET_SECCOMP: lambda task, a, b, c, d: seccomp.set_mode(task, a, b),
    PR_CAPBSET_READ: _read_bounding,
    PR_CAPBSET_DROP: _drop_bounding,
    PR_GET_TSC: _get_tsc,
    PR_SET_TSC: _set_tsc,
    PR_GET_SECUREBITS: lambda task, a, b, c, d: task.creds.securebits,
    PR_SET_SECUREBITS: _set_securebits,
    PR_SET_TIMERSLACK: _set_timer_slack,
    PR_GET_TIMERSLACK: _get_timer_slack,
    PR_SET_CHILD_SUBREAPER: _set_subreaper,
    PR_GET_CHILD_SUBREAPER: _get_subreaper,
    PR_SET_NO_NEW_PRIVS: _set_no_new_privs,
    PR_GET_NO_NEW_PRIVS: _get_no_new_privs,
    PR_GET_TID_ADDRESS: _get_tid_address,
    PR_SET_THP_DISABLE: _set_thp_disable,
    PR_GET_THP_DISABLE: _get_thp_disable,
    PR_CAP_AMBIENT: _ambient,
    PR_SET_VMA: _set_vma,
    PR_TASK_PERF_EVENTS_DISABLE: _no_perf_events,
    PR_TASK_PERF_EVENTS_ENABLE: _no_perf_events,
    PR_MCE_KILL: _set_mce_kill,
    PR_MCE_KILL_GET: _get_mce_kill,
    PR_SET_MM: prctl_memory.set_mm,
    PR_GET_SPECULATION_CTRL: _get_speculation,
    PR_SET_SPECULATION_CTRL: _set_speculation,
    PR_SET_IO_FLUSHER: _set_io_flusher,
    PR_GET_IO_FLUSHER: _get_io_flusher,
    PR_SET_SYSCALL_USER_DISPATCH: _set_dispatch,
    PR_SET_MDWE: prctl_memory.set_mdwe,
    PR_GET_MDWE: prctl_memory.get_mdwe,
    PR_SET_MEMORY_MERGE: _set_merge,
    PR_GET_MEMORY_MERGE: _get_merge,
    PR_GET_AUXV: prctl_memory.get_auxv,
}
