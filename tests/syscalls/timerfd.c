/* timerfd_create(2) and what its descriptors do. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/timerfd.h>

static uint64_t count;

CASE(one_shot_expires_once_not_before_its_time, "timerfd_create(2)")
{
	struct itimerspec soon = { .it_value = { 0, 2000000 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_OK(timerfd_settime(fd, 0, &soon, NULL));
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_EQ(count, 1);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	CHECK_ERR(read(fd, &count, 8), EAGAIN);
}

CASE(interval_counts_expirations, "timerfd_create(2)")
{
	struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	uint64_t total = 0;

	CHECK_OK(timerfd_settime(fd, 0, &often, NULL));
	while (total < 3) {
		CHECK_EQ(read(fd, &count, 8), 8);
		CHECK(count >= 1);
		total += count;
	}
}

CASE(absolute_time_in_the_past_expires_at_once, "timerfd_create(2)")
{
	struct itimerspec past = { .it_value = { 0, 1 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));

	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL));
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_EQ(count, 1);
}

CASE(gettime_tells_what_is_left_and_settime_returns_the_old_value, "timerfd_create(2)")
{
	struct itimerspec far = { { 5, 0 }, { 1000, 0 } }, seen, never = { { 0, 0 }, { 0, 0 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));

	CHECK_OK(timerfd_gettime(fd, &seen));
	CHECK_EQ(seen.it_value.tv_sec + seen.it_value.tv_nsec, 0);
	CHECK_OK(timerfd_settime(fd, 0, &far, NULL));
	CHECK_OK(timerfd_gettime(fd, &seen));
	CHECK(seen.it_value.tv_sec >= 900 && seen.it_value.tv_sec <= 1000);
	CHECK_EQ(seen.it_interval.tv_sec, 5);
	CHECK_OK(timerfd_settime(fd, 0, &never, &seen));
	CHECK(seen.it_value.tv_sec >= 900);
	CHECK_OK(timerfd_gettime(fd, &seen));
	CHECK_EQ(seen.it_value.tv_sec + seen.it_value.tv_nsec, 0);
}

CASE(poll_becomes_ready_at_expiry, "timerfd_create(2)")
{
	struct itimerspec soon = { .it_value = { 0, 2000000 } };
	struct pollfd entry = { .events = POLLIN };

	entry.fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_OK(timerfd_settime(entry.fd, 0, &soon, NULL));
	CHECK_EQ(poll(&entry, 1, -1), 1);
	CHECK_EQ(entry.revents, POLLIN);
	CHECK_EQ(read(entry.fd, &count, 8), 8);
	CHECK_EQ(poll(&entry, 1, 0), 0);
}

CASE(timer_survives_fork_in_the_child, "timerfd_create(2)")
{
	struct itimerspec soon = { .it_value = { 0, 2000000 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	pid_t child;

	CHECK_OK(timerfd_settime(fd, 0, &soon, NULL));
	child = fork_child();
	if (child == 0)
		_exit(read(fd, &count, 8) == 8 ? 0 : 1);
	CHECK_EXITS(child, 0);
}

CASE(timerfd_errors, "timerfd_create(2)")
{
	struct itimerspec invalid = { .it_value = { 0, 1000000000 } }, fine = { .it_value = { 1, 0 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0x40), EINVAL);
	CHECK_ERR(timerfd_settime(fd, 0, &invalid, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(fd, 0x100, &fine, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(ends[0], 0, &fine, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(999, 0, &fine, NULL), EBADF);
	CHECK_ERR(timerfd_settime(fd, 0, unmapped(), NULL), EFAULT);
	CHECK_ERR(read(fd, &count, 7), EINVAL);
	CHECK_ERR(write(fd, &count, 8), EINVAL);
}

CASE(alarm_clocks_tick_for_those_with_CAP_WAKE_ALARM, "timerfd_create(2)")
{
	static const int clocks[] = { CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM };
	struct itimerspec soon = { .it_value = { 0, 1000000 } };

	for (int i = 0; i < 2; i++) {
		int fd = timerfd_create(clocks[i], 0);
		uint64_t ticks;

		if (geteuid() != 0) {
			CHECK_EQ(fd, -1);
			CHECK_EQ(errno, EPERM);
			continue;
		}
		if (fd == -1 && errno == EPERM)
			SKIP("no CAP_WAKE_ALARM");
		CHECK_OK(fd);
		CHECK_OK(timerfd_settime(fd, 0, &soon, NULL));
		CHECK_EQ(read(fd, &ticks, 8), 8);
		CHECK_EQ(ticks, 1);
	}
}
