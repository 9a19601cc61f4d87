/* What a thread may know without asking, where its stub finds it and its guest can't change it. */
#include "systrap.h"

void op_patching(bool on)
{
	world->patch = on;
}

void op_publish(struct pf_context *ctx, const struct pf_facts *facts)
{
	struct facts *to = ((struct space *)ctx->space)->facts + thread_of(ctx)->index;
	to->pid = facts->pid, to->tid = facts->tid, to->ppid = facts->ppid;
	to->uid = facts->uid, to->euid = facts->euid, to->gid = facts->gid, to->egid = facts->egid;
	to->sigmask = facts->sigmask;
	to->known = 1;
}
