/* The life of host processes and threads: cloned by a stub, parked when their context ends, killed with the last.
 *
 * A host thread whose context ends while others of its space live is parked: the next thread_new takes it.
 * Killing does not wait for the corpse, and a space is forgotten at once; the corpse is reaped when it comes.
 */
#include "systrap.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_PARKED 32 /* host threads of a space that wait for the next thread_new */

int live_contexts;

static void adopt(struct thread *thread, struct thread *from)
{
	op_complete(&from->base);
	thread->base.regs = from->base.regs;
	thread->base.partial = false;
	thread->base.owner = NULL;
	thread->base.compat = false;
	thread->call = thread->trapped = false;
}

/* Order a process from `from`; the first thread that it will have, NULL with errno. */
static struct thread *conceive(struct thread *from)
{
	int fds[3];
	struct space *space = space_make(fds);
	if (!space)
		return NULL;
	struct thread *thread = thread_make(space);
	int failed = thread ? fpu_copy(thread, from) : -ENOMEM;
	if (!failed)
		failed = sites_copy(space, space_of(from));
	if (!failed)
		failed = channel_send(space_of(from)->socket, fds, 3);
	space_close_fds(fds);
	if (!failed && from != template)
		thread->slot->young = 1;
	if (!failed)
		failed = birth_order(from, ORDER_FORK, 0, NEW_SPACE | SIGCHLD,
				     (uint64_t)space->place * FACTS_WINDOW, (uint64_t)sentry_pid);
	if (!failed)
		return thread;
	if (thread)
		thread_free(thread);
	space_free(space);
	errno = -failed;
	return NULL;
}

/* The process that has been ordered exists, or does not: 0 or -errno. */
static int deliver(struct thread *thread, struct thread *from, int64_t pid)
{
	struct space *space = space_of(thread);
	int failed = pid > 0 ? child_adopt(space, pid) : pid < 0 ? (int)pid : -EIO;
	if (!failed) {
		thread->base.host_tid = (int)pid;
		space->base.nthreads = 1;
		space->foreign_gs = space_of(from)->foreign_gs;
		thread->rseq = from->rseq;
		adopt(thread, from);
		child_seek(from->consents > 1);
		return 0;
	}
	/* There may be a process that its parent does not own up to.  The host's limits make clone(2) fail, too, but
	 * who is short of processes does not go on trying. */
	if (from != template && (failed == -EPERM || miscarried(space_of(from))))
		kill_space(space_of(from));
	child_seek(from != template);
	thread_free(thread);
	space_free(space);
	return failed == -EPERM ? -EAGAIN : failed;
}

/* The host has been at a limit of processes: from then on those that end are given the time to be gone before
 * another is asked for, since a space may not have many births that fail. */
static bool tight;

/* Another process, from `from`. */
static int beget(struct thread *from, struct thread **result)
{
	unsigned before;
	int failed;
	while (tight && made_room(nreaped))
		;
	do {
		before = nreaped;
		*result = conceive(from);
		failed = *result ? deliver(*result, from, birth_end(from)) : -errno;
		tight = tight || failed == -EAGAIN;
	} while (failed == -EAGAIN && !from->dead && made_room(before));
	return failed;
}

/* A spare space for the next exec: its birth is begun when a guest forks, and goes on beside other things. */
static struct thread *spare;
static bool expected; /* ... which is not born yet */

static void expect_spare(void)
{
	if (!spare && template && !tight)
		expected = (spare = conceive(template));
}

static void spare_born(int64_t pid)
{
	expected = false;
	if (deliver(spare, template, pid) < 0)
		spare = NULL;
}

bool spare_goes_on(void)
{
	int64_t pid;
	if (expected && birth_step(template, &pid))
		spare_born(pid);
	return expected;
}

void spare_forget(void)
{
	if (!spare)
		return;
	struct space *space = space_of(spare);
	thread_free(spare);
	space_free(space);
	spare = NULL;
	expected = false;
}

static void take_over(struct thread *thread, struct pf_context **ctx)
{
	live_contexts++;
	*ctx = &thread->base;
}

