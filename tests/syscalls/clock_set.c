/* Setting and adjusting clocks, by one who may not. */
#include "harness.h"
#include "fixtures.h"

#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

static const struct timespec some_time = { 1, 0 };

static long set_clock(int id, const void *when)
{
	return syscall(SYS_clock_settime, id, when);
}

CASE(setting_the_realtime_clock_needs_CAP_SYS_TIME, "clock_settime(2)")
{
	struct timeval now = { 1, 0 };
	struct timezone zone = { 0, 0 };

	lose_privilege();
	CHECK_ERR(set_clock(CLOCK_REALTIME, &some_time), EPERM);
	CHECK_ERR(syscall(SYS_settimeofday, &now, NULL), EPERM);
	CHECK_ERR(syscall(SYS_settimeofday, NULL, &zone), EPERM);
	CHECK_ERR(syscall(SYS_settimeofday, NULL, NULL), EPERM);
}

CASE(clock_settime_errors, "clock_settime(2)")
{
	static const struct timespec large = { 1, 1000000000 }, negative = { -1, 0 }, negative_ns = { 1, -1 };

	lose_privilege();
	CHECK_ERR(set_clock(CLOCK_REALTIME, &large), EINVAL);
	CHECK_ERR(set_clock(CLOCK_REALTIME, &negative), EINVAL);
	CHECK_ERR(set_clock(CLOCK_REALTIME, &negative_ns), EINVAL);
	CHECK_ERR(set_clock(CLOCK_REALTIME, unmapped()), EFAULT);
	for (int id = CLOCK_MONOTONIC; id <= CLOCK_TAI; id++)
		CHECK_ERR(set_clock(id, &some_time), EINVAL);
	CHECK_ERR(set_clock(CLOCK_MONOTONIC, unmapped()), EINVAL);
	CHECK_ERR(set_clock(99, &some_time), EINVAL);
}

CASE(nobody_sets_CPU_time, "clock_settime(2)")
{
	CHECK_ERR(set_clock(~getpid() * 8 | 2, &some_time), EPERM);
	CHECK_ERR(set_clock(~getpid() * 8 | 6, &some_time), EPERM);
	CHECK_ERR(set_clock(~0x3fffff * 8 | 2, &some_time), EINVAL);
	CHECK_ERR(set_clock(-1, &some_time), EINVAL);
}

CASE(settimeofday_errors, "gettimeofday(2)")
{
	struct timeval large = { 1, 1000001 }, negative = { -1, 0 };

	lose_privilege();
	CHECK_ERR(syscall(SYS_settimeofday, &large, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, &negative, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_settimeofday, unmapped(), NULL), EFAULT);
	CHECK_ERR(syscall(SYS_settimeofday, NULL, unmapped()), EFAULT);
}

CASE(adjtimex_tells_the_state, "adjtimex(2)")
{
	struct timex state = { .modes = 0 };
	struct timeval now;
	int answer = CHECK_OK(syscall(SYS_adjtimex, &state));

	CHECK(answer >= TIME_OK && answer <= TIME_ERROR);
	CHECK_EQ(answer == TIME_ERROR, (state.status & STA_UNSYNC) != 0);
	CHECK_EQ(state.tick, 10000);
	CHECK_EQ(state.precision, 1);
	CHECK_EQ(state.tolerance, 32768000);
	CHECK_OK(gettimeofday(&now, NULL));
	CHECK(now.tv_sec - state.time.tv_sec <= 1);
	state.modes = ADJ_OFFSET_SS_READ;
	lose_privilege();
	CHECK_EQ(syscall(SYS_adjtimex, &state), answer);
	CHECK_EQ(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &(struct timex) { .modes = 0 }), answer);
}

CASE(adjusting_needs_CAP_SYS_TIME, "adjtimex(2)")
{
	static const unsigned modes[] = {
		ADJ_OFFSET, ADJ_FREQUENCY, ADJ_MAXERROR, ADJ_ESTERROR, ADJ_STATUS, ADJ_TIMECONST, ADJ_TAI,
		ADJ_SETOFFSET, ADJ_MICRO, ADJ_NANO, ADJ_TICK, ADJ_OFFSET_SINGLESHOT
	};

	lose_privilege();
	for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		struct timex change = { .modes = modes[i], .tick = 10000 };

		CHECK_ERR(syscall(SYS_adjtimex, &change), EPERM);
		CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &change), EPERM);
	}
}

CASE(clock_adjtime_errors, "adjtimex(2)")
{
	struct timex change = { .modes = 0x8000 };

	lose_privilege();
	CHECK_ERR(syscall(SYS_adjtimex, &change), EINVAL);
	CHECK_ERR(syscall(SYS_adjtimex, unmapped()), EFAULT);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, unmapped()), EFAULT);
	change.modes = 0;
	for (int id = CLOCK_MONOTONIC; id <= CLOCK_BOOTTIME_ALARM; id++)
		CHECK_ERR(syscall(SYS_clock_adjtime, id, &change), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, CLOCK_TAI, &change), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_adjtime, 10, &change), EINVAL);
	CHECK_ERR(syscall(SYS_clock_adjtime, 99, &change), EINVAL);
	CHECK_ERR(syscall(SYS_clock_adjtime, -1, &change), EOPNOTSUPP);
}
