/*
 * The stubs' filter, with ptrace's own interception left out: a stub is made to run a system call instruction for real
 * (PTRACE_CONT in place of PTRACE_SYSEMU), as if a guest's call had got through.
 *
 *	stub_filter STUB		linked with the back-end's C files; runs on the host
 *
 * Says one line for each call that was not killed by SIGSYS, then "done".
 */
#include "ptrace.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CODE 0x400000ULL
#define LAST 500

static const struct pf_ops *const ops = &ptrace_ops;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "stub_filter: %s\n", what);
		ops->shutdown();
		exit(2);
	}
}

/* Calls that the stub makes itself, wherever their arguments allow it. */
static bool is_the_stubs(long nr)
{
	return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_mremap || nr == SYS_madvise ||
	       nr == SYS_msync || nr == SYS_clone || nr == SYS_exit || nr == SYS_rseq;
}

/* uretprobe and uprobe: never given to filters (Linux 6.11, 6.18); SIGILL when no probe is set. */
static bool is_a_probes(long nr)
{
	return nr == 335 || nr == 336;
}

static struct pf_context *fresh(void)
{
	static const unsigned char code[] = { 0x0f, 0x05, 0xcc };	/* syscall; int3 */
	struct pf_context *ctx;

	must(ops->space_new(&ctx) == 0, "space_new");
	must(ops->map(ctx, CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0,
	     "map");
	must(ops->write(ctx, CODE, code, sizeof(code)) == (ssize_t)sizeof(code), "write");
	return ctx;
}

/* Does a real call from `rip` kill the whole stub by SIGSYS? */
static bool kills(uint64_t rip, long nr, uint64_t first)
{
	struct pf_context *ctx = fresh();
	struct pf_regs regs = ctx->regs;
	int status = 0, tid = ctx->host_tid;

	regs.rip = rip;
	regs.rax = (uint64_t)nr;
	regs.rdi = first;
	regs.rsi = regs.rdx = regs.r10 = regs.r8 = regs.r9 = 0;
	regs.orig_rax = (uint64_t)-1;
	must(ptrace(PTRACE_SETREGS, tid, 0, &regs) == 0, "PTRACE_SETREGS");
	must(ptrace(PTRACE_CONT, tid, 0, 0) == 0, "PTRACE_CONT");
	must(waitpid(tid, &status, __WALL) == tid, "waitpid");
	if (WIFSTOPPED(status)) {
		ops->thread_end(ctx);
		return false;
	}
	thread_reaped(thread_of(ctx), status);
	ops->thread_end(ctx);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

int main(int argc, char **argv)
{
	int stub = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1, count = 0;

	must(stub >= 0 && ops->init(stub) == 0, "init");
	for (long nr = 0; nr <= LAST; nr++, count++)
		if (!is_a_probes(nr) && !kills(CODE, nr, 0))
			printf("call %ld from the guest's code\n", nr);
	for (long nr = 0; nr <= LAST; nr++, count++)
		if (!is_the_stubs(nr) && !is_a_probes(nr) && !kills(STUB_BASE + STUB_CALL, nr, 99))
			printf("call %ld from the stub's code\n", nr);
	/* From just behind the stub's page, and the 32-bit table's numbers. */
	if (!kills(CODE, 0x40000000 | SYS_getpid, 0) || !kills(STUB_BASE + STUB_CALL, 0x40000000 | SYS_mmap, 0))
		printf("x32 calls\n");
	/* The proof that a call which is not killed is seen as such. */
	must(!kills(STUB_BASE + STUB_CALL, SYS_munmap, 1), "munmap by the stub is killed");
	ops->shutdown();
	printf("done: %d calls\n", count);
	return 0;
}
