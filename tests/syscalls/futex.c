/* futex(2): waiting, waking, requeueing, timeouts. Robust lists: robust_list.c. */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <time.h>

static uint32_t word, second_word;

static long futex(uint32_t *address, int operation, uint32_t value, const void *timeout, uint32_t *other,
		  uint32_t bits)
{
	return syscall(SYS_futex, address, operation, value, timeout, other, bits);
}

/* Wakes until one waiter was there to be woken: it may not have come to wait yet. */
static void wake_one(uint32_t *address, int operation, uint32_t bits)
{
	long woken;

	while ((woken = CHECK_OK(futex(address, operation, 1, NULL, NULL, bits))) == 0)
		sched_yield();
	CHECK_EQ(woken, 1);
}

static void *wait_on_word(void *unused)
{
	CHECK_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
	return unused;
}

CASE(wait_with_another_value_gives_EAGAIN, "FUTEX_WAIT(2const)")
{
	word = 1;
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0), EAGAIN);
}

CASE(wake_without_waiters_returns_0, "FUTEX_WAKE(2const)")
{
	CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
}

CASE(wake_wakes_a_waiting_thread, "FUTEX_WAKE(2const)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, wait_on_word, NULL), 0);
	wake_one(&word, FUTEX_WAKE_PRIVATE, 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(wake_reaches_another_process_through_shared_memory, "futex(7)")
{
	uint32_t *shared = map_pages(1, MAP_SHARED);
	pid_t child = fork_child();

	if (child == 0)
		_exit(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	wake_one(shared, FUTEX_WAKE, 0);
	CHECK_EXITS(child, 0);
}

CASE(wake_reaches_a_file_mapped_at_another_address, "futex(7)")
{
	int fd = make_file("file", "");
	uint32_t *mine, *other;
	pid_t child;

	CHECK_OK(ftruncate(fd, PAGE));
	mine = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	other = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK(mine != other);
	child = fork_child();
	if (child == 0)
		_exit(futex(other, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	wake_one(mine, FUTEX_WAKE, 0);
	CHECK_EXITS(child, 0);
}

CASE(wake_of_n_wakes_at_most_n, "FUTEX_WAKE(2const)")
{
	pthread_t threads[3];
	long woken = 0, now;

	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_on_word, NULL), 0);
	while (woken < 3) {
		now = CHECK_OK(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0));
		CHECK(now <= 2);
		woken += now;
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(woken, 3);
}

CASE(wait_with_a_relative_timeout_gives_ETIMEDOUT, "FUTEX_WAIT(2const)")
{
	struct timespec timeout = { 0, 2000000 };
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0), ETIMEDOUT);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
}

CASE(wait_bitset_takes_an_absolute_timeout, "FUTEX_WAIT_BITSET(2const)")
{
	struct timespec past = { 0, 1 }, soon;

	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &past, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 1), ETIMEDOUT);
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &soon));
	soon.tv_nsec += 1000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &soon, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
}

static void *wait_for_bit_2(void *unused)
{
	CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 2), 0);
	return unused;
}

CASE(wake_bitset_wakes_matching_waiters_only, "FUTEX_WAKE_BITSET(2const)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, wait_for_bit_2, NULL), 0);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 4), 0);
		sched_yield();
	}
	wake_one(&word, FUTEX_WAKE_BITSET_PRIVATE, 6);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(bitset_of_0_gives_EINVAL, "FUTEX_WAIT_BITSET(2const)")
{
	CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
}

/* Requeue two waiters and wake them; how many were woken through the first word all the same.  The host may
 * wake a waiter for nothing: its kernel then puts it back in the queue of the word it first came to. */
