/* epoll(7): interest lists, level and edge triggering, lifetimes. */
#include "harness.h"
#include "fixtures.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static struct epoll_event events[16];

static void add(int epoll, int fd, uint32_t interest)
{
	struct epoll_event event = { .events = interest, .data.u64 = 0x123400000000ull + fd };

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

CASE(epoll_reports_ready_descriptors_with_their_data, "epoll_wait(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(epoll, events, 16, -1), 1);
	CHECK_EQ(events[0].events, EPOLLIN);
	CHECK_EQ(events[0].data.u64, 0x123400000000ull + ends[0]);
}

CASE(epoll_reports_as_many_as_asked_for, "epoll_wait(2)")
{
	enum { MANY = 5000 };
	static struct epoll_event many[MANY + 1];
	struct rlimit limit;
	int epoll = CHECK_OK(epoll_create1(0)), ready = CHECK_OK(eventfd(1, 0)), each;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < MANY + 100)
		SKIP("too few descriptors");
	for (each = 0; each < MANY; each++)
		add(epoll, CHECK_OK(dup(ready)), EPOLLIN);
	CHECK_EQ(epoll_wait(epoll, many, MANY + 1, 0), MANY);
}

CASE(level_triggered_interest_is_reported_until_drained, "epoll(7)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	await(ends[0]);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
}

CASE(edge_triggered_interest_is_reported_once_per_change, "epoll(7)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN | EPOLLET);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
}

CASE(EPOLLONESHOT_is_disabled_after_one_report_and_rearmed, "epoll_ctl(2)")
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT };
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN | EPOLLONESHOT);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[0], &again));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
}

CASE(EPOLLHUP_and_EPOLLERR_are_reported_unasked, "epoll_ctl(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), first[2], second[2];

	CHECK_OK(pipe(first));
	CHECK_OK(pipe(second));
	add(epoll, first[0], 0);
	CHECK_OK(close(first[1]));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(events[0].events, EPOLLHUP);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, first[0], NULL));
	add(epoll, second[1], 0);
	CHECK_OK(close(second[0]));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(events[0].events, EPOLLERR);
}

CASE(adding_a_descriptor_that_is_already_ready_reports_it, "epoll_ctl(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	tell(ends[1]);
	add(epoll, ends[0], EPOLLIN | EPOLLET);
	add(epoll, ends[1], EPOLLOUT);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 2);
}

CASE(closing_the_descriptor_removes_it, "epoll(7)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN);
	tell(ends[1]);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
}

CASE(a_duplicate_keeps_a_closed_descriptor_in_the_interest_list, "epoll(7)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN);
	CHECK_OK(dup(ends[0]));
	tell(ends[1]);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
}

CASE(maxevents_limits_and_rotates_what_is_reported, "epoll_wait(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), first, second;

	first = CHECK_OK(eventfd(1, 0));
	second = CHECK_OK(eventfd(1, 0));
	add(epoll, first, EPOLLIN);
	add(epoll, second, EPOLLIN);
	CHECK_EQ(epoll_wait(epoll, events, 1, 0), 1);
	CHECK_EQ(epoll_wait(epoll, events + 1, 1, 0), 1);
	CHECK(events[0].data.u64 != events[1].data.u64);
}

CASE(blocked_epoll_wait_is_woken_by_another_process, "epoll_wait(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];
	pid_t child;

	CHECK_OK(pipe(ends));
	add(epoll, ends[0], EPOLLIN);
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 50; i++)
			sched_yield();
		tell(ends[1]);
		_exit(0);
	}
	CHECK_EQ(epoll_wait(epoll, events, 16, -1), 1);
	CHECK_EXITS(child, 0);
}

