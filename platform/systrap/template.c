/* The template: the first stub, from which every address space is forked. */
#include "systrap.h"

#include "spawn.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTEMPTS 5

struct thread *template;
static int family; /* the process group of all stubs */

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
	int given[] = {fds[0], bell, fds[1], fds[2], world_fd}; /* as stub/main.c has them */
	struct stub_plan plan = {
		.program = stub_fd,
		.fds = given,
		.count = sizeof given / sizeof given[0],
		.woken_by = SIGURG,
		.fixed_layout = true, /* stack and vDSO stay clear of where the stub is linked */
	};
	if (thread)
		thread->slot->turn = TURN_STUB;
	int pid = thread ? stub_spawn(&plan) : -ENOMEM;
	space_close_fds(fds);
	if (pid < 0) {
		if (thread)
			thread_free(thread);
		space_free(space);
		return pid;
	}
	family = thread->base.host_tid = pid;
	template = thread;
	int failed = child_adopt(space, pid);
	if (failed)
		return failed;
	space->base.nthreads = 1;
	thread->base.regs = (struct pf_regs){.cs = 0x33, .ss = 0x2b, .eflags = 0x202, .orig_rax = (uint64_t)-1};
	thread->fp_known = true;
	fpu_reset(thread);
	return await_slot(thread) ? prepare(thread) : -EAGAIN;
}

static void forget_template(void)
{
	kill_all(family);
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
