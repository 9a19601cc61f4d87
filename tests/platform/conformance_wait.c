/* Waiting, interrupting, kicking. */
#include "conformance.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

GUEST(looping, "1: inc %rbx\n jmp 1b\n");
GUEST(calling, "1: syscall\n jmp 1b\n");
GUEST(working, "1: mov $100000000, %ecx\n 2: dec %ecx\n jnz 2b\n syscall\n jmp 1b\n");

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void interrupt_stops_a_spinning_guest(void)
{
	struct pf_context *ctx = LOAD(looping);
	uint64_t last = 0;
	ctx->regs.rbx = 0;
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(ops->resume(ctx), 0);
		usleep(200);
		CHECK_EQ(ops->interrupt(ctx), 0);
		struct pf_event event = next_event();
		CHECK_EQ(event.kind, PF_INTERRUPTED);
		CHECK(ctx->regs.rip >= CODE && ctx->regs.rip < CODE + 8);
		CHECK(ctx->regs.rbx >= last);
		last = ctx->regs.rbx;
	}
	CHECK(last > 1000);
}

/* An interrupt that comes late, when another event is under way, may show up as a spurious PF_INTERRUPTED;
 * the calls in between, which the context makes for the sentry, must not notice. */
static void interrupts_cross_other_events(void)
{
	struct pf_context *ctx = LOAD(calling);
	int calls = 0, interrupted = 0;
	for (int i = 0; i < 3000; i++) {
		ctx->regs.rax = 39;
		CHECK_EQ(ops->resume(ctx), 0);
		CHECK_EQ(ops->interrupt(ctx), 0);
		struct pf_event event = next_event();
		if (event.kind == PF_SYSCALL) {
			CHECK_EQ(ctx->regs.orig_rax, 39);
			calls++;
		} else {
			CHECK_EQ(event.kind, PF_INTERRUPTED);
			interrupted++;
		}
		map_anonymous(ctx, 0x600000, PAGE, PROT_READ | PROT_WRITE);
		poke(ctx, 0x600000, (uint32_t)i);
		CHECK_EQ(ops->interrupt(ctx), 0); /* of a stopped one: nothing */
		CHECK_EQ(ops->unmap(ctx, 0x600000, PAGE), 0);
	}
	CHECK_EQ(calls + interrupted, 3000);
}

static atomic_bool stop_kicking;
static atomic_int kicks;

static void *kicker(void *arg)
{
	while (!atomic_load(&stop_kicking)) {
		usleep((useconds_t)(*(int *)arg));
		atomic_fetch_add(&kicks, 1);
		ops->kick();
	}
	return NULL;
}

static void a_kick_ends_a_wait(void)
{
	struct pf_context *ctx = LOAD(looping);
	struct pf_event event;
	pthread_t thread;
	int pause = 30000;
	ops->kick(); /* before */
	CHECK_EQ(ops->wait(&event, true), 0);
	CHECK_EQ(event.kind, PF_NONE);
	CHECK(pthread_create(&thread, NULL, kicker, &pause) == 0);
	double start = now();
	CHECK_EQ(ops->wait(&event, true), 0); /* nothing runs at all: only the kick can end it */
	CHECK_EQ(event.kind, PF_NONE);
	CHECK(now() - start < 5);
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK_EQ(ops->wait(&event, true), 0);
	CHECK_EQ(event.kind, PF_NONE);
	atomic_store(&stop_kicking, true);
	pthread_join(thread, NULL);
}

/* A kick for each wait, as close to it as can be: a lost one would leave us waiting for ever. */
static void no_kick_is_lost(void)
{
	struct pf_context *ctx = LOAD(looping);
	struct pf_event event;
	pthread_t thread;
	int pause = 0;
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK(pthread_create(&thread, NULL, kicker, &pause) == 0);
	alarm(60);
	for (int i = 0; i < 20000; i++) {
		int before = atomic_load(&kicks);
		CHECK_EQ(ops->wait(&event, true), 0);
		CHECK_EQ(event.kind, PF_NONE);
		while (atomic_load(&kicks) ==
		       before) /* one more is on its way, somewhere around the next wait */
			;
	}
	atomic_store(&stop_kicking, true);
	pthread_join(thread, NULL);
}

static void kick_from_handler(int signo)
{
	(void)signo;
	for (volatile int i = 0; i < 300; i++) /* be on top of `wait` for a while */
		;
	ops->kick();
}

