/* Resource limits, resource usage, priorities and scheduling parameters. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>
#include <sys/resource.h>

CASE(prlimit_and_getrlimit_agree, "getrlimit(2)")
{
	struct rlimit first, second;

	for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
		CHECK_OK(syscall(SYS_prlimit64, 0, resource, NULL, &first));
		CHECK_OK(syscall(SYS_getrlimit, resource, &second));
		CHECK_EQ(first.rlim_cur, second.rlim_cur);
		CHECK_EQ(first.rlim_max, second.rlim_max);
		CHECK(first.rlim_cur <= first.rlim_max);
	}
}

CASE(soft_limit_moves_below_the_hard_one, "getrlimit(2)")
{
	struct rlimit limit, seen;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 50;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &seen));
	CHECK_EQ(seen.rlim_cur, 50);
	CHECK_EQ(seen.rlim_max, limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

CASE(soft_limit_above_the_hard_one_gives_EINVAL, "getrlimit(2)")
{
	struct rlimit limit = { 11, 10 };

	CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_CORE, &limit), EINVAL);
}

CASE(raising_a_hard_limit_gives_EPERM_to_an_ordinary_user, "getrlimit(2)")
{
	struct rlimit limit = { 0, 10 };

	CHECK_OK(setrlimit(RLIMIT_CORE, &limit));
	if (geteuid() == 0)
		CHECK_OK(setresuid(65534, 65534, 65534));
	limit.rlim_max = 11;
	CHECK_ERR(setrlimit(RLIMIT_CORE, &limit), EPERM);
}

CASE(limits_are_inherited_and_kept_over_exec, "getrlimit(2)")
{
	struct rlimit limit;
	char *arguments[] = { "sh", "-c", "[ $(ulimit -n) = 77 ]", NULL };
	pid_t child;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 77;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	child = fork_child();
	if (child == 0) {
		execv("/bin/sh", arguments);
		_exit(126);
	}
	CHECK_EXITS(child, 0);
}

CASE(prlimit_errors, "getrlimit(2)")
{
	struct rlimit limit;

	CHECK_ERR(syscall(SYS_getrlimit, 99, &limit), EINVAL);
	CHECK_ERR(syscall(SYS_prlimit64, 0, 99, NULL, &limit), EINVAL);
	CHECK_ERR(syscall(SYS_prlimit64, 0x3fffffff, RLIMIT_CORE, NULL, &limit), ESRCH);
	CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_CORE, unmapped(), NULL), EFAULT);
	CHECK_ERR(syscall(SYS_prlimit64, 0x3fffffff, 99, unmapped(), NULL), EFAULT);
	CHECK_ERR(syscall(SYS_prlimit64, 0x3fffffff, 99, NULL, &limit), ESRCH);
	CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_CORE, unmapped()), EFAULT);
}

CASE(RLIMIT_FSIZE_raises_SIGXFSZ_and_gives_EFBIG, "getrlimit(2)")
{
	struct rlimit limit = { 10, RLIM_INFINITY };
	int fd = make_file("file", "");

	CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = 10;
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	handle(SIGXFSZ, count_signal, 0);
	CHECK_EQ(write(fd, "0123456789abc", 13), 10);
	CHECK_EQ(signals_seen, 0);
	CHECK_ERR(write(fd, "x", 1), EFBIG);
	CHECK_EQ(signals_seen, 1);
	CHECK_ERR(ftruncate(fd, 11), EFBIG);
}

CASE(RLIMIT_FSIZE_counts_within_a_larger_file_too, "getrlimit(2)")
{
	struct rlimit limit;
	int fd = make_file("file", "0123456789");

	CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = 4;
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	handle(SIGXFSZ, count_signal, 0);
	CHECK_EQ(pwrite(fd, "abc", 3, 3), 1);
	CHECK_EQ(signals_seen, 0);
	CHECK_ERR(pwrite(fd, "x", 1, 4), EFBIG);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(pwrite(fd, "", 0, 4), 0);
}

CASE(getrusage_counts_what_children_used, "getrusage(2)")
{
	struct rusage usage;
	pid_t child = fork_child();

	if (child == 0) {
		long long start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);

		while (nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - start < 5000000)
			;
		_exit(0);
	}
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &usage));
	CHECK_EQ(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec, 0);
	CHECK_EXITS(child, 0);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &usage));
	CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 0);
	CHECK(usage.ru_maxrss > 0);
}

CASE(getrusage_errors, "getrusage(2)")
{
	struct rusage usage;

	CHECK_OK(getrusage(RUSAGE_SELF, &usage));
	CHECK_OK(getrusage(RUSAGE_THREAD, &usage));
	CHECK_ERR(syscall(SYS_getrusage, 99, &usage), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, unmapped()), EFAULT);
}

CASE(raw_getpriority_is_20_minus_nice, "getpriority(2)")
{
	int nice_now = 20 - CHECK_OK(syscall(SYS_getpriority, PRIO_PROCESS, 0));

	CHECK_OK(setpriority(PRIO_PROCESS, 0, nice_now + 1));
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20 - nice_now - 1);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 100));
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1);
	CHECK_ERR(syscall(SYS_getpriority, 9, 0), EINVAL);
	CHECK_ERR(syscall(SYS_getpriority, PRIO_PROCESS, 0x3fffffff), ESRCH);
}

CASE(scheduling_policy_is_SCHED_OTHER, "sched_setscheduler(2)")
{
	int priority = -1;

	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	CHECK_OK(syscall(SYS_sched_getparam, 0, &priority));
	CHECK_EQ(priority, 0);
	CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
	CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_OTHER), 0);
	CHECK_ERR(syscall(SYS_sched_get_priority_max, 99), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sched_getscheduler, 0x3fffffff), ESRCH);
}

static long switches_of(int who)
{
	struct rusage usage;

	CHECK_OK(getrusage(who, &usage));
	return usage.ru_nvcsw;
}

static void nap(int times)
{
	while (times--)
		usleep(100);
}

static void *napping(void *unused)
{
	nap(30);
	return unused;
}

CASE(each_wait_is_a_voluntary_context_switch, "getrusage(2)")
{
	long before = switches_of(RUSAGE_THREAD), all = switches_of(RUSAGE_SELF);
	pthread_t thread;

	nap(20);
	CHECK(switches_of(RUSAGE_THREAD) - before >= 20);
	CHECK(switches_of(RUSAGE_THREAD) - before < 60);
	CHECK(switches_of(RUSAGE_SELF) - all >= 20);
	before = switches_of(RUSAGE_THREAD);
	CHECK_EQ(pthread_create(&thread, NULL, napping, NULL), 0);
	pthread_join(thread, NULL);
	CHECK(switches_of(RUSAGE_THREAD) - before < 20);
	CHECK(switches_of(RUSAGE_SELF) - all >= 50);
}

CASE(the_switches_of_children_count_once_they_are_waited_for, "getrusage(2), wait4(2)")
{
	struct rusage usage;
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		nap(40);
		_exit(0);
	}
	CHECK_EQ(switches_of(RUSAGE_CHILDREN), 0);
	CHECK_EQ(wait4(child, &status, 0, &usage), child);
	CHECK(usage.ru_nvcsw >= 40);
	CHECK(usage.ru_nvcsw < 80);
	CHECK(switches_of(RUSAGE_CHILDREN) >= 40);
}

CASE(a_thread_that_never_waits_makes_no_voluntary_switches, "getrusage(2)")
{
	long before = switches_of(RUSAGE_SELF);

	for (int i = 0; i < 1000; i++)
		getppid();
	CHECK(switches_of(RUSAGE_SELF) - before < 100);
}

CASE(status_tells_the_same_switches, "proc_pid_status(5)")
{
	nap(20);
	const char *line = strstr(text_of("/proc/self/status"), "\nvoluntary_ctxt_switches:\t");

	CHECK(line != NULL);
	long told = atol(line + strlen("\nvoluntary_ctxt_switches:\t"));

	CHECK(told >= 20);
	CHECK(told <= switches_of(RUSAGE_THREAD));
}
