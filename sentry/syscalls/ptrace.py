"""ptrace(2): the requests.  Registers are ptrace_regs', the state of calls and signals is here."""

import errno

from sentry._core import WORK_STOP
from sentry.abi.capability import CAP_SYS_ADMIN
from sentry.abi.ptrace import (
    PEEKSIGINFO_ARGS,
    PTRACE_ATTACH,
    PTRACE_CONT,
    PTRACE_DETACH,
    PTRACE_EVENT_SECCOMP,
    PTRACE_EVENT_STOP,
    PTRACE_EVENTMSG_SYSCALL_ENTRY,
    PTRACE_EVENTMSG_SYSCALL_EXIT,
    PTRACE_GET_RSEQ_CONFIGURATION,
    PTRACE_GET_SYSCALL_INFO,
    PTRACE_GETEVENTMSG,
    PTRACE_GETSIGINFO,
    PTRACE_GETSIGMASK,
    PTRACE_INTERRUPT,
    PTRACE_KILL,
    PTRACE_LISTEN,
    PTRACE_O_MASK,
    PTRACE_O_SUSPEND_SECCOMP,
    PTRACE_OLDSETOPTIONS,
    PTRACE_PEEKDATA,
    PTRACE_PEEKSIGINFO,
    PTRACE_PEEKSIGINFO_SHARED,
    PTRACE_PEEKTEXT,
    PTRACE_POKEDATA,
    PTRACE_POKETEXT,
    PTRACE_SECCOMP_GET_FILTER,
    PTRACE_SECCOMP_GET_METADATA,
    PTRACE_SEIZE,
    PTRACE_SETOPTIONS,
    PTRACE_SETSIGINFO,
    PTRACE_SETSIGMASK,
    PTRACE_SINGLESTEP,
    PTRACE_SYSCALL,
    PTRACE_SYSCALL_INFO_ENTRY,
    PTRACE_SYSCALL_INFO_EXIT,
    PTRACE_SYSCALL_INFO_NONE,
    PTRACE_SYSCALL_INFO_SECCOMP,
    PTRACE_SYSEMU,
    PTRACE_SYSEMU_SINGLESTEP,
    PTRACE_TRACEME,
    RSEQ_CONFIGURATION,
    SYSCALL_INFO_CALL,
    SYSCALL_INFO_EXIT,
    SYSCALL_INFO_HEAD,
)
from sentry.abi.seccomp import AUDIT_ARCH_X86_64, SOCK_FILTER_SIZE
from sentry.abi.signal import NSIG, SI_KERNEL, SIGINFO_SIZE, SIGKILL, SIGSET_SIZE, SIGSTOP, SIGTRAP
from sentry.errors import Errno
from sentry.kernel.signals import siginfo, signals
from sentry.kernel.tracing import tracing
from sentry.kernel.tracing.trace_access import check_access, may_be_traced
from sentry.mm.access import peek, poke
from sentry.syscalls import ptrace_regs
from sentry.syscalls.args import Int, Long, Ptr, Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sentry.kernel.task import Task
    from sentry.kernel.tracing.tracing import Tracee

    Request = Callable[[Task, Task, int, int], int]

_WORD = 8
_PAGE = 4096
_MAX_ERRNO = 4095


def ptrace(task: "Task", request: Long, pid: Int, address: Ptr, data: Size) -> int:
    if request == PTRACE_TRACEME:
        return _trace_me(task)
    target = task.find(pid)
    if target is None:
        raise Errno(errno.ESRCH)
    if request in (PTRACE_ATTACH, PTRACE_SEIZE):
        return _attach(task, target, request == PTRACE_SEIZE, address, data)
    trace = target.trace
    if trace is None or trace.tracer is not task:
        raise Errno(errno.ESRCH)
    if request == PTRACE_KILL:
        # As by kill(2): an init is spared, unless from outside of its PID namespace.
        signals.send_task(target, SIGKILL, force=task.group.pid_ns is not target.group.pid_ns)
        return 0
    if request == PTRACE_INTERRUPT:
        if not trace.seized:
            raise Errno(errno.EIO)
        if target.state != "dead":
            tracing.trap(target)
        return 0
    if not trace.stopped or trace.listening:
        raise Errno(errno.ESRCH)
    if request in _MODES:
        return _resume(target, _MODES[request], data)
    handler = _REQUESTS.get(request) or ptrace_regs.REQUESTS.get(request)
    if handler is None:
        raise Errno(errno.EIO)
    return handler(task, target, address, data)


def _trace_me(task: "Task") -> int:
    if task.trace is not None:
        raise Errno(errno.EPERM)
    parent = task.group.parent_task
    if parent is not None and parent.state != "dead":
        if not may_be_traced(parent.creds, task.creds):
            raise Errno(errno.EPERM)
        tracing.link(task, parent, task.creds, False, 0)
    return 0


