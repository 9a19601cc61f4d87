/* rt_sigreturn: the floating-point state that it restores, and what a hostile frame gets. */
#include "harness.h"
#include "frames.h"

static char other_stack[65536];

static void drop_fp_state(void)
{
	seen->uc_mcontext.fpregs = NULL;
}

CASE(frame_without_floating_point_state_resets_it, "sigreturn(2)")
{
	need_avx();
	signal_with_ymm5_set(drop_fp_state);
	CHECK(all(ymm5, 32, 0));
	CHECK_EQ(mxcsr_after & 0xffc0, 0x1f80);
}

static void unmark(void)
{
	memset(fp_state(seen) + SOFTWARE, 0, 4);
}

CASE(unmarked_state_restores_the_legacy_part_alone, "sigreturn(2)")
{
	need_avx();
	signal_with_ymm5_set(unmark);
	CHECK(all(ymm5, 16, 0xff));
	CHECK(all(ymm5 + 16, 16, 0));
	CHECK_EQ(mxcsr_after & 0xffc0, 0x3f80);
}

static void spoil_magic2(void)
{
	unsigned char *state = fp_state(seen);

	state[word_at(state + SOFTWARE + 16)] ^= 1;
}

CASE(state_without_its_end_mark_restores_the_legacy_part_alone, "sigreturn(2)")
{
	need_avx();
	signal_with_ymm5_set(spoil_magic2);
	CHECK(all(ymm5, 16, 0xff));
	CHECK(all(ymm5 + 16, 16, 0));
}

static void forget_avx(void)
{
	fp_state(seen)[HEADER] &= ~4;
}

CASE(component_missing_from_the_header_is_reset, "sigreturn(2)")
{
	need_avx();
	signal_with_ymm5_set(forget_avx);
	CHECK(all(ymm5, 16, 0xff));
	CHECK(all(ymm5 + 16, 16, 0));
}

static void edit_upper_half(void)
{
	memset(fp_state(seen) + UPPER + 16 * 5, 0x5a, 16);
}

CASE(handler_changes_the_upper_half_of_a_ymm_register, "sigreturn(2)")
{
	need_avx();
	signal_with_ymm5_set(edit_upper_half);
	CHECK(all(ymm5, 16, 0xff));
	CHECK(all(ymm5 + 16, 16, 0x5a));
	CHECK_EQ(mxcsr_after & 0xffc0, 0x3f80);
}

static void *moved;

static void move_fp_state(void)
{
	unsigned char *state = fp_state(seen);

	memcpy(moved, state, word_at(state + SOFTWARE + 4));
	memset((char *)moved + UPPER + 16 * 5, 0xa5, 16);
	seen->uc_mcontext.fpregs = moved;
}

CASE(floating_point_state_may_lie_elsewhere, "sigreturn(2)")
{
	need_avx();
	moved = map_pages(4, MAP_PRIVATE);
	signal_with_ymm5_set(move_fp_state);
	CHECK(all(ymm5, 16, 0xff));
	CHECK(all(ymm5 + 16, 16, 0xa5));
}

static void expect_segv(void (*spoil)(void))
{
	pid_t child = fork_child();

	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		raise_and(spoil);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

static void choose_rip(void) { seen->uc_mcontext.gregs[REG_RIP] = (greg_t)chosen; }

CASE(sigreturn_to_no_user_address_is_SIGSEGV, "sigreturn(2)")
{
	static const unsigned long addresses[] = { 1ul << 63, 0xffffffff81000000, 1ul << 47,
						   0x1234567812345678, 0 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		chosen = addresses[i];
		expect_segv(choose_rip);
	}
}

static void choose_code_segment(void)
{
	greg_t *word = &seen->uc_mcontext.gregs[REG_CSGSFS];

	*word = (*word & ~0xffffl) | (greg_t)chosen;
}

static void choose_stack_segment(void)
{
	greg_t *word = &seen->uc_mcontext.gregs[REG_CSGSFS];

	*word = (greg_t)(((unsigned long)*word & 0xffffffffffff) | chosen << 48);
}

CASE(sigreturn_to_a_kernel_or_null_segment_is_SIGSEGV, "sigreturn(2)")
{
	static const unsigned long segments[] = { 0x10, 0x18, 0x08, 0xffff };

	for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++) {
		chosen = segments[i];
		expect_segv(choose_code_segment);
		expect_segv(choose_stack_segment);
	}
	chosen = 0;
	expect_segv(choose_code_segment);
}

