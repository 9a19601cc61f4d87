/* The template: the first stub, from which every address space is forked. */
#include "ptrace.h"

#include "spawn.h"

#include <elf.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ATTEMPTS 5
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)

struct thread *template;

/* Seize the fresh stub, let it go on and wait for its first trap.  -EAGAIN: its place was taken. */
static int seize(int pid, struct pf_regs *regs)
{
	int status, failed;
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0)
		return -errno;
	failed = channel_send(channel, NULL, 0);
	while (!failed) {
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (!WIFSTOPPED(status))
			return -EAGAIN;
		if (status >> 8 == SIGTRAP && ptrace(PTRACE_GETREGS, pid, 0, regs) == 0 &&
		    regs->rip == STUB_BASE + STUB_TRAPPED)
			return 0;
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	return failed;
}

static uint64_t sysinfo_ehdr(int pid, uint64_t sp)
{
	uint64_t words[512];
	struct iovec to = {words, sizeof words}, from = {(void *)sp, sizeof words};
	ssize_t got = process_vm_readv(pid, &to, 1, &from, 1, 0);
	if (got < 0) /* the stack ends before that */
		return 0;
	size_t count = (size_t)got / sizeof words[0], at = 1;
	for (int vectors = 0; vectors < 2; vectors++) { /* argv, envp */
		while (at < count && words[at])
			at++;
		at++;
	}
	for (; at + 1 < count && words[at] != AT_NULL; at += 2)
		if (words[at] == AT_SYSINFO_EHDR)
			return words[at + 1];
	return 0;
}

static int64_t call(void *thread, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	return inject_call(thread, nr, a, b, c, d, e, f);
}

static int prepare(struct thread *thread, uint64_t ehdr)
{
	int failed = vdso_settle(call, thread, STUB_END, ehdr);
	if (!failed)
		failed = fpu_init(thread);
	/* Children are named by the stubs' PID namespace in the result of clone(2): it has to be ours. */
	if (!failed && inject_call(thread, SYS_getpid, 0, 0, 0, 0, 0, 0) != thread->base.host_tid)
		failed = -EXDEV;
	return failed ? failed : filter_install(thread);
}

static int start(int stub_fd, int stub_end, int cpu)
{
	struct pf_regs regs = {0};
	struct stub_plan plan = {.program = stub_fd, .fds = &stub_end, .count = 1};
	int pid = stub_spawn(&plan);
	if (pid < 0)
		return pid;
	int failed = seize(pid, &regs);
	if (failed) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, __WALL);
		channel_drain();
		return failed;
	}
	struct thread *thread = calloc(1, sizeof *thread);
	if (!thread)
		return -ENOMEM; /* it dies with the channel */
	thread->base.host_tid = pid;
	thread->cpu = cpu;
	thread->base.regs =
		(struct pf_regs){.cs = regs.cs, .ss = regs.ss, .eflags = 0x202, .orig_rax = (uint64_t)-1};
	thread->fetched = thread->base.regs;
	failed = threads_add(thread);
	if (failed) {
		free(thread);
		return failed;
	}
	template = thread;
	return prepare(thread, sysinfo_ehdr(pid, regs.rbx));
}

void op_shutdown(void)
{
	kill_all();
	free(template);
	template = NULL;
	channel_close();
	affinity_rest();
	kick_shutdown();
}

int op_init(int stub_fd)
{
	int stub_end, failed = template ? -EALREADY : kick_init();
	if (failed)
		return failed;
	vdso_locate();
	int cpu = affinity_init();
	for (int i = 0; i < ATTEMPTS; i++) {
		failed = channel_open(&stub_end);
		if (!failed)
			failed = start(stub_fd, stub_end, cpu);
		if (!failed) {
			affinity_rest();
			return 0;
		}
		kill_all();
		free(template);
		template = NULL;
		channel_close();
		if (failed != -EAGAIN)
			break;
	}
	affinity_rest();
	kick_shutdown();
	return failed;
}
