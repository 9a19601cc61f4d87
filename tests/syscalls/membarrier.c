/* Memory barriers on other threads. */
#include "harness.h"
#include "fixtures.h"

#include <linux/membarrier.h>
#include <pthread.h>

static long membarrier(int command, unsigned flags)
{
	return syscall(SYS_membarrier, command, flags, 0);
}

/* Newer than some headers. */
#define PRIVATE_EXPEDITED_RSEQ 0x80
#define REGISTER_PRIVATE_EXPEDITED_RSEQ 0x100
#define GET_REGISTRATIONS 0x200
#define FLAG_CPU 1

static volatile int stop, running;
static volatile long x, y;

static void *spin(void *unused)
{
	__atomic_store_n(&running, 1, __ATOMIC_SEQ_CST);
	while (!stop) {
		x = x + 1;
		__asm__ volatile("" : : : "memory");
		y = y + 1;
	}
	return unused;
}

CASE(QUERY_tells_the_commands, "membarrier(2)")
{
	long known = CHECK_OK(membarrier(MEMBARRIER_CMD_QUERY, 0));
	long wanted = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
		      MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
		      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
		      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;

	CHECK_EQ(known & wanted, wanted);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_QUERY, 1), EINVAL);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_GLOBAL, 1), EINVAL);
	CHECK_ERR(membarrier(3, 0), EINVAL);
	CHECK_ERR(membarrier(1 << 20, 0), EINVAL);
	CHECK_ERR(membarrier(-1, 0), EINVAL);
}

CASE(private_commands_want_registration, "membarrier(2)")
{
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), EPERM);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0), EPERM);
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), 0);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0), EPERM);
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0));
	CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0), 0);
	CHECK_EQ(membarrier(GET_REGISTRATIONS, 0), 0x50);
}

CASE(a_barrier_passes_while_threads_run, "membarrier(2)")
{
	pthread_t threads[3];

	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, spin, NULL), 0);
	while (!running)
		usleep(100);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(MEMBARRIER_CMD_GLOBAL, 0), 0);
	stop = 1;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

CASE(registrations_are_inherited_by_fork, "membarrier(2)")
{
	pid_t child;

	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	child = fork_child();
	if (child == 0)
		_exit(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0 ? 0 : 1);
	CHECK_EXITS(child, 0);
}

static bool has_rseq_commands(void)
{
	return membarrier(MEMBARRIER_CMD_QUERY, 0) & PRIVATE_EXPEDITED_RSEQ;
}

CASE(rseq_commands_want_registration_too, "membarrier(2)")
{
	if (!has_rseq_commands())
		SKIP("a kernel without CONFIG_RSEQ");
	CHECK_EQ(membarrier(MEMBARRIER_CMD_QUERY, 0), 0x3ff);
	CHECK_EQ(membarrier(GET_REGISTRATIONS, 0), 0);
	CHECK_ERR(membarrier(PRIVATE_EXPEDITED_RSEQ, 0), EPERM);
	CHECK_ERR(membarrier(PRIVATE_EXPEDITED_RSEQ, FLAG_CPU), EPERM);
	CHECK_ERR(membarrier(PRIVATE_EXPEDITED_RSEQ, FLAG_CPU << 1), EINVAL);
	CHECK_ERR(membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ, FLAG_CPU), EINVAL);
	CHECK_OK(membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ, 0));
	CHECK_EQ(membarrier(GET_REGISTRATIONS, 0) & REGISTER_PRIVATE_EXPEDITED_RSEQ,
		 REGISTER_PRIVATE_EXPEDITED_RSEQ);
	CHECK_ERR(membarrier(GET_REGISTRATIONS, FLAG_CPU), EINVAL);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0), EPERM);
	CHECK_ERR(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, FLAG_CPU), EINVAL);
}

CASE(an_rseq_barrier_takes_any_cpu, "membarrier(2)")
{
	pthread_t thread;

	if (!has_rseq_commands())
		SKIP("a kernel without CONFIG_RSEQ");
	CHECK_OK(membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ, 0));
	CHECK_EQ(pthread_create(&thread, NULL, spin, NULL), 0);
	while (!running)
		usleep(100);
	CHECK_EQ(membarrier(PRIVATE_EXPEDITED_RSEQ, 0), 0);
	for (int cpu = -1; cpu < 3; cpu++)
		CHECK_EQ(syscall(SYS_membarrier, PRIVATE_EXPEDITED_RSEQ, FLAG_CPU, cpu), 0);
	CHECK_EQ(syscall(SYS_membarrier, PRIVATE_EXPEDITED_RSEQ, FLAG_CPU, 1 << 30), 0);
	stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(none_is_registered_at_the_start, "membarrier(2)")
{
	CHECK_EQ(membarrier(GET_REGISTRATIONS, 0), 0);
}

CASE(registrations_end_with_the_program, "membarrier(2)")
{
	pid_t child;

	CHECK_OK(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	child = fork_child();
	if (child == 0) {
		if (membarrier(GET_REGISTRATIONS, 0) == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
			execl("/proc/self/exe", "membarrier", "none_is_registered_at_the_start", NULL);
		_exit(1);
	}
	CHECK_EXITS(child, 0);
}

CASE(who_goes_to_sleep_has_passed, "membarrier(2)")
{
	enum { SLEEPERS = 50 };
	pid_t sleepers[SLEEPERS];

	for (int i = 0; i < SLEEPERS; i++) {
		sleepers[i] = fork_child();
		if (sleepers[i] == 0) {
			for (volatile int n = 0; n < 1000 * (i % 10); n++)
				;
			pause();
		}
		for (int n = 0; n < 10; n++)
			CHECK_EQ(membarrier(MEMBARRIER_CMD_GLOBAL, 0), 0);
	}
	for (int i = 0; i < SLEEPERS; i++) {
		CHECK_OK(kill(sleepers[i], SIGKILL));
		CHECK_EQ(waitpid(sleepers[i], NULL, 0), sleepers[i]);
	}
}
