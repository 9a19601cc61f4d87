/* Calls that wait, and what can become of them: woken in turn, killed, stopped, their file closed under them.
 * Signals that interrupt or restart them: restart.c. */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#define THREADS 4

static int ends[2];
static uint32_t word, second_word;

static long futex(uint32_t *address, int operation, uint32_t value, const void *timeout, uint32_t *other,
		  uint32_t bits)
{
	return syscall(SYS_futex, address, operation, value, timeout, other, bits);
}

/* Waits until a thread of a process sleeps: it has come to wait for whatever it is about to wait for. */
static void see_asleep(pid_t process, pid_t thread)
{
	char path[64], text[512], *after;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, thread);
	for (;;) {
		fd = CHECK_OK(open(path, O_RDONLY));
		length = CHECK_OK(read(fd, text, sizeof(text) - 1));
		CHECK_OK(close(fd));
		text[length] = '\0';
		after = strrchr(text, ')');
		if (after && after[2] == 'S')
			return;
		usleep(1000);
	}
}

struct sleeper {
	pthread_t thread;
	pid_t tid;
	void (*body)(struct sleeper *);
	int number;
	long result;
	int error;
};

static void *run_sleeper(void *argument)
{
	struct sleeper *sleeper = argument;

	__atomic_store_n(&sleeper->tid, gettid(), __ATOMIC_SEQ_CST);
	sleeper->body(sleeper);
	sleeper->error = errno;
	return NULL;
}

/* Starts a thread and sees it asleep. */
static void start_sleeper(struct sleeper *sleeper, void (*body)(struct sleeper *), int number)
{
	pid_t tid;

	memset(sleeper, 0, sizeof(*sleeper));
	sleeper->body = body;
	sleeper->number = number;
	CHECK_EQ(pthread_create(&sleeper->thread, NULL, run_sleeper, sleeper), 0);
	while (!(tid = __atomic_load_n(&sleeper->tid, __ATOMIC_SEQ_CST)))
		sched_yield();
	see_asleep(getpid(), tid);
}

static void join(struct sleeper *sleeper)
{
	CHECK_EQ(pthread_join(sleeper->thread, NULL), 0);
}

static void read_a_byte(struct sleeper *sleeper)
{
	char byte;

	sleeper->result = read(ends[0], &byte, 1);
}

static void wait_on_word(struct sleeper *sleeper)
{
	sleeper->result = futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void write_two_pipefuls(struct sleeper *sleeper)
{
	static char block[131072];

	sleeper->result = write(ends[1], block, sizeof(block));
}

CASE(SIGKILL_ends_a_process_that_waits, "signal(7)")
{
	pid_t child;

	CHECK_OK(pipe(ends));
	for (int i = 0; i < 4; i++) {
		child = fork_child();
		if (child == 0) {
			char byte;
			uint64_t count;
			struct epoll_event event;

			if (i == 0)
				_exit(read(ends[0], &byte, 1));
			if (i == 1)
				_exit(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
			if (i == 2)
				_exit(read(eventfd(0, 0), &count, 8));
			_exit(epoll_wait(epoll_create1(0), &event, 1, -1));
		}
		see_asleep(child, child);
		end_child(child);
	}
	tell(ends[1]);
	await(ends[0]);
}

CASE(stopped_waiter_takes_nothing_until_it_continues, "signal(7)")
{
	int status;
	pid_t child;
	char byte;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0)
		_exit(read(ends[0], &byte, 1) == 1 && byte == 'a' ? 0 : 1);
	see_asleep(child, child);
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(write(ends[1], "z", 1), 1);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(byte, 'z');
	CHECK_OK(kill(child, SIGCONT));
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_EXITS(child, 0);
}

CASE(each_byte_goes_to_one_of_the_readers_that_wait, "pipe(7)")
{
	struct sleeper sleepers[THREADS];

	CHECK_OK(pipe(ends));
	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], read_a_byte, i);
	for (int i = 0; i < THREADS; i++)
		tell(ends[1]);
	for (int i = 0; i < THREADS; i++) {
		join(&sleepers[i]);
		CHECK_EQ(sleepers[i].result, 1);
	}
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(ends[0], &(char){ 0 }, 1), EAGAIN);
}

