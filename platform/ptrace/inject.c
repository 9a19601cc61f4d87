/* Injected work: a stopped thread runs one routine of the stub, and is stopped again when we return.
 *
 * Cheaper than it could be: the thread's own registers are not put back (that is left to the next `resume`,
 * which has to set them anyway), and one PTRACE_GETREGS tells both where it stopped and the result.
 *
 * Whose thread has registered a struct rseq can have it go on elsewhere whenever it is about to run code of the
 * stub's (rseq(2)): with our registers, and with its system calls made for good.  When somebody is there who could
 * ask for that, such a thread takes a single step, and is killed unless that was the call.
 */
#include "ptrace.h"

#include <signal.h>
#include <sys/wait.h>

#define CLEAN_EFLAGS 0x202 /* no TF, no AC, no DF */
#define USER_CS 0x33
#define USER_DS 0x2b

static int awaited;
static struct thread *found;

static void find_dead(struct thread *thread)
{
	siginfo_t info = {0};
	int tid = thread->base.host_tid;
	if (found || tid == awaited ||
	    waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || !info.si_pid)
		return;
	/* A tracer is shown stops whatever it asks for: those of threads that live are left to `wait`. */
	if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
		found = thread;
}

static void reap_others(struct thread *thread)
{
	int status;
	awaited = thread->base.host_tid;
	do {
		found = NULL;
		threads_each(find_dead);
		if (found && waitpid(found->base.host_tid, &status, __WALL) > 0)
			thread_reaped(found, status);
	} while (found);
}

/* The next stop (or death) of this very thread; what others report stays queued in the kernel.  A thread
 * group that is killed from outside shows its leader's death only after all others are reaped, which
 * nobody else does while we are here: so for a leader with siblings the tick looks after them. */
static int wait_for(struct thread *thread, int *status)
{
	struct space *space = (struct space *)thread->base.space;
	int tid = thread->base.host_tid, result;
	bool siblings = space && tid == space->base.host_pid && space->base.nthreads + space->nparked > 1;
	if (siblings)
		tick_start();
	for (;;) {
		if (siblings)
			result = kick_wait(tid, status, TICKED);
		else
			result = waitpid(tid, status, __WALL) < 0 ? -errno : tid;
		if (result != -EINTR)
			return result;
		if (siblings && kick_take(TICKED))
			reap_others(thread);
	}
}

static void prepare(struct thread *thread, unsigned entry, struct pf_regs *regs)
{
	regs->rip = PF_STUB_BASE + entry;
	regs->orig_rax = (uint64_t)-1; /* whatever the thread was doing, there is no call to restart */
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->eflags = CLEAN_EFLAGS;
	regs->fs_base = thread->fetched.fs_base;
	regs->gs_base = thread->fetched.gs_base;
	regs->ds = thread->fetched.ds;
	regs->es = thread->fetched.es;
	regs->fs = thread->fetched.fs;
	regs->gs = thread->fetched.gs;
	thread->stale = true;
	affinity_resume(thread);
}

static int start(struct thread *thread, unsigned entry, struct pf_regs *regs, int request)
{
	int tid = thread->base.host_tid;
	if (thread->dead)
		return -ESRCH;
	prepare(thread, entry, regs);
	return ptrace(PTRACE_SETREGS, tid, 0, regs) < 0 || ptrace(request, tid, 0, 0) < 0 ? -errno : 0;
}

/* `regs`: those the routine wants; segments and bases are the guest's. */
int inject_start(struct thread *thread, unsigned entry, struct pf_regs *regs)
{
	return start(thread, entry, regs, PTRACE_CONT);
}

/* Its next stop, and the registers there: 0 or -errno. */
static int await_stop(struct thread *thread, int *status, struct pf_regs *regs)
{
	do {
		int failed = wait_for(thread, status);
		if (failed < 0)
			return failed;
		if (!WIFSTOPPED(*status)) {
			thread_reaped(thread, *status);
			return -ESRCH;
		}
	} while (ptrace(PTRACE_GETREGS, thread->base.host_tid, 0, regs) < 0); /* being killed: the next wait tells */
	return 0;
}

static int64_t run(struct thread *thread, unsigned entry, struct pf_regs *regs)
{
	int tid = thread->base.host_tid, status;
	int failed = start(thread, entry, regs, PTRACE_CONT);
	while (!failed && !(failed = await_stop(thread, &status, regs))) {
		if (!(status >> 16)) {
			int signo = WSTOPSIG(status);
			if (signo == SIGTRAP && regs->rip == STUB_BASE + STUB_TRAPPED)
				return (int64_t)regs->rax;
			if ((signo == SIGSEGV || signo == SIGBUS) && regs->rip == PF_STUB_BASE + entry)
				return -EFAULT;
			if (signo == SIGSEGV && thread->rseq.addr)
				rseq_break(thread); /* it would come again and again */
		}
		/* Dropped: PTRACE_EVENT_STOP (an interrupt, or SIGCONT from outside), or a signal. */
		ptrace(PTRACE_CONT, tid, 0, 0);
	}
	return failed;
}

/* Linux's restart codes: the call has not been made. */
static bool must_restart(int64_t result)
{
	return result <= -512 && result >= -516;
}

static int64_t step(struct thread *thread, struct pf_regs *regs)
{
	const uint64_t nr = regs->rax;
	int tid = thread->base.host_tid, status;
	int failed = start(thread, STUB_CALL, regs, PTRACE_SINGLESTEP);
	while (!failed && !(failed = await_stop(thread, &status, regs))) {
		/* Nothing but the call itself leaves its number in there. */
		bool called = regs->rip == STUB_BASE + STUB_TRAP && regs->orig_rax == nr;
		int signo = status >> 16 ? 0 : WSTOPSIG(status);
		if (called && signo == SIGTRAP && !must_restart((int64_t)regs->rax))
			return (int64_t)regs->rax;
		if ((!called && regs->rip != STUB_BASE + STUB_CALL) || signo == SIGSEGV)
			rseq_break(thread);
		ptrace(PTRACE_SINGLESTEP, tid, 0, 0);
	}
	return failed;
}

int64_t inject_safely(struct thread *thread, long nr, const struct pf_rseq *rseq, struct pf_regs *regs)
{
	regs->rax = (uint64_t)nr;
	return rseq_rests(thread, rseq) ? run(thread, STUB_CALL, regs) : step(thread, regs);
}

int64_t inject(struct thread *thread, unsigned entry, struct pf_regs *regs)
{
	const struct pf_rseq rseq = thread->rseq;
	if (rseq_rests(thread, &rseq))
		return run(thread, entry, regs);
	int failed = op_rseq(&thread->base, NULL);
	if (failed)
		return failed;
	int64_t result = run(thread, entry, regs);
	if (result != -ESRCH && op_rseq(&thread->base, &rseq) < 0)
		rseq_break(thread); /* the routine has unmapped it */
	return result;
}

int64_t inject_call(struct thread *thread, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		    uint64_t e, uint64_t f)
{
	struct pf_regs regs = {.rdi = a, .rsi = b, .rdx = c, .r10 = d, .r8 = e, .r9 = f};
	return inject_safely(thread, nr, &thread->rseq, &regs);
}
