/* How the first stub starts.
 *
 * It is exec'ed, never forked from the sentry, so that no stub holds any of the sentry's memory; all it has
 * is the stub program, the host's vDSO and the descriptors that it is given.  It has no capabilities, so the
 * sentry must be the same user in the same user namespace (process_vm_readv asks for that), and no
 * controlling terminal.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGH_FD 16 /* beyond the numbers that `give` fills */

_Static_assert(SPAWN_FDS <= HIGH_FD, "no descriptor is overwritten before it is given");

/* What the child works on.  It shares our memory until it has exec'ed, and leaves `child` without returning:
 * whatever has a scope of its own in there would stay poisoned for the next child under AddressSanitizer. */
struct start {
	const struct stub_plan *plan;
	sigset_t mask;
	int high[SPAWN_FDS];
	int failed; /* its errno */
};

/* What the CPU raises is for the stub or its tracer to see; nothing else from outside may even wake it. */
static sigset_t mask_for(const struct stub_plan *plan)
{
	sigset_t mask;
	sigfillset(&mask);
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGTRAP);
	sigdelset(&mask, SIGSYS);
	if (plan->woken_by)
		sigdelset(&mask, plan->woken_by);
	return mask;
}

/* Close-on-exec for all but the plan's descriptors: nothing else is inherited. */
static int give(const struct stub_plan *plan, int *high)
{
	for (int i = 0; i < plan->count; i++)
		if ((high[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
			return -1;
	for (int i = 0; i < plan->count; i++)
		if (dup2(high[i], i) < 0)
			return -1;
	return (int)syscall(SYS_close_range, plan->count, ~0U, 1 << 2 /* CLOSE_RANGE_CLOEXEC */);
}

/* Runs in the child before exec, like after vfork: system calls only. */
static int child(void *arg)
{
	struct start *start = arg;
	const struct stub_plan *plan = start->plan;
	char *argv[] = {"stub", NULL}, *envp[] = {NULL};
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	struct rlimit no_core = {0, 0};
	int program = fcntl(plan->program, F_DUPFD_CLOEXEC, HIGH_FD);
	if (program < 0 || give(plan, start->high) < 0)
		goto fail;
	setsid();
	/* Container runtimes like to deny this; then chance may put something where the stub is linked, and the
	 * caller tries again. */
	if (plan->fixed_layout)
		personality(ADDR_NO_RANDOMIZE);
	if (sigprocmask(SIG_SETMASK, &start->mask, NULL) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
		goto fail;
	syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
fail:
	start->failed = errno;
	_exit(1);
}

int stub_spawn(const struct stub_plan *plan)
{
	static char stack[16384] __attribute__((aligned(16)));
	struct start start = {.plan = plan, .mask = mask_for(plan)};
	sigset_t all, old;
	if (plan->count < 0 || plan->count > SPAWN_FDS)
		return -EINVAL;
	sigfillset(&all); /* no handler of the sentry may run in the child */
	sigprocmask(SIG_SETMASK, &all, &old);
	/* SIGCHLD is what exec would make of it anyway. */
	int pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
	int failed = pid < 0 ? errno : start.failed;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (!failed)
		return pid;
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	return -failed;
}