static long requeue_two(void)
{
	pthread_t threads[2];
	long moved = 0, left = 0, woken = 0;

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_on_word, NULL), 0);
	while (moved < 2) {
		moved += CHECK_OK(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)10L, &second_word, 0));
		sched_yield();
	}
	for (; woken + left < 2; sched_yield()) {
		left += CHECK_OK(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
		woken += CHECK_OK(futex(&second_word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	}
	CHECK_EQ(woken + left, 2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return left;
}

CASE(cmp_requeue_moves_waiters_to_the_other_word, "FUTEX_CMP_REQUEUE(2const)")
{
	int attempts = 10;

	while (requeue_two() && attempts--)
		;
	CHECK(attempts >= 0);
}

CASE(cmp_requeue_with_another_value_gives_EAGAIN, "FUTEX_CMP_REQUEUE(2const)")
{
	word = 5;
	CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1L, &second_word, 6), EAGAIN);
}

CASE(wake_op_changes_the_second_word_and_wakes, "FUTEX_WAKE_OP(2const)")
{
	second_word = 10;
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &second_word,
		       FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10)), 0);
	CHECK_EQ(second_word, 15);
	CHECK_EQ(futex(&word, FUTEX_WAKE_OP, 1, (void *)1L, &second_word,
		       FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_GT, 100)), 0);
	CHECK_EQ(second_word, 14);
}

