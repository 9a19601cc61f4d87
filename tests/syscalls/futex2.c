/* futex_wake, futex_wait, futex_requeue, futex_waitv: the futex calls with flags for each word. */
#include "harness.h"
#include "fixtures.h"

#include <limits.h>
#include <pthread.h>

enum { NR_WAITV = 449, NR_WAKE = 454, NR_WAIT, NR_REQUEUE };
enum { SIZE_U8, SIZE_U16, SIZE_U32, SIZE_U64, NUMA = 4, PRIVATE = 128 };
#define ANY 0xffffffffUL

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static uint32_t words[4] __attribute__((aligned(16)));

static long wake(const void *address, unsigned long mask, int count, unsigned int flags)
{
	return syscall(NR_WAKE, address, mask, count, flags);
}

static long wait_for(const void *address, unsigned long value, unsigned long mask, unsigned int flags,
		     const struct timespec *timeout, long clock)
{
	return syscall(NR_WAIT, address, value, mask, flags, timeout, clock);
}

static long requeue(struct waiter *pair, unsigned int flags, int to_wake, int to_move)
{
	return syscall(NR_REQUEUE, pair, flags, to_wake, to_move);
}

static void need_calls(void)
{
	if (wake(words, ANY, 1, SIZE_U32) == -1 && errno == ENOSYS)
		SKIP("the kernel has no futex_wake");
}

/* Waits on the first word under a mask of its own. */
static void *waits(void *mask)
{
	return (void *)(wait_for(words, 0, (uintptr_t)mask, SIZE_U32 | PRIVATE, NULL, 0) == 0 ? mask : NULL);
}

/* Until that many were woken by or moved away from a word. */
static void wake_all(uint32_t *word, unsigned long mask, int count)
{
	while (count)
		count -= CHECK_OK(wake(word, mask, INT_MAX, SIZE_U32 | PRIVATE));
}

CASE(flags_masks_and_addresses_of_a_wake_are_checked, "futex(2)")
{
	need_calls();
	CHECK_ERR(wake(words, 1, 1, SIZE_U8), EINVAL);
	CHECK_ERR(wake(words, 1, 1, SIZE_U16), EINVAL);
	CHECK_ERR(wake(words, 1, 1, SIZE_U64), EINVAL);
	CHECK_ERR(wake(words, 1, 1, SIZE_U32 | 16), EINVAL);
	CHECK_ERR(wake(words, 0, 1, SIZE_U32), EINVAL);
	CHECK_ERR(wake(words, 1UL << 32, 1, SIZE_U32), EINVAL);
	CHECK_ERR(wake((char *)words + 2, 1, 1, SIZE_U32), EINVAL);
	CHECK_ERR(wake((void *)8, 1, 1, SIZE_U32), EFAULT);
	CHECK_ERR(wake(NULL, 1, 0, SIZE_U32), EFAULT);
	CHECK_EQ(wake((void *)8, 1, 1, SIZE_U32 | PRIVATE), 0);
	CHECK_EQ(wake(words, 1, 1, SIZE_U32), 0);
	CHECK_EQ(wake(words, 1, 0, SIZE_U32), 0);
	CHECK_EQ(wake(words, 1, -1, SIZE_U32), 0);
}

CASE(arguments_of_a_wait_are_checked, "futex(2)")
{
	struct timespec past = { 0, 1 }, bad = { 0, -1 };

	need_calls();
	CHECK_ERR(wait_for(words, 1, ANY, SIZE_U32, NULL, 99), EAGAIN);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &past, CLOCK_REALTIME), ETIMEDOUT);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &past, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &bad, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, (void *)8, CLOCK_MONOTONIC), EFAULT);
	CHECK_ERR(wait_for(words, 1UL << 32, ANY, SIZE_U32, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for(words, 0, 1UL << 32, SIZE_U32, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for(words, 0, 0, SIZE_U32, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U8, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for((char *)words + 2, 0, ANY, SIZE_U32, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(wait_for((void *)8, 0, ANY, SIZE_U32, &past, CLOCK_MONOTONIC), EFAULT);
}

CASE(a_wake_selects_by_mask_and_count, "futex(2)")
{
	pthread_t threads[3];
	void *result;

	need_calls();
	for (long i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, waits, (void *)(i == 2 ? 2L : 1L)), 0);
	wake_all(words, 2, 1);
	CHECK_EQ(pthread_join(threads[2], &result), 0);
	CHECK_EQ((long)result, 2);
	CHECK_EQ(wake(words, 4, INT_MAX, SIZE_U32 | PRIVATE), 0);
	CHECK_EQ(wake(words, 1, 0, SIZE_U32 | PRIVATE), 0);
	wake_all(words, 1, 2);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, 1);
	}
}

CASE(shared_words_are_one_futex_for_all_processes, "futex(2)")
{
	uint32_t *shared = map_pages(1, MAP_SHARED);
	pid_t child;

	need_calls();
	child = fork_child();
	if (child == 0)
		_exit(wait_for(shared, 0, ANY, SIZE_U32, NULL, 0) != 0);
	while (CHECK_OK(wake(shared, ANY, 1, SIZE_U32)) == 0)
		usleep(1000);
	CHECK_EXITS(child, 0);
}

CASE(a_signal_interrupts_a_wait, "signal(7)")
{
	struct timespec late = { 4000000000, 0 };

	need_calls();
	alarm_often(count_signal, 0);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, NULL, 0), EINTR);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &late, CLOCK_MONOTONIC), EINTR);
	still();
}

