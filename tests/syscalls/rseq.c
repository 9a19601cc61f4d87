/* What is registered of restartable sequences, by whom, and for how long. */
#include "harness.h"
#include "rseq.h"

#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>

#define AUXV_FEATURE_SIZE 27
#define AUXV_ALIGN 28

CASE(the_library_registers_an_area, "rseq(2)")
{
	if (!__rseq_size)
		SKIP("the C library has not registered one");
	struct area *area = library_area();
	unsigned cpu;

	CHECK(area->cpu_id < 4096 && area->cpu_id == area->cpu_id_start);
	CHECK_ERR(rseq(area, SIZE, 0, SIGNATURE), EBUSY);
	stay_on(some_cpu());
	CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
	CHECK_EQ(area->cpu_id, cpu);
	CHECK_EQ(sched_getcpu(), (int)cpu);
}

CASE(the_auxiliary_vector_tells_of_the_fields, "getauxval(3)")
{
	unsigned long size = getauxval(AUXV_FEATURE_SIZE);
	if (!size)
		SKIP("Linux before 6.3");
	CHECK(size >= 20);
	CHECK(getauxval(AUXV_ALIGN) >= SIZE);
}

CASE(registration_fills_the_area, "rseq(2)")
{
	unsigned cpu, node;

	stay_on(some_cpu());
	memset(&own, 0x55, sizeof(own));
	own.cs = 0;
	own.flags = 0;
	register_own();
	CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK_EQ(own.cpu_id_start, cpu);
	CHECK_EQ(own.cpu_id, cpu);
	CHECK_EQ(own.cs, 0);
	CHECK_EQ(own.flags, 0);
	if (getauxval(AUXV_FEATURE_SIZE) < 28)
		return;
	CHECK_EQ(own.node_id, node);
	CHECK(own.mm_cid < 4096);
}

