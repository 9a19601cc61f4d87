/* Very many threads and processes, at once and one after another. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>

#define AT_ONCE 500

static pthread_barrier_t all_there;
static volatile int sum;

static void *meet(void *number)
{
	char name[16], seen[16] = "";
	int ends[2];

	snprintf(name, sizeof(name), "t%ld", (long)number);
	CHECK_EQ(pthread_setname_np(pthread_self(), name), 0);
	pthread_barrier_wait(&all_there);
	for (int turn = 0; turn < 5; turn++) {
		sched_yield();
		CHECK(syscall(SYS_gettid) != getpid());
	}
	if ((long)number % 10 == 0) {
		CHECK_OK(pipe(ends));
		tell(ends[1]);
		await(ends[0]);
		CHECK_OK(close(ends[0]));
		CHECK_OK(close(ends[1]));
	}
	CHECK_EQ(pthread_getname_np(pthread_self(), seen, sizeof(seen)), 0);
	CHECK_STREQ(seen, name);
	__atomic_add_fetch(&sum, 1, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&all_there);
	return number;
}

static void start_and_join(void)
{
	pthread_t threads[AT_ONCE];
	pthread_attr_t small;
	void *result;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	sum = 0;
	pthread_barrier_init(&all_there, NULL, AT_ONCE);
	for (long i = 0; i < AT_ONCE; i++)
		CHECK_EQ(pthread_create(&threads[i], &small, meet, (void *)i), 0);
	for (long i = 0; i < AT_ONCE; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, i);
	}
	CHECK_EQ(sum, AT_ONCE);
}

CASE(five_hundred_threads_at_once, "pthreads(7)")
{
	start_and_join();
	start_and_join();
}

CASE(process_with_five_hundred_threads_can_be_killed, "kill(2)")
{
	int ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		pthread_barrier_init(&all_there, NULL, AT_ONCE + 1); /* nobody gets past it */
		for (long i = 0; i < AT_ONCE; i++) {
			pthread_t thread;

			CHECK_EQ(pthread_create(&thread, NULL, meet, (void *)i), 0);
		}
		tell(ends[1]);
		pause();
	}
	await(ends[0]);
	end_child(child);
}

CASE(two_hundred_processes_at_once, "fork(2)")
{
	pid_t children[200];
	int ends[2], status;

	CHECK_OK(pipe(ends));
	for (int i = 0; i < 200; i++) {
		children[i] = fork_child();
		if (children[i] == 0) {
			char byte;

			CHECK_OK(close(ends[1]));
			CHECK_EQ(read(ends[0], &byte, 1), 0);
			_exit(i & 127);
		}
	}
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
		CHECK_EQ(status, (i & 127) << 8);
	}
}

static void *nothing(void *argument)
{
	return argument;
}

CASE(two_thousand_threads_one_after_another, "pthread_create(3)")
{
	for (long i = 0; i < 2000; i++) {
		pthread_t thread;
		void *result;

		CHECK_EQ(pthread_create(&thread, NULL, nothing, (void *)i), 0);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((long)result, i);
	}
}