static void a_kick_from_a_signal_handler_is_not_lost(void)
{
	struct pf_context *ctx = LOAD(looping);
	struct pf_event event;
	struct sigaction action = {.sa_handler = kick_from_handler, .sa_flags = SA_RESTART};
	struct itimerval every = {{0, 97}, {0, 97}}, never = {0};
	CHECK_EQ(ops->resume(ctx), 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	for (int i = 0; i < 5000; i++) {
		CHECK_EQ(ops->wait(&event, true), 0);
		CHECK_EQ(event.kind, PF_NONE);
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

static void events_come_before_kicks(void)
{
	struct pf_context *ctx = LOAD(calling);
	struct pf_event event;
	ctx->regs.rax = 1;
	CHECK_EQ(ops->resume(ctx), 0);
	usleep(20000);
	ops->kick();
	CHECK_EQ(ops->wait(&event, true), 0);
	CHECK_EQ(event.kind, PF_SYSCALL);
	CHECK_EQ(ops->wait(&event, true), 0);
	CHECK_EQ(event.kind, PF_NONE);
}

static void wait_without_block_never_waits(void)
{
	struct pf_context *ctx = LOAD(looping);
	struct pf_event event;
	CHECK_EQ(ops->resume(ctx), 0);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(ops->wait(&event, false), 0);
		CHECK_EQ(event.kind, PF_NONE);
	}
}

/* Spaces whose threads call without end: none waits for long because of the others. */
static void every_caller_gets_its_turn(void)
{
	enum { CALLERS = 8, CALLS = 8000 };
	struct pf_context *callers[CALLERS] = {LOAD(calling)};
	int answered[CALLERS] = {0};
	for (int i = 0; i < CALLERS; i++) {
		if (i)
			CHECK_EQ(ops->space_fork(callers[0], &callers[i]), 0);
		callers[i]->owner = &answered[i];
	}
	for (int i = 0; i < CALLERS; i++) {
		callers[i]->regs.rax = 39;
		CHECK_EQ(ops->resume(callers[i]), 0);
	}
	for (int left = CALLS; left; left--) {
		struct pf_event event = next_event();
		CHECK_EQ(event.kind, PF_SYSCALL);
		++*(int *)event.ctx->owner;
		event.ctx->regs.rax = 39;
		CHECK_EQ(ops->resume(event.ctx), 0);
	}
	for (int i = 0; i < CALLERS; i++)
		CHECK(answered[i] > CALLS / CALLERS / 4);
}

static int cpus_of(int tid)
{
	cpu_set_t set;
	CHECK_EQ(sched_getaffinity(tid, sizeof set, &set), 0);
	return CPU_COUNT(&set);
}

/* Let CPU-bound threads make some calls; true if at one of them all could use every CPU. */
static bool work(struct pf_context **threads, int count, int calls)
{
	bool free = false;
	for (int i = 0; i < count; i++) {
		threads[i]->regs.rax = 39;
		CHECK_EQ(ops->resume(threads[i]), 0);
	}
	for (int left = count * calls; left; left--) {
		struct pf_event event = next_event();
		CHECK_EQ(event.kind, PF_SYSCALL);
		event.ctx->regs.rax = 39;
		free = free || (cpus_of(threads[0]->host_tid) == cpus && cpus_of(threads[count - 1]->host_tid) == cpus);
		if (left > count)
			CHECK_EQ(ops->resume(event.ctx), 0);
	}
	return free;
}

static void two_busy_threads_use_two_cpus(void)
{
	struct pf_context *threads[2] = {LOAD(working), NULL};
	if (cpus < 2 || !threads[0]->host_tid)
		return;
	CHECK_EQ(ops->thread_new(threads[0], &threads[1]), 0);
	bool free = false;
	for (int i = 0; i < 20 && !free; i++)
		free = work(threads, 2, 4);
	CHECK(free);
}

/* A third of a second in which nothing happens. */
static void wait_quietly(void)
{
	struct sigaction action = {.sa_handler = kick_from_handler};
	struct itimerval soon = {{0, 0}, {0, 300000}};
	struct pf_event event;
	CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &soon, NULL) == 0);
	for (double start = now(); now() - start < 0.29;) {
		CHECK_EQ(ops->wait(&event, true), 0);
		CHECK_EQ(event.kind, PF_NONE);
	}
}

/* Many short calls, then long work: whatever was done for those, this may use any CPU in the end. */
static void a_busy_thread_may_use_any_cpu(void)
{
	struct pf_context *ctx = LOAD(calling), *busy;
	if (!ctx->host_tid)
		return;
	CHECK_EQ(ops->thread_new(ctx, &busy), 0);
	for (int i = 0; i < 2000; i++) {
		busy->regs.rax = 39;
		run_to_syscall(busy, 39);
	}
	map_anonymous(busy, DATA, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	poke(busy, DATA, 0xfeeb); /* jmp . */
	busy->regs.rip = DATA;
	CHECK_EQ(ops->resume(busy), 0);
	wait_quietly();
	CHECK_EQ(cpus_of(busy->host_tid), cpus);
	CHECK_EQ(cpus_of(0), cpus); /* the sentry's thread, too */
}

static void waiting_costs_nothing(void)
{
	struct pf_context *ctx = LOAD(calling);
	struct rusage before, after;
	ctx->regs.rax = 39;
	for (int i = 0; i < 100; i++)
		run_to_syscall(ctx, 39), ctx->regs.rax = 39;
	getrusage(RUSAGE_SELF, &before);
	wait_quietly();
	getrusage(RUSAGE_SELF, &after);
	CHECK(after.ru_nvcsw - before.ru_nvcsw <
	      10); /* woken by the alarm, and a few times to find that all is quiet */
}

const struct test wait_tests[] = {
	{"interrupt_stops_a_spinning_guest", interrupt_stops_a_spinning_guest},
	{"interrupts_cross_other_events", interrupts_cross_other_events},
	{"a_kick_ends_a_wait", a_kick_ends_a_wait},
	{"no_kick_is_lost", no_kick_is_lost},
	{"a_kick_from_a_signal_handler_is_not_lost", a_kick_from_a_signal_handler_is_not_lost},
	{"events_come_before_kicks", events_come_before_kicks},
	{"wait_without_block_never_waits", wait_without_block_never_waits},
	{"every_caller_gets_its_turn", every_caller_gets_its_turn},
	{"a_busy_thread_may_use_any_cpu", a_busy_thread_may_use_any_cpu},
	{"waiting_costs_nothing", waiting_costs_nothing},
	{"two_busy_threads_use_two_cpus", two_busy_threads_use_two_cpus},
	{0},
};
