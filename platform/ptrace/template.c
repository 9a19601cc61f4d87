/* The template: the first stub, from which every address space is forked.
 *
 * It is exec'ed, never forked from the sentry, so that no stub holds any of the sentry's memory; all it has
 * is the stub program, the host's vDSO and its end of the channel.  It has no capabilities, so the sentry
 * must be the same user in the same user namespace (process_vm_readv asks for that), and no controlling
 * terminal.
 */
#include "ptrace.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTEMPTS 5
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)
#define HIGH_FD 16 /* beyond the numbers that `child` fills and closes */

struct plan {
	int stub_fd, stub_end, cpu;
	int failed; /* errno of the child, which shares our memory until it has exec'ed */
};

struct thread *template;

/* Runs in the child before exec, like after vfork: system calls only. */
static int child(void *arg)
{
	struct plan *plan = arg;
	char *argv[] = {"stub", NULL}, *envp[] = {NULL};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	struct rlimit no_core = {0, 0};
	sigset_t mask;
	int program = fcntl(plan->stub_fd, F_DUPFD_CLOEXEC, HIGH_FD),
	    end = fcntl(plan->stub_end, F_DUPFD_CLOEXEC, HIGH_FD);
	if (program < 0 || end < 0 || dup2(end, STUB_SOCKET) < 0)
		goto fail;
	/* Close-on-exec for all the rest: nothing else is inherited. */
	if (syscall(SYS_close_range, 0, STUB_SOCKET - 1, 0) < 0 ||
	    syscall(SYS_close_range, STUB_SOCKET + 1, ~0U, 1 << 2 /* CLOSE_RANGE_CLOEXEC */) < 0)
		goto fail;
	/* What the CPU raises is ours to see; let nothing else from outside even wake a stub. */
	sigfillset(&mask);
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGTRAP);
	sigdelset(&mask, SIGSYS);
	setsid();
	if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
		goto fail;
	syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
fail:
	plan->failed = errno;
	_exit(1);
}

static int spawn(struct plan *plan)
{
	static char stack[16384] __attribute__((aligned(16)));
	sigset_t all, old;
	sigfillset(&all); /* no handler of the sentry may run in the child */
	sigprocmask(SIG_SETMASK, &all, &old);
	plan->failed = 0;
	int pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK, plan);
	int failed = pid < 0 ? errno : plan->failed;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (!failed)
		return pid;
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	return -failed;
}

/* Seize the fresh stub, let it go on and wait for its first trap.  -EAGAIN: its place was taken. */
static int seize(int pid, struct pf_regs *regs)
{
	int status, failed;
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0)
		return -errno;
	failed = channel_send(-1);
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

static int start(struct plan *plan)
{
	struct pf_regs regs = {0};
	int pid = spawn(plan);
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
	thread->cpu = plan->cpu;
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
	struct plan plan = {.stub_fd = stub_fd};
	int failed = template ? -EALREADY : kick_init();
	if (failed)
		return failed;
	vdso_locate();
	plan.cpu = affinity_init();
	for (int i = 0; i < ATTEMPTS; i++) {
		failed = channel_open(&plan.stub_end);
		if (!failed)
			failed = start(&plan);
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
