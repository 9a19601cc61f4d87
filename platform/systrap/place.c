/* Which CPU, and whether to spin there.
 *
 * A hand-over costs least when the sentry spins on a CPU of its own while guests run on the others (APART).  That
 * takes idle CPUs: when others want them, each side would spin while the other is not running.  Then the sentry
 * and its guests share what CPU time they get without spinning (LOOSE), for a while, and try again.
 *
 * Guests are as many as the CPUs or more: they may use all of them, and nobody spins either.
 */
#include "systrap.h"

#include <string.h>
#include <unistd.h>

#define STUB_SPIN_NS 20000	 /* how long a stub waits for an answer before it sleeps */
#define GAP_NS 100000		 /* somebody else had our CPU */
#define GAPS 3			 /* so often within ... */
#define GAPS_NS 20000000	 /* ... this time: the CPUs are wanted */
#define LOOSE_LEAST_NS 50000000 /* how long we leave them alone, twice as long each time */
#define LOOSE_MOST_NS 1000000000
#define CROWDED_NS 1000000

static cpu_set_t allowed, guests;
static int cpus, running_now, gaps;
static bool apart; /* and so pinned to one CPU */
static unsigned placement = 1; /* changes with `guests` */
static int64_t crowded_since, gaps_since, loose_until, loose_ns = LOOSE_LEAST_NS;
static uint32_t stub_spin;

static void pin(const cpu_set_t *set)
{
	sched_setaffinity(0, sizeof *set, set);
}

static void set_guests(const cpu_set_t *set)
{
	if (CPU_EQUAL(set, &guests))
		return;
	guests = *set;
	placement++;
}

static void set_free(void)
{
	pin(&allowed);
	set_guests(&allowed);
}

/* As many guests as CPUs want to run, and not only for the moment in which one of them ends its call. */
static bool is_crowded(void)
{
	if (running_now < cpus) {
		crowded_since = 0;
		return false;
	}
	int64_t now = now_ns();
	if (!crowded_since)
		crowded_since = now;
	return now - crowded_since > CROWDED_NS;
}

static void settle(void)
{
	bool crowded = cpus > 1 && is_crowded(), may = cpus > 1 && !crowded && !loose_until;
	uint32_t turns = may ? stub_spin : 0;
	if (world->crowded != crowded)
		world->crowded = crowded;
	if (world->spin != turns)
		world->spin = turns;
	if (may == apart)
		return;
	apart = may;
	if (apart) {
		cpu_set_t own, others = allowed;
		uint32_t cpu = current_cpu();
		CPU_ZERO(&own);
		CPU_SET(cpu, &own);
		CPU_CLR(cpu, &others);
		pin(&own);
		set_guests(&others);
	} else {
		set_free();
	}
}

void place_rest(void)
{
	if (apart)
		set_free();
	apart = false;
}

/* How many times a stub looks at its word in STUB_SPIN_NS. */
static uint32_t calibrate(void)
{
	int64_t start = now_ns();
	for (int i = 0; i < 200; i++)
		__builtin_ia32_pause();
	int64_t took = now_ns() - start;
	return (uint32_t)(200LL * STUB_SPIN_NS / (took > 200 ? took : 200));
}

int place_init(void)
{
	apart = false;
	running_now = gaps = 0;
	crowded_since = 0;
	loose_until = 0;
	loose_ns = LOOSE_LEAST_NS;
	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return -errno;
	guests = allowed;
	cpus = CPU_COUNT(&allowed);
	stub_spin = calibrate();
	place_self();
	return 0;
}

void place_shutdown(void)
{
	if (apart)
		pin(&allowed);
	apart = false;
}

void place_self(void)
{
	uint32_t cpu = current_cpu();
	if (world->cpu != cpu)
		world->cpu = cpu;
}

bool place_may_spin(void)
{
	if (loose_until && now_ns() > loose_until) {
		loose_until = 0;
		settle();
	}
	return apart;
}

/* Leave all CPUs to the guests for a while. */
static void stay_loose(int64_t ns)
{
	loose_until = now_ns() + ns;
	settle();
}

void place_gap(int64_t ns)
{
	if (ns < GAP_NS)
		return;
	int64_t now = now_ns();
	if (now - gaps_since > GAPS_NS) {
		if (now - gaps_since > 10 * loose_ns)
			loose_ns = LOOSE_LEAST_NS; /* it went well for long */
		gaps_since = now;
		gaps = 0;
	}
	if (++gaps < GAPS || !apart)
		return;
	gaps = 0;
	stay_loose(loose_ns);
	loose_ns = 2 * loose_ns < LOOSE_MOST_NS ? 2 * loose_ns : LOOSE_MOST_NS;
}

void place_balance(int running)
{
	running_now = running;
	if (running) /* with none, nobody spins, and the next may come at once */
		settle();
}

void place_thread(struct thread *thread)
{
	if (thread->placed == placement)
		return;
	cpu_set_t set = guests;
	if (thread->confined) {
		CPU_AND(&set, &guests, &thread->cpus);
		if (!CPU_COUNT(&set)) { /* it may use ours only */
			stay_loose(LOOSE_MOST_NS);
			set = thread->cpus;
		}
	}
	thread->placed = placement;
	sched_setaffinity(thread->base.host_tid, sizeof set, &set);
}

void op_confine(struct pf_context *ctx, const void *mask, size_t size)
{
	struct thread *thread = (struct thread *)ctx;
	CPU_ZERO(&thread->cpus);
	memcpy(&thread->cpus, mask, size < sizeof thread->cpus ? size : sizeof thread->cpus);
	thread->confined = CPU_COUNT(&thread->cpus) > 0;
	thread->placed = 0;
	place_thread(thread);
}
