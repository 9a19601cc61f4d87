"""Signal frames: what the handler finds, and what a hostile frame can not do (sigreturn(2))."""

from __future__ import annotations

import errno
from struct import pack, unpack_from

import pytest

from sentry.abi.signal import SA_ONSTACK, SA_RESTORER, SIGSEGV, SIGUSR1, SS_AUTODISARM, SS_DISABLE, mask_of
from sentry.errors import Errno
from sentry.kernel.signals import altstack, sigframe
from sentry.kernel.signals.siginfo import SigInfo
from tests.unit.kernel_doubles import FPU_SIZE, MEMORY_SIZE, MEMORY_START, FakeTask, World, handle

TOP = MEMORY_START + MEMORY_SIZE
CANONICAL_RIP = 0x401000
UC = 8  # offsets in the frame
GREGS = UC + 40
EFL, FPSTATE, SIGMASK = GREGS + 17 * 8, GREGS + 23 * 8, UC + 40 + 256


@pytest.fixture
def task() -> FakeTask:
    world = World()
    task = world.process(world.init)
    task.ctx.rsp = TOP - 5
    task.ctx.rip = CANONICAL_RIP
    task.ctx.eflags = 0x246
    return task


def enter(task: FakeTask, flags: int = SA_RESTORER, mask: int = 0) -> int:
    """Push a frame of SIGUSR1; its address."""
    info = SigInfo(SIGUSR1, pid=7, uid=8)
    sigframe.push(task, info, handle(task, SIGUSR1, flags), mask)
    return task.ctx.rsp


def leave(task: FakeTask) -> None:
    task.ctx.rsp += 8  # the handler's ret has taken the restorer's address
    sigframe.pop(task)


def test_the_handler_is_called_like_a_function_with_siginfo_and_ucontext(task: FakeTask) -> None:
    old_sp = task.ctx.rsp
    frame = enter(task)
    ctx = task.ctx
    assert frame % 16 == 8
    assert task.read_u64(frame) == 0x6000  # returns to the restorer
    assert (ctx.rip, ctx.rdi, ctx.rsi, ctx.rdx, ctx.rax) == (0x5000, SIGUSR1, frame + 312, frame + UC, 0)
    assert unpack_from("<iiiiiI", task.copy_in(ctx.rsi, 24)) == (SIGUSR1, 0, 0, 0, 7, 8)
    fpstate = task.read_u64(frame + FPSTATE)
    assert fpstate % 64 == 0
    assert fpstate + FPU_SIZE + 4 <= old_sp - 128  # the red zone is not touched


def test_the_fp_state_is_marked_with_its_size(task: FakeTask) -> None:
    frame = enter(task)
    image = task.copy_in(task.read_u64(frame + FPSTATE), FPU_SIZE + 4)
    assert unpack_from("<IIQI", image, 464) == (0x46505853, FPU_SIZE + 4, 7, FPU_SIZE)
    assert image[-4:] == pack("<I", 0x46505845)


def test_leaving_restores_every_register_the_mask_and_the_fp_state(task: FakeTask) -> None:
    task.ctx.fpu[600:608] = b"vectors!"  # type: ignore[attr-defined]
    before = task.ctx.registers()  # type: ignore[attr-defined]
    enter(task, mask=mask_of(3))
    task.ctx.fpu[600:608] = bytes(8)  # type: ignore[attr-defined]
    for name in ("rbx", "r15", "rbp", "rcx"):
        setattr(task.ctx, name, 0)
    leave(task)
    after = task.ctx.registers()  # type: ignore[attr-defined]
    before.update(orig_rax=2**64 - 1, cs=0x33, ss=0x2B)
    assert after == before
    assert task.sigmask == mask_of(3)
    assert task.ctx.fpu[600:608] == b"vectors!"  # type: ignore[attr-defined]


def test_a_handler_without_a_restorer_can_not_be_entered(task: FakeTask) -> None:
    with pytest.raises(Errno) as refused:
        enter(task, 0)
    assert refused.value.code == errno.EFAULT


def killed_by_segv(task: FakeTask) -> bool:
    return task.group.exit_code == SIGSEGV and task.dying


def test_a_frame_in_no_memory_is_sigsegv(task: FakeTask) -> None:
    task.ctx.rsp = 8
    sigframe.pop(task)
    assert killed_by_segv(task)


def test_a_non_canonical_return_address_is_sigsegv(task: FakeTask) -> None:
    frame = enter(task)
    task.write_u64(frame + GREGS + 16 * 8, 1 << 63)
    leave(task)
    assert killed_by_segv(task)


def test_an_fp_state_in_no_memory_is_sigsegv(task: FakeTask) -> None:
    frame = enter(task)
    task.write_u64(frame + FPSTATE, 1 << 40)
    leave(task)
    assert killed_by_segv(task)


