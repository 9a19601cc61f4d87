/* The loop's two ends: a slot that becomes ours is an event, and to resume is to give the slot back.
 *
 * Who waits looks at the slots of running threads, for a while in a row when that has paid lately, and then sleeps
 * until a stub rings the bell.
 */
#include "systrap.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SPIN_LEAST 2000	  /* ns of looking for events before we sleep: less when that was in vain ... */
#define SPIN_MOST 60000
#define HEED_NS 10000000000LL /* a guest that does not heed an interrupt for so long is killed */
#define HEED_CHECK_MS 500
#define COMPUTING_MS 4
#define TRUST_NS 50000 /* how long we wait for a stub to wake another */
#define USER_END 0x7ffffffff000ULL

static struct thread **running; /* in no order */
static int nrunning, running_room, cursor;
#define OUTBOX 16
static struct thread *outbox[OUTBOX]; /* resumed, but not told yet: who is awake can wake the others */
static int noutbox;
static struct thread *entrusted[OUTBOX]; /* told to go on, to be woken by others' stubs */
static int nentrusted;
static int64_t entrusted_at;
static struct thread *gone_first, **gone_last = &gone_first;
static int64_t spin = SPIN_MOST;
static int unheeded;
static struct thread *last; /* reported, and maybe not resumed since */

void wait_reset(void)
{
	nrunning = cursor = unheeded = noutbox = nentrusted = 0;
	last = NULL;
	gone_first = NULL;
	gone_last = &gone_first;
}

void report_gone(struct thread *thread)
{
	thread->next = NULL;
	*gone_last = thread;
	gone_last = &thread->next;
}

static void make_sure(void)
{
	for (int i = 0; i < nentrusted; i++)
		if (!entrusted[i]->slot->up)
			ring_bell(entrusted[i]);
	nentrusted = 0;
}

static void distrust(struct thread *thread)
{
	for (int i = 0; i < nentrusted; i++)
		if (entrusted[i] == thread)
			entrusted[i--] = entrusted[--nentrusted];
}

static void unreport_gone(struct thread *thread)
{
	for (struct thread **link = &gone_first; *link; link = &(*link)->next) {
		if (*link != thread)
			continue;
		*link = thread->next;
		if (gone_last == &thread->next)
			gone_last = link;
		return;
	}
}

void wait_forget(struct thread *thread)
{
	forget_running(thread);
	unreport_gone(thread);
	distrust(thread);
	if (last == thread)
		last = NULL;
}

static int note_running(struct thread *thread)
{
	if (nrunning == running_room) {
		int room = running_room ? 2 * running_room : 64;
		struct thread **larger = realloc(running, (size_t)room * sizeof *running);
		if (!larger)
			return -ENOMEM;
		running = larger;
		running_room = room;
	}
	thread->running_at = nrunning;
	running[nrunning++] = thread;
	thread->base.running = true;
	place_balance(nrunning);
	return 0;
}

static void remove_from_outbox(struct thread *thread)
{
	for (int i = 0; i < noutbox; i++)
		if (outbox[i] == thread)
			outbox[i] = outbox[--noutbox];
}

void forget_running(struct thread *thread)
{
	if (!thread->base.running)
		return;
	thread->base.running = false;
	remove_from_outbox(thread);
	distrust(thread);
	struct thread *last = running[--nrunning];
	running[thread->running_at] = last;
	last->running_at = thread->running_at;
	if (thread->asked) {
		thread->asked = 0;
		unheeded--;
	}
	place_balance(nrunning);
}

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

static void take_fault(struct thread *thread, const struct slot *slot, struct pf_event *event)
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
	(void)thread;
}

static void take(struct thread *thread, struct pf_event *event)
{
	struct slot *slot = thread->slot;
	uint32_t word = slot->word;
	__atomic_store_n(bell_of(thread->bell), 0, __ATOMIC_SEQ_CST);
	forget_running(thread);
	event->ctx = &thread->base;
	thread->base.compat = false;
	thread->fp_known = false;
	thread->fresh = false;
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
	take_fault(thread, slot, event);
	if (event->signo == SIGILL)
		sites_explain(thread, event);
}

/* Whoever was reported last and has not been resumed waits for something: its stub need not spin. */
static void calm(void)
{
	if (last && !last->base.running && !last->dead && !last->errand)
		send_to_sleep(last);
	last = NULL;
}

static bool look(struct pf_event *event)
{
	for (int i = 0; i < nrunning; i++) {
		if (++cursor >= nrunning)
			cursor = 0;
		struct thread *thread = running[cursor];
		if (__atomic_load_n(&thread->slot->turn, __ATOMIC_ACQUIRE) != TURN_STUB) {
			take(thread, event);
			last = thread;
			return true;
		}
	}
	return false;
}

static bool take_gone(struct pf_event *event)
{
	struct thread *thread = gone_first;
	if (!thread)
		return false;
	gone_first = thread->next;
	if (!gone_first)
		gone_last = &gone_first;
	event->kind = PF_GONE;
	event->ctx = &thread->base;
	return true;
}

