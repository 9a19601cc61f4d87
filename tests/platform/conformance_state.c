/* Registers and FP/vector state. */
#include "conformance.h"

#include <string.h>
#include <sys/mman.h>

GUEST(shuffle,
      "1: movaps (%rsi), %xmm3\n paddd %xmm3, %xmm3\n movaps %xmm3, 16(%rsi)\n fld1\n"
      "mov $39, %eax\n syscall\n"
      "jmp 1b\n");
GUEST(dump, "1: movaps %xmm3, (%rsi)\n stmxcsr 16(%rsi)\n mov $39, %eax\n syscall\n jmp 1b\n");
GUEST(plain, "1: syscall\n jmp 1b\n");
GUEST(bases, "mov %fs:0, %rbx\n mov %gs:8, %rbp\n mov $39, %eax\n syscall\n");
GUEST(to_32_bit, "push $0x23\n mov $0x500000, %eax\n push %rax\n lretq\n");

static void every_register_makes_the_round_trip(void)
{
	struct pf_context *ctx = LOAD(plain);
	ctx->regs.rax = 1;
	run_to_syscall(ctx, 1);
	uint64_t *regs = (uint64_t *)&ctx->regs;
	size_t last = offsetof(struct pf_regs, rdi) / 8;
	for (size_t i = 0; i <= last; i++)
		regs[i] = 0x1111111111111111ULL * (i + 1);
	ctx->regs.rsp = 0xdeadbeef00;
	ctx->regs.eflags = 0x202 | 0x400 | 0x1; /* DF, CF */
	ctx->regs.fs_base = 0x123456789000;
	ctx->regs.gs_base = 0x7f0000001000;
	struct pf_regs want = ctx->regs;
	/* Work in between leaves them alone. */
	map_anonymous(ctx, 0x600000, PAGE, PROT_READ);
	CHECK(!memcmp(&want, &ctx->regs, sizeof want));
	run_to_syscall(ctx, (long)want.rax);
	want.orig_rax = want.rax;
	want.rax = (uint64_t)-38;
	want.rip = ctx->regs.rip;
	want.rcx = want.rip;
	want.r11 = want.eflags;
	CHECK_EQ(want.rip, CODE + 2);
	for (size_t i = 0; i < sizeof want / 8; i++)
		if (i != offsetof(struct pf_regs, rax) / 8)
			CHECK_EQ(((uint64_t *)&ctx->regs)[i], ((uint64_t *)&want)[i]);
}

static void segment_bases(void)
{
	struct pf_context *ctx = LOAD(bases);
	poke(ctx, DATA, 0x11);
	poke(ctx, DATA + 24, 0x22);
	ctx->regs.fs_base = DATA;
	ctx->regs.gs_base = DATA + 16;
	run_to_syscall(ctx, 39);
	CHECK_EQ(ctx->regs.rbx, 0x11);
	CHECK_EQ(ctx->regs.rbp, 0x22);
}

static void bad_registers_are_refused(void)
{
	struct pf_context *ctx = LOAD(plain);
	struct pf_regs good = ctx->regs;
	ctx->regs.fs_base = 1ULL << 62;
	CHECK(ops->resume(ctx) < 0);
	CHECK(!ctx->running);
	ctx->regs = good;
	ctx->regs.cs = 0x10; /* the kernel's */
	CHECK(ops->resume(ctx) < 0);
	ctx->regs = good;
	ctx->regs.rax = 5;
	run_to_syscall(ctx, 5);
}

/* In 32-bit code the stub's routines work all the same. */
static void a_guest_in_32_bit_mode(void)
{
	struct pf_context *ctx = LOAD(to_32_bit);
	static const unsigned char code[] = {0x48, 0x90, 0xcd,
					     0x80}; /* dec %eax (REX.W in 64 bit); nop; int $0x80 */
	CHECK_EQ(ops->write(ctx, DATA, code, sizeof code), sizeof code);
	CHECK_EQ(ops->protect(ctx, DATA, PAGE, PROT_READ | PROT_EXEC), 0);
	struct pf_event event = run(ctx);
	CHECK_EQ(event.kind, PF_SYSCALL);
	CHECK(ctx->compat);
	CHECK_EQ(ctx->regs.cs, 0x23);
	CHECK_EQ(ctx->regs.orig_rax, DATA - 1);
	map_anonymous(ctx, 0x600000, PAGE, PROT_READ);
	CHECK_EQ(ctx->regs.cs, 0x23);
	ctx->regs.rip = DATA;
	event = run(ctx);
	CHECK_EQ(event.kind, PF_SYSCALL);
	CHECK(ctx->compat);
}

static void vector_state_round_trip(void)
{
	struct pf_context *ctx = LOAD(shuffle);
	size_t size = ops->fpu_size();
	unsigned char *state = calloc(1, size), *fresh = calloc(1, size);
	CHECK(size >= 512 + 64);
	CHECK_EQ(ops->get_fpu(ctx, fresh, size), size);
	CHECK(ops->get_fpu(ctx, state, size - 8) < 0);
	ctx->regs.rsi = DATA;
	for (uint32_t i = 0; i < 4; i++)
		poke(ctx, DATA + i * 4, i + 100);
	run_to_syscall(ctx, 39);
	CHECK_EQ(peek(ctx, DATA + 16 + 12), 206);
	CHECK_EQ(ops->get_fpu(ctx, state, size), size);
	CHECK(state[512] & 2);			/* XSTATE_BV: SSE in use */
	CHECK_EQ(state[160 + 3 * 16 + 4], 202); /* xmm3 */
	CHECK_EQ(state[4], 0x80);		/* abridged x87 tags: one register is full */
	state[160 + 3 * 16 + 4] = 55;
	CHECK_EQ(ops->set_fpu(ctx, state, size), 0);
	struct pf_context *other = LOAD(dump);
	other->regs.rsi = DATA;
	CHECK_EQ(ops->set_fpu(other, state, size), 0);
	run_to_syscall(other, 39);
	CHECK_EQ(peek(other, DATA + 4), 55);
	CHECK_EQ(peek(other, DATA + 8), 204);
	CHECK_EQ(peek(other, DATA + 16), 0x1f80);
	/* Bad state: MXCSR with reserved bits. */
	state[24 + 3] = 0xff;
	CHECK(ops->set_fpu(other, state, size) < 0);
	CHECK(ops->set_fpu(other, state, size - 64) < 0);
	CHECK_EQ(ops->reset_fpu(other), 0);
	run_to_syscall(other, 39);
	CHECK_EQ(peek(other, DATA + 4), 0);
	CHECK_EQ(ops->reset_fpu(ctx), 0);
	CHECK_EQ(ops->get_fpu(ctx, state, size), size);
	CHECK_EQ(state[4], 0);
	CHECK(!memcmp(state + 160, fresh + 160, 256));
	free(state);
	free(fresh);
}

const struct test state_tests[] = {
	{"every_register_makes_the_round_trip", every_register_makes_the_round_trip},
	{"segment_bases", segment_bases},
	{"bad_registers_are_refused", bad_registers_are_refused},
	{"a_guest_in_32_bit_mode", a_guest_in_32_bit_mode},
	{"vector_state_round_trip", vector_state_round_trip},
	{0},
};
