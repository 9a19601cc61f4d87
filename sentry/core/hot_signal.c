/* C answers to the calls about signals: actions, the alternate stack, a signal to oneself that has a handler,
 * and the return from one. */
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* sigaction(2): flags that are not known read back as 0. */
#define SA_KNOWN 0xdc000807ULL
#define DEFAULT_IGNORED (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
/* Each of these settles a stop, or can't be caught. */
#define JOB_CONTROL \
	(SIG_BIT(SIGCONT) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU) | SIG_UNBLOCKABLE)
#define HANDLER_IGNORE 1ULL

static Group *group_of(Task *task)
{
	return (Group *)task->group; /* checked by Machine.attach */
}

static SignalActions *actions_of(Task *task)
{
	PyObject *sighand = group_of(task)->sighand;
	return sighand && Py_IS_TYPE(sighand, &SignalActionsType) ? (SignalActions *)sighand : NULL;
}

static bool alone(Task *task)
{
	PyObject *tasks = group_of(task)->tasks;
	return tasks && PyList_CheckExact(tasks) && PyList_GET_SIZE(tasks) == 1;
}

static int64_t hot_rt_sigaction(Task *task, struct pf_regs *regs)
{
	SignalActions *actions = actions_of(task);
	struct signal_action new, old;
	int signo = (int)regs->rdi;
	if (!actions)
		return HOT_MISS;
	if (regs->r10 != sizeof(uint64_t))
		return -EINVAL;
	if (regs->rsi && task_read(task, regs->rsi, &new, sizeof new) != sizeof new)
		return -EFAULT;
	if (signo < 1 || signo > NSIG_MAX)
		return -EINVAL;
	uint64_t bit = SIG_BIT(signo);
	old = actions->actions[signo];
	if (regs->rsi) {
		if (bit & SIG_UNBLOCKABLE)
			return -EINVAL;
		/* What is ignored from now on is not pending any more: only Python forgets entries. */
		if ((new.handler == HANDLER_IGNORE || (!new.handler && bit & DEFAULT_IGNORED)) &&
		    (!alone(task) || (task->pending | group_of(task)->pending) & bit))
			return HOT_MISS;
		new.flags &= SA_KNOWN;
		new.mask &= ~SIG_UNBLOCKABLE;
		actions->actions[signo] = new;
	}
	if (regs->rdx && task_write(task, regs->rdx, &old, sizeof old) != sizeof old)
		return -EFAULT;
	return 0;
}

/* Whether the user may queue signals at all, when none is queued (RLIMIT_SIGPENDING). */
static bool may_queue(Task *task)
{
	PyObject *limits = group_of(task)->rlimits;
	if (!limits || !PyList_CheckExact(limits) || PyList_GET_SIZE(limits) <= RLIMIT_SIGPENDING)
		return false;
	PyObject *limit = PyList_GET_ITEM(limits, RLIMIT_SIGPENDING);
	return PyTuple_CheckExact(limit) && PyTuple_GET_SIZE(limit) == 2 &&
	       PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(limit, 0)) != 0;
}

/* Send the running thread a signal that it takes at once: only one with a handler, and with nothing else
 * pending, so that no queue is ever touched. */
static int64_t signal_self(Task *task, int signo, int code)
{
	Group *group = group_of(task);
	SignalActions *actions = actions_of(task);
	struct {
		int32_t signo, error, code, pad;
		int32_t pid;
		uint32_t uid;
		unsigned char rest[104];
	} info = {.signo = signo, .code = code, .pid = group->local_tgid};
	_Static_assert(sizeof info == 128, "siginfo_t");
	if (signo < 1 || signo > NSIG_MAX || !actions || task->work || task->pending || group->pending)
		return HOT_MISS;
	if (task->guard & GUARD_TRACED)
		return HOT_MISS; /* its tracer comes first */
	uint64_t bit = SIG_BIT(signo), mask = task->sigmask;
	struct signal_action *action = &actions->actions[signo];
	if (bit & (JOB_CONTROL | mask) || action->handler <= HANDLER_IGNORE || !may_queue(task))
		return HOT_MISS;
	if (!task->creds || !PyObject_TypeCheck(task->creds, &CredsType) || PyObject_Length(actions->queue) != 0)
		return HOT_MISS; /* the last: a signalfd waits */
	info.uid = uid_shown(task, ((Creds *)task->creds)->uid);
	struct pf_context *pf = ((Context *)task->ctx)->pf;
	pf_complete(ops, pf);
	pf->regs.rax = 0; /* what the call returns to, once the handler is done */
	if (sigframe_enter(task, signo, action, &info, mask) < 0)
		return HOT_MISS;
	task->sigmask |= action->mask;
	if (!(action->flags & SA_NODEFER))
		task->sigmask |= bit;
	if (action->flags & (uint64_t)(uint32_t)SA_RESETHAND)
		*action = (struct signal_action){0};
	return HOT_DONE;
}

static int64_t hot_kill(Task *task, struct pf_regs *regs)
{
	/* Another thread of the process might be the one to take it. */
	if ((int)regs->rdi != group_of(task)->local_tgid || !alone(task))
		return HOT_MISS;
	return signal_self(task, (int)regs->rsi, SI_USER);
}

static int64_t hot_tkill(Task *task, struct pf_regs *regs)
{
	return (int)regs->rdi == task->local_tid ? signal_self(task, (int)regs->rsi, SI_TKILL) : HOT_MISS;
}

static int64_t hot_tgkill(Task *task, struct pf_regs *regs)
{
	if ((int)regs->rdi != group_of(task)->local_tgid || (int)regs->rsi != task->local_tid)
		return HOT_MISS;
	return signal_self(task, (int)regs->rdx, SI_TKILL);
}

static int64_t hot_rt_sigreturn(Task *task, struct pf_regs *regs)
{
	(void)regs;
	return sigframe_leave(task) < 0 ? HOT_MISS : HOT_DONE;
}

static int64_t hot_sigaltstack(Task *task, struct pf_regs *regs)
{
	struct {
		uint64_t sp;
		int32_t flags, pad;
		uint64_t size;
	} new, old = {0};
	struct pf_context *pf = ((Context *)task->ctx)->pf;
	pf_complete(ops, pf);
	uint64_t sp = regs->rsp;
	old.sp = task->altstack_sp;
	old.flags = altstack_flags(task, sp);
	old.size = task->altstack_size;
	if (regs->rdi) {
		if (task_read(task, regs->rdi, &new, sizeof new) != sizeof new)
			return -EFAULT;
		int failed = altstack_set(task, new.sp, new.flags, new.size, sp);
		if (failed)
			return failed;
	}
	if (regs->rsi && task_write(task, regs->rsi, &old, sizeof old) != sizeof old)
		return -EFAULT;
	return 0;
}

void hot_signal_init(void)
{
	hot_calls[SYS_rt_sigaction] = hot_rt_sigaction;
	hot_calls[SYS_kill] = hot_kill;
	hot_calls[SYS_tkill] = hot_tkill;
	hot_calls[SYS_tgkill] = hot_tgkill;
	hot_calls[SYS_rt_sigreturn] = hot_rt_sigreturn;
	hot_calls[SYS_sigaltstack] = hot_sigaltstack;
}
