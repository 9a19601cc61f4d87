/* What a handler sees and may change: registers, faults as signals, alternate stacks. */
#include "harness.h"
#include "fixtures.h"

#include <sys/resource.h>
#include <ucontext.h>

static volatile int fault_code;
static void *volatile fault_address;

/* Installs a three-argument handler. */
static void handle_context(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(number, &action, NULL));
}

static void skip_two_bytes(int number, siginfo_t *info, void *context)
{
	count_signal(number);
	fault_code = info->si_code;
	fault_address = info->si_addr;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

CASE(handler_may_move_the_instruction_pointer, "getcontext(3)")
{
	handle_context(SIGILL, skip_two_bytes, 0);
	__asm__ volatile("ud2");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fault_code, ILL_ILLOPN);
}

static void set_rax(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)info;
	count_signal(number);
	registers[REG_RIP] += 2;
	registers[REG_RAX] = registers[REG_RBX] + 1;
}

CASE(handler_sees_and_changes_general_registers, "getcontext(3)")
{
	long result;

	handle_context(SIGILL, set_rax, 0);
	__asm__ volatile("mov $41, %%rbx; ud2" : "=a"(result) : : "rbx");
	CHECK_EQ(result, 42);
}

CASE(division_by_zero_raises_SIGFPE_with_FPE_INTDIV, "sigaction(2)")
{
	handle_context(SIGFPE, skip_two_bytes, 0);
	__asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fault_code, FPE_INTDIV);
}

static void count_trap(int number, siginfo_t *info, void *context)
{
	(void)context;
	count_signal(number);
	fault_code = info->si_code;
}

CASE(int3_raises_SIGTRAP, "sigaction(2)")
{
	handle_context(SIGTRAP, count_trap, 0);
	__asm__ volatile("int3");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fault_code, SI_KERNEL);
}

CASE(non_canonical_address_raises_SIGSEGV_with_SI_KERNEL, "sigaction(2)")
{
	handle_context(SIGSEGV, skip_two_bytes, 0);
	__asm__ volatile("mov $0x1234567812345678, %%rax; movb (%%rax), %%al" : : : "rax");
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(fault_code, SI_KERNEL);
}

CASE(context_of_a_page_fault_has_address_and_error_code, "sigaction(2)")
{
	handle_context(SIGSEGV, skip_two_bytes, 0);
	char *page = unmapped();

	__asm__ volatile("movb %%al, (%0)" : : "r"(page) : "memory");
	CHECK_EQ(signals_seen, 1);
	CHECK(fault_address == page);
	CHECK_EQ(fault_code, SEGV_MAPERR);
}

CASE(blocked_synchronous_fault_kills, "sigprocmask(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		struct rlimit none = { 0, 0 };
		sigset_t set;

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, count_signal);
		sigfillset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		*(volatile char *)8 = 1;
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

CASE(privileged_instruction_raises_SIGSEGV, "signal(7)")
{
	pid_t child = fork_child();

	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		__asm__ volatile("hlt");
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

static void clobber_vectors(int number)
{
	count_signal(number);
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15" : : : "xmm0", "xmm15");
	__builtin_ia32_ldmxcsr(0x5f80);
}

CASE(vector_registers_and_MXCSR_survive_a_handler, "signal(7)")
{
	unsigned long before = 0x1122334455667788, after = 0;
	long result = SYS_tgkill, group = getpid(), thread = gettid();

	handle(SIGUSR1, clobber_vectors, 0);
	__asm__ volatile("movq %[before], %%xmm15; syscall; movq %%xmm15, %[after]"
			 : "+a"(result), [after] "=&r"(after)
			 : "D"(group), "S"(thread), "d"(SIGUSR1), [before] "r"(before)
			 : "rcx", "r11", "memory", "xmm15");
	CHECK_EQ(result, 0);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(after, before);
	CHECK_EQ(__builtin_ia32_stmxcsr() & 0x6000, 0);
}

static char other_stack[65536];
static char *volatile frame;
static volatile int flags_inside;

static void note_frame(int number)
{
	stack_t inside;
	char here;

	count_signal(number);
	frame = &here;
	sigaltstack(NULL, &inside);
	flags_inside = inside.ss_flags;
}

static bool on_other_stack(void)
{
	return frame >= other_stack && frame < other_stack + sizeof(other_stack);
}

CASE(SA_ONSTACK_runs_the_handler_on_the_alternate_stack, "sigaltstack(2)")
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) }, seen;

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_frame, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK(on_other_stack());
	CHECK_EQ(flags_inside, SS_ONSTACK);
	CHECK_OK(sigaltstack(NULL, &seen));
	CHECK_EQ(seen.ss_flags, 0);
	CHECK(seen.ss_sp == other_stack);
	CHECK_EQ(seen.ss_size, sizeof(other_stack));
}

CASE(handler_without_SA_ONSTACK_stays_on_the_stack, "sigaltstack(2)")
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, note_frame, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK(!on_other_stack());
}

CASE(alternate_stack_handles_an_overflow_of_the_stack, "sigaltstack(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

		sigaltstack(&stack, NULL);
		handle(SIGSEGV, _exit, SA_ONSTACK);
		__asm__ volatile("mov $64, %%rsp; push %%rax" : : : "memory");
		_exit(0);
	}
	CHECK_EXITS(child, SIGSEGV);
}

CASE(unwritable_stack_for_the_frame_kills_with_SIGSEGV, "sigaction(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		handle(SIGILL, count_signal, 0);
		__asm__ volatile("mov $64, %%rsp; ud2" : : : "memory");
		_exit(0);
	}
	CHECK_KILLED(child, SIGSEGV);
}

static void change_altstack(int number)
{
	stack_t stack = { .ss_flags = SS_DISABLE };

	count_signal(number);
	CHECK_ERR(sigaltstack(&stack, NULL), EPERM);
}

CASE(alternate_stack_in_use_cannot_be_changed, "sigaltstack(2)")
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, change_altstack, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals_seen, 1);
}

CASE(sigaltstack_errors, "sigaltstack(2)")
{
	stack_t stack = { .ss_sp = other_stack, .ss_size = 100 };

	CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
	stack = (stack_t){ .ss_sp = other_stack, .ss_size = sizeof(other_stack), .ss_flags = 0x40 };
	CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_sigaltstack, unmapped(), NULL), EFAULT);
	CHECK_OK(sigaltstack(NULL, &stack));
	CHECK_EQ(stack.ss_flags, SS_DISABLE);
}

CASE(sigreturn_restores_the_mask, "sigreturn(2)")
{
	sigset_t before, after;

	handle(SIGUSR1, count_signal, 0);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &before));
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &after));
	CHECK_EQ(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
}
