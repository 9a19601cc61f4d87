/* The same facts as elsewhere, many at once: races between processes, threads, signals and mappings. */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

CASE(writes_of_PIPE_BUF_bytes_by_many_processes_are_not_mixed, "pipe(7)")
{
	enum { WRITERS = 8, RECORDS = 25 };
	static char record[PIPE_BUF];
	int ends[2], count = 0;
	pid_t writers[WRITERS];

	CHECK_OK(pipe(ends));
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = fork_child();
		if (writers[i] == 0) {
			memset(record, 'a' + i, sizeof(record));
			for (int j = 0; j < RECORDS; j++)
				CHECK_EQ(write(ends[1], record, sizeof(record)), sizeof(record));
			_exit(0);
		}
	}
	CHECK_OK(close(ends[1]));
	for (;;) {
		size_t got = 0;
		ssize_t more = 1;

		while (got < sizeof(record) && more > 0)
			got += more = CHECK_OK(read(ends[0], record + got, sizeof(record) - got));
		if (got == 0)
			break;
		CHECK_EQ(got, sizeof(record));
		for (size_t i = 1; i < sizeof(record); i++)
			CHECK_EQ(record[i], record[0]);
		count++;
	}
	CHECK_EQ(count, WRITERS * RECORDS);
	for (int i = 0; i < WRITERS; i++)
		CHECK_EXITS(writers[i], 0);
}

CASE(two_processes_hand_a_byte_to_and_fro, "pipe(7)")
{
	int there[2], back[2];
	pid_t child;

	CHECK_OK(pipe(there));
	CHECK_OK(pipe(back));
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 1000; i++) {
			await(there[0]);
			tell(back[1]);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		tell(there[1]);
		await(back[0]);
	}
	CHECK_EXITS(child, 0);
}

CASE(signals_are_answered_by_signals, "kill(2)")
{
	sigset_t set;
	pid_t child, self = getpid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	child = fork_child();
	for (int i = 0; i < 300; i++) {
		if (child)
			CHECK_OK(kill(child, SIGUSR1));
		CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
		if (!child)
			CHECK_OK(kill(self, SIGUSR1));
	}
	if (!child)
		_exit(0);
	CHECK_EXITS(child, 0);
}

static void *map_and_unmap(void *seed)
{
	for (int i = 0; i < 100; i++) {
		char *start = map_pages(4, MAP_PRIVATE);

		memset(start, (int)(long)seed, 4 * PAGE);
		CHECK_OK(mprotect(start + PAGE, PAGE, PROT_READ));
		for (int j = 0; j < 4; j++)
			CHECK_EQ(start[j * PAGE], (char)(long)seed);
		CHECK_OK(munmap(start, 4 * PAGE));
	}
	return NULL;
}

CASE(threads_map_and_unmap_without_harming_each_other, "mmap(2)")
{
	pthread_t threads[6];

	for (long i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, map_and_unmap, (void *)(i + 1)), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *sleep_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *spin_forever(void *unused)
{
	for (;;)
		;
	return unused;
}

CASE(process_with_sleeping_and_running_threads_can_be_killed, "signal(7)")
{
	for (int round = 0; round < 10; round++) {
		int ready[2];
		pthread_t thread;
		pid_t child;

		CHECK_OK(pipe(ready));
		child = fork_child();
		if (child == 0) {
			for (int i = 0; i < 4; i++)
				pthread_create(&thread, NULL, i % 2 ? sleep_forever : spin_forever, NULL);
			tell(ready[1]);
			spin_forever(NULL);
		}
		await(ready[0]);
		end_child(child);
		CHECK_OK(close(ready[0]));
		CHECK_OK(close(ready[1]));
	}
}

static void *exec_true(void *unused)
{
	char *arguments[] = { "true", NULL };

	execv("/bin/true", arguments);
	_exit(126);
	return unused;
}

CASE(exec_races_with_threads_that_start_exec_and_exit, "execve(2)")
{
	for (int round = 0; round < 10; round++) {
		pid_t child = fork_child();
		pthread_t thread;

		if (child == 0) {
			for (int i = 0; i < 3; i++)
				pthread_create(&thread, NULL, i == 1 ? exec_true : map_and_unmap, (void *)1L);
			exec_true(NULL);
		}
		CHECK_EXITS(child, 0);
	}
}

CASE(many_vforks_and_execs, "vfork(2)")
{
	char *arguments[] = { "true", NULL };

	for (int i = 0; i < 50; i++) {
		pid_t child = vfork();

		if (child == 0) {
			execv("/bin/true", arguments);
			_exit(126);
		}
		CHECK_EXITS(child, 0);
	}
}

static sigjmp_buf next;

static void jump(int number)
{
	count_signal(number);
	siglongjmp(next, 1);
}

CASE(a_thousand_faults_are_handled_by_jumping_out, "sigaction(2)")
{
	volatile char *hole = unmapped();

	handle(SIGSEGV, jump, 0);
	while (signals_seen < 1000)
		if (sigsetjmp(next, 1) == 0)
			*hole = 1;
	CHECK_EQ(signals_seen, 1000);
}

CASE(copy_on_write_keeps_generations_apart, "fork(2)")
{
	int *words = map_pages(64, MAP_PRIVATE), depth = 0;
	pid_t child;

	for (int i = 0; i < 64; i++)
		words[i * 1024] = i;
	while ((child = fork_child()) == 0 && depth < 12) {
		for (int i = depth; i < 64; i += 2)
			words[i * 1024] += 1000;
		depth++;
	}
	if (child == 0)
		_exit(words[63 * 1024] == 63 + 6 * 1000 ? 0 : 1);
	CHECK_EXITS(child, 0);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(words[i * 1024] % 1000, i);
	if (depth > 0)
		_exit(0);
}

CASE(five_hundred_descriptors_in_one_epoll, "epoll(7)")
{
	struct epoll_event event = { .events = EPOLLIN }, events[600];
	int epoll = CHECK_OK(epoll_create1(0)), fds[500];
	struct rlimit limit;
	uint64_t one = 1;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 600)
		SKIP("at most %ld descriptors are allowed", (long)limit.rlim_cur);
	for (int i = 0; i < 500; i++) {
		event.data.u32 = i;
		fds[i] = CHECK_OK(eventfd(0, EFD_NONBLOCK));
		CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
	}
	for (int i = 0; i < 500; i += 5)
		CHECK_EQ(write(fds[i], &one, 8), 8);
	CHECK_EQ(epoll_wait(epoll, events, 600, -1), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(events[i].data.u32 % 5, 0);
}

CASE(deep_directories_can_be_made_walked_and_removed, "path_resolution(7)")
{
	enum { DEPTH = 300 };
	char here[8192];

	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(mkdir("deeper", 0700));
		CHECK_OK(chdir("deeper"));
	}
	CHECK(syscall(SYS_getcwd, here, sizeof(here)) > DEPTH * 7);
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir("deeper"));
	}
}