static void choose_fp_state(void) { seen->uc_mcontext.fpregs = (void *)chosen; }
static void spoil_mxcsr(void) { memset(fp_state(seen) + 24, 0xff, 4); }
static void spoil_features(void) { memset(fp_state(seen) + HEADER, 0xff, 8); }
static void spoil_format(void) { fp_state(seen)[HEADER + 15] = 0x80; }
static void spoil_header(void) { fp_state(seen)[HEADER + 20] = 1; }

CASE(sigreturn_with_a_bad_floating_point_state_is_SIGSEGV, "sigreturn(2)")
{
	char *end = pages_before_a_hole(1) + PAGE;
	unsigned long addresses[] = { (unsigned long)unmapped(), 0xffffffff81000000, 1ul << 63, 8,
				      (unsigned long)end - 256, (unsigned long)end - 512 + 64 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		chosen = addresses[i];
		expect_segv(choose_fp_state);
	}
	expect_segv(spoil_mxcsr);
	expect_segv(spoil_features);
	expect_segv(spoil_format);
	expect_segv(spoil_header);
}

CASE(sigreturn_without_a_frame_is_SIGSEGV, "sigreturn(2)")
{
	static const unsigned long stacks[] = { 0, 8, 0x1000, 0x7ffffffff000, -8ul, 1ul << 63,
						0xffffffff81000000 };

	for (size_t i = 0; i < sizeof(stacks) / sizeof(*stacks); i++) {
		pid_t child = fork_child();

		if (child == 0) {
			struct rlimit none = { 0, 0 };

			setrlimit(RLIMIT_CORE, &none);
			__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; hlt" : : "r"(stacks[i]) : "rax");
			_exit(0);
		}
		CHECK_KILLED(child, SIGSEGV);
	}
}

static void all_flags(void)
{
	seen->uc_mcontext.gregs[REG_EFL] |= 0x1b7000; /* IOPL, NT, RF, VM, VIF, VIP */
	seen->uc_mcontext.gregs[REG_EFL] &= ~0x200l;   /* IF */
}

CASE(sigreturn_gives_no_privileged_flag, "sigreturn(2)")
{
	unsigned long flags;

	raise_and(all_flags);
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	CHECK_EQ(flags & 0x1a7000, 0);
	CHECK_EQ(flags & 0x200, 0x200);
}

static char *copied;

/* Leaves by a copy of the frame that ends where memory ends; its FP state stays where it was. */
static void leave_by_copy(void)
{
	memcpy(copied, (char *)seen - 8, 312);
	__asm__ volatile("lea 8(%0), %%rsp; mov $15, %%eax; syscall" : : "r"(copied) : "rax", "memory");
	__builtin_unreachable();
}

CASE(frame_may_end_where_memory_ends, "sigreturn(2)")
{
	copied = pages_before_a_hole(1) + PAGE - 312;
	raise_and(leave_by_copy);
	need_avx();
	signal_with_ymm5_set(leave_by_copy);
	CHECK(all(ymm5, 32, 0xff));
	CHECK_EQ(mxcsr_after & 0xffc0, 0x3f80);
}

CASE(frame_that_does_not_fit_on_a_small_alternate_stack_is_SIGSEGV, "sigaltstack(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		stack_t stack = { .ss_sp = other_stack, .ss_size = 2048 };
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		syscall(SYS_sigaltstack, &stack, NULL);
		handle(SIGUSR1, count_signal, SA_ONSTACK);
		if (!__builtin_cpu_supports("avx512f")) /* then it may fit */
			raise(SIGSEGV);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}
