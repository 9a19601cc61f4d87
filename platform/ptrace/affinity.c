/* Which CPU a guest thread runs on.
 *
 * A stop and a resume are two context switches; between two CPUs each costs a wake-up of an idle CPU, and a
 * round trip takes five times as long as on one.  The scheduler does not know that tracer and tracee never
 * run at once, so we tell it.  *Packed*, the normal state: the tracer stays where it is, and every guest
 * thread with it.  Two things end that, judged once per tick:
 *
 *  - a thread that ran through a whole tick without an event is busy with itself: it may use any CPU until it
 *    has made DEBT events again;
 *  - two or more threads that make events, but rarely: what they would gain by running at once is more than
 *    what the events cost.  Then all are let go (*spread*), for a while that doubles each time it proves
 *    right.
 *
 * The tick runs only while events happen.  Nothing here is needed for correctness, and failures are ignored.
 */
#include "ptrace.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#define DEBT 16		     /* events after which a busy thread is packed again */
#define WORTH_NS 25000L	     /* packed, guest time per event from which spreading wins (measured) */
#define SPREAD_TICKS 8	     /* the first time */
#define SPREAD_TICKS_MOST 64 /* the packed tick between two such times costs 1/64 at most */
#define RESEAT_TICKS 64	     /* so often the tracer may look for a better CPU */

static bool useful; /* more than one CPU */
static cpu_set_t everywhere;
static int seat = -1; /* the tracer's CPU; -1: any */
static unsigned events, ticks = 1;
static int spread_left, spread_next = SPREAD_TICKS, packed_for;
static long wall_before, busy_before;
static int crowd; /* packed threads running, counted by a visit */

static long clock_ns(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* On `cpu`, on any of `allowed` when it is none of them. */
static void place(int tid, int cpu, const cpu_set_t *allowed)
{
	cpu_set_t one;
	bool single = cpu >= 0 && CPU_ISSET(cpu, allowed);
	CPU_ZERO(&one);
	if (single)
		CPU_SET(cpu, &one);
	sched_setaffinity(tid, sizeof one, single ? &one : allowed);
}

static void sit(int cpu)
{
	if (seat != cpu)
		place(0, cpu, &everywhere);
	seat = cpu;
}

static void seat_thread(struct thread *thread, int cpu)
{
	if (thread->cpu != cpu)
		place(thread->base.host_tid, cpu, thread->confined ? &thread->cpus : &everywhere);
	thread->cpu = cpu;
}

void op_confine(struct pf_context *ctx, const void *mask, size_t size)
{
	struct thread *thread = (struct thread *)ctx;
	if (!useful)
		return;
	CPU_ZERO(&thread->cpus);
	memcpy(&thread->cpus, mask, size < sizeof thread->cpus ? size : sizeof thread->cpus);
	thread->confined = CPU_COUNT(&thread->cpus) > 0;
	thread->cpu = NOWHERE;
	seat_thread(thread, -1);
}

/* Before the first stub is made, which inherits our seat: returned. */
int affinity_init(void)
{
	useful = sched_getaffinity(0, sizeof everywhere, &everywhere) == 0 && CPU_COUNT(&everywhere) > 1;
	if (useful)
		sit(sched_getcpu());
	return seat;
}

static void open_window(void)
{
	events = 0;
	wall_before = clock_ns(CLOCK_MONOTONIC);
	busy_before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Before `thread` runs, for the guest or for us. */
void affinity_resume(struct thread *thread)
{
	if (!useful)
		return;
	thread->quiet = false;
	if (thread->debt)
		thread->debt--;
	if (tick_start())
		open_window();
	events++;
	if (spread_left || thread->debt) {
		seat_thread(thread, -1);
		return;
	}
	if (seat < 0 && ticks % RESEAT_TICKS)
		sit(sched_getcpu());
	seat_thread(thread, seat < 0 ? sched_getcpu() : seat);
}

/* Nothing happens: keep no CPU reserved. */
void affinity_rest(void)
{
	if (!useful)
		return;
	tick_stop();
	sit(-1);
	events = 0;
}

static void judge(struct thread *thread)
{
	if (!thread->base.running || thread->held || thread->cpu < 0)
		return;
	if (thread->quiet) {
		thread->debt = DEBT;
		seat_thread(thread, -1);
	} else {
		thread->quiet = true;
		crowd++;
	}
}

static void release(struct thread *thread)
{
	if (thread->base.running)
		seat_thread(thread, -1);
}

void affinity_tick(void)
{
	if (!useful) {
		tick_stop(); /* inject.c had it started */
		return;
	}
	long wall = clock_ns(CLOCK_MONOTONIC) - wall_before;
	long busy = clock_ns(CLOCK_THREAD_CPUTIME_ID) - busy_before;
	crowd = 0;
	threads_each(judge);
	ticks++;
	if (!events && !crowd) {
		affinity_rest();
		return;
	}
	if (spread_left) {
		spread_left--;
		packed_for = 0;
	} else if (crowd > 1 && wall - busy > (long)events * WORTH_NS) {
		spread_left = spread_next;
		if (spread_next < SPREAD_TICKS_MOST)
			spread_next *= 2;
		threads_each(release);
		sit(-1);
	} else if (++packed_for >= SPREAD_TICKS) {
		spread_next = SPREAD_TICKS;
	}
	if (ticks % RESEAT_TICKS == 0)
		sit(-1);
	open_window();
}