CASE(the_last_writer_that_goes_gives_every_reader_the_end, "pipe(7)")
{
	struct sleeper sleepers[THREADS];

	CHECK_OK(pipe(ends));
	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], read_a_byte, i);
	CHECK_OK(close(ends[1]));
	for (int i = 0; i < THREADS; i++) {
		join(&sleepers[i]);
		CHECK_EQ(sleepers[i].result, 0);
	}
}

CASE(the_last_reader_that_goes_ends_a_write_with_EPIPE, "pipe(7)")
{
	struct sleeper sleeper;

	handle(SIGPIPE, SIG_IGN, 0);
	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], map_pages(16, MAP_PRIVATE), 65536), 65536);
	start_sleeper(&sleeper, write_two_pipefuls, 0);
	CHECK_OK(close(ends[0]));
	join(&sleeper);
	CHECK_EQ(sleeper.result, -1);
	CHECK_EQ(sleeper.error, EPIPE);
}

CASE(a_write_that_has_begun_returns_its_bytes_and_raises_SIGPIPE, "pipe(7)")
{
	struct sleeper sleeper;

	handle(SIGPIPE, count_signal, 0);
	CHECK_OK(pipe(ends));
	start_sleeper(&sleeper, write_two_pipefuls, 0);
	CHECK_OK(close(ends[0]));
	join(&sleeper);
	CHECK_EQ(sleeper.result, 65536);
	CHECK_EQ(signals_seen, 1);
}

CASE(a_write_up_to_PIPE_BUF_waits_for_all_its_room, "pipe(7)")
{
	char *block = map_pages(16, MAP_PRIVATE);
	pid_t child;
	int count;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], block, 65536), 65536);
	child = fork_child();
	if (child == 0)
		_exit(write(ends[1], block, 4096) != 4096);
	see_asleep(child, child);
	CHECK_EQ(read(ends[0], block, 4000), 4000);
	CHECK_OK(ioctl(ends[0], 0x541b /* FIONREAD */, &count));
	CHECK_EQ(count, 65536 - 4000);
	CHECK_EQ(read(ends[0], block, 96), 96);
	CHECK_EXITS(child, 0);
	CHECK_OK(ioctl(ends[0], 0x541b, &count));
	CHECK_EQ(count, 65536);
}

CASE(a_big_write_arrives_whole_and_in_order, "pipe(7)")
{
	enum { SIZE = 3 << 20 };
	unsigned char *data = CHECK_OK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	unsigned char piece[7000];
	pid_t child;
	ssize_t got;
	int at = 0;

	CHECK_OK(pipe(ends));
	for (int i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	child = fork_child();
	if (child == 0) {
		close(ends[0]);
		_exit(write(ends[1], data, SIZE) != SIZE);
	}
	CHECK_OK(close(ends[1]));
	while ((got = CHECK_OK(read(ends[0], piece, sizeof(piece)))) > 0) {
		CHECK(at + got <= SIZE && memcmp(piece, data + at, got) == 0);
		at += got;
	}
	CHECK_EQ(at, SIZE);
	CHECK_EXITS(child, 0);
}

CASE(a_read_goes_on_when_another_thread_closes_its_descriptor, "close(2)")
{
	struct sleeper sleeper;
	int reader;

	handle(SIGPIPE, SIG_IGN, 0);
	CHECK_OK(pipe(ends));
	reader = ends[0];
	start_sleeper(&sleeper, read_a_byte, 0);
	CHECK_OK(close(reader));
	tell(ends[1]);
	join(&sleeper);
	CHECK_EQ(sleeper.result, 1);
	CHECK_ERR(write(ends[1], "", 1), EPIPE);
}

CASE(a_read_into_memory_that_is_gone_by_then_gives_EFAULT, "read(2)")
{
	static char *page;
	pid_t child;
	char byte;

	CHECK_OK(pipe(ends));
	page = map_pages(1, MAP_PRIVATE);
	child = fork_child();
	if (child == 0) {
		struct sleeper sleeper;
		void into_page(struct sleeper *self) { self->result = read(ends[0], page, 10); }

		start_sleeper(&sleeper, into_page, 0);
		munmap(page, PAGE);
		tell(ends[1]);
		join(&sleeper);
		_exit(sleeper.result == -1 && sleeper.error == EFAULT ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
}

CASE(futex_waiters_are_woken_in_the_order_of_their_arrival, "FUTEX_WAKE(2const)")
{
	struct sleeper sleepers[THREADS];

	word = 0;
	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], wait_on_word, i);
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
		join(&sleepers[i]);
		CHECK_EQ(sleepers[i].result, 0);
	}
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
}

