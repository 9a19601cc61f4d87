/* System calls and faults: what the sentry is told about them. */
#include "conformance.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

GUEST(call_twice,
      "mov $110, %eax\n mov $1, %edi\n mov $2, %esi\n mov $3, %edx\n mov $4, %r10d\n mov $5, %r8d\n"
      "mov $6, %r9d\n mov $7, %ebx\n syscall\n mov %rax, %rdi\n mov $39, %eax\n syscall\n ud2\n");

static void syscall_arguments(void)
{
	struct pf_context *ctx = LOAD(call_twice);
	run_to_syscall(ctx, 110);
	CHECK(!ctx->compat);
	CHECK_EQ(ctx->regs.rdi, 1);
	CHECK_EQ(ctx->regs.rsi, 2);
	CHECK_EQ(ctx->regs.rdx, 3);
	CHECK_EQ(ctx->regs.r10, 4);
	CHECK_EQ(ctx->regs.r8, 5);
	CHECK_EQ(ctx->regs.r9, 6);
	CHECK_EQ(ctx->regs.rbx, 7);
	CHECK_EQ(ctx->regs.rcx, ctx->regs.rip);
	uint64_t behind = ctx->regs.rip;
	ctx->regs.rax = 4242;
	run_to_syscall(ctx, 39);
	CHECK_EQ(ctx->regs.rdi, 4242);
	CHECK_EQ(ctx->regs.rip, behind + 10); /* mov, mov, syscall */
}

GUEST(any_call, "syscall\n jmp any_call\n");

static void all_results_reach_the_guest(void)
{
	/* -512.. are the host's restart codes: it must not take the guest's results for its own. */
	static const int64_t results[] = {0,	1,    -1,   -4,	  -38,	-511,  -512,
					  -513, -514, -515, -516, -517, -4095, -4096};
	struct pf_context *ctx = LOAD(any_call);
	ctx->regs.rax = 1;
	run_to_syscall(ctx, 1);
	for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
		ctx->regs.rax = (uint64_t)results[i];
		CHECK_EQ(ops->resume(ctx), 0);
		CHECK_EQ(ops->interrupt(ctx), 0); /* the host's signal path is where it would meddle */
		struct pf_event event = next_event();
		while (event.kind == PF_INTERRUPTED)
			event = run(ctx);
		CHECK_EQ(event.kind, PF_SYSCALL);
		CHECK_EQ(ctx->regs.orig_rax, results[i]);
		CHECK_EQ(ctx->regs.rip, CODE + 2);
	}
}

GUEST(int80, "mov $20, %eax\n mov $5, %ebx\n int $0x80\n mov $20, %eax\n syscall\n");

static void int80_is_marked(void)
{
	struct pf_context *ctx = LOAD(int80);
	run_to_syscall(ctx, 20);
	CHECK(ctx->compat);
	CHECK_EQ(ctx->regs.rbx, 5);
	ctx->regs.rax = 0;
	run_to_syscall(ctx, 20);
	CHECK(!ctx->compat);
}

GUEST(vsyscall,
      "mov $0xffffffffff600400, %rax\n mov $0x500000, %edi\n call *%rax\n mov %rax, %rdi\n mov $60, %eax\n"
      "syscall\n");

static void vsyscall_is_a_call(void)
{
	struct pf_context *ctx = LOAD(vsyscall);
	struct pf_event event = run(ctx);
	if (event.kind == PF_FAULT) {
		CHECK_EQ(event.signo, SIGSEGV); /* vsyscall=none */
		return;
	}
	CHECK_EQ(event.kind, PF_SYSCALL);
	CHECK_EQ(ctx->regs.orig_rax, SYS_time);
	CHECK_EQ(ctx->regs.rdi, DATA);
	ctx->regs.rax = 77;
	run_to_syscall(ctx, SYS_exit);
	CHECK_EQ(ctx->regs.rdi, 77);
	CHECK_EQ(ctx->regs.rsp, DATA + 2 * PAGE);
}

