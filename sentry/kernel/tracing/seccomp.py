"""Filters on a task's calls (seccomp(2)): what a task has of them, and what is done about a refused call.

Running the filters is C's (`core/seccomp.c`); what must hold: task.guard has GUARD_FILTER exactly while
task.filter is one, so that no call of the task is answered, by whomever, before the filters have been asked.
A filter never leaves a task; fork(2) and execve(2) pass it on.
"""

from __future__ import annotations

import errno

from sentry import _core
from sentry._core import GUARD_FILTER, GUARD_STRICT
from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.poll import POLLHUP
from sentry.abi.ptrace import PTRACE_O_SUSPEND_SECCOMP
from sentry.abi.seccomp import (
    BPF_MAXINSNS,
    MAX_INSNS_PER_PATH,
    SECCOMP_DATA,
    SECCOMP_MODE_DISABLED,
    SECCOMP_MODE_FILTER,
    SECCOMP_MODE_STRICT,
    SECCOMP_RET_ACTION_FULL,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_DATA,
    SECCOMP_RET_ERRNO,
    SECCOMP_RET_KILL_THREAD,
    SECCOMP_RET_LOG,
    SECCOMP_RET_TRACE,
    SECCOMP_RET_TRAP,
    SECCOMP_RET_USER_NOTIF,
    SOCK_FILTER_SIZE,
    SOCK_FPROG,
    SYS_SECCOMP,
)
from sentry.abi.signal import SIGKILL, SIGSYS
from sentry.errors import Errno
from sentry.kernel import exit as exits
from sentry.kernel.signals import signals
from sentry.kernel.signals.siginfo import SigInfo
from sentry.kernel.tracing import guard, seccomp_notify, trace_stops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.tracing.seccomp_notify import Notifier

_MASK64 = 2**64 - 1
_MAX_ERRNO = 4095
_STRICT_CALLS = frozenset((0, 1, 15, 60))  # read, write, rt_sigreturn, exit

PASS = object()  # the call goes on


FILTERS_MAX = 1 << 22  # instructions of all filters in the sandbox
_EACH = 32  # what a filter counts for beside its instructions


class Filter(_core.SeccompFilter):
    """A filter and those before it; `users` counts the tasks and the later filters that have it."""

    prev: Filter | None

    length = 0  # of all filters, in instructions
    own = 0  # what it has of that; nothing, when it is malformed

    def __init__(self, program: bytes, prev: Filter | None) -> None:
        """Raises Errno: EINVAL, ENOMEM."""
        super().__init__()
        self.own = len(program) // SOCK_FILTER_SIZE + _EACH
        Filter.length += self.own  # taken back by __del__
        if Filter.length > FILTERS_MAX:
            raise Errno(errno.ENOMEM)
        self.users = 0
        self.notifier: Notifier | None = None  # who answers SECCOMP_RET_USER_NOTIF
        self.wait_killable = False
        self.logs = False  # SECCOMP_FILTER_FLAG_LOG

    def __del__(self) -> None:
        Filter.length -= self.own


def mode(task: Task) -> int:
    """SECCOMP_MODE_*."""
    if task.guard & GUARD_STRICT:
        return SECCOMP_MODE_STRICT
    return SECCOMP_MODE_FILTER if task.guard & GUARD_FILTER else SECCOMP_MODE_DISABLED


def count(task: Task) -> int:
    """How many filters the task has."""
    number, at = 0, task.filter
    while at is not None:
        number, at = number + 1, at.prev
    return number


# Having filters


def set_strict(task: Task) -> None:
    """SECCOMP_SET_MODE_STRICT; EINVAL for a task that has filters."""
    if mode(task) == SECCOMP_MODE_FILTER:
        raise Errno(errno.EINVAL)
    task.guard |= GUARD_STRICT


def read_program(task: Task, address: int) -> bytes:
    """The program that a struct sock_fprog describes, for a task that may filter its calls.

    EFAULT, EINVAL, and EACCES without no_new_privs or CAP_SYS_ADMIN.
    """
    length, code = SOCK_FPROG.unpack(task.copy_in(address, SOCK_FPROG.size))
    if not 0 < length <= BPF_MAXINSNS:
        raise Errno(errno.EINVAL)
    if not task.creds.no_new_privs and not task.creds.has_cap(CAP_SYS_ADMIN, task.creds.user_ns):
        raise Errno(errno.EACCES)
    if not code:
        raise Errno(errno.EINVAL)
    return task.copy_in(code, length * SOCK_FILTER_SIZE)


def make(task: Task, program: bytes) -> Filter:
    """A filter for the task, not in force yet: EINVAL for a malformed one or in strict mode."""
    new = Filter(program, task.filter)
    if mode(task) == SECCOMP_MODE_STRICT:
        raise Errno(errno.EINVAL)
    return new


