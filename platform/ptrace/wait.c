/* The loop: resume a context, wait for the next event, interrupt. */
#include "ptrace.h"

#include <string.h>
#include <sys/wait.h>

int live_contexts;
int running_contexts;
static struct thread *gone; /* dead threads that were resumed: their PF_GONE is due */

void report_gone(struct thread *thread)
{
	thread->next = gone;
	gone = thread;
}

int op_resume(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	if (ctx->running)
		return -EINVAL;
	if (thread->dead) {
		ctx->running = true;
		report_gone(thread);
		return 0;
	}
	if (thread->stale || memcmp(&ctx->regs, &thread->fetched, sizeof ctx->regs)) {
		/* No system call is under way: the kernel must not think of restarting one. */
		uint64_t number = ctx->regs.orig_rax;
		ctx->regs.orig_rax = (uint64_t)-1;
		long failed = ptrace(PTRACE_SETREGS, ctx->host_tid, 0, &ctx->regs);
		ctx->regs.orig_rax = number;
		if (failed < 0 && errno != ESRCH) {
			thread->stale = true; /* some may have been set */
			return -errno;
		}
	}
	affinity_resume(thread);
	/* ESRCH: it is being killed; `wait` will report that. */
	if (ptrace(PTRACE_SYSEMU, ctx->host_tid, 0, 0) < 0 && errno != ESRCH)
		return -errno;
	ctx->running = true;
	running_contexts++;
	return 0;
}

int op_interrupt(struct pf_context *ctx)
{
	if (!ctx->running || thread_of(ctx)->dead)
		return 0; /* its event is on the way */
	return ptrace(PTRACE_INTERRUPT, ctx->host_tid, 0, 0) < 0 && errno != ESRCH ? -errno : 0;
}

/* A thread's stop -> an event; false: nothing for the dispatcher. */
static bool take(struct thread *thread, int status, struct pf_event *event)
{
	int tid = thread->base.host_tid;
	if (thread->state == THREAD_DYING)
		ptrace(PTRACE_CONT, tid, 0, 0); /* something held it up on its way to exit(2) */
	if (thread->state != THREAD_LIVE || !thread->base.running || !event_of_stop(thread, status, event))
		return false;
	running_contexts--;
	return true;
}

int op_wait(struct pf_event *event, bool block)
{
	int status, tid;
	struct thread *thread;
	*event = (struct pf_event){.kind = PF_NONE};
	block = block && live_contexts; /* the template alone would let us wait for ever */
	for (;;) {
		if (kick_take(TICKED))
			affinity_tick();
		if (gone) {
			event->kind = PF_GONE;
			event->ctx = &gone->base;
			event->signo = ((struct space *)gone->base.space)->killed_by;
			gone->base.running = false;
			gone = gone->next;
			return 0;
		}
		while ((thread = turns_next(&status)))
			if (take(thread, status, event))
				return 0;
		if (block) {
			tid = kick_wait(-1, &status, KICKED | TICKED);
		} else {
			tid = waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
			tid = tid < 0 ? -errno : tid;
		}
		if (tid > 0) {
			thread = threads_find(tid); /* NULL: a child of the sentry that is none of ours */
			if (thread && WIFSTOPPED(status))
				turns_gather(thread, status);
			else if (thread)
				thread_reaped(thread, status);
			continue;
		}
		if (tid == -EINTR && block) {
			/* A kick, a signal handler of the caller's, or only a tick (and there is no telling what
			 * came with a tick).  Events that are there come first. */
			block = false;
			continue;
		}
		if (!live_contexts || tid == -ECHILD)
			return -ECHILD;
		if (tid < 0 && tid != -EINTR)
			return tid;
		kick_take(KICKED);
		return 0;
	}
}