GUEST(load_word, "mov (%rdi), %rax\n");
GUEST(store_word, "mov %rax, (%rdi)\n");
GUEST(divide, "xor %edx, %edx\n xor %ecx, %ecx\n mov $1, %eax\n div %ecx\n");
GUEST(illegal, "nop\n ud2\n");
GUEST(breakpoint, "nop\n int3\n nop\n");
GUEST(privileged, "nop\n hlt\n");
GUEST(stepped, "pushf\n orl $0x100, (%rsp)\n popf\n nop\n nop\n");
GUEST(misaligned, "pushf\n orl $0x40000, (%rsp)\n popf\n mov 1(%rdi), %eax\n");
GUEST(sse_divide, "sub $8, %rsp\n movl $0x1d00, (%rsp)\n ldmxcsr (%rsp)\n xorps %xmm0, %xmm0\n mov $1, %eax\n"
		  "cvtsi2ss %eax, %xmm1\n divss %xmm0, %xmm1\n");

static struct pf_event fault(struct pf_context *ctx, int signo, int code)
{
	struct pf_event event = run(ctx);
	CHECK_EQ(event.kind, PF_FAULT);
	CHECK_EQ(event.signo, signo);
	CHECK_EQ(event.code, code);
	return event;
}

static void page_faults(void)
{
	struct pf_context *ctx = LOAD(load_word);
	ctx->regs.rdi = 0x123456789000;
	struct pf_event event = fault(ctx, SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(event.addr, 0x123456789000);
	CHECK_EQ(event.trapno, 14);
	CHECK_EQ(ctx->regs.rip, CODE);
	ctx->regs.rip = 0x7000; /* nothing there to execute */
	event = fault(ctx, SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(event.addr, 0x7000);

	ctx = LOAD(store_word);
	ctx->regs.rdi = CODE + 8;
	event = fault(ctx, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(event.addr, CODE + 8);

	/* Resuming a fault runs the instruction again. */
	map_anonymous(ctx, CODE - PAGE, PAGE, PROT_READ | PROT_WRITE);
	ctx->regs.rdi = CODE - 8;
	ctx->regs.rax = 99;
	fault(ctx, SIGSEGV, SEGV_MAPERR); /* past the snippet: zero bytes, "add %al, (%rax)" */
	CHECK_EQ(peek(ctx, CODE - 8), 99);
}

static void bus_error_behind_the_end_of_a_file(void)
{
	struct pf_context *ctx = LOAD(load_word);
	int fd = memfd("x", 1);
	CHECK_EQ(ops->map(ctx, 0x600000, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), 0);
	ctx->regs.rdi = 0x600000 + PAGE + 16;
	struct pf_event event = fault(ctx, SIGBUS, BUS_ADRERR);
	CHECK_EQ(event.addr, 0x600000 + PAGE + 16);
}

static void arithmetic_and_instruction_faults(void)
{
	struct pf_context *ctx = LOAD(divide);
	struct pf_event event = fault(ctx, SIGFPE, FPE_INTDIV);
	CHECK_EQ(event.trapno, 0);
	CHECK_EQ(event.addr, ctx->regs.rip);
	ctx = LOAD(illegal);
	event = fault(ctx, SIGILL, ILL_ILLOPN);
	CHECK_EQ(event.trapno, 6);
	CHECK_EQ(event.addr, CODE + 1);
	CHECK_EQ(ctx->regs.rip, CODE + 1);
	ctx = LOAD(privileged);
	event = fault(ctx, SIGSEGV, SI_KERNEL);
	CHECK_EQ(event.trapno, 13);
	CHECK_EQ(event.addr, 0);
	CHECK_EQ(ctx->regs.rip, CODE + 1);
	ctx = LOAD(sse_divide);
	event = fault(ctx, SIGFPE, FPE_FLTDIV);
	CHECK_EQ(event.trapno, 19);
	ctx = LOAD(misaligned);
	ctx->regs.rdi = DATA;
	event = fault(ctx, SIGBUS, BUS_ADRALN);
	CHECK_EQ(event.trapno, 17);
}

static void non_canonical_address(void)
{
	struct pf_context *ctx = LOAD(load_word);
	ctx->regs.rdi = 0x8000000000000000ULL;
	struct pf_event event = fault(ctx, SIGSEGV, SI_KERNEL);
	CHECK_EQ(event.addr, 0);
	CHECK_EQ(event.trapno, 13);
}

static void breakpoint_and_single_step(void)
{
	struct pf_context *ctx = LOAD(breakpoint);
	struct pf_event event = fault(ctx, SIGTRAP, SI_KERNEL);
	CHECK_EQ(event.trapno, 3);
	CHECK_EQ(ctx->regs.rip, CODE + 2); /* behind it, as Linux has it */
	ctx = LOAD(stepped);
	event = fault(ctx, SIGTRAP, TRAP_TRACE);
	CHECK_EQ(event.trapno, 1);
	uint64_t first = ctx->regs.rip;
	CHECK(ctx->regs.eflags & 0x100);
	fault(ctx, SIGTRAP, TRAP_TRACE);
	CHECK_EQ(ctx->regs.rip, first + 1);
}

/* A guest that jumps to the stub's own `syscall` gains nothing: the call is not made.  It may be an event, the end
 * of the guest or a guest that is lost in there for good, as it likes. */
static void stub_code_gives_no_host_calls(void)
{
	static const char name[] = "made-by-a-guest";
	char folder[] = "/tmp/conformance-XXXXXX";
	CHECK(mkdtemp(folder) && chdir(folder) == 0);
	for (uint64_t at = PF_STUB_BASE; at < PF_STUB_BASE + 2 * PAGE; at++) {
		struct pf_context *ctx = LOAD(any_call);
		struct pf_event event = {.kind = PF_NONE};
		CHECK_EQ(ops->write(ctx, DATA, name, sizeof name), sizeof name);
		ctx->regs.rip = at;
		ctx->regs.rsp = DATA + PAGE;
		ctx->regs.rax = SYS_mkdir;
		ctx->regs.rdi = DATA;
		ctx->regs.rsi = 0700;
		CHECK_EQ(ops->resume(ctx), 0);
		for (int i = 0; i < 2000 && event.kind == PF_NONE; i++)
			CHECK_EQ(ops->wait(&event, false), 0);
		if (event.kind == PF_NONE) {
			kill(ctx->space->host_pid, SIGKILL);
			event = next_event();
		}
		ops->thread_end(ctx);
		CHECK(access(name, F_OK) < 0);
	}
	CHECK(chdir("/") == 0 && rmdir(folder) == 0);
}

static void stub_code_is_read_only(void)
{
	struct pf_context *ctx = LOAD(store_word);
	ctx->regs.rdi = PF_STUB_BASE;
	fault(ctx, SIGSEGV, SEGV_ACCERR);
}

const struct test event_tests[] = {
	{"syscall_arguments", syscall_arguments},
	{"all_results_reach_the_guest", all_results_reach_the_guest},
	{"int80_is_marked", int80_is_marked},
	{"vsyscall_is_a_call", vsyscall_is_a_call},
	{"page_faults", page_faults},
	{"bus_error_behind_the_end_of_a_file", bus_error_behind_the_end_of_a_file},
	{"arithmetic_and_instruction_faults", arithmetic_and_instruction_faults},
	{"non_canonical_address", non_canonical_address},
	{"breakpoint_and_single_step", breakpoint_and_single_step},
	{"stub_code_gives_no_host_calls", stub_code_gives_no_host_calls},
	{"stub_code_is_read_only", stub_code_is_read_only},
	{0},
};
