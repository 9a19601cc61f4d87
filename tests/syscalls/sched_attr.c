/* sched_setattr(2), deadlines and time slices. */
#include "harness.h"
#include "fixtures.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
	uint64_t more[16];
};

enum { RESET = 1, KEEP_POLICY = 8, KEEP_PARAMS = 0x10, UTIL_MIN = 0x20, SIZE = 56, MS = 1000000 };

static long set(const struct attr *attr)
{
	return syscall(SYS_sched_setattr, 0, attr, 0);
}

static struct attr get(void)
{
	struct attr attr = { 0 };

	CHECK_OK(syscall(SYS_sched_getattr, 0, &attr, SIZE, 0));
	return attr;
}

CASE(nice_is_clamped, "sched_setattr(2)")
{
	CHECK_OK(set(&(struct attr) { .size = SIZE, .nice = 25 }));
	CHECK_EQ(get().nice, 19);
	CHECK_EQ(get().size, SIZE);
}

CASE(a_size_of_0_is_the_first_one, "sched_setattr(2)")
{
	struct attr small = { .size = 47 }, zero = { .nice = 4 }, large = { .size = SIZE + 8 };

	CHECK_OK(set(&zero));
	CHECK_EQ(get().nice, 4);
	CHECK_ERR(set(&small), E2BIG);
	CHECK_EQ(small.size, SIZE);
	large.nice = 4;
	CHECK_OK(set(&large));
	large.more[0] = 1;
	CHECK_ERR(set(&large), E2BIG);
	CHECK_EQ(large.size, SIZE);
}

CASE(getattr_fills_what_it_knows, "sched_setattr(2)")
{
	struct attr attr;

	CHECK_OK(syscall(SYS_sched_getattr, 0, &attr, 48, 0));
	CHECK_EQ(attr.size, 48);
	CHECK_OK(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0));
	CHECK_EQ(attr.size, SIZE);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &attr, 47, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &attr, 4097, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, NULL, 48, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, -1, &attr, 48, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0x3fffffff, &attr, 48, 0), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, unmapped(), 48, 0), EFAULT);
}

CASE(setattr_errors, "sched_setattr(2)")
{
	CHECK_ERR(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, unmapped(), 0), EFAULT);
	CHECK_ERR(syscall(SYS_sched_setattr, -1, &(struct attr) { .size = SIZE }, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0, &(struct attr) { .size = SIZE }, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setattr, 0x3fffffff, &(struct attr) { .size = SIZE }, 0), ESRCH);
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .policy = 4 }), EINVAL);
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .policy = -1U }), EINVAL);
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .policy = SCHED_FIFO }), EINVAL);
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .policy = SCHED_OTHER, .priority = 1 }), EINVAL);
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .flags = 0x80 }), EINVAL);
	CHECK_ERR(set(&(struct attr) { .size = 48, .flags = UTIL_MIN }), EINVAL);
}

CASE(keep_flags_pass_over_fields, "sched_setattr(2)")
{
	CHECK_OK(set(&(struct attr) { .size = SIZE, .nice = 3 }));
	CHECK_OK(set(&(struct attr) { .size = SIZE, .policy = 77, .flags = KEEP_POLICY, .nice = 5 }));
	CHECK_EQ(get().policy, SCHED_OTHER);
	CHECK_EQ(get().nice, 5);
	CHECK_OK(set(&(struct attr) { .size = SIZE, .policy = SCHED_BATCH, .flags = KEEP_PARAMS, .nice = 9 }));
	CHECK_EQ(get().policy, SCHED_OTHER);
	CHECK_EQ(get().nice, 5);
}

CASE(reset_on_fork_is_for_children, "sched_setattr(2)")
{
	pid_t child;

	CHECK_OK(set(&(struct attr) { .size = SIZE, .policy = SCHED_BATCH, .flags = RESET }));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_BATCH | SCHED_RESET_ON_FORK);
	child = fork_child();
	if (child == 0)
		_exit(get().flags != 0);
	CHECK_EXITS(child, 0);
	if (geteuid() == 0)
		CHECK_OK(seteuid(65534));
	CHECK_ERR(set(&(struct attr) { .size = SIZE, .policy = SCHED_BATCH }), EPERM);
}

