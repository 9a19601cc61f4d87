/* What is in memory, and who used how much CPU time: mincore, RSS, getrusage, CPU clocks. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <time.h>

enum { MIB = 1 << 20 };

static char *fresh(size_t length)
{
	char *start = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(start != MAP_FAILED);
	CHECK_OK(madvise(start, length, MADV_NOHUGEPAGE));
	return start;
}

static long resident_kib(void)
{
	long size, resident;

	CHECK_EQ(sscanf(text_of("/proc/self/statm"), "%ld %ld", &size, &resident), 2);
	return resident * 4;
}

static long status_field(const char *name)
{
	char *line = strstr(text_of("/proc/self/status"), name);

	CHECK(line);
	return strtol(line + strlen(name), NULL, 10);
}

static long long ns(clockid_t clock)
{
	struct timespec now;

	CHECK_OK(clock_gettime(clock, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void use(long long time)
{
	long long end = ns(CLOCK_THREAD_CPUTIME_ID) + time;

	while (ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

CASE(mincore_tells_touched_pages, "mincore(2)")
{
	unsigned char vector[4];
	char *start = fresh(4 * PAGE);

	start[PAGE] = start[3 * PAGE] = 1;
	CHECK_OK(mincore(start, 4 * PAGE, vector));
	CHECK_EQ(vector[0] & 1, 0);
	CHECK_EQ(vector[1] & 1, 1);
	CHECK_EQ(vector[2] & 1, 0);
	CHECK_EQ(vector[3] & 1, 1);
	CHECK_OK(madvise(start + PAGE, PAGE, MADV_DONTNEED));
	CHECK_OK(mincore(start, 4 * PAGE, vector));
	CHECK_EQ(vector[1] & 1, 0);
}

CASE(mincore_errors, "mincore(2)")
{
	unsigned char vector[4];
	char *start = fresh(2 * PAGE);

	CHECK_ERR(mincore(start + 1, PAGE, vector), EINVAL);
	CHECK_ERR(syscall(SYS_mincore, start, PAGE, unmapped()), EFAULT);
	CHECK_OK(munmap(start + PAGE, PAGE));
	CHECK_ERR(mincore(start, 2 * PAGE, vector), ENOMEM);
	CHECK_OK(mincore(start, 0, vector));
}

CASE(memory_counts_once_it_is_touched, "proc_pid_statm(5)")
{
	long before = resident_kib(), mapped, touched;
	char *start = fresh(16 * MIB);

	mapped = resident_kib();
	CHECK(mapped - before < 1024);
	memset(start, 1, 16 * MIB);
	touched = resident_kib();
	CHECK(touched - mapped >= 16 * 1024);
	CHECK(touched - mapped < 17 * 1024);
	CHECK_OK(madvise(start, 8 * MIB, MADV_DONTNEED));
	CHECK(resident_kib() - mapped < 9 * 1024);
}

CASE(status_tells_what_is_resident, "proc_pid_status(5)")
{
	long anonymous = status_field("RssAnon:"), size = status_field("VmSize:");
	char *start = fresh(8 * MIB);

	CHECK(status_field("VmSize:") - size >= 8 * 1024);
	CHECK(status_field("RssAnon:") - anonymous < 1024);
	memset(start, 1, 8 * MIB);
	CHECK(status_field("RssAnon:") - anonymous >= 8 * 1024);
	CHECK(status_field("VmHWM:") >= status_field("VmRSS:"));
}

CASE(smaps_tells_of_each_mapping, "proc_pid_smaps(5)")
{
	char *start = fresh(64 * PAGE), head[32], *area;
	long size, rss = -1;

	memset(start, 1, 16 * PAGE);
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)start);
	area = strstr(text_of("/proc/self/smaps"), head);
	CHECK(area);
	CHECK_EQ(sscanf(strstr(area, "\nSize:"), "\nSize: %ld", &size), 1);
	CHECK_EQ(sscanf(strstr(area, "\nRss:"), "\nRss: %ld", &rss), 1);
	CHECK(size >= 64 * 4);
	CHECK(rss >= 16 * 4 && rss <= 16 * 4 + (size - 64 * 4));
	CHECK_EQ(strncmp(strstr(area, "\nPss:"), "\nPss:   ", 8), 0);
}

CASE(getrusage_tells_memory_and_faults, "getrusage(2)")
{
	struct rusage before, after;
	char *start = fresh(8 * MIB);

	CHECK_OK(getrusage(RUSAGE_SELF, &before));
	memset(start, 1, 8 * MIB);
	CHECK_OK(getrusage(RUSAGE_SELF, &after));
	CHECK(after.ru_maxrss >= 8 * 1024);
	CHECK(after.ru_minflt - before.ru_minflt >= 8 * MIB / 4096);
	CHECK_EQ(after.ru_nswap, 0);
}

CASE(a_childs_memory_is_known_after_its_end, "getrusage(2)")
{
	struct rusage usage;
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		memset(fresh(24 * MIB), 1, 24 * MIB);
		_exit(0);
	}
	CHECK_EQ(wait4(child, &status, 0, &usage), child);
	CHECK(usage.ru_maxrss >= 24 * 1024);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &usage));
	CHECK(usage.ru_maxrss >= 24 * 1024);
	CHECK(usage.ru_minflt >= 24 * MIB / 4096);
}

static void *busy(void *arg)
{
	use(40000000);
	return arg;
}

CASE(a_threads_clock_is_its_own, "clock_gettime(2)")
{
	pthread_t thread;
	long long mine = ns(CLOCK_THREAD_CPUTIME_ID), all = ns(CLOCK_PROCESS_CPUTIME_ID);

	CHECK_EQ(pthread_create(&thread, NULL, busy, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(ns(CLOCK_THREAD_CPUTIME_ID) - mine < 30000000);
	CHECK(ns(CLOCK_PROCESS_CPUTIME_ID) - all >= 40000000);
}

static void *wait_for_end(void *arg)
{
	busy(NULL);
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

CASE(another_threads_clock_can_be_read, "pthread_getcpuclockid(3)")
{
	pthread_barrier_t barrier;
	pthread_t thread;
	clockid_t clock;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_end, &barrier), 0);
	CHECK_EQ(pthread_getcpuclockid(thread, &clock), 0);
	pthread_barrier_wait(&barrier);
	CHECK(ns(clock) >= 40000000);
	CHECK(ns(CLOCK_THREAD_CPUTIME_ID) < 40000000);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

CASE(RUSAGE_THREAD_is_the_threads, "getrusage(2)")
{
	struct rusage usage;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, busy, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(getrusage(RUSAGE_THREAD, &usage));
	CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec < 30000);
	CHECK_OK(getrusage(RUSAGE_SELF, &usage));
	CHECK(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 38000 || usage.ru_utime.tv_sec);
}

CASE(times_counts_children_once_they_are_waited_for, "times(2)")
{
	struct tms before, after;
	pid_t child = fork_child();

	if (child == 0) {
		use(60000000);
		_exit(0);
	}
	siginfo_t info;
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK(times(&before) != -1);
	CHECK_EXITS(child, 0);
	CHECK(times(&after) != -1);
	CHECK(after.tms_cutime + after.tms_cstime - before.tms_cutime - before.tms_cstime >= 4);
}

CASE(schedstat_counts_time_on_a_cpu, "proc(5)")
{
	long long before, after, waited, times;

	if (access("/proc/self/schedstat", R_OK))
		SKIP("the kernel has no schedstats");
	CHECK_EQ(sscanf(text_of("/proc/thread-self/schedstat"), "%lld %lld %lld", &before, &waited, &times), 3);
	use(30000000);
	CHECK_EQ(sscanf(text_of("/proc/thread-self/schedstat"), "%lld %lld %lld", &after, &waited, &times), 3);
	CHECK(after - before >= 29000000);
	CHECK(times > 0);
}

CASE(mincore_of_memory_files_knows_holes, "mincore(2)")
{
	unsigned char seen[5];
	int fd = CHECK_OK(memfd_create("holes", 0));
	char *pages;

	CHECK_OK(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE), 1);
	for (int sharing = MAP_SHARED; sharing <= MAP_PRIVATE; sharing++) {
		pages = CHECK_OK(mmap(NULL, 5 * PAGE, PROT_READ, sharing, fd, 0));
		CHECK_OK(mincore(pages, 5 * PAGE, seen));
		CHECK_EQ(seen[0] | seen[1] | seen[3] | seen[4], 0);
		CHECK_EQ(seen[2] & 1, 1);
	}
	pages = map_pages(4, MAP_SHARED);
	pages[PAGE] = 1;
	CHECK_OK(mincore(pages, 4 * PAGE, seen));
	CHECK_EQ(seen[0] | seen[2] | seen[3], 0);
	CHECK_EQ(seen[1] & 1, 1);
}

CASE(mincore_tells_every_page_of_many, "mincore(2)")
{
	enum { PAGES = 10000, TIMES = 2 };
	static unsigned char seen[TIMES * PAGES];
	int fd = CHECK_OK(memfd_create("alternating", 0)), wrong = 0;
	char *pages = fresh((TIMES * PAGES + 1) * PAGE);

	CHECK_OK(ftruncate(fd, PAGES * PAGE));
	for (long page = 0; page < PAGES; page += 2)
		CHECK_EQ(pwrite(fd, "x", 1, page * PAGE), 1);
	for (long time = 0; time < TIMES; time++)
		CHECK_OK(mmap(pages + time * PAGES * PAGE, PAGES * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	CHECK_OK(munmap(pages + TIMES * PAGES * PAGE, PAGE));
	CHECK_OK(mincore(pages, TIMES * PAGES * PAGE, seen));
	for (long page = 0; page < TIMES * PAGES; page++)
		wrong += (seen[page] & 1) != (page + 1) % 2;
	CHECK_EQ(wrong, 0);
	memset(seen, 9, sizeof(seen));
	CHECK_ERR(mincore(pages + PAGE, TIMES * PAGES * PAGE, seen), ENOMEM);
	CHECK_EQ(seen[0], 0);
	CHECK_EQ(seen[1] & 1, 1);
	CHECK_EQ(seen[TIMES * PAGES - 2], 0);
	CHECK_EQ(seen[TIMES * PAGES - 1], 9);
	CHECK_ERR(mincore(pages, 1L << 62, seen), ENOMEM);
}

CASE(mincore_sees_shared_memory_that_others_touched, "mincore(2)")
{
	unsigned char there[4];
	char *start = map_pages(4, MAP_SHARED);
	pid_t child = fork_child();

	if (child == 0) {
		start[PAGE] = 1;
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK_OK(mincore(start, 4 * PAGE, there));
	CHECK_EQ(there[0] & 1, 0);
	CHECK_EQ(there[1] & 1, 1);
	CHECK_EQ(there[2] & 1, 0);
}

CASE(mincore_stops_at_a_hole, "mincore(2)")
{
	unsigned char there[4] = { 9, 9, 9, 9 };
	char *start = fresh(4 * PAGE);

	start[0] = 1;
	CHECK_OK(mprotect(start, PAGE, PROT_NONE));
	CHECK_OK(munmap(start + 2 * PAGE, PAGE));
	CHECK_ERR(mincore(start, 4 * PAGE, there), ENOMEM);
	CHECK_EQ(there[0], 1);
	CHECK_EQ(there[1], 0);
	CHECK_EQ(there[2], 9);
	CHECK_ERR(mincore((void *)(1L << 48), PAGE, there), ENOMEM);
}

CASE(mincore_says_yes_of_files_that_one_may_not_write, "mincore(2)")
{
	unsigned char there[2] = { 0, 0 };
	char *start;
	int fd;

	NEEDS_ROOT();
	fd = make_file("file", "text");
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	start = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, CHECK_OK(open("file", O_RDONLY)), 0));
	CHECK_OK(mincore(start, 2 * PAGE, there));
	CHECK_EQ(there[1], 0);
	CHECK_OK(setresuid(65534, 65534, 65534));
	CHECK_OK(mincore(start, 2 * PAGE, there));
	CHECK_EQ(there[0] & there[1], 1);
}
