"""Signal frames on the guest's stack, as the x86-64 kernel lays them out (rt_sigframe, ucontext_t,
sigcontext).

From the stack pointer up: the return address (sa_restorer), the ucontext, the siginfo, and above them,
64-byte aligned, the XSAVE image that uc_mcontext.fpstate points to.  A frame that comes back is hostile:
whatever is in it, guest code gets no more than its own registers changed, or SIGSEGV.
"""

from __future__ import annotations

import errno
from struct import Struct

from sentry.abi.mman import TASK_SIZE
from sentry.abi.signal import (
    SA_ONSTACK,
    SA_RESTORER,
    SI_KERNEL,
    SIGSEGV,
    SS_AUTODISARM,
    STACK_T,
)
from sentry.errors import Errno
from sentry.kernel.signals import altstack, signals
from sentry.kernel.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sentry._core import Action, Context
    from sentry.kernel.task import Task

# pretcode; uc_flags, uc_link; uc_stack
_HEAD = Struct("<QQQ" + STACK_T.format.lstrip("<"))
# r8-r15 di si bp bx dx ax cx sp ip flags; cs gs fs ss; err trapno oldmask cr2 fpstate reserved[8]; uc_sigmask
_CONTEXT = Struct("<18Q4H5Q64xQ")
_INFO_SIZE = 128
_UC_OFFSET = 8
_INFO_OFFSET = _HEAD.size + _CONTEXT.size
FRAME_SIZE = _INFO_OFFSET + _INFO_SIZE

_UC_FP_XSTATE = 1
_UC_SIGCONTEXT_SS = 2
_UC_STRICT_RESTORE_SS = 4

_RED_ZONE = 128
_USER_CS = 0x33
_USER_DS = 0x2B
_DF = 0x400
_TF = 0x100
_RF = 0x10000
_RESTORABLE_FLAGS = 0x50DD5 | _RF  # AC OF DF TF SF ZF AF PF CF, RF
_FIXED_FLAGS = 0x202  # IF, and the bit that always is 1

_LEGACY_SIZE = 512
_XSAVE_HEADER = Struct("<QQQ40x")  # xstate_bv, xcomp_bv, what must be zero like it
_SW_OFFSET = 464  # the bytes of the legacy area that are software's
_SW = Struct("<IIQI28x")  # magic1, extended size, features, xstate size
_MAGIC1 = 0x46505853
_MAGIC2 = b"EXPF"  # 0x46505845
_FP_SSE = 3


def push(task: Task, info: SigInfo, action: Action, mask: int) -> None:
    """Make the frame of `info`'s handler and enter the handler; Errno(EFAULT) when the stack has no room.

    Args:
        mask: the signal mask that rt_sigreturn(2) is to restore.
    """
    ctx = task.ctx
    if not action.flags & SA_RESTORER:
        raise Errno(errno.EFAULT)  # x86-64 has no other way back
    if task.rseq_address and not task.abort_rseq():
        raise Errno(errno.EFAULT)  # rseq(2): SIGSEGV
    fpu = _mark(ctx.get_fpu())
    sp = ctx.rsp - _RED_ZONE
    nested = altstack.contains(task, ctx.rsp)
    entering = bool(action.flags & SA_ONSTACK) and not nested and bool(task.altstack_size)
    if entering:
        sp = task.altstack_sp + task.altstack_size
    fpstate = sp - len(fpu) & ~63
    frame = (fpstate - FRAME_SIZE & ~15) - 8
    if frame < 0x1000 or ((nested or entering) and frame < task.altstack_sp):
        raise Errno(errno.EFAULT)  # an overflow of the alternate stack must not spoil what lies below
    head = _HEAD.pack(
        action.restorer, _UC_FP_XSTATE | _UC_SIGCONTEXT_SS | _UC_STRICT_RESTORE_SS, 0,
        task.altstack_sp, altstack.signed(task.altstack_flags), task.altstack_size,
    )  # fmt: skip
    context = _CONTEXT.pack(
        ctx.r8, ctx.r9, ctx.r10, ctx.r11, ctx.r12, ctx.r13, ctx.r14, ctx.r15, ctx.rdi, ctx.rsi, ctx.rbp,
        ctx.rbx,
        ctx.rdx, ctx.rax, ctx.rcx, ctx.rsp, ctx.rip, ctx.eflags, _USER_CS, 0, 0, _USER_DS,
        task.fault_error, task.fault_trapno, mask, task.fault_addr, fpstate, mask,
    )  # fmt: skip
    image = head + context + info.pack()
    task.copy_out(frame, image.ljust(fpstate - frame, b"\0") + fpu)
    if task.altstack_flags & SS_AUTODISARM:
        altstack.disarm(task)
    ctx.rdi = info.signo
    ctx.rsi = frame + _INFO_OFFSET
    ctx.rdx = frame + _UC_OFFSET
    ctx.rax = 0
    ctx.rip = action.handler
    ctx.rsp = frame
    ctx.cs, ctx.ss = _USER_CS, _USER_DS
    ctx.eflags &= ~(_DF | _TF | _RF)