CASE(a_requeued_waiter_is_woken_at_the_other_word_only, "FUTEX_REQUEUE(2const)")
{
	struct sleeper sleepers[THREADS];

	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], wait_on_word, i);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2L, &second_word, 0), 3);
	join(&sleepers[0]);
	CHECK_EQ(futex(&second_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join(&sleepers[1]);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
	join(&sleepers[3]);
	CHECK_EQ(futex(&second_word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
	join(&sleepers[2]);
}

CASE(requeueing_to_the_same_word_ends, "FUTEX_REQUEUE(2const)")
{
	struct sleeper sleepers[2];

	for (int i = 0; i < 2; i++)
		start_sleeper(&sleepers[i], wait_on_word, i);
	CHECK_EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &word, 0), 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
	join(&sleepers[0]);
	join(&sleepers[1]);
}

static void wait_half_a_second(struct sleeper *sleeper)
{
	struct timespec half = { 0, 500000000 };

	sleeper->result = futex(&word, FUTEX_WAIT_PRIVATE, 0, &half, NULL, 0);
}

CASE(a_requeued_waiter_still_times_out, "FUTEX_REQUEUE(2const)")
{
	struct sleeper sleeper;

	start_sleeper(&sleeper, wait_half_a_second, 0);
	CHECK_EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)1L, &second_word, 0), 1);
	join(&sleeper);
	CHECK_EQ(sleeper.result, -1);
	CHECK_EQ(sleeper.error, ETIMEDOUT);
	CHECK_EQ(futex(&second_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
}

CASE(stop_and_continue_do_not_move_the_end_of_a_timed_wait, "restart_syscall(2)")
{
	long long start = nanoseconds(CLOCK_MONOTONIC), took;
	int status;
	pid_t child;

	word = 0;
	child = fork_child();
	if (child == 0) {
		struct sleeper self;

		wait_half_a_second(&self);
		_exit(self.result == -1 && errno == ETIMEDOUT ? 0 : 1);
	}
	see_asleep(child, child);
	for (int i = 0; i < 3; i++) {
		usleep(50000);
		CHECK_OK(kill(child, SIGSTOP));
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status));
		CHECK_OK(kill(child, SIGCONT));
	}
	CHECK_EXITS(child, 0);
	took = nanoseconds(CLOCK_MONOTONIC) - start;
	CHECK(took >= 500000000 && took < 640000000);
}

CASE(timed_waits_end_in_the_order_of_their_deadlines, "FUTEX_WAIT_BITSET(2const)")
{
	static long long start;
	static int ended;
	struct sleeper sleepers[THREADS];
	void wait_a_while(struct sleeper *self)
	{
		static const int order[THREADS] = { 2, 0, 3, 1 };
		long long end = start + 300000000 + order[self->number] * 100000000;
		struct timespec time = { end / 1000000000, end % 1000000000 };

		futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &time, NULL, FUTEX_BITSET_MATCH_ANY);
		self->result = __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST) - order[self->number];
	}

	start = nanoseconds(CLOCK_MONOTONIC);
	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], wait_a_while, i);
	for (int i = 0; i < THREADS; i++) {
		join(&sleepers[i]);
		CHECK_EQ(sleepers[i].result, 0);
	}
}

CASE(execve_leaves_waiting_threads_behind, "execve(2)")
{
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		struct sleeper sleepers[2];

		start_sleeper(&sleepers[0], read_a_byte, 0);
		start_sleeper(&sleepers[1], wait_on_word, 1);
		execl("/bin/sh", "sh", "-c", "exit 7", NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 7);
	tell(ends[1]);
	await(ends[0]);
}

CASE(a_thread_that_ends_leaves_the_others_waiting, "_exit(2)")
{
	struct sleeper sleepers[2];

	CHECK_OK(pipe(ends));
	start_sleeper(&sleepers[0], read_a_byte, 0);
	start_sleeper(&sleepers[1], wait_on_word, 1);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
	join(&sleepers[1]);
	tell(ends[1]);
	join(&sleepers[0]);
	CHECK_EQ(sleepers[0].result, 1);
}