def check_length(new: Filter) -> None:
    """ENOMEM when all filters together are too long."""
    if new.total > MAX_INSNS_PER_PATH:
        raise Errno(errno.ENOMEM)


def has_listener(task: Task) -> bool:
    at = task.filter
    while at is not None:
        if at.notifier is not None:
            return True
        at = at.prev
    return False


def out_of_sync(task: Task) -> int:
    """The id of a thread that has filters which `task` hasn't, 0: none (SECCOMP_FILTER_FLAG_TSYNC)."""
    mine: set[Any] = {None}
    at = task.filter
    while at is not None:
        mine.add(at)
        at = at.prev
    for thread in task.group.tasks:
        if thread is not task and (thread.guard & GUARD_STRICT or thread.filter not in mine):
            return thread.tid
    return 0


def install(task: Task, new: Filter, all_threads: bool) -> None:
    """Have `new` filter the calls of the task, or of all threads of its process, from now on."""
    for thread in task.group.tasks.copy() if all_threads else (task,):
        _give(thread, new)
        if thread is not task:
            if task.creds.no_new_privs and not thread.creds.no_new_privs:
                creds = thread.creds.copy()
                creds.no_new_privs = True
                thread.creds = creds
            task.kernel.machine.publish(thread)


def _give(task: Task, new: Filter) -> None:
    _take(new)
    drop(task)
    task.filter = new
    task.guard |= GUARD_FILTER


def _take(taken: Filter) -> None:
    if not taken.users and taken.prev is not None:
        taken.prev.users += 1  # the filter is one of its users
    taken.users += 1


def inherit(task: Task, child: Task) -> None:
    """A new task is filtered as its parent is."""
    child.guard = task.guard & (GUARD_STRICT | GUARD_FILTER)
    if task.filter is not None:
        _take(task.filter)
        child.filter = task.filter


def drop(task: Task) -> None:
    """The task has its filters no more: it is dead, or about to get others."""
    at, task.filter = task.filter, None
    while at is not None:
        at.users -= 1
        if at.users:
            return
        if at.notifier is not None:
            at.notifier.queue.wake(POLLHUP)
        at = at.prev


# Refused calls


async def check(task: Task, recheck: bool = False) -> Any:
    """What becomes of the call that the task's registers describe: PASS, or what it ends with.

    Args:
        recheck: a tracer has just been asked because of SECCOMP_RET_TRACE.
    """
    if task.guard & GUARD_STRICT:
        if task.syscall_nr in _STRICT_CALLS and not task.ctx.compat:
            return PASS
        return exits.kill_thread(task, SIGKILL)
    if task.trace is not None and task.trace.options & PTRACE_O_SUSPEND_SECCOMP:
        return PASS
    verdict, which, data = task.filter_verdict()
    action, value = verdict & SECCOMP_RET_ACTION_FULL, verdict & SECCOMP_RET_DATA
    if action == SECCOMP_RET_ALLOW:
        return PASS
    if action == SECCOMP_RET_LOG:
        task.kernel.log.once(f"seccomp {task.syscall_nr}", f"a guest's filter logs call {task.syscall_nr}")
        return PASS
    if action == SECCOMP_RET_ERRNO:
        return -min(value, _MAX_ERRNO)
    if action == SECCOMP_RET_TRAP:
        return _trap(task, value, data)
    if action == SECCOMP_RET_TRACE:
        return PASS if recheck else await _ask_tracer(task, value)
    if action == SECCOMP_RET_USER_NOTIF:
        return await seccomp_notify.ask(task, which, data, PASS)
    if action == SECCOMP_RET_KILL_THREAD and len(task.group.tasks) > 1:
        return exits.kill_thread(task, SIGSYS)
    task.group.begin_exit(SIGSYS)
    return 0  # it dies on the way back


async def _ask_tracer(task: Task, value: int) -> Any:
    if not await trace_stops.seccomp_event(task, value):
        return -errno.ENOSYS
    task.syscall_nr = guard.number(task)
    if task.dying or task.syscall_nr < 0:
        return guard.result_of(task)  # the tracer has had the call left out
    return await check(task, recheck=True)


def _trap(task: Task, value: int, data: bytes) -> object:
    """SIGSYS as if the instruction itself had raised it: the registers are as before the call."""
    number, arch, rip, *_ = SECCOMP_DATA.unpack(data)
    task.ctx.rax = number & _MASK64
    info = SigInfo(SIGSYS, SYS_SECCOMP)
    info.errno = value
    info.addr = rip
    info.status = number
    info.value = arch
    signals.force_fault(task, info)
    return _core.NO_RESULT