/* Guests that were to be interrupted and run on have tampered with their signals. */
static void kill_unheeding(void)
{
	int64_t ns = now_ns();
	for (int i = 0; i < nrunning; i++)
		if (running[i]->asked && ns - running[i]->asked > HEED_NS)
			kill_space(space_of(running[i]));
}

/* true: something happened; `event` says what, or that the wait was called off. */
static bool look_around(struct pf_event *event)
{
	if (child_died())
		reap();
	spare_goes_on();
	return look(event) || take_gone(event) || sleep_called_off();
}

/* Does one run on our own CPU, as far as its last hand-over tells?  It won't get there while we spin. */
static bool is_beside_us(uint32_t cpu)
{
	for (int i = 0; i < nrunning; i++)
		if (running[i]->slot->cpu == cpu)
			return true;
	return false;
}

static bool spin_for(struct pf_event *event)
{
	int64_t start, at;
	if (!nrunning || !place_may_spin() || is_beside_us(world->cpu))
		return false;
	start = at = now_ns();
	while (at - start < spin) {
		for (int i = 0; i < 16; i++) {
			if (look_around(event)) {
				spin = spin < SPIN_MOST / 2 ? 2 * spin : SPIN_MOST;
				return true;
			}
			__builtin_ia32_pause();
		}
		int64_t before = at;
		at = now_ns();
		place_gap(at - before);
	}
	spin = spin > SPIN_LEAST * 2 ? spin / 2 : SPIN_LEAST;
	return false;
}

static void sleep_long(void)
{
	if (nrunning && sleep_until_rung(COMPUTING_MS))
		return;
	place_rest(); /* whoever runs computes: let the host put it where it likes */
	for (int i = 0; i < nrunning; i++)
		place_thread(running[i]);
	sleep_until_rung(unheeded ? HEED_CHECK_MS : -1);
	if (unheeded)
		kill_unheeding();
}

int op_wait(struct pf_event *event, bool block)
{
	event->kind = PF_NONE;
	if (child_died())
		reap();
	if (!live_contexts)
		return -ECHILD;
	op_flush();
	if (nentrusted && now_ns() - entrusted_at > TRUST_NS)
		make_sure();
	place_self();
	calm();
	if (look_around(event) || !block || spin_for(event))
		return 0;
	make_sure();
	__atomic_store_n(&world->asleep, 1, __ATOMIC_SEQ_CST);
	if (!look_around(event))
		sleep_long();
	__atomic_store_n(&world->asleep, 0, __ATOMIC_RELAXED);
	if (event->kind == PF_NONE)
		look_around(event);
	return 0;
}

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
	if (note_running(thread) < 0)
		return -ENOMEM;
	if (noutbox == OUTBOX)
		op_flush();
	outbox[noutbox++] = thread;
	return 0;
}

/* A stub that was to wake another may be killed first, or be a guest's that won't. */
static void entrust(struct thread *sleeper)
{
	if (nentrusted == OUTBOX)
		make_sure();
	sleeper->slot->up = 0;
	entrusted[nentrusted++] = sleeper;
	entrusted_at = now_ns();
}

/* Somebody on the guests' CPUs who can wake the sleepers among those that are to go on: one of these whose stub
 * is awake, or the one that was reported last and now waits. */
static void carry(struct thread **sleepers, int count, struct thread *carrier)
{
	struct slot *slot = carrier->slot;
	if (count) {
		slot->wake = sleepers[0]->bell + 1;
		slot->word |= ORDER_WAKE;
		entrust(sleepers[0]);
	}
	if (release_slot(carrier))
		ring_bell(carrier);
	for (int i = 1; i < count; i++)
		ring_bell(sleepers[i]);
}

void op_flush(void)
{
	struct thread *sleepers[OUTBOX], *carrier = NULL;
	int count = 0;
	for (int i = 0; i < noutbox; i++) {
		struct thread *thread = outbox[i];
		place_thread(thread);
		if (!carrier && is_attentive(thread))
			carrier = thread;
		else if (release_slot(thread))
			sleepers[count++] = thread;
	}
	noutbox = 0;
	if (!carrier && count && last && !last->base.running && is_attentive(last)) {
		carrier = last;
		carrier->errand = true;
		carrier->slot->word = ORDER_ERRAND;
	}
	if (carrier)
		carry(sleepers, count, carrier);
	else
		for (int i = 0; i < count; i++)
			ring_bell(sleepers[i]);
}

int op_interrupt(struct pf_context *ctx)
{
	struct thread *thread = thread_of(ctx);
	if (!ctx->running)
		return 0;
	op_flush();
	if (syscall(SYS_tgkill, ctx->space->host_pid, ctx->host_tid, SIGURG) < 0) {
		if (errno == ESRCH)
			kill_space((struct space *)ctx->space); /* it left on its own: so be it */
		return 0;
	}
	if (!thread->asked) {
		thread->asked = now_ns();
		unheeded++;
	}
	return 0;
}
