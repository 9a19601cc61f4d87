/* Programs that compute and make no calls: what is sent to them takes effect all the same, and soon. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>

#define SOON 1000000000LL /* ns; a busy machine's, not what it should take */

static volatile unsigned long *progress;

static void *compute(void *word)
{
	volatile unsigned long *mine = word;

	for (;;)
		++*mine;
	return NULL;
}

/* A child of so many threads, each counting in a word of its own; returns once all have begun. */
static pid_t computing_child(int threads)
{
	pid_t child;

	progress = map_pages(1, MAP_SHARED);
	child = fork_child();
	if (child == 0) {
		for (int i = 1; i < threads; i++) {
			pthread_t thread;

			if (pthread_create(&thread, NULL, compute, (void *)(progress + i)) != 0)
				_exit(1);
		}
		compute((void *)progress);
	}
	for (int i = 0; i < threads; i++)
		while (progress[i] == 0)
			sched_yield();
	return child;
}

#define CHECK_SOON(since) CHECK(nanoseconds(CLOCK_MONOTONIC) - (since) < SOON)

CASE(computing_process_is_killed, "kill(2)")
{
	for (int turn = 0; turn < 5; turn++) {
		for (int i = 0; i < 3; i++) {
			static const int signals[] = { SIGKILL, SIGTERM, SIGHUP };
			pid_t child = computing_child(1);
			long long sent = nanoseconds(CLOCK_MONOTONIC);

			CHECK_OK(kill(child, signals[i]));
			CHECK_KILLED(child, signals[i]);
			CHECK_SOON(sent);
		}
	}
}

CASE(computing_threads_are_killed_with_their_process, "kill(2)")
{
	for (int turn = 0; turn < 5; turn++) {
		pid_t child = computing_child(4);
		long long sent = nanoseconds(CLOCK_MONOTONIC);

		CHECK_OK(kill(child, turn & 1 ? SIGKILL : SIGTERM));
		CHECK_KILLED(child, turn & 1 ? SIGKILL : SIGTERM);
		CHECK_SOON(sent);
	}
}

CASE(computing_process_stops_and_goes_on, "kill(2)")
{
	pid_t child = computing_child(2);
	int status;

	for (int turn = 0; turn < 5; turn++) {
		unsigned long before, other;
		long long sent = nanoseconds(CLOCK_MONOTONIC);

		CHECK_OK(kill(child, SIGSTOP));
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status));
		CHECK_SOON(sent);
		before = progress[0], other = progress[1];
		usleep(20000);
		CHECK_EQ(progress[0], before);
		CHECK_EQ(progress[1], other);
		sent = nanoseconds(CLOCK_MONOTONIC);
		CHECK_OK(kill(child, SIGCONT));
		CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
		CHECK(WIFCONTINUED(status));
		while (progress[0] == before || progress[1] == other)
			usleep(1000);
		CHECK_SOON(sent);
	}
	end_child(child);
}

CASE(computing_thread_runs_a_handler, "pthread_kill(3)")
{
	pthread_t thread;
	unsigned long *word = map_pages(1, MAP_PRIVATE);

	handle(SIGUSR1, count_signal, 0);
	CHECK_EQ(pthread_create(&thread, NULL, compute, word), 0);
	for (int turn = 1; turn <= 50; turn++) {
		long long sent = nanoseconds(CLOCK_MONOTONIC);

		CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
		while (signals_seen < turn)
			sched_yield();
		CHECK_SOON(sent);
	}
}

CASE(computing_process_is_interrupted_by_its_timer, "setitimer(2)")
{
	volatile unsigned long word = 0;

	alarm_often(count_signal, 0);
	while (signals_seen < 20)
		word++;
	still();
	CHECK(word > 0);
}

CASE(computing_process_does_not_starve_others, "sched(7)")
{
	pid_t children[4];
	long long begun;
	int ends[2];
	char byte;

	for (int i = 0; i < 4; i++)
		children[i] = computing_child(2);
	CHECK_OK(pipe(ends));
	begun = nanoseconds(CLOCK_MONOTONIC);
	for (int turn = 0; turn < 20; turn++) {
		pid_t child = fork_child();

		if (child == 0) {
			tell(ends[1]);
			_exit(0);
		}
		CHECK_EQ(read(ends[0], &byte, 1), 1);
		CHECK_EXITS(child, 0);
	}
	CHECK(nanoseconds(CLOCK_MONOTONIC) - begun < 20 * SOON);
	for (int i = 0; i < 4; i++) {
		CHECK_OK(kill(children[i], SIGKILL));
		CHECK_KILLED(children[i], SIGKILL);
	}
}

CASE(exec_ends_computing_threads, "execve(2)")
{
	long long begun = nanoseconds(CLOCK_MONOTONIC);
	pid_t child = fork_child();

	if (child == 0) {
		pthread_t thread;
		unsigned long *words = map_pages(1, MAP_PRIVATE);

		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, compute, words + i);
		while (!((volatile unsigned long *)words)[2])
			sched_yield();
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 0);
	CHECK_SOON(begun);
}
