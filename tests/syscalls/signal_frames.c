/* Signal frames: where they lie, what a handler finds in them and may change. Hostile ones: sigreturn.c. */
#include "harness.h"
#include "frames.h"

#include <setjmp.h>

#define USER_CODE 0x33ul
#define USER_DATA 0x2bul
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

static void look_at_layout(void)
{
	uintptr_t frame = (uintptr_t)seen - 8;

	CHECK_EQ(frame % 16, 8);
	CHECK_EQ((uintptr_t)seen_info - frame, 312);
	CHECK_EQ((uintptr_t)fp_state(seen) % 64, 0);
	CHECK((uintptr_t)fp_state(seen) >= frame + 440);
	CHECK_EQ(seen->uc_flags, 7); /* FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS */
	CHECK(seen->uc_link == NULL);
	CHECK_EQ(seen->uc_mcontext.gregs[REG_CSGSFS] & 0xffff, USER_CODE);
	CHECK_EQ((unsigned long)seen->uc_mcontext.gregs[REG_CSGSFS] >> 48, USER_DATA);
	CHECK_EQ(seen->uc_stack.ss_flags, 0); /* as it was set, not as sigaltstack(2) tells it */
	CHECK(seen->uc_stack.ss_sp == NULL);
}

CASE(frame_lies_as_the_kernel_lays_it_out, "sigreturn(2)")
{
	raise_and(look_at_layout);
}

static void look_at_marks(void)
{
	unsigned char *state = fp_state(seen);
	unsigned extended = word_at(state + SOFTWARE + 4), size = word_at(state + SOFTWARE + 16);
	unsigned long features, held;

	CHECK_EQ(word_at(state + SOFTWARE), MAGIC1);
	CHECK_EQ(extended, size + 4);
	CHECK_EQ(word_at(state + size), MAGIC2);
	memcpy(&features, state + SOFTWARE + 8, sizeof(features));
	memcpy(&held, state + HEADER, sizeof(held));
	CHECK_EQ(features & 3, 3);
	CHECK_EQ(held & ~features, 0);
	CHECK_EQ(word_at(state + HEADER + 8), 0); /* not compacted */
}

CASE(floating_point_state_is_marked_for_unwinders, "sigreturn(2)")
{
	raise_and(look_at_marks);
}

static void look_at_info(void)
{
	static const char zeros[128 - 24];

	CHECK_EQ(seen_info->si_signo, SIGUSR1);
	CHECK_EQ(seen_info->si_errno, 0);
	CHECK_EQ(seen_info->si_code, SI_TKILL);
	CHECK_EQ(seen_info->si_pid, getpid());
	CHECK_EQ(seen_info->si_uid, getuid());
	CHECK(memcmp((char *)seen_info + 24, zeros, sizeof(zeros)) == 0);
}

CASE(siginfo_of_tgkill_is_zero_behind_the_sender, "sigaction(2)")
{
	raise_and(look_at_info);
}

static greg_t gregs_inside[NGREG];

static void keep_registers(int number, siginfo_t *info, void *context)
{
	(void)info;
	count_signal(number);
	memcpy(gregs_inside, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof(gregs_inside));
}

CASE(frame_holds_the_registers_at_the_call, "getcontext(3)")
{
	handle_context(SIGUSR1, keep_registers, 0);

	unsigned long next, result = SYS_tgkill;
	long group = getpid(), thread = gettid();
	register unsigned long r12 __asm__("r12") = 0x1212121212121212;
	register unsigned long r15 __asm__("r15") = 0x1515151515151515;
	register unsigned long r8 __asm__("r8") = 0x0808080808080808, r10 __asm__("r10") = 0x1010101010101010;

	__asm__ volatile("syscall\n1:\tlea 1b(%%rip), %[next]" : "+a"(result), [next] "=&r"(next)
			 : "D"(group), "S"(thread), "d"((long)SIGUSR1), "r"(r12), "r"(r15), "r"(r8), "r"(r10)
			 : "rcx", "r11", "memory");
	CHECK_EQ(result, 0);
	CHECK_EQ(gregs_inside[REG_RIP], (long)next);
	CHECK_EQ(gregs_inside[REG_RCX], (long)next);
	CHECK_EQ(gregs_inside[REG_R11], gregs_inside[REG_EFL]);
	CHECK_EQ(gregs_inside[REG_RAX], 0);
	CHECK_EQ(gregs_inside[REG_RDX], SIGUSR1);
	CHECK_EQ(gregs_inside[REG_RDI], getpid());
	CHECK_EQ(gregs_inside[REG_R8], (long)0x0808080808080808);
	CHECK_EQ(gregs_inside[REG_R10], (long)0x1010101010101010);
	CHECK_EQ(gregs_inside[REG_R12], (long)0x1212121212121212);
	CHECK_EQ(gregs_inside[REG_R15], (long)0x1515151515151515);
}

