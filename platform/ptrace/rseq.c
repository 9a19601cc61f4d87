/* Restartable sequences: the host's, which knows when it takes the CPU away. */
#include "ptrace.h"

#include <linux/rseq.h>
#include <signal.h>
#include <sys/syscall.h>

/* Whether the host is to leave a thread with this registration where it is: its space has no other thread that could
 * ask for more, and nobody has by now. */
bool rseq_rests(struct thread *thread, const struct pf_rseq *rseq)
{
	const struct space *space = (struct space *)thread->base.space;
	const uint64_t field = rseq->addr + offsetof(struct rseq, rseq_cs), none = 0;
	uint64_t at;
	if (!rseq->addr)
		return true;
	if (space->base.nthreads > 1 || space->rseq_shared)
		return false;
	return remote_read(space->base.host_pid, field, &at, sizeof at) == sizeof at &&
	       (!at || remote_write(space->base.host_pid, field, &none, sizeof none) == sizeof none);
}

void rseq_overlaid(struct space *space, uint64_t addr, size_t len)
{
	space->rseq_shared |= addr < space->rseq_high && space->rseq_low < addr + len;
}

static void note_place(struct space *space, const struct pf_rseq *rseq)
{
	if (!space->rseq_high || rseq->addr < space->rseq_low)
		space->rseq_low = rseq->addr;
	if (rseq->addr + rseq->len > space->rseq_high)
		space->rseq_high = rseq->addr + rseq->len;
	space->rseq_shared |= rseq->shared;
}

int op_rseq(struct pf_context *ctx, const struct pf_rseq *rseq)
{
	struct thread *thread = thread_of(ctx);
	const struct pf_rseq *which = rseq ? rseq : &thread->rseq;
	if (ctx->running || (rseq && (thread->rseq.addr || !rseq->addr || !guest_range(rseq->addr, rseq->len))))
		return -EINVAL;
	if (thread->dead || !which->addr)
		return thread->dead ? -ESRCH : 0;
	struct pf_regs regs = {
		.rdi = which->addr, .rsi = which->len, .rdx = rseq ? 0 : RSEQ_FLAG_UNREGISTER, .r10 = which->sig,
	};
	if (rseq) { /* from now on, as the host may find fault with it before the call has returned */
		note_place((struct space *)ctx->space, rseq);
		thread->rseq = *rseq;
	}
	int64_t result = inject_safely(thread, SYS_rseq, which, &regs);
	if (rseq ? result != 0 : result == 0)
		thread->rseq = (struct pf_rseq){0};
	return (int)result;
}

void rseq_inherit(struct thread *child, const struct thread *from)
{
	if (!from->rseq.addr)
		return;
	child->rseq = from->rseq;
	child->rseq.shared |= ((struct space *)from->base.space)->rseq_shared;
	note_place((struct space *)child->base.space, &child->rseq);
}

void rseq_break(struct thread *thread)
{
	note_death(thread, SIGSEGV);
	kill(thread->base.host_tid, SIGKILL);
}
