/* What a thread may know without asking, where its stub finds it and its guest can't change it. */
#include "systrap.h"

#include <string.h>

void op_patching(bool on)
{
	world->patch = on;
}

void op_publish(struct pf_context *ctx, const struct pf_facts *facts)
{
	struct facts *at = ((struct space *)ctx->space)->facts + thread_of(ctx)->index;
	if (!facts) {
		at->known = 0;
		return;
	}
	const struct facts now = {
		.pid = facts->pid, .tid = facts->tid, .ppid = facts->ppid,
		.uid = facts->uid, .euid = facts->euid, .gid = facts->gid, .egid = facts->egid,
		.known = 1, .sigmask = facts->sigmask,
	};
	/* Mostly nothing is new; a write would take the line from the CPU of a stub that reads it. */
	if (memcmp(at, &now, sizeof now) != 0)
		*at = now;
}