CASE(an_epoll_instance_can_be_watched_by_another, "epoll(7)")
{
	int inner = CHECK_OK(epoll_create1(0)), outer = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	add(inner, ends[0], EPOLLIN);
	add(outer, inner, EPOLLIN);
	CHECK_EQ(epoll_wait(outer, events, 16, 0), 0);
	tell(ends[1]);
	CHECK_EQ(epoll_wait(outer, events, 16, -1), 1);
	CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, events), ELOOP);
}

CASE(epoll_wait_times_out_not_before_its_time, "epoll_wait(2)")
{
	struct timespec timeout = { 0, 2000000 };
	int epoll = CHECK_OK(epoll_create1(0));
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_EQ(epoll_wait(epoll, events, 16, 2), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
	before = nanoseconds(CLOCK_MONOTONIC);
	CHECK_EQ(syscall(SYS_epoll_pwait2, epoll, events, 16, &timeout, NULL, 0), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
}

CASE(epoll_ctl_errors, "epoll_ctl(2)")
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = CHECK_OK(epoll_create1(0)), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[0], &event), ENOENT);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], &event), ENOENT);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
	CHECK_ERR(epoll_ctl(epoll, 9, ends[0], &event), EINVAL);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event), EINVAL);
	CHECK_ERR(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, 999, &event), EBADF);
	CHECK_ERR(epoll_ctl(999, EPOLL_CTL_ADD, ends[1], &event), EBADF);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, make_file("file", ""), &event), EPERM);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], unmapped()), EFAULT);
}

/* What epoll(7) tells of a file of proc(5) or sysfs(5); -1 where it can't be watched. */
static int told_of(const char *path, int read_first)
{
	struct epoll_event event = { .events = ~(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP) };
	int epoll = CHECK_OK(epoll_create1(0)), fd = open(path, O_RDONLY);
	char byte;

	if (fd < 0)
		SKIP("%s: %s", path, errno_name(errno));
	if (read_first)
		CHECK_EQ(CHECK_OK(read(fd, &byte, 1)), 1);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
		CHECK_EQ(errno, EPERM);
		event.events = -1;
	} else {
		CHECK_EQ(CHECK_OK(epoll_wait(epoll, &event, 1, 0)), 1);
	}
	close(epoll);
	close(fd);
	return event.events;
}

enum {
	READABLE = EPOLLIN | EPOLLRDNORM,
	BOTH = READABLE | EPOLLOUT | EPOLLWRNORM,
	CHANGED = EPOLLERR | EPOLLPRI,
};

CASE(files_of_proc_can_be_watched_but_for_those_of_a_process, "epoll_ctl(2), EPERM; proc(5)")
{
	CHECK_EQ(told_of("/proc/uptime", 0), BOTH);
	CHECK_EQ(told_of("/proc/cpuinfo", 1), BOTH);
	CHECK_EQ(told_of("/proc/sys/kernel/hostname", 0), BOTH);
	CHECK_EQ(told_of("/proc/sysvipc/msg", 0), BOTH);
	CHECK_EQ(told_of("/proc/self/net/unix", 0), BOTH);
	CHECK_EQ(told_of("/proc/swaps", 0), READABLE);
	CHECK_EQ(told_of("/proc/mounts", 0), READABLE);
	CHECK_EQ(told_of("/proc/self/mountinfo", 0), READABLE);
	CHECK_EQ(told_of("/proc/self/mountstats", 0), -1);
	CHECK_EQ(told_of("/proc/self/status", 0), -1);
	CHECK_EQ(told_of("/proc/self/uid_map", 0), -1);
	CHECK_EQ(told_of("/proc/self/fdinfo/0", 0), -1);
}

CASE(files_of_sysfs_have_changed_until_they_are_read, "epoll_ctl(2); sysfs(5)")
{
	CHECK_EQ(told_of("/sys/kernel/mm/transparent_hugepage/enabled", 0), BOTH | CHANGED);
	CHECK_EQ(told_of("/sys/kernel/mm/transparent_hugepage/enabled", 1), BOTH);
}

