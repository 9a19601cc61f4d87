/* C answers to what every program asks or tells when it starts: its limits, where its thread's data is; and
 * to the calls that are missing. */
#include "core.h"

#include <asm/prctl.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define ROBUST_LIST_HEAD_SIZE 24

static int refused[HOT_COUNT]; /* the errno of each missing call */

static Group *group_of(Task *task)
{
	return (Group *)task->group; /* checked by Machine.attach */
}

static int64_t hot_missing(Task *task, struct pf_regs *regs)
{
	(void)task;
	return -refused[regs->orig_rax];
}

bool hot_refuse(long nr, int error)
{
	if (nr < 0 || nr >= HOT_COUNT || (hot_calls[nr] && hot_calls[nr] != hot_missing) || error <= 0)
		return false;
	refused[nr] = error;
	hot_calls[nr] = hot_missing;
	return true;
}

static int64_t hot_set_tid_address(Task *task, struct pf_regs *regs)
{
	task->clear_child_tid = regs->rdi;
	return task->local_tid;
}

static int64_t hot_set_robust_list(Task *task, struct pf_regs *regs)
{
	if (regs->rsi != ROBUST_LIST_HEAD_SIZE)
		return -EINVAL;
	task->robust_list = regs->rdi;
	return 0;
}

static int64_t hot_arch_prctl(Task *task, struct pf_regs *regs)
{
	struct pf_context *pf = ((Context *)task->ctx)->pf;
	if ((int)regs->rdi != ARCH_SET_FS)
		return HOT_MISS;
	if (regs->rsi >= PF_GUEST_END)
		return -EPERM;
	pf_complete(ops, pf);
	regs->fs_base = regs->rsi;
	return 0;
}

static int64_t read_limit(Task *task, unsigned resource, uint64_t address)
{
	PyObject *limits = group_of(task)->rlimits;
	uint64_t pair[2];
	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (!limits || !PyList_CheckExact(limits) || PyList_GET_SIZE(limits) != RLIM_NLIMITS)
		return HOT_MISS;
	PyObject *limit = PyList_GET_ITEM(limits, resource);
	if (!PyTuple_CheckExact(limit) || PyTuple_GET_SIZE(limit) != 2)
		return HOT_MISS;
	for (int i = 0; i < 2; i++)
		pair[i] = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(limit, i));
	return task_write(task, address, pair, sizeof pair) == sizeof pair ? 0 : -EFAULT;
}

static int64_t hot_getrlimit(Task *task, struct pf_regs *regs)
{
	return read_limit(task, (unsigned)regs->rdi, regs->rsi);
}

static int64_t hot_prlimit64(Task *task, struct pf_regs *regs)
{
	int pid = (int)regs->rdi;
	bool own = pid == 0 || pid == task->local_tid || pid == group_of(task)->local_tgid;
	return own && !regs->rdx && regs->r10 ? read_limit(task, (unsigned)regs->rsi, regs->r10) : HOT_MISS;
}

static int64_t hot_getpgrp(Task *task, struct pf_regs *regs)
{
	(void)regs;
	return group_of(task)->nested ? HOT_MISS : group_of(task)->pgid;
}

static int64_t hot_getpgid(Task *task, struct pf_regs *regs)
{
	return (int)regs->rdi || group_of(task)->nested ? HOT_MISS : group_of(task)->pgid;
}

static int64_t hot_getsid(Task *task, struct pf_regs *regs)
{
	return (int)regs->rdi || group_of(task)->nested ? HOT_MISS : group_of(task)->sid;
}

void hot_process_init(void)
{
	hot_calls[SYS_set_tid_address] = hot_set_tid_address;
	hot_calls[SYS_set_robust_list] = hot_set_robust_list;
	hot_calls[SYS_arch_prctl] = hot_arch_prctl;
	hot_calls[SYS_getrlimit] = hot_getrlimit;
	hot_calls[SYS_prlimit64] = hot_prlimit64;
	hot_calls[SYS_getpgrp] = hot_getpgrp;
	hot_calls[SYS_getpgid] = hot_getpgid;
	hot_calls[SYS_getsid] = hot_getsid;
}
