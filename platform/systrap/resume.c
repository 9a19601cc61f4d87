/* Give a slot back: with the result of a call alone when nothing else has changed, else with all registers. */
#include "systrap.h"

#include <string.h>

#define USER_END 0x7ffffffff000ULL

static void write_regs(struct thread *thread)
{
	struct pf_regs regs = thread->base.regs;
	regs.rip = sites_landing(space_of(thread), regs.rip);
	memcpy(&thread->slot->regs, &regs, sizeof regs);
	thread->fetched = thread->base.regs;
}

static void use_area(struct thread *thread)
{
	if (thread->fp_known && thread->fp == FP_AREA)
		thread->slot->fp = STUB_SLOTS + (uint64_t)thread->index * SLOT_SIZE + SLOT_AREA;
}

/* What PTRACE_SETREGS takes, too: user segments, and bases that are no addresses of the kernel's half. */
static bool is_sane(const struct pf_regs *regs)
{
	return regs->fs_base < USER_END && regs->gs_base < USER_END && (regs->cs & 3) == 3 && (regs->ss & 3) == 3;
}

int op_resume(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	struct slot *slot = thread->slot;
	if (ctx->running)
		return -EINVAL;
	if (thread->dead) {
		report_gone(thread);
		return 0;
	}
	if (thread->trapped && sites_any(space_of(thread)))
		op_complete(ctx); /* where it trapped may be patched by now */
	if (!ctx->partial && !is_sane(&ctx->regs))
		return -EIO;
	if (thread->errand)
		await_slot(thread);
	bool same = thread->call && !(thread->fp_known && thread->fp == FP_AREA);
	if (same && !ctx->partial) {
		thread->fetched.rax = ctx->regs.rax;
		thread->fetched.orig_rax = ctx->regs.orig_rax;
		same = memcmp(&thread->fetched, &ctx->regs, sizeof ctx->regs) == 0 &&
		       (!thread->trapped || sites_landing(space_of(thread), ctx->regs.rip) == ctx->regs.rip);
	}
	if (ctx->regs.gs_base && !ctx->partial)
		sites_give_up(thread);
	if (same) {
		slot->number = ctx->regs.rax;
		slot->word = ORDER_RESULT;
	} else {
		op_complete(ctx);
		write_regs(thread);
		use_area(thread);
		slot->word = ORDER_RESTORE;
	}
	if (thread->dead) { /* while we saw to that */
		report_gone(thread);
		return 0;
	}
	if (note_running(thread) < 0)
		return -ENOMEM;
	outbox_add(thread);
	return 0;
}
