/* The birth of processes and threads: a stub's clone(2) waits for our consent (seccomp_unotify(2)).
 *
 * A guest can run the stub's code with registers of its own choosing.  Consent is given only to the thread that
 * has been ordered to clone, once; everybody else who tries gets EPERM as soon as we look, and waits until then.
 */
#include "systrap.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN_NS 100000

static int listener = -1;
/* Whom we have ordered to clone: at most one for a guest and one for the spare space. */
static struct thread *ordered[2];

#define FORGIVEN_NS 1000000000LL /* each, after that time */
#define MISCARRIED 16		 /* at once */

bool miscarried(struct space *space)
{
	int64_t now = now_ns();
	if (space->miscarried < now)
		space->miscarried = now;
	space->miscarried += FORGIVEN_NS;
	return space->miscarried > now + MISCARRIED * FORGIVEN_NS;
}

/* Take the listener over from the first stub, where it is descriptor `theirs`. */
int birth_attend(struct thread *thread, int theirs)
{
	int process = (int)syscall(SYS_pidfd_open, thread->base.host_tid, 0);
	if (process < 0)
		return -errno;
	listener = (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
	int failed = listener < 0 ? -errno : 0;
	close(process);
	if (!failed && theirs != STUB_RECEIVED)
		failed = -EIO; /* the filter would not let it be closed */
	return failed ? failed : (int)stub_call(thread, SYS_close, (uint64_t)theirs, 0, 0, 0, 0, 0);
}

void birth_shutdown(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
	ordered[0] = ordered[1] = NULL;
}

static void expect(struct thread *thread)
{
	thread->consents = 0;
	ordered[ordered[0] && ordered[0] != thread] = thread;
}

static void no_more(const struct thread *thread)
{
	for (int i = 0; i < 2; i++)
		if (ordered[i] == thread)
			ordered[i] = NULL;
}

/* The one that has been ordered to do just this. */
static struct thread *expected(const struct seccomp_notif *asked)
{
	for (int i = 0; i < 2; i++)
		if (ordered[i] && ordered[i]->base.host_tid == (int)asked->pid &&
		    (uint32_t)asked->data.args[0] ==
			    (ordered[i]->birth == ORDER_FORK ? NEW_SPACE | SIGCHLD : NEW_THREAD))
			return ordered[i];
	return NULL;
}

/* The host has a clone(2) begin again when something stops the process before it has a child: a stub then asks
 * once more.  Or it has a child, and lies. */
static bool may_clone(struct thread *thread)
{
	return !thread->consents || thread == template || !miscarried(space_of(thread));
}

/* Answer whoever asks. */
static void attend(void)
{
	struct seccomp_notif asked = {0};
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return; /* it has been interrupted or killed meanwhile */
	struct thread *thread = expected(&asked);
	if (thread && !may_clone(thread))
		thread = NULL;
	struct seccomp_notif_resp answer = {
		.id = asked.id,
		.error = thread ? 0 : -EPERM,
		.flags = thread ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
	};
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 && thread)
		thread->consents++; /* else a signal came between: the stub asks once more */
}

/* 1: somebody does; 0: nobody in that time; -1: interrupted. */
static int look_for_asker(int timeout_ms)
{
	struct pollfd poller = {.fd = listener, .events = POLLIN};
	return poll(&poller, 1, timeout_ms);
}

void birth_look(void)
{
	if (look_for_asker(0) > 0)
		attend();
}

/* Until the thread has asked for consent and got it, or has ended its order without. */
static void consent(struct thread *thread)
{
	int64_t start = now_ns();
	int moments = 0;
	while (!thread->dead && !is_ours(thread) && !thread->consents) {
		bool spin = now_ns() - start < SPIN_NS && may_spin_for(thread);
		int found = look_for_asker(spin ? 0 : MOMENT_NS / 1000000);
		if (found > 0)
			attend();
		if (child_died())
			reap();
		moments += !spin && !found;
		if (moments > PATIENCE)
			kill_space(space_of(thread));
	}
	charge_wait(space_of(thread), moments);
}

int birth_order(struct thread *thread, uint32_t what, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t call[7] = {0, a, b, c, d};
	if (thread->dead)
		return -ESRCH;
	expect(thread);
	thread->birth = what;
	place_order(thread, what, call);
	return 0;
}

static int64_t result_of(const struct thread *thread)
{
	no_more(thread);
	return (int64_t)__atomic_load_n(&thread->slot->number, __ATOMIC_RELAXED);
}

int64_t birth_end(struct thread *thread)
{
	consent(thread);
	bool ended = await_slot(thread);
	int64_t result = result_of(thread);
	return ended ? result : -ESRCH;
}

bool birth_step(struct thread *thread, int64_t *result)
{
	if (!thread->dead && !is_ours(thread)) {
		birth_look();
		return false;
	}
	*result = birth_end(thread);
	return true;
}

int birth_listener(void)
{
	return listener;
}
