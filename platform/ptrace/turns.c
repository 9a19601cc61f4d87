/* Whose stop is seen to next: each thread has its turn.
 *
 * wait4(-1) reports the stop of whichever thread comes first in the kernel's list, and that never changes: one
 * that makes call after call would keep all behind it from ever being answered.  So whoever gets one stop from
 * the kernel gathers those of the others, too, and sees to them in this order before the kernel is asked again.
 *
 * A thread with a held stop still counts as running, as it does while the kernel holds its stop.
 */
#include "ptrace.h"

#include <sys/wait.h>

#define ALONE 16 /* stops without a look for others, after a look that found none */

static struct thread *first, **last = &first;
static unsigned unlooked;

static void hold(struct thread *thread, int status)
{
	bool again = thread->held;
	thread->held = status;
	if (again)
		return;
	thread->next_held = NULL;
	*last = thread;
	last = &thread->next_held;
}

void turns_gather(struct thread *thread, int status)
{
	int tid;
	hold(thread, status);
	if (running_contexts < 2 || unlooked) {
		unlooked -= unlooked > 0;
		return;
	}
	while ((tid = waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG)) > 0) {
		thread = threads_find(tid);
		if (thread && WIFSTOPPED(status))
			hold(thread, status);
		else if (thread)
			thread_reaped(thread, status);
	}
	unlooked = first && first->next_held ? 0 : ALONE;
}

struct thread *turns_next(int *status)
{
	struct thread *thread = first;
	if (thread) {
		*status = thread->held;
		turns_forget(thread);
	}
	return thread;
}

void turns_forget(struct thread *thread)
{
	struct thread **link = &first;
	if (!thread->held)
		return;
	while (*link != thread)
		link = &(*link)->next_held;
	*link = thread->next_held;
	if (last == &thread->next_held)
		last = link;
	thread->held = 0;
}