CASE(a_time_slice_can_be_asked_for, "sched_setattr(2)")
{
	uint64_t usual = get().runtime;

	if (usual == 0)
		SKIP("the kernel has no slices");
	CHECK_OK(set(&(struct attr) { .size = SIZE, .runtime = 10 * MS }));
	CHECK_EQ(get().runtime, 10 * MS);
	CHECK_OK(set(&(struct attr) { .size = SIZE, .runtime = 1 }));
	CHECK_EQ(get().runtime, MS / 10);
	CHECK_OK(set(&(struct attr) { .size = SIZE }));
	CHECK_EQ(get().runtime, usual);
}

CASE(a_deadline_is_kept_and_not_inherited, "sched(7)")
{
	struct attr wanted = {
		.size = SIZE, .policy = 6, .runtime = 10 * MS, .deadline = 30 * MS, .period = 40 * MS
	};

	NEEDS_ROOT();
	if (set(&wanted) == -1)
		SKIP("no deadlines here: %s", errno_name(errno));
	CHECK_EQ(get().policy, 6);
	CHECK_EQ(get().runtime, 10 * MS);
	CHECK_EQ(get().deadline, 30 * MS);
	CHECK_EQ(get().period, 40 * MS);
	CHECK_ERR(fork(), EAGAIN);
	wanted.flags = RESET;
	CHECK_OK(set(&wanted));
	pid_t child = fork_child();
	if (child == 0)
		_exit(syscall(SYS_sched_getscheduler, 0));
	CHECK_EXITS(child, 0);
	CHECK_OK(set(&(struct attr) { .size = SIZE }));
}

CASE(deadline_errors, "sched(7)")
{
	struct attr zero = { .size = SIZE, .policy = 6 };
	struct attr late = { .size = SIZE, .policy = 6, .runtime = 40 * MS, .deadline = 30 * MS };
	struct attr tiny = { .size = SIZE, .policy = 6, .runtime = 1000, .deadline = 30 * MS };
	struct attr short_period = {
		.size = SIZE, .policy = 6, .runtime = 10 * MS, .deadline = 30 * MS, .period = 20 * MS
	};
	struct attr huge = { .size = SIZE, .policy = 6, .runtime = 10 * MS, .deadline = 1UL << 63 };
	struct sched_param none = { 0 };

	CHECK_ERR(set(&zero), EINVAL);
	CHECK_ERR(set(&late), EINVAL);
	CHECK_ERR(set(&tiny), EINVAL);
	CHECK_ERR(set(&short_period), EINVAL);
	CHECK_ERR(set(&huge), EINVAL);
	CHECK_ERR(sched_setscheduler(0, 6, &none), EINVAL);
}

CASE(intervals_by_policy, "sched_rr_get_interval(2)")
{
	struct sched_param low = { .sched_priority = 1 };
	struct timespec interval;

	CHECK_ERR(sched_rr_get_interval(-1, &interval), EINVAL);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0, unmapped()), EFAULT);
	NEEDS_ROOT();
	CHECK_OK(sched_setscheduler(0, SCHED_RR, &low));
	CHECK_OK(sched_rr_get_interval(0, &interval));
	CHECK_EQ(interval.tv_nsec, 100 * MS);
	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &low));
	CHECK_OK(sched_rr_get_interval(0, &interval));
	CHECK_EQ(interval.tv_nsec, 0);
}

CASE(real_time_within_RLIMIT_RTPRIO, "sched(7)")
{
	struct sched_param five = { .sched_priority = 5 }, six = { .sched_priority = 6 };
	struct rlimit limit = { 5, 5 };

	NEEDS_ROOT();
	if (setrlimit(RLIMIT_RTPRIO, &limit))
		SKIP("the limit can't be raised here");
	CHECK_OK(seteuid(65534));
	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &five));
	CHECK_ERR(sched_setscheduler(0, SCHED_FIFO, &six), EPERM);
	limit.rlim_cur = 0;
	CHECK_OK(setrlimit(RLIMIT_RTPRIO, &limit));
	five.sched_priority = 3;
	CHECK_OK(sched_setscheduler(0, SCHED_FIFO, &five));
	CHECK_ERR(sched_setscheduler(0, SCHED_RR, &five), EPERM);
}
