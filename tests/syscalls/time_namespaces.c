/* Time namespaces: offsets of the monotonic clocks. */
#include "harness.h"
#include "fixtures.h"

#include <sys/prctl.h>
#include <sys/timerfd.h>

static int set_offsets(const char *text)
{
	int fd = CHECK_OK(open("/proc/self/timens_offsets", O_WRONLY)), error;
	ssize_t done = write(fd, text, strlen(text));

	error = errno;
	close(fd);
	errno = error;
	return done < 0 ? -1 : 0;
}

CASE(new_namespace_is_for_children, "time_namespaces(7)")
{
	char one[64] = "", two[64] = "";

	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(readlink("/proc/self/ns/time", one, 63));
	CHECK_OK(readlink("/proc/self/ns/time_for_children", two, 63));
	CHECK(strcmp(one, two) != 0);
	pid_t child = fork_child();
	if (child == 0) {
		memset(one, 0, sizeof(one));
		CHECK_OK(readlink("/proc/self/ns/time", one, 63));
		CHECK_STREQ(one, two);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

CASE(clocks_are_shifted, "time_namespaces(7)")
{
	long long monotonic = nanoseconds(CLOCK_MONOTONIC), boot = nanoseconds(CLOCK_BOOTTIME);

	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(set_offsets("monotonic 100000 500\nboottime 200000 0\n"));
	CHECK(nanoseconds(CLOCK_MONOTONIC) - monotonic < 50000000000000LL);
	pid_t child = fork_child();
	if (child == 0) {
		long long past = nanoseconds(CLOCK_MONOTONIC) - monotonic;

		CHECK(past >= 100000000000000LL && past < 101000000000000LL);
		past = nanoseconds(CLOCK_MONOTONIC_COARSE) - monotonic;
		CHECK(past >= 99999000000000LL && past < 101000000000000LL);
		past = nanoseconds(CLOCK_BOOTTIME) - boot;
		CHECK(past >= 200000000000000LL && past < 201000000000000LL);
		CHECK(nanoseconds(CLOCK_REALTIME) - time(NULL) * 1000000000LL < 10000000000LL);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

CASE(absolute_times_are_of_the_shifted_clock, "time_namespaces(7)")
{
	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(set_offsets("monotonic -1000 0\n"));
	pid_t child = fork_child();
	if (child == 0) {
		long long start = nanoseconds(CLOCK_MONOTONIC), end = start + 20000000;
		struct timespec when = { end / 1000000000, end % 1000000000 };
		struct itimerspec timer = { .it_value = when };
		uint64_t count;
		int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));

		CHECK_OK(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL));
		CHECK(nanoseconds(CLOCK_MONOTONIC) >= end);
		CHECK(nanoseconds(CLOCK_MONOTONIC) < end + 900000000000LL);
		end = nanoseconds(CLOCK_MONOTONIC) + 20000000;
		timer.it_value = (struct timespec){ end / 1000000000, end % 1000000000 };
		CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL));
		CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count));
		CHECK(nanoseconds(CLOCK_MONOTONIC) >= end);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

CASE(offsets_are_fixed_by_the_first_child, "time_namespaces(7)")
{
	NEEDS_NAMESPACES();
	CHECK_ERR(set_offsets("monotonic 1 0"), geteuid() == 0 ? EACCES : EPERM);
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_STREQ(text_of("/proc/self/timens_offsets"),
		    "monotonic           0         0\nboottime            0         0\n");
	CHECK_OK(set_offsets("monotonic 5 7"));
	CHECK_STREQ(text_of("/proc/self/timens_offsets"),
		    "monotonic           5         7\nboottime            0         0\n");
	CHECK_ERR(set_offsets("realtime 5 7"), EINVAL);
	CHECK_ERR(set_offsets("monotonic 5"), EINVAL);
	CHECK_ERR(set_offsets("monotonic 5 1000000000"), EINVAL);
	CHECK_ERR(set_offsets("monotonic x 0"), EINVAL);
	CHECK_ERR(set_offsets("monotonic -100000000 0"), ERANGE);
	CHECK_ERR(set_offsets("monotonic 9000000000 0"), ERANGE);
	pid_t child = fork_child();
	if (child == 0)
		_exit(0);
	CHECK_EQ(wait_status(child), 0);
	CHECK_ERR(set_offsets("monotonic 6 0"), EACCES);
}

