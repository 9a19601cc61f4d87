/*
 * Every system call number with every sort of bad argument, in each position.
 *
 *	every_call FIRST LAST TIMES SEED
 *
 * Answers are of no interest here: that there is one is, and that the kernel lives on. Each call is made by a worker
 * process, which a call may stop or end; the first process then starts another that goes on behind that call.
 */
#include "hostile.h"

#include <errno.h>
#include <sys/utsname.h>

#define STEPS 600	/* of the clock: without progress the worker is stuck, and killed */
#define STEP_NS 500000

/* In shared memory: a worker's own stack and data may be wiped by what it calls. */
struct progress {
	long last;
	unsigned times;
	uint64_t seed;
	volatile int nr;		/* the call under way */
	volatile unsigned turn;		/* and which of its argument lists */
	volatile uint64_t calls;
	volatile int finished;
};

static struct progress *progress;

/* By design they end or stop the worker, every time, and there is nothing to see. */
static int is_final(long nr)
{
	return nr == SYS_exit || nr == SYS_exit_group || nr == SYS_pause;
}

static void on_alarm(int signo)
{
	(void)signo;
}

static void limit(int resource, rlim_t most)
{
	setrlimit(resource, &(struct rlimit){ most, most });
}

static void prepare(void)
{
	struct sigaction action = { .sa_handler = on_alarm };	/* without SA_RESTART: it ends what blocks */
	struct itimerval often = { { 0, 4000 }, { 0, 4000 } };

	limit(RLIMIT_AS, 1UL << 32);
	limit(RLIMIT_FSIZE, 1UL << 26);
	limit(RLIMIT_NPROC, 64);
	seed(progress->seed);
	open_descriptors();
	make_addresses();
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	setpgid(0, 0);
}

static uint64_t value_of(unsigned turn)
{
	if (turn < COUNT(wild))
		return wild[turn];
	return addresses[turn - COUNT(wild)];
}

static void work(void)
{
	unsigned values, pid;

	prepare();
	values = COUNT(wild) + address_count;
	pid = getpid();
	for (; progress->nr <= progress->last; progress->nr++, progress->turn = 0) {
		if (is_final(progress->nr))
			continue;
		while (progress->turn < 6 * values * progress->times) {
			unsigned turn = progress->turn++;
			uint64_t arguments[6];

			seed(progress->seed + progress->nr * 100003UL + turn);
			for (int i = 0; i < 6; i++)
				arguments[i] = any_value();
			arguments[turn % 6] = value_of(turn / 6 % values);
			if (progress->nr == SYS_prlimit64 && (int)arguments[0] == 1)
				arguments[0] = 0;	/* no CPU time left for init: the end of all */
			progress->calls++;
			call(progress->nr, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
			     arguments[5]);
			/* A child of fork or clone must not go on with its parent's work. */
			if ((unsigned)call(SYS_getpid, 0, 0, 0, 0, 0, 0) != pid)
				call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
			if ((unsigned)call(SYS_gettid, 0, 0, 0, 0, 0, 0) != pid)
				call(SYS_exit, 0, 0, 0, 0, 0, 0);
		}
	}
	progress->finished = progress->nr > progress->last;
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

/* All children but none of init's own; they may have left their group. */
static void kill_others(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Until the worker has ended or makes no progress. */
static void watch(pid_t worker)
{
	uint64_t seen = 0;

	for (int idle = 0; idle < STEPS; idle++) {
		struct timespec step = { 0, STEP_NS };
		pid_t ended;

		while ((ended = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			if (ended == worker)
				return;
		if (progress->calls != seen)
			idle = 0;
		seen = progress->calls;
		nanosleep(&step, NULL);
	}
}

int main(int argc, char **argv)
{
	unsigned workers = 0;

	struct utsname system;

	/* Random calls, and kill(-1): never on a kernel that anyone lives on. */
	if (uname(&system) < 0 || !strstr(system.release, "runsc-py")) {
		fputs("every_call: this is not the sandbox\n", stderr);
		return 2;
	}
	if (argc != 5)
		return 2;
	/* Far from all else, which calls write to. */
	progress = mmap((void *)0x200000000000, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	progress->nr = atoi(argv[1]);
	progress->last = atoi(argv[2]);
	progress->times = atoi(argv[3]);
	progress->seed = strtoull(argv[4], NULL, 0);
	while (!progress->finished) {
		pid_t worker = fork();

		if (worker < 0)
			return perror("fork"), 1;
		if (worker == 0)
			work();
		workers++;
		watch(worker);
		kill_others();
	}
	dprintf(1, "done: %lu calls, %u workers\n", progress->calls, workers);
	return 0;
}
