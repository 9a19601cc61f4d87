/* The template: the first stub, from which every address space is forked.
 *
 * It is exec'ed, never forked from the sentry, so that no stub holds any of the sentry's memory; all it has
 * is the stub program and the host's vDSO.  It has no capabilities, so the sentry must be the same user in the
 * same user namespace (process_vm_readv asks for that), and no controlling terminal.
 */
#include "systrap.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTEMPTS 5
#define HIGH_FD 16 /* beyond the numbers that `child` fills */
#define GIVEN 5	   /* descriptors: channel, bell, slots, facts, world */

struct plan {
	int stub_fd, fds[GIVEN];
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
	int high[GIVEN], program = fcntl(plan->stub_fd, F_DUPFD_CLOEXEC, HIGH_FD);
	sigset_t mask;
	if (program < 0)
		goto fail;
	for (int i = 0; i < GIVEN; i++)
		if ((high[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
			goto fail;
	for (int i = 0; i < GIVEN; i++)
		if (dup2(high[i], i) < 0)
			goto fail;
	/* Close-on-exec for all the rest: nothing else is inherited. */
	if (syscall(SYS_close_range, GIVEN, ~0U, 1 << 2 /* CLOSE_RANGE_CLOEXEC */) < 0)
		goto fail;
	/* Let nothing from outside even wake a stub. */
	sigfillset(&mask);
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGTRAP);
	sigdelset(&mask, SIGSYS);
	sigdelset(&mask, SIGURG);
	setsid();
	/* Without randomisation stack and vDSO stay clear of where the stub is linked. */
	if (personality(ADDR_NO_RANDOMIZE) < 0 || sigprocmask(SIG_SETMASK, &mask, NULL) < 0 ||
	    setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, none) < 0)
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
	int pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, plan);
	int failed = pid < 0 ? errno : plan->failed;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (!failed)
		return pid;
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	return -failed;
}

static int prepare(struct thread *thread)
{
	uint64_t ehdr, vvar, vdso, end;
	memcpy(&ehdr, (uint8_t *)thread->slot + SLOT_DATA, sizeof ehdr);
	int failed = vdso_settle(stub_call, thread, STUB_END, ehdr);
	/* Children are named by the stubs' PID namespace in the result of clone(2): it has to be ours. */
	if (!failed && stub_call(thread, SYS_getpid, 0, 0, 0, 0, 0, 0) != thread->base.host_tid)
		failed = -EXDEV;
	op_vdso(&vvar, &vdso, &end);
	if (!failed && vdso)
		world->vdso_clock = vdso_symbol("__vdso_clock_gettime", vdso);
	return failed ? failed : filter_install(thread);
}

static int start(int stub_fd)
{
	int fds[3];
	struct space *space = space_make(fds);
	if (!space)
		return -errno;
	struct thread *thread = thread_make(space);
	struct plan plan = {.stub_fd = stub_fd, .fds = {fds[0], bell, fds[1], fds[2], world_fd}};
	if (thread)
		thread->slot->turn = TURN_STUB;
	int pid = thread ? spawn(&plan) : -ENOMEM;
	space_close_fds(fds);
	if (pid < 0) {
		if (thread)
			thread_free(thread);
		space_free(space);
		return pid;
	}
	space->base.host_pid = thread->base.host_tid = pid;
	space->base.nthreads = 1;
	thread->base.regs = (struct pf_regs){.cs = 0x33, .ss = 0x2b, .eflags = 0x202, .orig_rax = (uint64_t)-1};
	thread->fp_known = true;
	fpu_reset(thread);
	template = thread;
	return await_slot(thread) ? prepare(thread) : -EAGAIN;
}

static void forget_template(void)
{
	kill_all();
	spare_forget();
	if (!template)
		return;
	struct space *space = space_of(template);
	thread_free(template);
	template = NULL;
	space_free(space);
}

/* The dispatcher may still hold contexts: their spaces stay, dead, until they have ended. */
void op_shutdown(void)
{
	forget_template();
	birth_shutdown();
	place_shutdown();
	sleep_shutdown();
	shared_shutdown();
}

int op_init(int stub_fd)
{
	int failed = template ? -EALREADY : fpu_init();
	if (failed)
		return failed;
	sentry_pid = getpid();
	vdso_locate();
	failed = sleep_init();
	if (!failed)
		failed = shared_init();
	if (!failed) {
		wait_reset();
		failed = place_init();
	}
	for (int i = 0; !failed && i < ATTEMPTS; i++) {
		failed = start(stub_fd);
		if (!failed)
			return 0;
		forget_template();
		failed = failed == -EAGAIN && i < ATTEMPTS - 1 ? 0 : failed;
	}
	birth_shutdown();
	sleep_shutdown();
	shared_shutdown();
	return failed;
}