static int stays(void *before)
{
	char now[64] = "";

	if (readlink("/proc/self/ns/time", now, 63) < 0)
		return 2;
	return strcmp(before, now) != 0;
}

CASE(child_that_shares_memory_stays_until_execve, "clone(2)")
{
	char before[64] = "", *stack = map_pages(8, MAP_PRIVATE);
	pid_t child;

	NEEDS_NAMESPACES();
	CHECK_OK(readlink("/proc/self/ns/time", before, 63));
	CHECK_OK(unshare(CLONE_NEWTIME));
	child = CHECK_OK(clone(stays, stack + 8 * PAGE, CLONE_VM | SIGCHLD, before));
	CHECK_EQ(wait_status(child), 0);
}

static long long libc_clock(clockid_t clock)
{
	struct timespec now;

	CHECK_OK(clock_gettime(clock, &now));
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static bool is_shifted(long long before)
{
	long long past = libc_clock(CLOCK_MONOTONIC) - before;

	return past >= 100000000000000LL && past < 101000000000000LL;
}

CASE(the_vdso_of_a_forked_child_is_shifted, "time_namespaces(7)")
{
	long long before = libc_clock(CLOCK_MONOTONIC);

	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(set_offsets("monotonic 100000 0"));
	CHECK(!is_shifted(before));
	pid_t child = fork_child();
	if (child == 0) {
		CHECK(is_shifted(before));
		CHECK(libc_clock(CLOCK_REALTIME) - time(NULL) * 1000000000LL < 10000000000LL);
		child = fork_child();
		if (child == 0) {
			CHECK(is_shifted(before));
			_exit(0);
		}
		CHECK_EXITS(child, 0);
		_exit(0);
	}
	CHECK_EXITS(child, 0);
	CHECK(!is_shifted(before));
}

CASE(the_vdso_of_who_enters_by_setns_is_shifted, "time_namespaces(7), setns(2)")
{
	long long before = libc_clock(CLOCK_MONOTONIC);

	NEEDS_NAMESPACES();
	int old = CHECK_OK(open("/proc/self/ns/time", O_RDONLY));

	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(set_offsets("monotonic 100000 0"));
	CHECK_OK(setns(CHECK_OK(open("/proc/self/ns/time_for_children", O_RDONLY)), CLONE_NEWTIME));
	CHECK(is_shifted(before));
	if (geteuid() != 0)
		return;
	CHECK_OK(setns(old, CLONE_NEWTIME));
	CHECK(!is_shifted(before));
}

CASE(a_program_in_a_shifted_namespace_has_a_vdso, "time_namespaces(7), getauxval(3)")
{
	NEEDS_NAMESPACES();
	CHECK_OK(unshare(CLONE_NEWTIME));
	CHECK_OK(set_offsets("monotonic 100000 0"));
	pid_t child = fork_child();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "od -An -v -t d8 -w16 /proc/self/auxv | grep -q '^ *33 '", NULL);
		_exit(127);
	}
	CHECK_EXITS(child, 0);
}

/* Where the vDSO was, hostile bytes.  Nothing may ask for the time by it any more, the harness included. */
static int fork_without_vdso(unsigned long start, size_t length, unsigned char filling)
{
	unsigned char *place;
	int status;

	if (munmap((void *)start, length) < 0)
		return 1;
	place = mmap((void *)start, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (place == MAP_FAILED)
		return 2;
	memset(place, filling, length);
	memcpy(place, "\177ELF", 4);
	if (unshare(CLONE_NEWTIME) < 0 || set_offsets("monotonic 100000 0") < 0)
		return 3;
	pid_t child = (pid_t)syscall(SYS_fork);
	if (child == 0) {
		for (size_t i = 4; i < length; i++)
			if (place[i] != filling)
				_exit(4);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 5;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 6;
}

CASE(what_is_mapped_in_the_place_of_the_vdso_stays, "time_namespaces(7), vdso(7)")
{
	unsigned long start = 0, end = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	NEEDS_NAMESPACES();
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
	fclose(maps);
	if (!start)
		return;
	for (int filling = 0; filling < 256; filling += 85) {
		pid_t child = fork_child();
		if (child == 0)
			_exit(fork_without_vdso(start, end - start, (unsigned char)filling));
		CHECK_EXITS(child, 0);
	}
}