CASE(exit_group_ends_waiting_threads, "exit_group(2)")
{
	pid_t child = fork_child();

	if (child == 0) {
		struct sleeper sleepers[3];
		void wait_for_events(struct sleeper *self)
		{
			struct epoll_event event;

			self->result = epoll_wait(epoll_create1(0), &event, 1, 100000);
		}

		CHECK_OK(pipe(ends));
		start_sleeper(&sleepers[0], read_a_byte, 0);
		start_sleeper(&sleepers[1], wait_half_a_second, 1);
		start_sleeper(&sleepers[2], wait_for_events, 2);
		_exit(5);
	}
	CHECK_EXITS(child, 5);
}

CASE(an_event_that_is_over_by_then_leaves_epoll_wait_its_time_out, "epoll_wait(2)")
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = CHECK_OK(epoll_create1(0)), counter = CHECK_OK(eventfd(0, EFD_NONBLOCK));
	long long start;
	pid_t child;
	int told;

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event));
	child = fork_child();
	if (child == 0) {
		uint64_t value = 1;

		see_asleep(getppid(), getppid());
		for (int i = 0; i < 200; i++)
			if (write(counter, &value, 8) != 8 || read(counter, &value, 8) != 8)
				_exit(1);
		_exit(0);
	}
	start = nanoseconds(CLOCK_MONOTONIC);
	told = CHECK_OK(epoll_wait(epoll, &event, 1, 300));
	CHECK(told == 1 || nanoseconds(CLOCK_MONOTONIC) - start >= 300000000);
	CHECK_EXITS(child, 0);
	CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
}

CASE(a_semaphore_wakes_as_many_readers_as_it_counts, "eventfd(2)")
{
	static int counter;
	struct sleeper sleepers[THREADS];
	void take_one(struct sleeper *self)
	{
		uint64_t value = 0;

		self->result = read(counter, &value, 8) == 8 ? (long)value : -1;
	}
	uint64_t value = THREADS - 1;

	counter = CHECK_OK(eventfd(0, EFD_SEMAPHORE));
	for (int i = 0; i < THREADS; i++)
		start_sleeper(&sleepers[i], take_one, i);
	CHECK_EQ(write(counter, &value, 8), 8);
	value = 1;
	CHECK_EQ(write(counter, &value, 8), 8);
	for (int i = 0; i < THREADS; i++) {
		join(&sleepers[i]);
		CHECK_EQ(sleepers[i].result, 1);
	}
}

CASE(many_threads_pass_a_token_around, "pipe(7)")
{
	enum { RING = 16, ROUNDS = 50 };
	static int pipes[RING][2];
	pthread_t threads[RING];
	void *pass(void *number)
	{
		long me = (long)number;

		for (int i = 0; i < ROUNDS; i++) {
			await(pipes[me][0]);
			tell(pipes[(me + 1) % RING][1]);
		}
		return NULL;
	}

	for (long i = 0; i < RING; i++)
		CHECK_OK(pipe(pipes[i]));
	for (long i = 0; i < RING; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, pass, (void *)i), 0);
	tell(pipes[0][1]);
	for (int i = 0; i < RING; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	await(pipes[0][0]);
}

CASE(producers_and_consumers_lose_nothing, "pthread_cond_wait(3)")
{
	enum { EACH = 500 };
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
	static int queued, taken, made;
	pthread_t threads[2 * THREADS];
	void *produce(void *unused)
	{
		for (int i = 0; i < EACH; i++) {
			pthread_mutex_lock(&lock);
			while (queued == 3)
				pthread_cond_wait(&changed, &lock);
			queued++;
			made++;
			pthread_cond_broadcast(&changed);
			pthread_mutex_unlock(&lock);
		}
		return unused;
	}
	void *consume(void *unused)
	{
		struct timespec end;

		for (int i = 0; i < EACH; i++) {
			pthread_mutex_lock(&lock);
			while (queued == 0) {
				clock_gettime(CLOCK_REALTIME, &end);
				end.tv_sec += 60;
				CHECK_EQ(pthread_cond_timedwait(&changed, &lock, &end), 0);
			}
			queued--;
			taken++;
			pthread_cond_broadcast(&changed);
			pthread_mutex_unlock(&lock);
		}
		return unused;
	}

	for (int i = 0; i < 2 * THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, i % 2 ? produce : consume, NULL), 0);
	for (int i = 0; i < 2 * THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(made, THREADS * EACH);
	CHECK_EQ(taken, THREADS * EACH);
}