CASE(pressure_tells_of_errors_while_there_is_no_trigger, "proc(5), /proc/pressure")
{
	CHECK_EQ(told_of("/proc/pressure/cpu", 1), BOTH | CHANGED);
}

CASE(epoll_create_and_wait_errors, "epoll_wait(2)")
{
	int epoll = CHECK_OK(syscall(SYS_epoll_create, 1)), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
	CHECK_ERR(epoll_create1(1), EINVAL);
	CHECK_ERR(epoll_wait(epoll, events, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_wait, epoll, events, -1, 0), EINVAL);
	CHECK_ERR(epoll_wait(ends[0], events, 1, 0), EINVAL);
	CHECK_ERR(epoll_wait(999, events, 1, 0), EBADF);
	CHECK_ERR(ioctl(epoll, TIOCGWINSZ, events), EINVAL);
	add(epoll, ends[1], EPOLLOUT);
	CHECK_ERR(epoll_wait(epoll, unmapped(), 1, -1), EFAULT);
	CHECK_EQ(fcntl(CHECK_OK(epoll_create1(EPOLL_CLOEXEC)), F_GETFD), FD_CLOEXEC);
}

CASE(EPOLLRDHUP_reports_a_peer_that_shut_down_writing, "epoll_ctl(2)")
{
	int epoll = CHECK_OK(epoll_create1(0)), pair[2];

	CHECK_OK(syscall(SYS_socketpair, 1 /* AF_UNIX */, 1 /* SOCK_STREAM */, 0, pair));
	add(epoll, pair[0], EPOLLIN | EPOLLRDHUP);
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 0);
	CHECK_OK(syscall(SYS_shutdown, pair[1], 1 /* SHUT_WR */));
	CHECK_EQ(epoll_wait(epoll, events, 16, 0), 1);
	CHECK_EQ(events[0].events, EPOLLIN | EPOLLRDHUP);
}

static void *wait_on_epoll(void *epoll)
{
	struct epoll_event event;

	return (void *)(long)epoll_wait((int)(long)epoll, &event, 1, 700);
}

CASE(EPOLLEXCLUSIVE_wakes_one_of_those_that_wait, "epoll_ctl(2)")
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	pthread_t threads[3];
	int counter = CHECK_OK(eventfd(0, 0));
	long woken = 0;
	void *answer;

	for (int i = 0; i < 3; i++) {
		int epoll = CHECK_OK(epoll_create1(0));

		CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event));
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_on_epoll, (void *)(long)epoll), 0);
	}
	usleep(100000);
	CHECK_OK(eventfd_write(counter, 1));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &answer);
		woken += (long)answer;
	}
	CHECK_EQ(woken, 1);
}

CASE(EPOLLEXCLUSIVE_is_refused_with_other_events_and_when_modifying, "epoll_ctl(2)")
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP };
	int epoll = CHECK_OK(epoll_create1(0)), other = CHECK_OK(epoll_create1(0));
	int counter = CHECK_OK(eventfd(0, 0));

	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event), EINVAL);
	event.events = EPOLLIN | EPOLLEXCLUSIVE;
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, counter, &event), EINVAL);
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_ADD, other, &event), EINVAL);
	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &event));
	event.events = EPOLLIN;
	CHECK_ERR(epoll_ctl(epoll, EPOLL_CTL_MOD, counter, &event), EINVAL);
}

CASE(arguments_of_epoll_are_checked_in_order, "epoll_ctl(2), epoll_wait(2)")
{
	struct epoll_event event = { .events = EPOLLIN };
	int pipes[2], epoll = CHECK_OK(epoll_create1(0)), file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(pipe(pipes));
	CHECK_ERR(syscall(SYS_epoll_ctl, 999, EPOLL_CTL_ADD, 999, 8), EFAULT);
	CHECK_ERR(epoll_ctl(pipes[0], EPOLL_CTL_ADD, file, &event), EPERM);
	CHECK_ERR(epoll_wait(pipes[0], &event, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_wait, epoll, -4096L, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_epoll_pwait, 999, &event, 1, 0, 8, 8), EFAULT);
	CHECK_ERR(syscall(SYS_epoll_pwait2, 999, &event, 1, 8, NULL, 0), EFAULT);
}

