/* Who am I: process, parent and thread ids. Credentials have their own file. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>

CASE(getpid_is_positive_and_stable, "getpid(2)")
{
	pid_t pid = syscall(SYS_getpid);

	CHECK(pid > 0);
	CHECK_EQ(syscall(SYS_getpid), pid);
}

CASE(getpid_in_child_is_what_fork_returned, "fork(2)")
{
	int ends[2];
	pid_t child, reported;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		reported = syscall(SYS_getpid);
		_exit(write(ends[1], &reported, sizeof(reported)) == sizeof(reported) ? 0 : 1);
	}
	CHECK_EXITS(child, 0);
	CHECK_EQ(read(ends[0], &reported, sizeof(reported)), sizeof(reported));
	CHECK_EQ(reported, child);
}

CASE(getppid_in_child_is_the_parent, "getppid(2)")
{
	pid_t self = getpid(), child = fork_child();

	if (child == 0)
		_exit(getppid() == self ? 0 : 1);
	CHECK_EXITS(child, 0);
}

CASE(gettid_of_the_main_thread_is_the_pid, "gettid(2)")
{
	CHECK_EQ(syscall(SYS_gettid), getpid());
}

static void *report_ids(void *where)
{
	pid_t *ids = where;

	ids[0] = syscall(SYS_getpid);
	ids[1] = syscall(SYS_gettid);
	ids[2] = syscall(SYS_getppid);
	return NULL;
}

CASE(threads_share_the_pid_and_differ_in_tid, "gettid(2)")
{
	pthread_t first, second;
	pid_t ids[2][3];

	CHECK_EQ(pthread_create(&first, NULL, report_ids, ids[0]), 0);
	CHECK_EQ(pthread_create(&second, NULL, report_ids, ids[1]), 0);
	CHECK_EQ(pthread_join(first, NULL), 0);
	CHECK_EQ(pthread_join(second, NULL), 0);
	CHECK_EQ(ids[0][0], getpid());
	CHECK_EQ(ids[1][0], getpid());
	CHECK(ids[0][1] != getpid());
	CHECK(ids[1][1] != getpid());
	CHECK(ids[0][1] != ids[1][1]);
	CHECK_EQ(ids[0][2], getppid());
}

CASE(orphan_is_adopted_by_another_process, "getppid(2)")
{
	int go[2], report_back[2];
	pid_t middle, adopted_by, me = getpid();

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(report_back));
	middle = fork_child();
	if (middle == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			await(go[0]);
			while (getppid() == parent)
				sched_yield();
			adopted_by = getppid();
			_exit(write(report_back[1], &adopted_by, sizeof(adopted_by)) == -1);
		}
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	tell(go[1]);
	CHECK_EQ(read(report_back[0], &adopted_by, sizeof(adopted_by)), sizeof(adopted_by));
	CHECK(adopted_by != middle);
	CHECK(adopted_by != me);
}

CASE(subreaper_adopts_orphans_below_it, "PR_SET_CHILD_SUBREAPER(2const)")
{
	int go[2];
	pid_t middle, orphan, me = getpid();

	CHECK_OK(syscall(SYS_prctl, 36 /* PR_SET_CHILD_SUBREAPER */, 1, 0, 0, 0));
	CHECK_OK(pipe(go));
	middle = fork_child();
	if (middle == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			await(go[0]);
			while (getppid() == parent)
				sched_yield();
			_exit(getppid() == me ? 7 : 1);
		}
		_exit(0);
	}
	CHECK_EXITS(middle, 0);
	tell(go[1]);
	orphan = CHECK_OK(wait(&middle));
	CHECK(orphan > 0);
	CHECK(WIFEXITED(middle));
	CHECK_EQ(WEXITSTATUS(middle), 7);
}

CASE(set_tid_address_returns_the_tid, "set_tid_address(2)")
{
	static int word;
	pid_t child = fork_child();

	if (child == 0)
		_exit(syscall(SYS_set_tid_address, &word) == syscall(SYS_gettid) ? 0 : 1);
	CHECK_EXITS(child, 0);
}

CASE(undefined_system_call_gives_ENOSYS, "syscalls(2)")
{
	CHECK_ERR(syscall(4000), ENOSYS);
	CHECK_ERR(syscall(-1L), ENOSYS);
	CHECK_ERR(syscall(0x7fffffffL), ENOSYS);
}

CASE(getcpu_names_a_cpu_of_the_affinity_mask, "getcpu(2)")
{
	cpu_set_t set;
	unsigned cpu, node;

	CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
	CHECK(CPU_ISSET(cpu, &set));
	CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
	CHECK_ERR(syscall(SYS_getcpu, unmapped(), NULL, NULL), EFAULT);
}

CASE(sched_yield_returns_0, "sched_yield(2)")
{
	CHECK_EQ(syscall(SYS_sched_yield), 0);
}

CASE(sched_getaffinity_raw_returns_a_positive_size, "sched_setaffinity(2)")
{
	unsigned long mask[128] = { 0 };
	long size = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask));

	CHECK(size > 0);
	CHECK_EQ(size % sizeof(long), 0);
	CHECK(mask[0] | mask[1]);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 1, mask), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof(mask), mask), ESRCH);
}
