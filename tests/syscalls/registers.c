/* What a system call, a signal, a fork and a switch to another process leave in the registers. */
#include "harness.h"
#include "fixtures.h"

#include <immintrin.h>

CASE(system_call_keeps_all_general_registers_but_rax_rcx_r11, "syscall(2)")
{
	unsigned long before[12], after[12];

	for (int i = 0; i < 12; i++)
		before[i] = 0x1111111111111111ul * (i + 1);
	__asm__ volatile(
		"push %%rbp\n\t"
		"push %[after]\n\t"
		"mov %[before], %%rax\n\t"
		"mov 0(%%rax), %%rbx\n\t"
		"mov 8(%%rax), %%rdi\n\t"
		"mov 16(%%rax), %%rsi\n\t"
		"mov 24(%%rax), %%rdx\n\t"
		"mov 32(%%rax), %%r8\n\t"
		"mov 40(%%rax), %%r9\n\t"
		"mov 48(%%rax), %%r10\n\t"
		"mov 56(%%rax), %%r12\n\t"
		"mov 64(%%rax), %%r13\n\t"
		"mov 72(%%rax), %%r14\n\t"
		"mov 80(%%rax), %%r15\n\t"
		"mov 88(%%rax), %%rbp\n\t"
		"mov $110, %%eax\n\t" /* getppid */
		"syscall\n\t"
		"pop %%rax\n\t"
		"mov %%rbx, 0(%%rax)\n\t"
		"mov %%rdi, 8(%%rax)\n\t"
		"mov %%rsi, 16(%%rax)\n\t"
		"mov %%rdx, 24(%%rax)\n\t"
		"mov %%r8, 32(%%rax)\n\t"
		"mov %%r9, 40(%%rax)\n\t"
		"mov %%r10, 48(%%rax)\n\t"
		"mov %%r12, 56(%%rax)\n\t"
		"mov %%r13, 64(%%rax)\n\t"
		"mov %%r14, 72(%%rax)\n\t"
		"mov %%r15, 80(%%rax)\n\t"
		"mov %%rbp, 88(%%rax)\n\t"
		"pop %%rbp"
		: : [before] "c"(before), [after] "D"(after)
		: "rax", "rbx", "rsi", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
	for (int i = 0; i < 12; i++)
		CHECK_EQ(after[i], before[i]);
}

CASE(system_call_leaves_flags_in_r11_and_the_next_address_in_rcx, "syscall(2)")
{
	unsigned long next, rcx, r11, flags;
	long result = SYS_getppid;

	__asm__ volatile(
		"stc\n\t"
		"syscall\n"
		"1:\tpushf\n\t"
		"pop %[flags]\n\t"
		"lea 1b(%%rip), %[next]\n\t"
		"mov %%rcx, %[rcx]\n\t"
		"mov %%r11, %[r11]"
		: "+a"(result), [flags] "=&r"(flags), [next] "=&r"(next), [rcx] "=&r"(rcx), [r11] "=&r"(r11)
		: : "rcx", "r11", "memory", "cc");
	CHECK_EQ(rcx, next);
	CHECK_EQ(r11, flags);
	CHECK_EQ(flags & 1, 1);
}

CASE(system_call_keeps_the_direction_flag, "syscall(2)")
{
	unsigned long flags;
	long result = SYS_getppid;

	__asm__ volatile("std; syscall; pushf; pop %[flags]; cld"
			 : "+a"(result), [flags] "=&r"(flags) : : "rcx", "r11", "memory", "cc");
	CHECK_EQ(flags & 0x400, 0x400);
	CHECK_EQ(result, getppid());
}

static volatile unsigned long flags_inside;

static void note_flags(int number)
{
	unsigned long flags;

	count_signal(number);
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	flags_inside = flags;
}

CASE(handler_starts_with_a_clear_direction_flag, "sigaction(2)")
{
	long result = SYS_tgkill;

	handle(SIGUSR1, note_flags, 0);
	__asm__ volatile("std; syscall; cld" : "+a"(result)
			 : "D"((long)getpid()), "S"((long)gettid()), "d"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "cc");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(flags_inside & 0x400, 0);
}

static void use_the_stack(int number)
{
	volatile char below[512];

	count_signal(number);
	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = (char)0xff;
}

CASE(signal_leaves_the_red_zone_alone, "sigaction(2)")
{
	long kept;

	handle(SIGTRAP, use_the_stack, 0);
	__asm__ volatile("movq $0x1234567, -120(%%rsp); movq $0x76543, -8(%%rsp); int3;"
			 "mov -120(%%rsp), %0; add -8(%%rsp), %0" : "=r"(kept) : : "memory");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(kept, 0x1234567 + 0x76543);
}

__attribute__((target("avx")))
static void clobber_ymm(int number)
{
	count_signal(number);
	_mm256_zeroall();
}

/* Sets all of ymm5, makes the call, and returns whether ymm5 is what it was. */
__attribute__((target("avx")))
static bool ymm_survives(long number, long first, long second, long third)
{
	unsigned long before[4] = { 1, 2, 0x123456789abcdef, 4 }, after[4];

	__asm__ volatile("vmovdqu %[before], %%ymm5; syscall; vmovdqu %%ymm5, %[after]"
			 : "+a"(number), [after] "=m"(after)
			 : [before] "m"(before), "D"(first), "S"(second), "d"(third)
			 : "rcx", "r11", "memory", "xmm5");
	return memcmp(before, after, sizeof(before)) == 0;
}

CASE(AVX_registers_survive_calls_and_handlers, "signal(7)")
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("the processor has no AVX");
	handle(SIGUSR1, clobber_ymm, 0);
	CHECK(ymm_survives(SYS_getppid, 0, 0, 0));
	CHECK(ymm_survives(SYS_sched_yield, 0, 0, 0));
	CHECK(ymm_survives(SYS_uname, 0, 0, 0));
	CHECK(ymm_survives(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	CHECK_EQ(signals_seen, 1);
}

CASE(AVX_registers_survive_a_switch_to_another_process, "signal(7)")
{
	int there[2], back[2];
	char byte;
	pid_t child;

	if (!__builtin_cpu_supports("avx"))
		SKIP("the processor has no AVX");
	CHECK_OK(pipe(there));
	CHECK_OK(pipe(back));
	child = fork_child();
	if (child == 0) {
		await(there[0]);
		clobber_ymm(0);
		tell(back[1]);
		_exit(0);
	}
	tell(there[1]);
	CHECK(ymm_survives(SYS_read, back[0], (long)&byte, 1));
	CHECK_EXITS(child, 0);
}

CASE(fork_copies_floating_point_state, "fork(2)")
{
	unsigned control = 0x5f80, seen;
	long child = SYS_fork;
	double value = 2.5, kept;

	__asm__ volatile("ldmxcsr %[control]; movsd %[value], %%xmm7; syscall;"
			 "movsd %%xmm7, %[kept]; stmxcsr %[seen]"
			 : "+a"(child), [kept] "=m"(kept), [seen] "=m"(seen)
			 : [control] "m"(control), [value] "m"(value) : "rcx", "r11", "memory", "xmm7");
	if (child == 0)
		_exit(kept == 2.5 && seen == control ? 0 : 1);
	__builtin_ia32_ldmxcsr(0x1f80);
	CHECK(kept == 2.5);
	CHECK_EXITS(child, 0);
}

CASE(x87_state_survives_a_call, "syscall(2)")
{
	long double before = 1.25L, after;
	long result = SYS_getppid;

	__asm__ volatile("fldt %[before]; syscall; fstpt %[after]"
			 : "+a"(result), [after] "=m"(after)
			 : [before] "m"(before) : "rcx", "r11", "memory", "st");
	CHECK(before == after);
}