static void choose_rax(void)
{
	seen->uc_mcontext.gregs[REG_RAX] = (greg_t)chosen;
	seen->uc_mcontext.gregs[REG_RBX] = (greg_t)~chosen;
}

CASE(handler_chooses_what_the_interrupted_call_returns, "getcontext(3)")
{
	/* 0x8000...: what a kernel might use for itself; -512...: restart codes; -38: an error. */
	static const unsigned long values[] = { 42, 0x8000000000000000, 0x8000000000000001, 0x8000000000000002,
						-512ul, -513ul, -514ul, -516ul, -38ul, -1ul };

	inspect = choose_rax;
	handle_context(SIGUSR1, run_inspection, 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		unsigned long rax = SYS_tgkill, rbx = 0;

		chosen = values[i];
		__asm__ volatile("syscall" : "+a"(rax), "+b"(rbx)
				 : "D"((long)getpid()), "S"((long)gettid()), "d"((long)SIGUSR1)
				 : "rcx", "r11", "memory");
		CHECK_EQ(rax, values[i]);
		CHECK_EQ(rbx, ~values[i]);
	}
	CHECK_EQ(signals_seen, 10);
}

static void change_xmm7_and_mask(void)
{
	unsigned long lanes[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };

	memcpy(fp_state(seen) + 160 + 16 * 7, lanes, sizeof(lanes));
	sigaddset(&seen->uc_sigmask, SIGUSR2);
	sigaddset(&seen->uc_sigmask, SIGKILL);
}

CASE(handler_changes_a_vector_register_and_the_mask, "getcontext(3)")
{
	unsigned long lanes[2] = { 0, 0 }, number = SYS_tgkill;
	sigset_t mask;

	inspect = change_xmm7_and_mask;
	handle_context(SIGUSR1, run_inspection, 0);
	__asm__ volatile("pxor %%xmm7, %%xmm7; syscall; movdqu %%xmm7, %[lanes]"
			 : "+a"(number), [lanes] "=m"(lanes)
			 : "D"((long)getpid()), "S"((long)gettid()), "d"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "xmm7");
	CHECK_EQ(lanes[0], 0x1122334455667788);
	CHECK_EQ(lanes[1], 0x99aabbccddeeff00);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &mask));
	CHECK_EQ(sigismember(&mask, SIGUSR2), 1);
	CHECK_EQ(sigismember(&mask, SIGUSR1), 0);
	CHECK_EQ(sigismember(&mask, SIGKILL), 0);
}

__attribute__((target("avx512f")))
static void clobber_zmm(int number)
{
	count_signal(number);
	__asm__ volatile("vpxord %%zmm17, %%zmm17, %%zmm17; vpxord %%zmm3, %%zmm3, %%zmm3;"
			 "kxorw %%k3, %%k3, %%k3"
			 : : : "xmm3", "xmm17", "k3");
}

__attribute__((target("avx512f")))
static void check_zmm(void)
{
	unsigned char low[64], high[64], pattern[64];
	unsigned long number = SYS_tgkill, mask = 0xbeef;

	for (int i = 0; i < 64; i++)
		pattern[i] = (unsigned char)(i * 3 + 1);
	__asm__ volatile("vmovdqu32 %[pattern], %%zmm3; vmovdqu32 %[pattern], %%zmm17;"
			 "kmovw %k[mask], %%k3; syscall; vmovdqu32 %%zmm3, %[low];"
			 "vmovdqu32 %%zmm17, %[high]; kmovw %%k3, %k[mask]"
			 : "+a"(number), [low] "=m"(low), [high] "=m"(high), [mask] "+b"(mask)
			 : [pattern] "m"(pattern), "D"((long)getpid()), "S"((long)gettid()), "d"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "xmm3", "xmm17", "k3");
	CHECK(memcmp(low, pattern, 64) == 0);
	CHECK(memcmp(high, pattern, 64) == 0);
	CHECK_EQ(mask, 0xbeef);
}

