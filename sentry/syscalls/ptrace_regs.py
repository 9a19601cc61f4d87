"""ptrace(2): the tracee's registers."""

import errno

from sentry.abi.mman import TASK_SIZE
from sentry.abi.ptrace import (
    EFLAGS_SETTABLE,
    NT_PRFPREG,
    NT_PRSTATUS,
    NT_X86_XSTATE,
    PTRACE_ARCH_PRCTL,
    PTRACE_GET_THREAD_AREA,
    PTRACE_GETFPREGS,
    PTRACE_GETREGS,
    PTRACE_GETREGSET,
    PTRACE_PEEKUSER,
    PTRACE_POKEUSER,
    PTRACE_SET_THREAD_AREA,
    PTRACE_SETFPREGS,
    PTRACE_SETREGS,
    PTRACE_SETREGSET,
    REG_CS,
    REG_EFLAGS,
    REG_FS_BASE,
    REG_GS_BASE,
    REG_SS,
    SEGMENTS,
    USER_DEBUGREG,
    USER_FPREGS_SIZE,
    USER_REGS,
    USER_SIZE,
)
from sentry.errors import Errno
from sentry.syscalls.arch_prctl import segment_base

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sentry.kernel.task import Task

    Request = Callable[[Task, Task, int, int], int]

_WORD = 8
_IOV_SIZE = 16
_XSTATE_BV = 512  # offset in an XSAVE image; the header ends 64 bytes on
_X87_SSE = 3
_USER_MODE = 3
_DEBUG_REGISTERS = 8
_NO_REGISTERS = (4, 5)
_CONTROL = 7
_ENABLED = 0xFF  # in the control register: a bit or two for each breakpoint


def _checked(index: int, value: int, old: int) -> int:
    """What register `index` becomes when a tracer sets it to `value`; EIO for what Linux refuses."""
    if index in SEGMENTS:
        value &= 0xFFFF
        if value and value & _USER_MODE != _USER_MODE:
            raise Errno(errno.EIO)
        if index in (REG_CS, REG_SS) and not value:
            raise Errno(errno.EIO)
    elif index in (REG_FS_BASE, REG_GS_BASE):
        if value >= TASK_SIZE:
            raise Errno(errno.EIO)
    elif index == REG_EFLAGS:
        value = old & ~EFLAGS_SETTABLE | value & EFLAGS_SETTABLE
    return value


def _set_registers(target: "Task", values: "Sequence[int]") -> None:
    """Set the first registers; those before a bad one are set, as Linux does."""
    registers = list(target.ctx.get_regs())
    try:
        for index, value in enumerate(values):
            registers[index] = _checked(index, value, registers[index])
    finally:
        target.ctx.set_regs(registers)