def _attach(task: "Task", target: "Task", seize: bool, address: int, options: int) -> int:
    if seize:
        if address or options & ~PTRACE_O_MASK:
            raise Errno(errno.EIO)
        _check_options(task, options)
    if target.group is task.group:
        raise Errno(errno.EPERM)
    check_access(task, target)
    if target.state == "dead" or target.trace is not None:
        raise Errno(errno.EPERM)
    tracing.link(target, task, task.creds, seize, options if seize else 0)
    if target.group.stopping:
        target.work |= WORK_STOP  # the stop of its process becomes ours
        if target.state == "stopped":
            target.unpark()
        else:
            target.interrupt()
    if not seize:
        signals.send_task(target, SIGSTOP, siginfo.SigInfo(SIGSTOP, SI_KERNEL), force=True)
    return 0


def _check_options(task: "Task", options: int) -> None:
    if options & PTRACE_O_SUSPEND_SECCOMP:
        if not task.creds.has_cap(CAP_SYS_ADMIN):
            raise Errno(errno.EPERM)
        suspended = task.trace is not None and task.trace.options & PTRACE_O_SUSPEND_SECCOMP
        if task.filter is not None or suspended:
            raise Errno(errno.EPERM)


# Going on

_MODES = {
    PTRACE_CONT: tracing.RUN,
    PTRACE_SYSCALL: tracing.CALLS,
    PTRACE_SINGLESTEP: tracing.STEP,
    PTRACE_SYSEMU: tracing.EMULATE,
    PTRACE_SYSEMU_SINGLESTEP: tracing.EMULATE_STEP,
}


def _resume(target: "Task", mode: int, signo: int) -> int:
    if signo > NSIG:
        raise Errno(errno.EIO)
    tracing.set_mode(target, mode)
    tracing.resume(target, signo)
    return 0


def _detach(task: "Task", target: "Task", address: int, signo: int) -> int:
    if signo > NSIG:
        raise Errno(errno.EIO)
    tracing.detach(target, signo)
    return 0


def _listen(task: "Task", target: "Task", address: int, data: int) -> int:
    trace = _trace(target)
    info = trace.info
    if not trace.seized or info is None or info.code >> 8 != PTRACE_EVENT_STOP:
        raise Errno(errno.EIO)
    trace.listening = True
    if trace.trap:
        tracing.resume(target, 0)
    return 0


def _trace(target: "Task") -> "Tracee":
    assert target.trace is not None
    return target.trace


# Memory


def _peek(task: "Task", target: "Task", address: int, data: int) -> int:
    try:
        word = peek(target, address, _WORD)
    except Errno:
        word = b""
    if len(word) < _WORD:
        raise Errno(errno.EIO)
    task.copy_out(data, word)
    return 0


def _poke(task: "Task", target: "Task", address: int, data: int) -> int:
    try:
        done = poke(target, address, data.to_bytes(_WORD, "little"))
    except Errno:
        done = 0
    if done < _WORD:
        raise Errno(errno.EIO)
    return 0


# Signals


def _event_message(task: "Task", target: "Task", address: int, data: int) -> int:
    task.write_u64(data, _trace(target).message)
    return 0


def _set_options(task: "Task", target: "Task", address: int, options: int) -> int:
    if options & ~PTRACE_O_MASK:
        raise Errno(errno.EINVAL)
    _check_options(task, options)
    _trace(target).options = options
    return 0


def _get_siginfo(task: "Task", target: "Task", address: int, data: int) -> int:
    info = _trace(target).info
    if info is None:
        raise Errno(errno.EINVAL)
    task.copy_out(data, info.pack())
    return 0


def _set_siginfo(task: "Task", target: "Task", address: int, data: int) -> int:
    given = task.copy_in(data, SIGINFO_SIZE)
    if _trace(target).info is None:
        raise Errno(errno.EINVAL)
    info = siginfo.from_user(int.from_bytes(given[:4], "little"), given)
    _trace(target).info = info
    return 0


def _peek_siginfo(task: "Task", target: "Task", address: int, data: int) -> int:
    offset, flags, wanted = PEEKSIGINFO_ARGS.unpack(task.copy_in(address, PEEKSIGINFO_ARGS.size))
    if flags & ~PTRACE_PEEKSIGINFO_SHARED or wanted < 0:
        raise Errno(errno.EINVAL)
    queue = target.group.queue if flags else target.signal.queue
    found = queue.infos[offset : offset + wanted]
    for index, info in enumerate(found):
        try:
            task.copy_out(data + index * SIGINFO_SIZE, info.pack())
        except Errno:
            if not index:
                raise
            return index
    return len(found)


