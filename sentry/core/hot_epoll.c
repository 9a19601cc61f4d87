/* C answers to epoll_wait(2), and to epoll_pwait(2) without a signal mask (twin: sentry.syscalls.epoll). */
#include "core.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>

#define MOST 1024 /* events told at once; more are left to Python */
#define USER_END 0x7ffffffff000ULL /* TASK_SIZE_MAX: no buffer reaches beyond */
#define READABLE (EPOLLIN | EPOLLRDNORM)

static struct epoll_event found[MOST];

static ReadyList *list_of(File *file)
{
	return file->kind == KIND_EPOLL && file->state && PyObject_TypeCheck(file->state, &ReadyListType)
		       ? (ReadyList *)file->state
		       : NULL;
}

/* HOT_PARK: nothing to tell. */
static int64_t tell(Task *task, ReadyList *list, struct pf_regs *regs)
{
	int limit = (int)regs->rdx;
	if (limit > MOST && list->count > MOST)
		return HOT_MISS;
	Py_ssize_t count = ready_collect(list, found, limit < MOST ? limit : MOST);
	ssize_t size = count * (ssize_t)sizeof *found;
	if (!count)
		return HOT_PARK;
	ssize_t told = task_write(task, regs->rsi, found, (size_t)size);
	return told < (ssize_t)sizeof *found ? -EFAULT : told / (ssize_t)sizeof *found;
}

static int64_t step(Task *task, int outcome)
{
	if (outcome == WAIT_INTERRUPTED)
		return -EINTR; /* never restarted (signal(7)) */
	int64_t result = tell(task, list_of((File *)task->parked.object), task_regs(task));
	return result == HOT_PARK && outcome == WAIT_TIMED_OUT ? 0 : result;
}

static long long deadline_in(int milliseconds)
{
	struct timespec now;
	if (milliseconds < 0)
		return NEVER;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec + milliseconds * 1000000LL;
}

static int64_t hot_epoll_wait(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	ReadyList *list = file ? list_of(file) : NULL;
	int limit = (int)regs->rdx, timeout = (int)regs->r10;
	if (!list || limit <= 0 || limit > INT32_MAX / (int)sizeof *found ||
	    regs->rsi > USER_END - (uint64_t)limit * sizeof *found)
		return HOT_MISS;
	Py_INCREF(file); /* asking a file, or copying out, may run Python */
	int64_t result = tell(task, list, regs);
	if (result == HOT_PARK)
		result = timeout ? park(task, step, (PyObject *)file, list->queue, READABLE, deadline_in(timeout)) : 0;
	Py_DECREF(file);
	return result;
}

static int64_t hot_epoll_pwait(Task *task, struct pf_regs *regs)
{
	return regs->r8 ? HOT_MISS : hot_epoll_wait(task, regs);
}

void hot_epoll_init(void)
{
	hot_calls[SYS_epoll_wait] = hot_epoll_wait;
	hot_calls[SYS_epoll_pwait] = hot_epoll_pwait;
}
