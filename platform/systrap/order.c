/* Orders: what a stopped thread's stub does for the sentry, which waits for the end. */
#include "systrap.h"

#include <linux/futex.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN_NS 50000 /* of looking at the word before we sleep between looks */

#define LENIENCE 50 /* moments of each wait that are not counted: on a busy machine a stub has to wait for its CPU */

/* Nobody may keep us waiting long for more than a tenth of the time, in the long run. */
void charge_wait(struct space *space, int moments)
{
	if (moments <= LENIENCE)
		return;
	int64_t now = now_ns();
	space->owed -= (now - space->owed_at) / (10 * MOMENT_NS);
	if (space->owed < 0)
		space->owed = 0;
	space->owed += moments - LENIENCE;
	space->owed_at = now;
	if (space->owed > PATIENCE)
		kill_space(space);
}

/* The stub's CPU may be ours, or busy: sleep until the word changes, a little at a time. */
static bool await_long(struct thread *thread)
{
	struct timespec moment = {.tv_nsec = MOMENT_NS};
	bool done = false;
	int moments = 0;
	__atomic_store_n(&world->asleep, 2, __ATOMIC_SEQ_CST);
	while (!thread->dead && !(done = is_ours(thread))) {
		if (syscall(SYS_futex, &thread->slot->turn, FUTEX_WAIT, TURN_STUB, &moment, NULL, 0) < 0 &&
		    errno == ETIMEDOUT) {
			moments++;
			birth_look(); /* a clone that began again */
		}
		if (child_died())
			reap();
		if (moments > PATIENCE)
			kill_space(space_of(thread));
	}
	__atomic_store_n(&world->asleep, 0, __ATOMIC_SEQ_CST);
	charge_wait(space_of(thread), moments);
	return done && !thread->dead;
}

/* It can get on with its work while we look. */
bool may_spin_for(const struct thread *thread)
{
	return world->spin && thread->slot->cpu != world->cpu;
}

static bool look_long(struct thread *thread)
{
	if (is_ours(thread))
		return true;
	if (may_spin_for(thread)) {
		int64_t start = now_ns(), at = start;
		while (at - start < SPIN_NS) {
			for (int i = 0; i < 16; i++) {
				if (is_ours(thread))
					return true;
				__builtin_ia32_pause();
			}
			at = now_ns();
		}
		place_gap(at - start);
	}
	return await_long(thread);
}

bool await_slot(struct thread *thread)
{
	if (thread->dead || !look_long(thread))
		return false;
	thread->errand = false;
	return true;
}

bool is_attentive(struct thread *thread)
{
	return !thread->dead && !thread->errand && __atomic_load_n(&thread->slot->turn, __ATOMIC_ACQUIRE) == TURN_SENTRY;
}

void send_to_sleep(struct thread *thread)
{
	uint32_t turn = TURN_SENTRY;
	__atomic_compare_exchange_n(&thread->slot->turn, &turn, TURN_DOZE, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

bool release_slot(struct thread *thread)
{
	if (__atomic_exchange_n(&thread->slot->turn, TURN_STUB, __ATOMIC_SEQ_CST) != TURN_DOZE)
		return false;
	__atomic_fetch_add(bell_of(thread->bell), 1, __ATOMIC_SEQ_CST);
	return true;
}

void ring_bell(struct thread *thread)
{
	/* All who sleep there: it may still be in use by a dying one that had it before. */
	syscall(SYS_futex, bell_of(thread->bell), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void send_slot(struct thread *thread)
{
	if (release_slot(thread))
		ring_bell(thread);
}

void place_order(struct thread *thread, uint32_t what, const uint64_t call[7])
{
	if (thread->errand)
		await_slot(thread);
	memcpy(thread->slot->call, call, sizeof thread->slot->call);
	thread->slot->word = what;
	send_slot(thread);
}

int64_t order(struct thread *thread, uint32_t what, uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	      uint64_t e, uint64_t f)
{
	uint64_t call[7] = {nr, a, b, c, d, e, f};
	if (thread->dead)
		return -ESRCH;
	place_order(thread, what, call);
	if (!await_slot(thread))
		return -ESRCH;
	return (int64_t)__atomic_load_n(&thread->slot->number, __ATOMIC_RELAXED);
}

int64_t stub_call(void *thread, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	return order(thread, ORDER_CALL, (uint64_t)nr, a, b, c, d, e, f);
}
