/* What a back-end is told so that calls cost less: a task's identity, and which code may be patched. */
#include "vma.h"

/* Zero for whatever is not there. */
static struct pf_facts facts_of(Task *task)
{
	struct pf_facts facts = {.tid = task->local_tid, .sigmask = task->sigmask};
	Group *group = (Group *)task->group; /* checked by Machine.attach */
	facts.pid = group->local_tgid;
	facts.ppid = group_parent(group);
	if (task->creds && PyObject_TypeCheck(task->creds, &CredsType)) {
		Creds *creds = (Creds *)task->creds;
		facts.uid = uid_shown(task, creds->uid), facts.euid = uid_shown(task, creds->euid);
		facts.gid = gid_shown(task, creds->gid), facts.egid = gid_shown(task, creds->egid);
	}
	return facts;
}

void facts_publish(Task *task, struct pf_context *pf)
{
	if (task->guard && ops->limit_patches)
		ops->limit_patches(pf, task->guard & GUARD_TRACED ? PF_PATCH_NONE : PF_PATCH_ASKING);
	if (!ops->publish || !machine->hot)
		return;
	if (task->guard & GUARD_LOOK) {
		ops->publish(pf, NULL);
		return;
	}
	struct pf_facts facts = facts_of(task);
	ops->publish(pf, task->shifted ? NULL : &facts); /* its clocks are not those that a stub knows */
}

/* The call came from code that could be patched: whether it may be is for the memory manager to say. */
void site_offer(Task *task, struct pf_context *pf)
{
	if (!machine->patch || !machine->hot || !ops->patch)
		return;
	pf_complete(ops, pf);
	/* 8 bytes before, 6 behind: all that a back-end looks at or changes */
	if (space_may_patch(task->mm, pf->regs.rip - 8, 14))
		ops->patch(pf);
}