CASE(misaligned_address_gives_EINVAL, "futex(2)")
{
	uint32_t *misaligned = (uint32_t *)((char *)&word + 2);

	CHECK_ERR(futex(misaligned, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(futex(misaligned, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
}

CASE(bad_addresses_give_EFAULT, "futex(2)")
{
	CHECK_ERR(futex(unmapped(), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(unmapped(), FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, unmapped(), NULL, 0), EFAULT);
	CHECK_ERR(futex(unmapped(), FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
}

CASE(invalid_timeout_gives_EINVAL, "futex(2)")
{
	struct timespec timeout = { 0, 1000000000 };

	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0), EINVAL);
	timeout = (struct timespec){ -1, 0 };
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0), EINVAL);
}

CASE(unknown_operation_gives_ENOSYS, "futex(2)")
{
	CHECK_ERR(futex(&word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

CASE(wait_is_interrupted_by_a_handler_without_SA_RESTART, "signal(7)")
{
	alarm_often(count_signal, 0);
	CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	still();
}

static void wake_at_the_third(int number)
{
	count_signal(number);
	if (signals_seen >= 3) {
		word = 1;
		futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

CASE(wait_is_restarted_after_a_handler_with_SA_RESTART, "signal(7)")
{
	alarm_often(wake_at_the_third, SA_RESTART);
	/* Woken by the handler, or restarted after it and then finding another value. */
	if (futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0) == -1)
		CHECK_EQ(errno, EAGAIN);
	still();
	CHECK(signals_seen >= 3);
}

static uint32_t pair_word;

static void *wait_with(void *operation)
{
	struct timespec limit = { 5, 0 };

	return (void *)syscall(SYS_futex, &pair_word, (int)(long)operation, 0, &limit, NULL, 0);
}

CASE(private_wakes_and_shared_waits_do_not_meet, "futex(2), FUTEX_PRIVATE_FLAG")
{
	for (int flag = 0; flag <= FUTEX_PRIVATE_FLAG; flag += FUTEX_PRIVATE_FLAG) {
		pthread_t thread;

		pthread_create(&thread, NULL, wait_with, (void *)(long)(FUTEX_WAIT | flag));
		usleep(50000);
		CHECK_EQ(syscall(SYS_futex, &pair_word, FUTEX_WAKE | (flag ^ FUTEX_PRIVATE_FLAG), 1), 0);
		CHECK_EQ(syscall(SYS_futex, &pair_word, FUTEX_WAKE | flag, 1), 1);
		pthread_join(thread, NULL);
	}
}

CASE(unknown_comparison_of_wake_op_changes_the_word, "futex(2), FUTEX_WAKE_OP")
{
	uint32_t first = 0, second = 5;

	CHECK_ERR(syscall(SYS_futex, &first, FUTEX_WAKE_OP, 1, 1, &second, FUTEX_OP(FUTEX_OP_ADD, 3, 7, 0)), ENOSYS);
	CHECK_EQ(second, 8);
}

CASE(only_some_operations_take_FUTEX_CLOCK_REALTIME, "futex(2)")
{
	uint32_t word = 0;

	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL), ENOSYS);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1), ENOSYS);
	CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 1), EAGAIN);
}

CASE(shared_futex_in_private_memory_must_be_writable, "futex(2)")
{
	char *memory = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_ERR(syscall(SYS_futex, memory, FUTEX_WAKE, 1), EFAULT);
	CHECK_ERR(syscall(SYS_futex, memory, FUTEX_WAIT, 1, NULL), EFAULT);
	CHECK_EQ(syscall(SYS_futex, memory, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1), 0);
}

static void *lock_and_end(void *unused)
{
	syscall(SYS_futex, &pair_word, FUTEX_LOCK_PI, 0, NULL);
	usleep(100000);
	return unused;
}

CASE(PI_lock_of_a_thread_that_ended_goes_to_a_waiter, "futex(2), FUTEX_LOCK_PI")
{
	pthread_t thread;
	uint32_t mine = (uint32_t)syscall(SYS_gettid);

	pthread_create(&thread, NULL, lock_and_end, NULL);
	usleep(50000);
	CHECK_OK(syscall(SYS_futex, &pair_word, FUTEX_LOCK_PI, 0, NULL));
	CHECK_EQ(pair_word, mine | FUTEX_WAITERS | FUTEX_OWNER_DIED);
	CHECK_ERR(syscall(SYS_futex, &pair_word, FUTEX_LOCK_PI, 0, NULL), EDEADLK);
	CHECK_OK(syscall(SYS_futex, &pair_word, FUTEX_UNLOCK_PI));
	CHECK_EQ(pair_word, 0);
	pthread_join(thread, NULL);
}

static uint32_t condition_word;

static void *wait_for_requeue(void *unused)
{
	(void)unused;
	long answer = syscall(SYS_futex, &condition_word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &pair_word, 0);

	return (void *)(answer ? answer : syscall(SYS_futex, &pair_word, FUTEX_UNLOCK_PI));
}

CASE(requeue_to_a_PI_lock_wants_its_own_kind_of_waiters, "futex(2), FUTEX_CMP_REQUEUE_PI")
{
	pthread_t thread;
	void *answer;
	uint32_t other = 0;

	CHECK_OK(syscall(SYS_futex, &pair_word, FUTEX_LOCK_PI, 0, NULL));
	pthread_create(&thread, NULL, wait_for_requeue, NULL);
	usleep(50000);
	CHECK_ERR(syscall(SYS_futex, &condition_word, FUTEX_WAKE, 1), EINVAL);
	CHECK_ERR(syscall(SYS_futex, &condition_word, FUTEX_CMP_REQUEUE, 1, 1, &pair_word, 0), EINVAL);
	CHECK_ERR(syscall(SYS_futex, &condition_word, FUTEX_CMP_REQUEUE_PI, 1, 1, &other, 0), EINVAL);
	CHECK_EQ(syscall(SYS_futex, &condition_word, FUTEX_CMP_REQUEUE_PI, 1, 0, &pair_word, 0), 1);
	usleep(50000);
	CHECK_OK(syscall(SYS_futex, &pair_word, FUTEX_UNLOCK_PI));
	pthread_join(thread, &answer);
	CHECK_EQ((long)answer, 0);
	pthread_create(&thread, NULL, wait_with, (void *)(long)FUTEX_WAIT);
	usleep(50000);
	CHECK_ERR(syscall(SYS_futex, &pair_word, FUTEX_CMP_REQUEUE_PI, 1, 0, &condition_word, 0), EINVAL);
	CHECK_EQ(syscall(SYS_futex, &pair_word, FUTEX_WAKE, 1), 1);
	pthread_join(thread, NULL);
}
