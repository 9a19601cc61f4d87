/* Affinity, policies, memory locking and barriers: calls that programs make for speed and must not fail. */
#include "harness.h"
#include "fixtures.h"

#include <linux/membarrier.h>

CASE(affinity_set_is_the_affinity_read, "sched_setaffinity(2)")
{
	cpu_set_t all, one;
	int cpu = 0;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	CHECK_EQ(CPU_COUNT(&all), 1);
	CHECK(CPU_ISSET(cpu, &all));
}

CASE(affinity_errors, "sched_setaffinity(2)")
{
	cpu_set_t none;

	CPU_ZERO(&none);
	CHECK_ERR(sched_setaffinity(0, sizeof(none), &none), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setaffinity, 0, sizeof(none), unmapped()), EFAULT);
	CHECK_ERR(sched_setaffinity(0x3fffffff, sizeof(none), &none), ESRCH);
	CHECK_ERR(sched_setaffinity(-1, sizeof(none), &none), ESRCH);
	CHECK_ERR(sched_getaffinity(-1, sizeof(none), &none), ESRCH);
	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
}

CASE(affinity_is_inherited, "sched_setaffinity(2)")
{
	cpu_set_t before, after;
	pid_t child;

	CHECK_OK(sched_getaffinity(0, sizeof(before), &before));
	child = fork_child();
	if (child == 0)
		_exit(sched_getaffinity(0, sizeof(after), &after) || !CPU_EQUAL(&before, &after));
	CHECK_EXITS(child, 0);
}

CASE(SCHED_BATCH_and_back_to_SCHED_OTHER, "sched_setscheduler(2)")
{
	struct sched_param parameter = { 0 };

	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &parameter));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_BATCH);
	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameter));
	CHECK_OK(syscall(SYS_sched_setparam, 0, &parameter));
	parameter.sched_priority = 5;
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameter), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 99, &parameter), EINVAL);
	CHECK_ERR(syscall(SYS_sched_setscheduler, 0x3fffffff, SCHED_OTHER, &parameter), ESRCH);
}

CASE(sched_getattr_tells_policy_and_nice, "sched_setattr(2)")
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t more[6];
	} attributes;

	CHECK_OK(syscall(SYS_setpriority, 0, 0, 7));
	CHECK_OK(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0));
	CHECK_EQ(attributes.policy, SCHED_OTHER);
	CHECK_EQ(attributes.nice, 7);
	CHECK(attributes.size >= 48);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &attributes, 8, 0), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 1), EINVAL);
}

CASE(sched_rr_get_interval_succeeds, "sched_rr_get_interval(2)")
{
	struct timespec interval = { -1, -1 };

	CHECK_OK(syscall(SYS_sched_rr_get_interval, 0, &interval));
	CHECK(interval.tv_sec >= 0 && interval.tv_nsec >= 0);
	CHECK_ERR(syscall(SYS_sched_rr_get_interval, 0x3fffffff, &interval), ESRCH);
}

CASE(membarrier_lists_what_it_can, "membarrier(2)")
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands == -1 && errno == ENOSYS)
		SKIP("the kernel has no membarrier");
	CHECK(commands >= 0);
	CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1 << 5, 0), EINVAL);
}

CASE(mlock2_and_munlockall, "mlock(2)")
{
	char *start = map_pages(1, MAP_PRIVATE);

	CHECK_OK(syscall(SYS_mlock2, start, PAGE, 1 /* MLOCK_ONFAULT */));
	CHECK_ERR(syscall(SYS_mlock2, start, PAGE, 4), EINVAL);
	CHECK_OK(munlockall());
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(0x100), EINVAL);
}
