/* The table of host threads: tid -> struct thread.  Open addressing, linear probing, at most half full. */
#include "ptrace.h"

#include <stdlib.h>

static struct thread **slots;
static unsigned mask; /* number of slots - 1 */
static int count;

static unsigned home(int tid)
{
	return ((unsigned)tid * 2654435769U) >> 7 & mask; /* Fibonacci hashing: tids come in runs */
}

static void put(struct thread *thread)
{
	unsigned at = home(thread->base.host_tid);
	while (slots[at])
		at = (at + 1) & mask;
	slots[at] = thread;
}

static int grow(void)
{
	struct thread **old = slots;
	unsigned slots_old = old ? mask + 1 : 0, slots_new = old ? slots_old * 2 : 64;
	struct thread **fresh = calloc(slots_new, sizeof *fresh);
	if (!fresh)
		return -ENOMEM;
	slots = fresh;
	mask = slots_new - 1;
	for (unsigned i = 0; i < slots_old; i++)
		if (old[i])
			put(old[i]);
	free(old);
	return 0;
}

int threads_add(struct thread *thread)
{
	if (!slots || (unsigned)count * 2 > mask) {
		int failed = grow();
		if (failed)
			return failed;
	}
	put(thread);
	count++;
	return 0;
}

struct thread *threads_find(int tid)
{
	if (!slots)
		return NULL;
	for (unsigned at = home(tid); slots[at]; at = (at + 1) & mask)
		if (slots[at]->base.host_tid == tid)
			return slots[at];
	return NULL;
}

void threads_remove(struct thread *thread)
{
	unsigned at = home(thread->base.host_tid);
	while (slots[at] != thread)
		at = (at + 1) & mask;
	count--;
	/* Close the gap: whoever would no longer be found from its home moves into it. */
	for (unsigned next = (at + 1) & mask; slots[next]; next = (next + 1) & mask) {
		unsigned want = home(slots[next]->base.host_tid);
		if (((next - want) & mask) >= ((next - at) & mask)) {
			slots[at] = slots[next];
			at = next;
		}
	}
	slots[at] = NULL;
	if (!count) {
		free(slots);
		slots = NULL;
	}
}

/* Calls `visit` for each; it may not add or remove. */
void threads_each(void (*visit)(struct thread *thread))
{
	for (unsigned i = 0; slots && i <= mask; i++)
		if (slots[i])
			visit(slots[i]);
}

int threads_count(void)
{
	return count;
}