def pop(task: Task) -> None:
    """rt_sigreturn(2): back to what the frame at the stack pointer says; SIGSEGV when it makes no sense."""
    ctx = task.ctx
    frame = ctx.rsp - 8
    try:
        image = task.copy_in(frame, _INFO_OFFSET)
        fields = _CONTEXT.unpack_from(image, _HEAD.size)
        fpstate = fields[26]
        fpu = _load_fpu(task, fpstate) if fpstate else None
        if fields[16] >= TASK_SIZE or fields[18] | 3 != _USER_CS or fields[21] | 3 != _USER_DS:
            raise Errno(errno.EFAULT)  # Linux finds out when it goes there
        if fpu is None:
            ctx.reset_fpu()
        else:
            ctx.set_fpu(fpu)
    except Errno:
        signals.force_fault(task, SigInfo(SIGSEGV, SI_KERNEL))
        return
    _restore(ctx, fields)
    signals.set_mask(task, fields[27])
    _, _, _, sp, flags, size = _HEAD.unpack_from(image)
    try:
        altstack.set(task, sp, flags, size, ctx.rsp)
    except Errno:
        pass  # as Linux: a bad uc_stack leaves the alternate stack alone
    task.signal.restart = 0


def _restore(ctx: Context, fields: tuple[int, ...]) -> None:
    (
        ctx.r8, ctx.r9, ctx.r10, ctx.r11, ctx.r12, ctx.r13, ctx.r14, ctx.r15, ctx.rdi, ctx.rsi, ctx.rbp,
        ctx.rbx,
        ctx.rdx, ctx.rax, ctx.rcx, ctx.rsp, ctx.rip,
    ) = fields[:17]  # fmt: skip
    ctx.eflags = ctx.eflags & ~_RESTORABLE_FLAGS | fields[17] & _RESTORABLE_FLAGS | _FIXED_FLAGS
    ctx.cs, ctx.ss = _USER_CS, _USER_DS
    ctx.orig_rax = 2**64 - 1


def _mark(image: bytes) -> bytes:
    """An XSAVE image with the marks by which unwinders and sigreturn know its size and features, and with its
    legacy part in use, so that a handler may change that (as Linux)."""
    marked = bytearray(image)
    marked[_LEGACY_SIZE] |= _FP_SSE
    _SW.pack_into(marked, _SW_OFFSET, _MAGIC1, len(image) + len(_MAGIC2), _features(image), len(image))
    return bytes(marked) + _MAGIC2


def _load_fpu(task: Task, address: int) -> bytes:
    """The FP state at `address`: the whole XSAVE image when it is marked as one, else the legacy part
    alone.
    """
    native = task.ctx.get_fpu()
    legacy = task.copy_in(address, _LEGACY_SIZE)
    magic, extended, _, size = _SW.unpack_from(legacy, _SW_OFFSET)
    marked = magic == _MAGIC1 and size == len(native) and extended >= size + len(_MAGIC2)
    if address % 64 == 0 and marked:
        image = task.copy_in(address, size + len(_MAGIC2))
        if image.endswith(_MAGIC2):
            state, *must_be_zero = _XSAVE_HEADER.unpack_from(image, _LEGACY_SIZE)
            if state & ~_features(native) or any(must_be_zero):
                raise Errno(errno.EFAULT)  # XRSTOR would refuse it
            header = _XSAVE_HEADER.pack(state, 0, 0)
            return _software_cleared(image[:_LEGACY_SIZE], native) + header + image[_LEGACY_SIZE + 64 : size]
    rest = len(native) - _LEGACY_SIZE - _XSAVE_HEADER.size
    return _software_cleared(legacy, native) + _XSAVE_HEADER.pack(_FP_SSE, 0, 0) + bytes(rest)


def user_features(task: Task) -> int:
    """The components of the FP state that threads have (XCR0)."""
    return _features(task.ctx.get_fpu())


def _features(native: bytes) -> int:
    """The feature mask that goes with a back-end's image: in the frame's own place, where PTRACE_GETREGSET
    leaves XCR0 (the first software bytes), or what the image holds."""
    magic, _, features, _ = _SW.unpack_from(native, _SW_OFFSET)
    if magic == _MAGIC1:
        return int(features)
    xcr0 = int.from_bytes(native[_SW_OFFSET : _SW_OFFSET + 8], "little")
    return xcr0 or int(_XSAVE_HEADER.unpack_from(native, _LEGACY_SIZE)[0])


def _software_cleared(legacy: bytes, native: bytes) -> bytes:
    return legacy[:_SW_OFFSET] + native[_SW_OFFSET:_LEGACY_SIZE]