int op_space_new(struct pf_context **ctx)
{
	if (!template)
		return -EINVAL;
	if (expected)
		spare_born(birth_end(template));
	if (spare && spare->dead)
		spare_forget();
	struct thread *thread = spare;
	spare = NULL;
	if (!thread) {
		int failed = beget(template, &thread);
		if (failed)
			return failed;
	}
	struct pf_regs fresh = {.cs = thread->base.regs.cs, .ss = thread->base.regs.ss, .eflags = 0x202};
	fresh.orig_rax = (uint64_t)-1;
	thread->base.regs = fresh;
	fpu_reset(thread);
	take_over(thread, ctx);
	return 0;
}

int op_space_fork(struct pf_context *ctx, struct pf_context **child)
{
	if (ctx->running)
		return -EINVAL;
	if (expected) /* only one at a time that is not accounted for */
		spare_born(birth_end(template));
	struct thread *thread;
	int failed = beget(thread_of(ctx), &thread);
	if (failed)
		return failed;
	take_over(thread, child);
	expect_spare();
	return 0;
}

static int clone_thread(struct thread *from, struct thread **result)
{
	struct thread *thread = thread_make(space_of(from));
	if (!thread)
		return -EAGAIN;
	int64_t tid = birth_order(from, ORDER_THREAD, STUB_SLOTS + (uint64_t)thread->index * SLOT_SIZE, NEW_THREAD,
				  0, 0);
	if (!tid)
		tid = birth_end(from);
	if (tid > 0 && child_thread(space_of(from), tid)) {
		thread->base.host_tid = (int)tid;
		*result = thread;
		return 0;
	}
	if (tid > 0) {
		kill_space(space_of(from));
		tid = -EAGAIN;
	}
	child_seek_thread(space_of(from));
	__atomic_store_n(&thread->slot->alive, 0, __ATOMIC_RELEASE);
	thread->next = space_of(from)->dismissed; /* for its slot */
	space_of(from)->dismissed = thread;
	return tid < 0 ? (int)tid : -EIO;
}

static void park(struct thread *thread)
{
	struct space *space = space_of(thread);
	send_to_sleep(thread);
	thread->base.owner = NULL;
	thread->next = space->parked;
	space->parked = thread;
	space->nparked++;
}

int op_thread_new(struct pf_context *ctx, struct pf_context **result)
{
	struct space *space = (struct space *)ctx->space;
	struct thread *thread = space->parked;
	if (ctx->running)
		return -EINVAL;
	if (thread) {
		space->parked = thread->next;
		space->nparked--;
		thread->confined = false;
		thread->placed = 0;
	} else {
		unsigned before;
		int failed;
		do {
			before = nreaped;
			failed = clone_thread(thread_of(ctx), &thread);
		} while (failed == -EAGAIN && !thread_of(ctx)->dead && made_room(before));
		if (failed)
			return failed;
	}
	int failed = fpu_copy(thread, thread_of(ctx));
	if (failed) {
		park(thread);
		return failed;
	}
	adopt(thread, thread_of(ctx));
	space->base.nthreads++;
	live_contexts++;
	*result = &thread->base;
	return 0;
}

/* Of a space whose last context has ended. */
static void destroy(struct space *space)
{
	for (struct thread *thread = space->threads, *next; thread; thread = next) {
		next = thread->sibling;
		thread_free(thread);
	}
	space_free(space);
}

/* Let its host thread end, without waiting for that. */
static void dismiss(struct thread *thread)
{
	struct space *space = space_of(thread);
	const uint64_t call[7] = {SYS_exit};
	place_order(thread, ORDER_CALL, call);
	thread->next = space->dismissed;
	space->dismissed = thread;
}

void op_thread_end(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	struct space *space = (struct space *)ctx->space;
	wait_forget(thread);
	live_contexts--;
	space->base.nthreads--;
	if (space->base.nthreads && op_rseq(ctx, NULL) < 0)
		kill_space(space); /* as the host would have: what was registered is no more */
	if (!space->base.nthreads)
		destroy(space);
	else if (thread->dead)
		thread_free(thread);
	else if (space->nparked < MOST_PARKED || thread->index == 0)
		park(thread); /* the leader in any case: without it the process would be a zombie */
	else
		dismiss(thread);
}
