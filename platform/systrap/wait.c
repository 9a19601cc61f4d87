/* Waiting for the next event: a slot that has become ours.
 *
 * Who waits looks at the slots of running threads, for a while in a row when that has paid lately, and then sleeps
 * until a stub rings the bell.
 */
#include "systrap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN_LEAST 2000	  /* ns of looking for events before we sleep: less when that was in vain ... */
#define SPIN_MOST 60000
#define HEED_NS 10000000000LL /* a guest that does not heed an interrupt for so long is killed */
#define HEED_CHECK_MS 500
#define COMPUTING_MS 4

static struct thread **running; /* in no order */
static int nrunning, running_room, cursor;
static struct thread *gone_first, **gone_last = &gone_first;
static int64_t spin = SPIN_MOST;
static int unheeded;
static int64_t heed_check_at;
struct thread *last_reported; /* reported, and maybe not resumed since */

void wait_reset(void)
{
	nrunning = cursor = unheeded = 0;
	outbox_reset();
	last_reported = NULL;
	gone_first = NULL;
	gone_last = &gone_first;
}

void report_gone(struct thread *thread)
{
	if (thread->reported)
		return;
	thread->reported = true;
	thread->next = NULL;
	*gone_last = thread;
	gone_last = &thread->next;
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
	if (last_reported == thread)
		last_reported = NULL;
}

int note_running(struct thread *thread)
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
	space_of(thread)->nrunning++;
	place_balance(nrunning);
	return 0;
}

void forget_running(struct thread *thread)
{
	if (!thread->base.running)
		return;
	thread->base.running = false;
	space_of(thread)->nrunning--;
	outbox_forget(thread);
	struct thread *last = running[--nrunning];
	running[thread->running_at] = last;
	last->running_at = thread->running_at;
	if (thread->asked) {
		thread->asked = 0;
		unheeded--;
	}
	place_balance(nrunning);
}

/* Whoever was reported last and has not been resumed waits for something: its stub need not spin. */
static void calm(void)
{
	if (last_reported && !last_reported->base.running && !last_reported->dead && !last_reported->errand)
		send_to_sleep(last_reported);
	last_reported = NULL;
}

static bool look(struct pf_event *event)
{
	for (int i = 0; i < nrunning; i++) {
		if (++cursor >= nrunning)
			cursor = 0;
		struct thread *thread = running[cursor];
		if (is_ours(thread)) {
			take_event(thread, event);
			last_reported = thread;
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
	thread->reported = false;
	event->kind = PF_GONE;
	event->ctx = &thread->base;
	event->signo = space_of(thread)->killed_by;
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
}

int op_wait(struct pf_event *event, bool block)
{
	event->kind = PF_NONE;
	if (child_died())
		reap();
	if (!live_contexts)
		return -ECHILD;
	op_flush();
	outbox_follow_up(false);
	if (unheeded && now_ns() > heed_check_at) {
		heed_check_at = now_ns() + HEED_CHECK_MS * 1000000LL;
		kill_unheeding();
	}
	place_self();
	calm();
	if (look_around(event) || !block || spin_for(event))
		return 0;
	outbox_follow_up(true);
	__atomic_store_n(&world->asleep, 1, __ATOMIC_SEQ_CST);
	if (!look_around(event))
		sleep_long();
	__atomic_store_n(&world->asleep, 0, __ATOMIC_RELAXED);
	if (event->kind == PF_NONE)
		look_around(event);
	return 0;
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
