/* Restartable sequences: the host's, which knows when it takes the CPU away. */
#include "ptrace.h"

#include <linux/rseq.h>
#include <signal.h>
#include <sys/syscall.h>

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
	int64_t result = inject_step(thread, SYS_rseq, &regs);
	if (!result)
		thread->rseq = rseq ? *rseq : (struct pf_rseq){0};
	return (int)result;
}

void rseq_break(struct thread *thread)
{
	note_death(thread, SIGSEGV);
	kill(thread->base.host_tid, SIGKILL);
}