CASE(what_is_refused, "rseq(2)")
{
	static struct area pair[3];
	char *hole = pages_before_a_hole(1) + 4096;

	leave_library();
	CHECK_ERR(rseq(&own, SIZE, UNREGISTER, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(NULL, 0, UNREGISTER, 0), EINVAL);
	CHECK_ERR(rseq(&own, SIZE, 2, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, SIZE, UNREGISTER | 4, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, SIZE, -1, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, 0, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, SIZE - 1, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq((char *)pair + 16, SIZE, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq((char *)pair + 4, SIZE, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(NULL, SIZE, 0, SIGNATURE), EFAULT);
	CHECK_ERR(rseq(hole, SIZE, 0, SIGNATURE), EFAULT);
	CHECK_ERR(rseq(unmapped(), SIZE, 0, SIGNATURE), EFAULT);
	CHECK_ERR(rseq((void *)0x7ffffffff000, SIZE, 0, SIGNATURE), EFAULT);
	CHECK_ERR(rseq((void *)-4096UL, SIZE, 0, SIGNATURE), EFAULT);
	CHECK_ERR(rseq((void *)(1UL << 63), SIZE, 0, SIGNATURE), EFAULT);
	CHECK_OK(rseq(&own, SIZE, 0, SIGNATURE));
}

CASE(a_second_registration_is_refused, "rseq(2)")
{
	static struct area other;

	register_own();
	CHECK_ERR(rseq(&own, SIZE, 0, SIGNATURE), EBUSY);
	CHECK_ERR(rseq(&own, SIZE, 0, SIGNATURE + 1), EPERM);
	CHECK_ERR(rseq(&own, SIZE * 2, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&other, SIZE, 0, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(NULL, SIZE, 0, SIGNATURE), EINVAL);
}

CASE(only_what_was_registered_is_unregistered, "rseq(2)")
{
	static struct area other;

	register_own();
	CHECK_ERR(rseq(&other, SIZE, UNREGISTER, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, SIZE * 2, UNREGISTER, SIGNATURE), EINVAL);
	CHECK_ERR(rseq(&own, SIZE, UNREGISTER, SIGNATURE + 1), EPERM);
	CHECK_OK(rseq(&own, SIZE, UNREGISTER, SIGNATURE));
	CHECK_EQ(own.cpu_id_start, 0);
	CHECK_EQ(own.cpu_id, (uint32_t)-1);
	CHECK_ERR(rseq(&own, SIZE, UNREGISTER, SIGNATURE), EINVAL);
	CHECK_OK(rseq(&other, SIZE, 0, 7));
	CHECK_OK(rseq(&other, SIZE, UNREGISTER, 7));
}

CASE(an_area_may_lie_deep_in_the_stack, "rseq(2)")
{
	char *deep = (char *)(((uint64_t)__builtin_frame_address(0) - (1 << 20)) & -32UL);

	leave_library();
	CHECK_OK(rseq(deep, SIZE, 0, SIGNATURE));
	CHECK(((struct area *)deep)->cpu_id < 4096);
	CHECK_OK(rseq(deep, SIZE, UNREGISTER, SIGNATURE));
}

CASE(a_fork_has_what_its_parent_had, "rseq(2)")
{
	register_own();
	pid_t child = fork_child();
	if (child == 0) {
		CHECK_ERR(rseq(&own, SIZE, 0, SIGNATURE), EBUSY);
		own.cpu_id = 5000;
		stay_on(some_cpu());
		for (int i = 0; own.cpu_id == 5000 && i < 1000; i++)
			usleep(1000);
		CHECK(own.cpu_id < 4096);
		CHECK_OK(rseq(&own, SIZE, UNREGISTER, SIGNATURE));
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_ERR(rseq(&own, SIZE, 0, SIGNATURE), EBUSY);
}

CASE(a_child_that_shares_memory_has_nothing, "rseq(2)")
{
	register_own();
	volatile int answer = -1;
	pid_t child = vfork();
	if (child == 0) {
		answer = rseq(&own, SIZE, UNREGISTER, SIGNATURE) < 0 ? errno : 0;
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
	CHECK_EQ(answer, EINVAL);
	CHECK_ERR(rseq(&own, SIZE, 0, SIGNATURE), EBUSY);
}

/* Runs before main in what the next case executes. */
__attribute__((constructor)) static void after_exec(void)
{
	const char *address = getenv("RSEQ_BEFORE_EXEC");
	if (address)
		_exit(rseq((void *)strtoul(address, NULL, 16), SIZE, UNREGISTER, SIGNATURE) < 0 && errno == EINVAL &&
		      rseq(&own, SIZE, 0, SIGNATURE) == 0 ? 0 : 1);
}

CASE(execve_ends_it, "rseq(2)")
{
	char address[64];
	char *argv[] = {"rseq", NULL}, *envp[] = {address, "GLIBC_TUNABLES=glibc.pthread.rseq=0", NULL};

	register_own();
	snprintf(address, sizeof(address), "RSEQ_BEFORE_EXEC=%lx", (unsigned long)&own);
	pid_t child = fork_child();
	if (child == 0) {
		execve("/proc/self/exe", argv, envp);
		_exit(2);
	}
	CHECK_EQ(wait_status(child), 0);
}

static void *pattern_thread(void *area)
{
	CHECK_OK(rseq(library_area(), SIZE, UNREGISTER, SIGNATURE));
	CHECK_OK(rseq(area, SIZE, 0, SIGNATURE));
	return NULL;
}

CASE(nothing_is_written_after_a_thread_has_ended, "rseq(2)")
{
	char *page = map_pages(1, MAP_PRIVATE);
	pthread_t thread;

	if (!__rseq_size)
		SKIP("the C library has not registered one");
	for (int round = 0; round < 50; round++) {
		memset(page, 0, SIZE);
		CHECK_EQ(pthread_create(&thread, NULL, pattern_thread, page), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		memset(page, 0x55, SIZE);
		sched_yield();
		for (int i = 0; i < SIZE; i++)
			CHECK_EQ(page[i], 0x55);
	}
	CHECK_OK(munmap(page, 4096));
	CHECK_EQ(pthread_create(&thread, NULL, pattern_thread, &own), 0); /* takes over what the others left */
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(a_thread_starts_with_nothing_though_another_ended_registered, "rseq(2)")
{
	static struct area areas[2];
	pthread_t thread;

	if (!__rseq_size)
		SKIP("the C library has not registered one");
	for (int round = 0; round < 4; round++) {
		CHECK_EQ(pthread_create(&thread, NULL, pattern_thread, &areas[round & 1]), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

CASE(a_tracer_is_told_what_is_registered, "ptrace(2)")
{
	struct { uint64_t address; uint32_t size, signature, flags, pad; } seen;
	const int request = 0x420f; /* PTRACE_GET_RSEQ_CONFIGURATION */

	for (int with = 0; with < 2; with++) {
		pid_t child = fork_child();
		if (child == 0) {
			leave_library();
			if (with)
				CHECK_OK(rseq(&own, SIZE, 0, 0x1234));
			CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
			raise(SIGSTOP);
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSTOPPED(status));
		memset(&seen, 0x55, sizeof(seen));
		CHECK_EQ(ptrace(request, child, 8, &seen), 24);
		CHECK_EQ(seen.size, 0x55555555);
		CHECK_EQ(ptrace(request, child, 100, &seen), 24);
		CHECK_EQ(seen.address, with ? (uint64_t)&own : 0);
		CHECK_EQ(seen.size, with ? SIZE : 0);
		CHECK_EQ(seen.signature, with ? 0x1234 : 0);
		CHECK_EQ(seen.flags, 0);
		CHECK_EQ(seen.pad, 0);
		CHECK_ERR(ptrace(request, child, 24, 8), EFAULT);
		CHECK_OK(kill(child, SIGKILL));
		CHECK_EQ(waitpid(child, &status, 0), child);
	}
}

