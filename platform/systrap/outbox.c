/* Threads that are to go on are told so together, before we wait: who is awake then wakes the others.
 *
 * A wake-up across CPUs costs tens of microseconds, one on the same CPU a few.  Guests share CPUs, and a stub that
 * spins, about to return to its guest, is at hand there.
 */
#include "systrap.h"

#define OUTBOX 16
#define TRUST_NS 50000 /* how long we wait for a stub to wake another */

static struct thread *outbox[OUTBOX]; /* resumed, but not told yet */
static int noutbox;
static struct thread *entrusted[OUTBOX]; /* told to go on, to be woken by others' stubs */
static int nentrusted;
static int64_t entrusted_at;

void outbox_reset(void)
{
	noutbox = nentrusted = 0;
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

static void remove(struct thread *thread)
{
	for (int i = 0; i < noutbox; i++)
		if (outbox[i] == thread)
			outbox[i] = outbox[--noutbox];
}

void outbox_forget(struct thread *thread)
{
	remove(thread);
	distrust(thread);
}

void outbox_add(struct thread *thread)
{
	if (noutbox == OUTBOX)
		op_flush();
	outbox[noutbox++] = thread;
}

void outbox_follow_up(bool now)
{
	if (nentrusted && (now || now_ns() - entrusted_at > TRUST_NS))
		make_sure();
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
	if (!carrier && count && last_reported && !last_reported->base.running && is_attentive(last_reported)) {
		carrier = last_reported;
		carrier->errand = true;
		carrier->slot->word = ORDER_ERRAND;
	}
	if (carrier)
		carry(sleepers, count, carrier);
	else
		for (int i = 0; i < count; i++)
			ring_bell(sleepers[i]);
}
