/* The floor of the ptrace platform: how long does one trapped system call take, with nothing behind it?
 *
 * BUILD: gcc -O2 -std=gnu11 -Iplatform/include -Iplatform/ptrace -o ptrace_floor bench/ptrace_floor.c \
 *            $(ls platform/ptrace/[!m]*.c platform/ptrace/m[!o]*.c)      (not module.c: that is Python's)
 *
 * RUN:   ptrace_floor platform/ptrace/stub.elf [ROUNDS]
 *
 * Prints nanoseconds: the bare loop (waitpid, GETREGS, SETREGS, PTRACE_SYSEMU on a getppid) with tracer and
 * tracee on one CPU, on two, and left to the scheduler; then the back-end's wait and resume in the same run,
 * and its other operations.  The best of some rounds counts: the machine has other things to do.
 */
#include "ptrace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CODE 0x400000ULL
#define CALLS 3000

static const unsigned char guest[] = {0xb8, SYS_getppid, 0,    0,   0,
				      0x0f, 0x05,	 0xeb, 0xf7}; /* 1: getppid; jmp 1b */
static cpu_set_t everywhere;
static int rounds = 7;

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void die(const char *what, int failed)
{
	if (failed) {
		fprintf(stderr, "ptrace_floor: %s: %s\n", what, strerror(-failed));
		exit(1);
	}
}

static void pin(int pid, int cpu)
{
	cpu_set_t set = everywhere;
	if (cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
	}
	sched_setaffinity(pid, sizeof set, &set);
}

static double bare(int tracer_cpu, int tracee_cpu)
{
	struct user_regs_struct regs;
	int status, child = fork();
	die("fork", child < 0 ? -errno : 0);
	if (!child)
		for (;;)
			syscall(SYS_getppid);
	pin(0, tracer_cpu);
	pin(child, tracee_cpu);
	usleep(1000);
	ptrace(PTRACE_SEIZE, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	ptrace(PTRACE_INTERRUPT, child, 0, 0);
	waitpid(child, &status, __WALL);
	ptrace(PTRACE_SYSEMU, child, 0, 0);
	double best = 1e18;
	for (int round = 0; round < rounds; round++) {
		double start = now();
		for (int i = 0; i < CALLS; i++) {
			waitpid(-1, &status, __WALL);
			ptrace(PTRACE_GETREGS, child, 0, &regs);
			regs.rax = (unsigned long)i;
			regs.orig_rax = (unsigned long)-1;
			ptrace(PTRACE_SETREGS, child, 0, &regs);
			ptrace(PTRACE_SYSEMU, child, 0, 0);
		}
		double took = (now() - start) / CALLS;
		best = took < best ? took : best;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, __WALL);
	pin(0, -1);
	return best;
}

static const struct pf_ops *ops = &ptrace_ops;
static struct pf_context *ctx;

static void step_call(void)
{
	struct pf_event event;
	ctx->regs.rax = 42;
	die("resume", ops->resume(ctx));
	do
		die("wait", ops->wait(&event, true));
	while (event.kind != PF_SYSCALL);
}

static void step_map(void)
{
	die("map", ops->map(ctx, 0x600000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	die("unmap", ops->unmap(ctx, 0x600000, 4096));
}

static int file;

static void step_map_file(void)
{
	die("map", ops->map(ctx, 0x600000, 4096, PROT_READ, MAP_PRIVATE, file, 0));
}

static void step_read(void)
{
	char buf[64];
	if (ops->read(ctx, CODE, buf, sizeof buf) != sizeof buf)
		die("read", -EFAULT);
}

static void step_thread(void)
{
	struct pf_context *thread;
	die("thread_new", ops->thread_new(ctx, &thread));
	ops->thread_end(thread);
}

static void step_fork(void)
{
	struct pf_context *child, *parent = ctx;
	die("space_fork", ops->space_fork(ctx, &child));
	ctx = child;
	step_call();
	ctx = parent;
	ops->thread_end(child);
	struct pf_event event;
	ops->wait(&event, false); /* the dead are reaped in passing */
}

static double measure(void (*step)(void), int count)
{
	double best = 1e18;
	for (int round = 0; round < rounds; round++) {
		double start = now();
		for (int i = 0; i < count; i++)
			step();
		double took = (now() - start) / count;
		best = took < best ? took : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	int stub = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (argc > 2)
		rounds = atoi(argv[2]);
	if (stub < 0 || argc > 3 || rounds < 1)
		die("usage: ptrace_floor STUB [ROUNDS]", -EINVAL);
	sched_getaffinity(0, sizeof everywhere, &everywhere);
	double one = bare(0, 0), two = bare(0, 1), loose = bare(-1, -1), again;
	double start = now();
	die("init", ops->init(stub));
	double init = now() - start;
	die("space_new", ops->space_new(&ctx));
	file = memfd_create("code", MFD_CLOEXEC);
	if (write(file, guest, sizeof guest) != sizeof guest)
		return 1;
	die("map", ops->map(ctx, CODE, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0));
	ctx->regs.rip = CODE;
	double ours = measure(step_call, CALLS);
	again = bare(0, 0);
	one = again < one ? again : one;
	again = measure(step_call, CALLS);
	ours = again < ours ? again : ours;
	printf("bare loop, one CPU      %8.0f ns\n", one);
	printf("bare loop, two CPUs     %8.0f ns\n", two);
	printf("bare loop, not pinned   %8.0f ns\n", loose);
	printf("wait + resume           %8.0f ns = %.2f x bare on one CPU\n", ours, ours / one);
	printf("map + unmap             %8.0f ns\n", measure(step_map, 500));
	printf("map of a descriptor     %8.0f ns\n", measure(step_map_file, 500));
	printf("read of 64 bytes        %8.0f ns\n", measure(step_read, 2000));
	printf("thread_new + thread_end %8.0f ns\n", measure(step_thread, 500));
	printf("space_fork, call, end   %8.0f ns\n", measure(step_fork, 100));
	printf("init                    %8.0f ns\n", init);
	ops->thread_end(ctx);
	ops->shutdown();
	return 0;
}
