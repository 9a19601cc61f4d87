/* A thread runs on the CPUs of its affinity mask: told by getcpu, by the vDSO and by what /proc says. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>

static cpu_set_t every;

static void only(pid_t tid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK_OK(sched_setaffinity(tid, sizeof(one), &one));
}

/* A system call, and the vDSO's answer. */
static void check_cpu(int cpu)
{
	unsigned told = ~0u, node = ~0u;

	CHECK_OK(syscall(SYS_getcpu, &told, &node, NULL));
	CHECK_EQ(told, cpu);
	CHECK_EQ(node, 0);
	CHECK_EQ(sched_getcpu(), cpu);
}

#define EACH_CPU(cpu) \
	CHECK_OK(sched_getaffinity(0, sizeof(every), &every)); \
	for (int cpu = 0; cpu < 64; cpu++) \
		if (CPU_ISSET(cpu, &every))

CASE(a_thread_runs_where_its_mask_says, "sched_setaffinity(2)")
{
	EACH_CPU(cpu) {
		only(0, cpu);
		for (int i = 0; i < 100; i++) {
			check_cpu(cpu);
			CHECK_OK(getppid());
		}
	}
}

CASE(children_and_programs_run_where_their_parent_may, "sched_setaffinity(2)")
{
	char script[64];

	EACH_CPU(cpu) {
		pid_t child = CHECK_OK(fork());

		if (!child) {
			only(0, cpu);
			child = CHECK_OK(fork());
			if (!child) {
				check_cpu(cpu);
				/* The 39th field: the CPU that it ran on last. */
				snprintf(script, sizeof(script), "set -- $(cat /proc/self/stat); [ ${39} = %d ]", cpu);
				execl("/bin/sh", "sh", "-c", script, NULL);
				_exit(9);
			}
			CHECK_EXITS(child, 0);
			_exit(0);
		}
		CHECK_EXITS(child, 0);
	}
}

static pid_t worker;
static volatile int where = -1, stop;

static void *compute(void *arg)
{
	worker = gettid();
	while (!stop)
		where = sched_getcpu();
	return arg;
}

CASE(a_running_thread_is_moved, "sched_setaffinity(2)")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, compute, NULL), 0);
	while (where < 0)
		sched_yield();
	EACH_CPU(cpu) {
		only(worker, cpu);
		usleep(20000);
		for (int i = 0; i < 10; i++) {
			CHECK_EQ(where, cpu);
			usleep(1000);
		}
	}
	stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *same_cpu(void *arg)
{
	check_cpu(*(int *)arg);
	return arg;
}

CASE(threads_inherit_the_mask_of_their_maker, "sched_setaffinity(2)")
{
	EACH_CPU(cpu) {
		pthread_t thread;

		only(0, cpu);
		CHECK_EQ(pthread_create(&thread, NULL, same_cpu, &cpu), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_OK(sched_setaffinity(0, sizeof(every), &every));
		CHECK_EQ(pthread_create(&thread, NULL, compute, NULL), 0);
		stop = 1;
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

CASE(getcpu_errors_and_null_pointers, "getcpu(2)")
{
	unsigned cpu;

	CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
	CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, (void *)1));
	CHECK_ERR(syscall(SYS_getcpu, unmapped(), NULL, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_getcpu, &cpu, unmapped(), NULL), EFAULT);
}