def test_no_fp_state_means_the_initial_one(task: FakeTask) -> None:
    frame = enter(task)
    task.write_u64(frame + FPSTATE, 0)
    leave(task)
    assert task.ctx.fpu_reset  # type: ignore[attr-defined]


def test_an_unmarked_fp_state_restores_the_legacy_part_alone(task: FakeTask) -> None:
    frame = enter(task)
    fpstate = task.read_u64(frame + FPSTATE)
    task.write_u32(fpstate + 464, 0)
    task.copy_out(fpstate + 600, b"\xff" * 8)
    leave(task)
    assert unpack_from("<Q", task.ctx.fpu, 512) == (3,)  # type: ignore[attr-defined]
    assert not any(task.ctx.fpu[576:])  # type: ignore[attr-defined]


@pytest.mark.parametrize("at", [1, 15, 16])  # a feature, the compacted format, what must be zero
def test_a_header_that_the_cpu_would_refuse_is_sigsegv(task: FakeTask, at: int) -> None:
    frame = enter(task)
    task.copy_out(task.read_u64(frame + FPSTATE) + 512 + at, b"\x80")
    leave(task)
    assert killed_by_segv(task)


def test_what_the_cpu_ignores_in_the_header_does_not_reach_it(task: FakeTask) -> None:
    frame = enter(task)
    task.copy_out(task.read_u64(frame + FPSTATE) + 512 + 24, b"\xff" * 40)
    leave(task)
    assert unpack_from("<QQ", task.ctx.fpu, 512) == (7, 0)  # type: ignore[attr-defined]
    assert not any(task.ctx.fpu[528:576])  # type: ignore[attr-defined]


def test_privileged_flags_can_not_be_set(task: FakeTask) -> None:
    frame = enter(task)
    task.write_u64(frame + EFL, 0xFFFFFFFF)
    leave(task)
    assert task.ctx.eflags & 0x3000 == 0  # IOPL
    assert task.ctx.eflags & 0x200  # IF stays


@pytest.mark.parametrize("at", [0, 6])  # cs, ss
def test_a_segment_of_the_kernels_is_sigsegv(task: FakeTask, at: int) -> None:
    frame = enter(task)
    task.copy_out(frame + GREGS + 18 * 8 + at, b"\x10\x00")
    leave(task)
    assert killed_by_segv(task)


def test_a_restored_mask_never_blocks_kill(task: FakeTask) -> None:
    frame = enter(task)
    task.write_u64(frame + SIGMASK, 2**64 - 1)
    leave(task)
    assert task.sigmask == (2**64 - 1) & ~mask_of(9, 19)


# The alternate stack (sigaltstack(2))

STACK = MEMORY_START + 0x8000
SIZE = 0x2000


def test_onstack_handlers_run_on_the_alternate_stack_once(task: FakeTask) -> None:
    altstack.set(task, STACK, 0, SIZE, task.ctx.rsp)
    frame = enter(task, SA_RESTORER | SA_ONSTACK)
    assert STACK < frame < STACK + SIZE
    nested = enter(task, SA_RESTORER | SA_ONSTACK)
    assert STACK < nested < frame


def test_an_overflow_of_the_alternate_stack_is_refused(task: FakeTask) -> None:
    altstack.set(task, STACK, 0, 2048, task.ctx.rsp)
    enter(task, SA_RESTORER | SA_ONSTACK)
    with pytest.raises(Errno):
        enter(task, SA_RESTORER | SA_ONSTACK)


def test_the_stack_in_use_can_not_be_replaced(task: FakeTask) -> None:
    altstack.set(task, STACK, 0, SIZE, task.ctx.rsp)
    with pytest.raises(Errno) as refused:
        altstack.set(task, STACK, 0, SIZE, STACK + 100)
    assert refused.value.code == errno.EPERM


def test_a_small_stack_gives_enomem_and_unknown_flags_einval(task: FakeTask) -> None:
    with pytest.raises(Errno) as small:
        altstack.set(task, STACK, 0, 2047, 0)
    assert small.value.code == errno.ENOMEM
    with pytest.raises(Errno) as unknown:
        altstack.set(task, STACK, 4, SIZE, 0)
    assert unknown.value.code == errno.EINVAL


def test_autodisarm_disables_the_stack_while_the_handler_runs(task: FakeTask) -> None:
    altstack.set(task, STACK, SS_AUTODISARM, SIZE, task.ctx.rsp)
    enter(task, SA_RESTORER | SA_ONSTACK)
    assert task.altstack_flags == SS_DISABLE
    leave(task)
    assert (task.altstack_sp, task.altstack_flags) == (STACK, SS_AUTODISARM)