CASE(events_that_fit_are_told_though_the_memory_ends, "epoll_wait(2)")
{
	struct epoll_event event = { .events = EPOLLOUT };
	char *memory = CHECK_OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int epoll = CHECK_OK(epoll_create1(0));

	CHECK_OK(munmap(memory + 4096, 4096));
	for (int i = 0; i < 2; i++)
		CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, CHECK_OK(eventfd(0, 0)), &event));
	CHECK_EQ(epoll_wait(epoll, (void *)(memory + 4096 - 12), 2, 0), 1);
	CHECK_ERR(epoll_wait(epoll, (void *)(memory + 4096 - 6), 2, 0), EFAULT);
	CHECK_EQ(epoll_wait(epoll, (void *)memory, 2, 0), 2);
}

CASE(too_many_ways_from_a_file_to_its_watchers, "epoll_ctl(2), EINVAL")
{
	static const int limits[] = { 500, 100 }; /* by how many epolls are between */
	struct epoll_event event = { .events = EPOLLIN };
	struct rlimit files = { 1024, 1024 };
	int below = CHECK_OK(eventfd(0, 0)), top, base = below, middle;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 600)
		SKIP("too few descriptors: %llu", (unsigned long long)files.rlim_cur);
	for (int level = 0; level < 2; level++) {
		middle = CHECK_OK(epoll_create1(0));
		CHECK_OK(epoll_ctl(middle, EPOLL_CTL_ADD, below, &event));
		below = middle;
		for (int i = 0; i < limits[level]; i++) {
			top = CHECK_OK(epoll_create1(0));
			CHECK_OK(epoll_ctl(top, EPOLL_CTL_ADD, middle, &event));
		}
		top = CHECK_OK(epoll_create1(0));
		CHECK_ERR(epoll_ctl(top, EPOLL_CTL_ADD, middle, &event), EINVAL);
		/* Not a file that they would not be told of. */
		CHECK_OK(epoll_ctl(top, EPOLL_CTL_ADD, CHECK_OK(epoll_create1(0)), &event));
		CHECK_OK(close_range(middle + 1, ~0U, 0));
	}
	for (int i = 0; i < 520; i++) /* those who watch the file itself are not counted */
		CHECK_OK(epoll_ctl(CHECK_OK(epoll_create1(0)), EPOLL_CTL_ADD, base, &event));
}

CASE(a_file_with_too_many_ways_up_is_not_added, "epoll_ctl(2), EINVAL")
{
	struct epoll_event event = { .events = EPOLLIN };
	int first = CHECK_OK(eventfd(0, 0)), second = CHECK_OK(eventfd(0, 0)), one = CHECK_OK(epoll_create1(0));
	int other = CHECK_OK(epoll_create1(0));

	for (int i = 0; i < 300; i++) {
		int top = CHECK_OK(epoll_create1(0));

		CHECK_OK(epoll_ctl(top, EPOLL_CTL_ADD, one, &event));
		CHECK_OK(epoll_ctl(top, EPOLL_CTL_ADD, other, &event));
	}
	CHECK_OK(epoll_ctl(one, EPOLL_CTL_ADD, first, &event));
	CHECK_ERR(epoll_ctl(other, EPOLL_CTL_ADD, first, &event), EINVAL);
	CHECK_ERR(epoll_ctl(other, EPOLL_CTL_DEL, first, &event), ENOENT);
	CHECK_OK(epoll_ctl(other, EPOLL_CTL_ADD, second, &event));
}

CASE(how_much_a_user_may_watch_is_told, "epoll(7)")
{
	CHECK(atol(text_of("/proc/sys/fs/epoll/max_user_watches")) > 1000);
}