def _get_mask(task: "Task", target: "Task", size: int, data: int) -> int:
    if size != SIGSET_SIZE:
        raise Errno(errno.EINVAL)
    saved = target.signal.saved_mask
    task.write_u64(data, target.sigmask if saved is None else saved)
    return 0


def _set_mask(task: "Task", target: "Task", size: int, data: int) -> int:
    if size != SIGSET_SIZE:
        raise Errno(errno.EINVAL)
    signals.set_mask(target, task.read_u64(data))
    target.signal.saved_mask = None
    return 0


# Calls and filters


def _syscall_info(task: "Task", target: "Task", size: int, data: int) -> int:
    trace, ctx = _trace(target), target.ctx
    code = trace.info.code if trace.info is not None else 0
    kind, rest = PTRACE_SYSCALL_INFO_NONE, b""
    call = (ctx.orig_rax, ctx.rdi, ctx.rsi, ctx.rdx, ctx.r10, ctx.r8, ctx.r9)
    if code == SIGTRAP | 0x80 and trace.message == PTRACE_EVENTMSG_SYSCALL_ENTRY:
        kind, rest = PTRACE_SYSCALL_INFO_ENTRY, SYSCALL_INFO_CALL.pack(*call)
    elif code == SIGTRAP | 0x80 and trace.message == PTRACE_EVENTMSG_SYSCALL_EXIT:
        value = ctx.rax - (1 << 64) if ctx.rax >> 63 else ctx.rax
        kind = PTRACE_SYSCALL_INFO_EXIT
        rest = SYSCALL_INFO_EXIT.pack(value, -_MAX_ERRNO <= value < 0)
    elif code == SIGTRAP | PTRACE_EVENT_SECCOMP << 8:
        kind = PTRACE_SYSCALL_INFO_SECCOMP
        rest = SYSCALL_INFO_CALL.pack(*call) + trace.message.to_bytes(4, "little")
    info = SYSCALL_INFO_HEAD.pack(kind, 0, AUDIT_ARCH_X86_64, ctx.rip, ctx.rsp) + rest
    task.copy_out(data, info[:size])
    return len(info)


def _rseq_configuration(task: "Task", target: "Task", size: int, data: int) -> int:
    registered = target.rseq_address, target.rseq_length, target.rseq_signature
    configuration = RSEQ_CONFIGURATION.pack(*registered, 0)
    task.copy_out(data, configuration[:size])
    return len(configuration)


def _get_filter(task: "Task", target: "Task", index: int, data: int) -> int:
    if not task.creds.has_cap(CAP_SYS_ADMIN) or task.filter is not None:
        raise Errno(errno.EACCES)
    program: bytes = _filter_at(target, index).program
    if data:
        task.copy_out(data, program)
    return len(program) // SOCK_FILTER_SIZE


def _get_metadata(task: "Task", target: "Task", size: int, data: int) -> int:
    if not task.creds.has_cap(CAP_SYS_ADMIN) or task.filter is not None:
        raise Errno(errno.EACCES)
    size = min(size, 16)
    if size < 8:
        raise Errno(errno.EINVAL)
    index = task.read_u64(data)
    flags = 2 if _filter_at(target, index).logs else 0
    task.copy_out(data, (index.to_bytes(8, "little") + flags.to_bytes(8, "little"))[:size])
    return size


def _filter_at(target: "Task", index: int) -> "Any":
    """The filter number `index`, from the oldest on: ENOENT, EINVAL without filters."""
    chain = []
    at = target.filter
    if at is None:
        raise Errno(errno.EINVAL)
    while at is not None:
        chain.append(at)
        at = at.prev
    if index >= len(chain):
        raise Errno(errno.ENOENT)
    return chain[-1 - index]


_REQUESTS: "dict[int, Request]" = {
    PTRACE_PEEKTEXT: _peek,
    PTRACE_PEEKDATA: _peek,
    PTRACE_POKETEXT: _poke,
    PTRACE_POKEDATA: _poke,
    PTRACE_DETACH: _detach,
    PTRACE_LISTEN: _listen,
    PTRACE_OLDSETOPTIONS: _set_options,
    PTRACE_SETOPTIONS: _set_options,
    PTRACE_GETEVENTMSG: _event_message,
    PTRACE_GETSIGINFO: _get_siginfo,
    PTRACE_SETSIGINFO: _set_siginfo,
    PTRACE_PEEKSIGINFO: _peek_siginfo,
    PTRACE_GETSIGMASK: _get_mask,
    PTRACE_SETSIGMASK: _set_mask,
    PTRACE_GET_SYSCALL_INFO: _syscall_info,
    PTRACE_GET_RSEQ_CONFIGURATION: _rseq_configuration,
    PTRACE_SECCOMP_GET_FILTER: _get_filter,
    PTRACE_SECCOMP_GET_METADATA: _get_metadata,
}