CASE(AVX512_registers_survive_a_handler, "signal(7)")
{
	if (!__builtin_cpu_supports("avx512f"))
		SKIP("the processor has no AVX-512");
	handle(SIGUSR1, clobber_zmm, 0);
	check_zmm();
	CHECK_EQ(signals_seen, 1);
}

static void descend(int number)
{
	volatile double kept = number * 1.5;

	count_signal(number);
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm6, %%xmm6" : : : "xmm0", "xmm6");
	if (number < SIGRTMIN + 6)
		CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), number + 1));
	CHECK(kept == number * 1.5);
}

CASE(handlers_nest_and_unwind_in_order, "signal(7)")
{
	for (int number = SIGRTMIN; number <= SIGRTMIN + 6; number++)
		handle(number, descend, 0);
	raise_and(look_at_layout);
	signals_seen = 0;
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN));
	CHECK_EQ(signals_seen, 7);
}

static sigjmp_buf place;

static void leap(int number)
{
	count_signal(number);
	siglongjmp(place, number);
}

CASE(handler_may_be_left_by_a_jump, "sigsetjmp(3)")
{
	handle(SIGUSR1, leap, 0);
	for (volatile int i = 0; i < 3; i++)
		if (sigsetjmp(place, 1) == 0) {
			raise(SIGUSR1);
			FAIL("the handler returned");
		}
	CHECK_EQ(signals_seen, 3);
}

/* Alternate stacks */

static char other_stack[65536] __attribute__((aligned(16)));
static uintptr_t frames[4];
static stack_t inside;

static void note_stack(int number)
{
	frames[signals_seen] = (uintptr_t)&number;
	count_signal(number);
	sigaltstack(NULL, &inside);
	if (signals_seen == 1)
		raise(SIGUSR2);
}

static bool on_other_stack(uintptr_t address)
{
	return address - (uintptr_t)other_stack < sizeof(other_stack);
}

CASE(nested_handler_goes_on_below_on_the_alternate_stack, "sigaltstack(2)")
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_stack, SA_ONSTACK);
	handle(SIGUSR2, note_stack, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals_seen, 2);
	CHECK(on_other_stack(frames[0]) && on_other_stack(frames[1]));
	CHECK(frames[1] < frames[0]);
	CHECK_EQ(inside.ss_flags, SS_ONSTACK);
}

CASE(SS_AUTODISARM_disables_the_stack_for_the_handler, "sigaltstack(2)")
{
	const int autodisarm = (int)(1u << 31);
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack), .ss_flags = autodisarm }, after;

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_stack, SA_ONSTACK);
	handle(SIGUSR2, note_stack, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK(on_other_stack(frames[0]));
	CHECK_EQ(inside.ss_flags, SS_DISABLE);
	CHECK_OK(sigaltstack(NULL, &after));
	CHECK_EQ(after.ss_flags, autodisarm);
	CHECK(after.ss_sp == other_stack);
	CHECK_EQ(after.ss_size, sizeof(other_stack));
}

static void change_uc_stack(void)
{
	seen->uc_stack.ss_sp = other_stack;
	seen->uc_stack.ss_size = chosen;
	seen->uc_stack.ss_flags = 0;
}

CASE(sigreturn_sets_the_alternate_stack_unless_it_is_bad, "sigreturn(2)")
{
	stack_t after;

	chosen = 100; /* too small */
	raise_and(change_uc_stack);
	CHECK_OK(sigaltstack(NULL, &after));
	CHECK_EQ(after.ss_flags, SS_DISABLE);
	chosen = sizeof(other_stack);
	raise_and(change_uc_stack);
	CHECK_OK(sigaltstack(NULL, &after));
	CHECK_EQ(after.ss_flags, 0);
	CHECK(after.ss_sp == other_stack);
}
