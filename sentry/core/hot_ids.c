/* C answers that need no file: identity, clocks, yield, the signal mask. */
#include "core.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static Group *group_of(Task *task)
{
	return (Group *)task->group; /* checked by Machine.attach */
}

static int64_t hot_getpid(Task *task, struct pf_regs *regs)
{
	(void)regs;
	return group_of(task)->local_tgid;
}

static int64_t hot_gettid(Task *task, struct pf_regs *regs)
{
	(void)regs;
	return task->local_tid;
}

static int64_t hot_getppid(Task *task, struct pf_regs *regs)
{
	(void)regs;
	return group_parent(group_of(task));
}

#define HOT_CRED(name, field, shown)                                             \
	static int64_t name(Task *task, struct pf_regs *regs)                    \
	{                                                                        \
		(void)regs;                                                      \
		if (!task->creds || !PyObject_TypeCheck(task->creds, &CredsType)) \
			return HOT_MISS;                                         \
		return (int64_t)shown(task, ((Creds *)task->creds)->field);      \
	}
HOT_CRED(hot_getuid, uid, uid_shown)
HOT_CRED(hot_geteuid, euid, uid_shown)
HOT_CRED(hot_getgid, gid, gid_shown)
HOT_CRED(hot_getegid, egid, gid_shown)

static int64_t hot_sched_yield(Task *task, struct pf_regs *regs)
{
	(void)task;
	(void)regs;
	return 0;
}

static int64_t hot_clock_gettime(Task *task, struct pf_regs *regs)
{
	struct timespec now;
	if (task->shifted)
		return HOT_MISS;
	switch ((int)regs->rdi) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		break;
	default:
		return HOT_MISS;
	}
	clock_gettime((clockid_t)(int)regs->rdi, &now);
	return task_write(task, regs->rsi, &now, sizeof now) == sizeof now ? 0 : -EFAULT;
}

static int64_t hot_gettimeofday(Task *task, struct pf_regs *regs)
{
	struct timeval now;
	if (regs->rsi)
		return HOT_MISS;
	gettimeofday(&now, NULL);
	if (regs->rdi && task_write(task, regs->rdi, &now, sizeof now) != sizeof now)
		return -EFAULT;
	return 0;
}

static int64_t hot_time(Task *task, struct pf_regs *regs)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now); /* as Linux: may lag a tick behind gettimeofday(2) */
	if (regs->rdi && task_write(task, regs->rdi, &now.tv_sec, sizeof now.tv_sec) != sizeof now.tv_sec)
		return -EFAULT;
	return now.tv_sec;
}

static int64_t hot_rt_sigprocmask(Task *task, struct pf_regs *regs)
{
	uint64_t old = task->sigmask, set = 0;
	if (regs->r10 != sizeof set)
		return -EINVAL;
	if (regs->rsi) {
		if (task_read(task, regs->rsi, &set, sizeof set) != sizeof set)
			return -EFAULT;
		set &= ~SIG_UNBLOCKABLE;
		switch ((int)regs->rdi) {
		case 0: /* SIG_BLOCK */
			set |= old;
			break;
		case 1: /* SIG_UNBLOCK */
			set = old & ~set;
			break;
		case 2: /* SIG_SETMASK */
			break;
		default:
			return -EINVAL;
		}
		task->sigmask = set;
	}
	if (regs->rdx && task_write(task, regs->rdx, &old, sizeof old) != sizeof old)
		return -EFAULT;
	return 0;
}

void hot_ids_init(void)
{
	hot_calls[SYS_getpid] = hot_getpid;
	hot_calls[SYS_gettid] = hot_gettid;
	hot_calls[SYS_getppid] = hot_getppid;
	hot_calls[SYS_getuid] = hot_getuid;
	hot_calls[SYS_geteuid] = hot_geteuid;
	hot_calls[SYS_getgid] = hot_getgid;
	hot_calls[SYS_getegid] = hot_getegid;
	hot_calls[SYS_sched_yield] = hot_sched_yield;
	hot_calls[SYS_clock_gettime] = hot_clock_gettime;
	hot_calls[SYS_gettimeofday] = hot_gettimeofday;
	hot_calls[SYS_time] = hot_time;
	hot_calls[SYS_rt_sigprocmask] = hot_rt_sigprocmask;
}