CASE(SA_RESTART_restarts_a_wait_to_the_same_time, "signal(7)")
{
	long long end = nanoseconds(CLOCK_MONOTONIC) + 60000000;
	struct timespec when = { end / 1000000000, end % 1000000000 };

	need_calls();
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32, &when, CLOCK_MONOTONIC), ETIMEDOUT);
	still();
	CHECK(nanoseconds(CLOCK_MONOTONIC) >= end);
	CHECK(signals_seen > 0);
}

CASE(arguments_of_a_requeue_are_checked, "futex(2)")
{
	struct waiter pair[2] = { { 0, (uintptr_t)words, SIZE_U32, 0 }, { 0, (uintptr_t)(words + 2), SIZE_U32, 0 } };

	need_calls();
	CHECK_EQ(requeue(pair, 0, 1, 1), 0);
	CHECK_ERR(requeue(pair, 1, 1, 1), EINVAL);
	CHECK_ERR(requeue(NULL, 0, 1, 1), EINVAL);
	CHECK_ERR(requeue((void *)8, 0, 1, 1), EFAULT);
	CHECK_ERR(requeue(pair, 0, -1, 1), EINVAL);
	CHECK_ERR(requeue(pair, 0, 1, -1), EINVAL);
	pair[0].value = 1;
	CHECK_ERR(requeue(pair, 0, 1, 1), EAGAIN);
	pair[0].value = 1UL << 32;
	CHECK_ERR(requeue(pair, 0, 1, 1), EINVAL);
	pair[0].value = 0, pair[1].flags = SIZE_U16;
	CHECK_ERR(requeue(pair, 0, 1, 1), EINVAL);
	pair[1].flags = SIZE_U32, pair[0].reserved = 1;
	CHECK_ERR(requeue(pair, 0, 1, 1), EINVAL);
	pair[0].reserved = 0, pair[1].address = 8;
	CHECK_ERR(requeue(pair, 0, 1, 1), EFAULT);
}

CASE(a_requeue_wakes_some_and_moves_others, "futex(2)")
{
	struct waiter pair[2] = { { 0, (uintptr_t)words, SIZE_U32 | PRIVATE, 0 },
				  { 0, (uintptr_t)(words + 2), SIZE_U32 | PRIVATE, 0 } };
	pthread_t threads[3];
	int gone = 0;
	void *result;

	need_calls();
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, waits, (void *)1L), 0);
	while (gone < 3)
		gone += CHECK_OK(requeue(pair, 0, gone == 0, INT_MAX));
	CHECK_EQ(wake(words, ANY, INT_MAX, SIZE_U32 | PRIVATE), 0);
	CHECK_EQ(wake(words + 2, ANY, INT_MAX, SIZE_U32 | PRIVATE), 2);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, 1);
	}
}

CASE(a_word_with_a_node_is_followed_by_its_number, "futex(2)")
{
	struct timespec past = { 0, 1 };

	need_calls();
	words[1] = 0;
	if (wake(words, 1, 1, SIZE_U32 | NUMA) == -1)
		SKIP("the kernel has no FUTEX2_NUMA");
	words[1] = UINT32_MAX;
	CHECK_EQ(wake(words, 1, 1, SIZE_U32 | NUMA | PRIVATE), 0);
	CHECK_EQ(words[1], 0);
	words[1] = 5000;
	CHECK_ERR(wake(words, 1, 1, SIZE_U32 | NUMA | PRIVATE), EINVAL);
	words[1] = 0;
	CHECK_ERR(wake(words + 1, 1, 1, SIZE_U32 | NUMA), EINVAL);
	CHECK_ERR(wait_for(words, 0, ANY, SIZE_U32 | NUMA, &past, CLOCK_MONOTONIC), ETIMEDOUT);
}

CASE(waitv_takes_the_same_flags, "futex(2)")
{
	struct waiter two[2] = { { 0, (uintptr_t)words, SIZE_U32, 0 },
				 { 0, (uintptr_t)(words + 2), SIZE_U32 | PRIVATE, 0 } };
	struct timespec past = { 0, 1 };

	CHECK_ERR(syscall(NR_WAITV, two, 2, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK_ERR(syscall(NR_WAITV, two, 2, 1, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(syscall(NR_WAITV, two, 0, 0, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(syscall(NR_WAITV, two, 129, 0, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(syscall(NR_WAITV, NULL, 1, 0, &past, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(syscall(NR_WAITV, 8, 1, 0, &past, CLOCK_MONOTONIC), EFAULT);
	CHECK_ERR(syscall(NR_WAITV, two, 2, 0, &past, CLOCK_BOOTTIME), EINVAL);
	two[1].flags = SIZE_U8;
	CHECK_ERR(syscall(NR_WAITV, two, 2, 0, &past, CLOCK_MONOTONIC), EINVAL);
	two[1].flags = SIZE_U32, two[1].value = 7;
	CHECK_ERR(syscall(NR_WAITV, two, 2, 0, &past, CLOCK_MONOTONIC), EAGAIN);
}
