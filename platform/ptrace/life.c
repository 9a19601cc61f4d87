/* The life of host threads: created by an injected clone, parked when their context ends, killed with the
 * last one.
 *
 * A host thread whose context ends while others of its space live is not let go but parked: the next
 * thread_new is cheap, and the thread-group leader never becomes a zombie that hides the death of the others.
 * Killing does not wait for the corpse: a dying thread stays in the table until a later `wait` comes across
 * it.
 */
#include "ptrace.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 50 /* with a process that has been killed and does not go */
#define MAX_PARKED 16 /* per space, leader included; waitpid walks over all of them */

/* Take charge of a new host thread: waits for its first stop.  NULL: out of memory or dead. */
struct thread *thread_adopt(int tid, struct space *space)
{
	int status = 0; /* as of one that has exited, should there be nothing to wait for */
	struct thread *thread = calloc(1, sizeof *thread);
	if (!thread)
		goto kill;
	*thread = (struct thread){.base = {.space = &space->base, .host_tid = tid}, .stale = true};
	if (threads_add(thread) < 0)
		goto kill;
	while (waitpid(tid, &status, __WALL) < 0 && errno == EINTR)
		;
	if (WIFSTOPPED(status))
		return thread;
	threads_remove(thread);
	free(thread);
	return NULL;
kill:
	/* Fatal for its whole process, but what else: a host thread that is in no table would be a leak. */
	kill(tid, SIGKILL);
	free(thread);
	return NULL;
}

void note_death(struct thread *thread, int signo)
{
	struct space *space = (struct space *)thread->base.space;
	if (!space->killed_by)
		space->killed_by = signo;
}

void thread_reaped(struct thread *thread, int status)
{
	threads_remove(thread);
	turns_forget(thread);
	if (thread->state == THREAD_LIVE) {
		thread->dead = true;
		if (thread->base.space)
			note_death(thread, WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL);
		if (thread->base.running) {
			running_contexts--;
			report_gone(thread);
		}
		return;
	}
	if (thread->state == THREAD_PARKED) {
		struct space *space = (struct space *)thread->base.space;
		struct thread **link = &space->parked;
		while (*link != thread)
			link = &(*link)->next;
		*link = thread->next;
		space->nparked--;
	}
	free(thread);
}

static struct thread *corpse;
static bool dying;

static void find_corpse(struct thread *thread)
{
	siginfo_t info = {0};
	if (corpse || thread->state != THREAD_DYING)
		return;
	dying = true;
	/* A tracer is shown stops, too: those are left to `wait`. */
	if (waitid(P_PID, (id_t)thread->base.host_tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	    (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED))
		corpse = thread;
}

/* Until one of those that we have killed is no more, and no longer counts against the host's limits.  False:
 * there is none, or it takes too long. */
static bool made_room(void)
{
	for (int i = 0, status; i < PATIENCE_MS; i++) {
		corpse = NULL;
		dying = false;
		threads_each(find_corpse);
		if (corpse && waitpid(corpse->base.host_tid, &status, __WALL) > 0) {
			thread_reaped(corpse, status);
			return true;
		}
		if (!dying)
			return false;
		poll(NULL, 0, 1);
	}
	return false;
}

static int clone_from(struct thread *from, unsigned long flags, struct space *space,
		      struct pf_context **result)
{
	int64_t tid;
	int before;
	do {
		before = threads_count();
		tid = inject_call(from, SYS_clone, flags, 0, 0, 0, 0, 0);
	} while (tid == -EAGAIN && (threads_count() < before || made_room()));
	if (tid < 0)
		return (int)tid;
	struct thread *thread = thread_adopt((int)tid, space);
	if (!thread)
		return -ENOMEM;
	thread->cpu = from->confined ? NOWHERE : from->cpu; /* the host's clone copies that */
	thread->debt = from->debt;
	thread->fetched = from->fetched;
	thread->base.regs = from->base.regs;
	if (flags == NEW_SPACE)
		rseq_inherit(thread, from);
	if (!space->base.host_pid)
		space->base.host_pid = (int)tid;
	space->base.nthreads++;
	live_contexts++;
	*result = &thread->base;
	return 0;
}

static int new_space(struct thread *from, struct pf_context **child)
{
	struct space *space = calloc(1, sizeof *space);
	if (!space)
		return -ENOMEM;
	int failed = clone_from(from, NEW_SPACE, space, child);
	if (failed)
		free(space);
	return failed;
}

int op_space_new(struct pf_context **ctx)
{
	return template ? new_space(template, ctx) : -EINVAL;
}

int op_space_fork(struct pf_context *ctx, struct pf_context **child)
{
	return ctx->running ? -EINVAL : new_space(thread_of(ctx), child);
}

int op_thread_new(struct pf_context *ctx, struct pf_context **result)
{
	struct space *space = (struct space *)ctx->space;
	struct thread *thread = space->parked;
	if (ctx->running)
		return -EINVAL;
	if (!thread)
		return clone_from(thread_of(ctx), NEW_THREAD, space, result);
	int failed = fpu_copy(thread, thread_of(ctx));
	if (failed)
		return failed;
	space->parked = thread->next;
	space->nparked--;
	thread->state = THREAD_LIVE;
	thread->stale = true;
	if (thread->confined)
		thread->cpu = NOWHERE;
	thread->confined = false;
	thread->fetched = thread_of(ctx)->fetched;
	thread->base.regs = ctx->regs;
	thread->base.owner = NULL;
	thread->base.compat = false;
	space->base.nthreads++;
	live_contexts++;
	*result = &thread->base;
	return 0;
}

static void destroy(struct space *space)
{
	int victim = 0;
	for (struct thread *thread = space->parked, *next; thread; thread = next) {
		next = thread->next;
		thread->state = THREAD_DYING;
		victim = thread->base.host_tid;
	}
	if (victim)
		kill(victim, SIGKILL); /* any of its threads names the process */
	free(space);
}

static void park(struct thread *thread)
{
	struct space *space = (struct space *)thread->base.space;
	thread->state = THREAD_PARKED;
	thread->next = space->parked;
	space->parked = thread;
	space->nparked++;
}

/* Let it run into exit(2), without waiting for that. */
static void dismiss(struct thread *thread)
{
	struct pf_regs regs = {.rax = SYS_exit};
	thread->state = THREAD_DYING;
	inject_start(thread, STUB_CALL, &regs);
}

void op_thread_end(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	struct space *space = (struct space *)ctx->space;
	bool last = space->base.nthreads == 1, leader = ctx->host_tid == space->base.host_pid;
	if (!last && op_rseq(ctx, NULL) < 0 && !thread->dead)
		rseq_break(thread);
	space->base.nthreads--;
	live_contexts--;
	if (thread->dead)
		free(thread);
	else if (last || leader || space->nparked < MAX_PARKED)
		park(thread);
	else
		dismiss(thread);
	if (last)
		destroy(space);
}

static void kill_one(struct thread *thread)
{
	kill(thread->base.host_tid, SIGKILL);
}

/* Kill and reap them all, and forget them, the template included. */
void kill_all(void)
{
	int status, tid;
	threads_each(kill_one);
	while (threads_count() > 0) {
		tid = waitpid(-1, &status, __WALL | __WNOTHREAD);
		if (tid < 0 && errno != EINTR)
			break;
		struct thread *thread = tid > 0 ? threads_find(tid) : NULL;
		if (thread && !WIFSTOPPED(status))
			thread_reaped(thread, status);
	}
}