def _peek_user(task: "Task", target: "Task", offset: int, data: int) -> int:
    if offset % _WORD or offset >= USER_SIZE:
        raise Errno(errno.EIO)
    value = 0
    debug = (offset - USER_DEBUGREG) // _WORD
    if offset < USER_REGS.size:
        value = target.ctx.get_regs()[offset // _WORD]
    elif 0 <= debug < _DEBUG_REGISTERS and target.trace is not None:
        value = target.trace.debug[debug]
    task.write_u64(data, value)
    return 0


def _poke_user(task: "Task", target: "Task", offset: int, value: int) -> int:
    if offset % _WORD or offset >= USER_SIZE:
        raise Errno(errno.EIO)
    if offset < USER_REGS.size:
        registers = list(target.ctx.get_regs())
        index = offset // _WORD
        registers[index] = _checked(index, value, registers[index])
        target.ctx.set_regs(registers)
        return 0
    debug = (offset - USER_DEBUGREG) // _WORD
    if not 0 <= debug < _DEBUG_REGISTERS or debug in _NO_REGISTERS or target.trace is None:
        raise Errno(errno.EIO)
    if debug < _NO_REGISTERS[0] and value >= TASK_SIZE:
        raise Errno(errno.EINVAL)
    if debug == _CONTROL and value & _ENABLED:
        raise Errno(errno.ENOSPC)  # as if all were in use: there are no hardware breakpoints
    target.trace.debug[debug] = value
    return 0


def _get_regs(task: "Task", target: "Task", address: int, data: int) -> int:
    task.copy_out(data, USER_REGS.pack(*target.ctx.get_regs()))
    return 0


def _set_regs(task: "Task", target: "Task", address: int, data: int) -> int:
    _set_registers(target, USER_REGS.unpack(task.copy_in(data, USER_REGS.size)))
    return 0


# Vector state: XSAVE's standard format, whose first 512 bytes are FXSAVE's


def _fxsave(target: "Task") -> bytes:
    return target.ctx.get_fpu()[:USER_FPREGS_SIZE]


def _set_fxsave(target: "Task", given: bytes) -> None:
    state = bytearray(target.ctx.get_fpu())
    state[: len(given)] = given
    present = int.from_bytes(state[_XSTATE_BV : _XSTATE_BV + 8], "little") | _X87_SSE
    state[_XSTATE_BV : _XSTATE_BV + 8] = present.to_bytes(8, "little")
    _set_state(target, bytes(state))


def _set_state(target: "Task", state: bytes) -> None:
    try:
        target.ctx.set_fpu(state)
    except Errno:
        raise Errno(errno.EINVAL) from None


def _get_fpregs(task: "Task", target: "Task", address: int, data: int) -> int:
    task.copy_out(data, _fxsave(target))
    return 0


def _set_fpregs(task: "Task", target: "Task", address: int, data: int) -> int:
    _set_fxsave(target, task.copy_in(data, USER_FPREGS_SIZE))
    return 0


# Register sets


def _get_set(task: "Task", target: "Task", kind: int, data: int) -> int:
    base, length = _read_iov(task, data)
    if kind == NT_PRSTATUS:
        whole, unit = USER_REGS.pack(*target.ctx.get_regs()), _WORD
    elif kind == NT_PRFPREG:
        whole, unit = _fxsave(target), USER_FPREGS_SIZE
    elif kind == NT_X86_XSTATE:
        whole, unit = target.ctx.get_fpu(), _WORD
    else:
        raise Errno(errno.EINVAL)
    if length % (_WORD if unit == USER_FPREGS_SIZE else unit):
        raise Errno(errno.EINVAL)
    part = whole[:length]
    task.copy_out(base, part)
    task.write_u64(data + _WORD, len(part))
    return 0


def _put_set(task: "Task", target: "Task", kind: int, data: int) -> int:
    base, length = _read_iov(task, data)
    if length % _WORD or kind not in (NT_PRSTATUS, NT_PRFPREG, NT_X86_XSTATE):
        raise Errno(errno.EINVAL)
    if kind == NT_PRSTATUS:
        length = min(length, USER_REGS.size)
        words = task.copy_in(base, length)
        values = [int.from_bytes(words[at : at + _WORD], "little") for at in range(0, length, _WORD)]
        _set_registers(target, values)
    elif kind == NT_PRFPREG:
        length = min(length, USER_FPREGS_SIZE)
        _set_fxsave(target, task.copy_in(base, length))
    else:
        state = target.ctx.get_fpu()
        length = min(length, len(state))
        if length < len(state):
            raise Errno(errno.EFAULT)
        _set_state(target, task.copy_in(base, length))
    task.write_u64(data + _WORD, length)
    return 0


def _read_iov(task: "Task", address: int) -> tuple[int, int]:
    iov = task.copy_in(address, _IOV_SIZE)
    return int.from_bytes(iov[:_WORD], "little"), int.from_bytes(iov[_WORD:], "little")


# Segments


def _arch_prctl(task: "Task", target: "Task", value: int, operation: int) -> int:
    return segment_base(task, target, operation, value)


def _thread_area(task: "Task", target: "Task", index: int, data: int) -> int:
    """A 64-bit task has no 32-bit segments of its own."""
    raise Errno(errno.EIO if index & 0x80000000 else errno.EINVAL)


REQUESTS: "dict[int, Request]" = {
    PTRACE_PEEKUSER: _peek_user,
    PTRACE_POKEUSER: _poke_user,
    PTRACE_GETREGS: _get_regs,
    PTRACE_SETREGS: _set_regs,
    PTRACE_GETFPREGS: _get_fpregs,
    PTRACE_SETFPREGS: _set_fpregs,
    PTRACE_GETREGSET: _get_set,
    PTRACE_SETREGSET: _put_set,
    PTRACE_ARCH_PRCTL: _arch_prctl,
    PTRACE_GET_THREAD_AREA: _thread_area,
    PTRACE_SET_THREAD_AREA: _thread_area,
}
