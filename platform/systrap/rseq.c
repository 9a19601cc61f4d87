/* Restartable sequences: the host's, which knows when it takes the CPU away.
 *
 * A guest can have the host divert its thread to code of its own from anywhere, the stub included.  It gains nothing
 * by that: it could jump into the stub as well, and a stub that does not answer is killed.  What it registers and
 * then breaks (an unmapped struct rseq, a critical section that makes no sense) is death by SIGSEGV, which no handler
 * gets to see: the host finds it broken again when it makes the handler's frame.
 */
#include "systrap.h"

#include <linux/rseq.h>
#include <sys/syscall.h>

int op_rseq(struct pf_context *ctx, const struct pf_rseq *rseq)
{
	struct thread *thread = thread_of(ctx);
	const struct pf_rseq old = thread->rseq;
	if (ctx->running || (rseq && (old.addr || !rseq->addr || !guest_range(rseq->addr, rseq->len))))
		return -EINVAL;
	if (thread->dead || (!rseq && !old.addr))
		return thread->dead ? -ESRCH : 0;
	const struct pf_rseq *which = rseq ? rseq : &old;
	int64_t result = stub_call(thread, SYS_rseq, which->addr, which->len, rseq ? 0 : RSEQ_FLAG_UNREGISTER,
				   which->sig, 0, 0);
	if (result)
		return result < 0 ? (int)result : -EIO;
	thread->rseq = rseq ? *rseq : (struct pf_rseq){0};
	return 0;
}
