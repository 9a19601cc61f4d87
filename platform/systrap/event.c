/* A slot that has become ours -> an event of the contract; the rest of the registers when they are wanted. */
#include "systrap.h"

#include <signal.h>
#include <string.h>

/* Registers that an event of a call brings at once: one line of the slot. */
static void take_call(struct thread *thread, const struct slot *slot, struct pf_event *event, uint32_t word)
{
	struct pf_regs *regs = &thread->base.regs;
	event->kind = PF_SYSCALL;
	event->site = word & EVENT_SITE && sites_ripe(thread);
	regs->orig_rax = slot->number;
	regs->rdi = slot->args[0], regs->rsi = slot->args[1], regs->rdx = slot->args[2];
	regs->r10 = slot->args[3], regs->r8 = slot->args[4], regs->r9 = slot->args[5];
	regs->rax = (uint64_t)-ENOSYS;
	thread->base.compat = word & EVENT_COMPAT;
	thread->base.partial = true;
	thread->call = true;
	thread->trapped = word & EVENT_SIGNAL;
}

void op_complete(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	struct pf_regs *regs = &ctx->regs, known = ctx->regs;
	if (!ctx->partial)
		return;
	memcpy(regs, &thread->slot->regs, sizeof *regs);
	regs->cs = (uint16_t)regs->cs, regs->ss = (uint16_t)regs->ss;
	if (thread->call) { /* what has been told stays told */
		regs->orig_rax = known.orig_rax, regs->rax = known.rax;
		regs->rdi = known.rdi, regs->rsi = known.rsi, regs->rdx = known.rdx;
		regs->r10 = known.r10, regs->r8 = known.r8, regs->r9 = known.r9;
	}
	if (regs->gs_base == STUB_SLOTS + (uint64_t)thread->index * SLOT_SIZE)
		regs->gs_base = 0;
	ctx->partial = false;
	thread->fetched = *regs;
}

static void take_fault(const struct slot *slot, struct pf_event *event)
{
	event->kind = PF_FAULT;
	event->signo = slot->signo;
	event->code = slot->code;
	event->addr = slot->addr;
	event->error_code = slot->error_code;
	event->trapno = (int)slot->trapno;
	/* only what a CPU raises; a slot can say anything */
	if (event->signo != SIGSEGV && event->signo != SIGBUS && event->signo != SIGFPE &&
	    event->signo != SIGILL && event->signo != SIGTRAP)
		event->signo = SIGSEGV;
	if (event->code <= 0)
		event->code = SI_KERNEL;
}

void take_event(struct thread *thread, struct pf_event *event)
{
	struct slot *slot = thread->slot;
	uint32_t word = slot->word;
	forget_running(thread);
	event->ctx = &thread->base;
	thread->base.compat = false;
	thread->fp_known = false;
	if ((word & 0xff) == EVENT_SYSCALL) {
		take_call(thread, slot, event, word);
		return;
	}
	thread->call = false;
	thread->base.partial = true;
	op_complete(&thread->base);
	thread->base.regs.orig_rax = thread->fetched.orig_rax = (uint64_t)-1;
	if (word != EVENT_FAULT) {
		event->kind = PF_INTERRUPTED;
		return;
	}
	take_fault(slot, event);
	if (event->signo == SIGILL)
		sites_explain(thread, event);
}
