/* poll, ppoll, select, pselect6: readiness. What happens to them on signals: restart.c. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

static short poll_now(int fd, short events)
{
	struct pollfd entry = { .fd = fd, .events = events };
	int ready = CHECK_OK(poll(&entry, 1, 0));

	CHECK_EQ(ready, entry.revents != 0);
	return entry.revents;
}

CASE(poll_of_a_pipe_follows_its_contents, "poll(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
	tell(ends[1]);
	CHECK_EQ(poll_now(ends[0], POLLIN | POLLRDNORM), POLLIN | POLLRDNORM);
	CHECK_EQ(poll_now(ends[0], 0), 0);
}

CASE(poll_reports_POLLHUP_when_the_writers_are_gone, "poll(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	tell(ends[1]);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN | POLLHUP);
	await(ends[0]);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLHUP);
	CHECK_EQ(poll_now(ends[0], 0), POLLHUP);
}

CASE(poll_reports_POLLERR_when_the_readers_are_gone, "poll(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT | POLLERR);
}

CASE(poll_reports_POLLNVAL_for_a_closed_descriptor, "poll(2)")
{
	CHECK_EQ(poll_now(999, POLLIN), POLLNVAL);
}

CASE(poll_ignores_negative_descriptors, "poll(2)")
{
	CHECK_EQ(poll_now(-1, POLLIN), 0);
	CHECK_EQ(poll_now(-1000, POLLIN), 0);
}

CASE(regular_files_are_always_ready, "poll(2)")
{
	CHECK_EQ(poll_now(make_file("file", ""), POLLIN | POLLOUT), POLLIN | POLLOUT);
	CHECK_EQ(poll_now(CHECK_OK(open("/dev/null", O_RDWR)), POLLIN | POLLOUT), POLLIN | POLLOUT);
}

CASE(full_pipe_is_not_writable_until_a_page_is_read, "poll(2)")
{
	static char page[PAGE];
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	CHECK_EQ(poll_now(ends[1], POLLOUT), 0);
	CHECK_EQ(read(ends[0], page, sizeof(page)), sizeof(page));
	CHECK_EQ(poll_now(ends[1], POLLOUT), POLLOUT);
}

CASE(poll_times_out_not_before_its_time, "poll(2)")
{
	struct timespec short_time = { 0, 3000000 };
	struct pollfd entry = { .fd = -1 };
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_EQ(poll(&entry, 1, 3), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 3000000);
	before = nanoseconds(CLOCK_MONOTONIC);
	CHECK_EQ(ppoll(NULL, 0, &short_time, NULL), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 3000000);
}

CASE(blocked_poll_is_woken_by_readiness, "poll(2)")
{
	struct pollfd entries[2];
	int first[2], second[2];
	pid_t child;

	CHECK_OK(pipe(first));
	CHECK_OK(pipe(second));
	entries[0] = (struct pollfd){ .fd = first[0], .events = POLLIN };
	entries[1] = (struct pollfd){ .fd = second[0], .events = POLLIN };
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 50; i++)
			sched_yield();
		tell(second[1]);
		_exit(0);
	}
	CHECK_EQ(poll(entries, 2, -1), 1);
	CHECK_EQ(entries[0].revents, 0);
	CHECK_EQ(entries[1].revents, POLLIN);
	CHECK_EXITS(child, 0);
}

CASE(poll_counts_descriptors_not_events, "poll(2)")
{
	struct pollfd entries[3];
	int ends[2];

	CHECK_OK(pipe(ends));
	tell(ends[1]);
	for (int i = 0; i < 3; i++)
		entries[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN | POLLRDNORM };
	CHECK_EQ(poll(entries, 3, -1), 3);
}

CASE(poll_errors, "poll(2)")
{
	struct timespec invalid = { 0, 1000000000 };
	struct rlimit limit;
	struct pollfd entry = { .fd = -1 };

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK_ERR(syscall(SYS_poll, unmapped(), 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_poll, &entry, limit.rlim_cur + 1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, &entry, 1, &invalid, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, &entry, 1, NULL, &limit, 3), EINVAL);
}

CASE(ppoll_raw_stores_the_time_that_is_left, "poll(2)")
{
	struct timespec timeout = { 100, 0 };
	struct pollfd entry;
	int ends[2];

	CHECK_OK(pipe(ends));
	tell(ends[1]);
	entry = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	CHECK_EQ(syscall(SYS_ppoll, &entry, 1, &timeout, NULL, 8), 1);
	CHECK(timeout.tv_sec >= 90 && timeout.tv_sec < 100);
}

CASE(select_leaves_the_ready_descriptors_in_the_sets, "select(2)")
{
	struct timeval now = { 0, 0 };
	fd_set readable, writable;
	int ends[2];

	CHECK_OK(pipe(ends));
	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(ends[0], &readable);
	FD_SET(ends[1], &writable);
	CHECK_EQ(select(ends[1] + 1, &readable, &writable, NULL, &now), 1);
	CHECK(!FD_ISSET(ends[0], &readable));
	CHECK(FD_ISSET(ends[1], &writable));
	tell(ends[1]);
	FD_SET(ends[0], &readable);
	CHECK_EQ(select(ends[1] + 1, &readable, &writable, NULL, NULL), 2);
	CHECK(FD_ISSET(ends[0], &readable));
}

CASE(select_treats_end_of_file_as_readable, "select(2)")
{
	fd_set readable;
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[1]));
	FD_ZERO(&readable);
	FD_SET(ends[0], &readable);
	CHECK_EQ(select(ends[0] + 1, &readable, NULL, NULL, NULL), 1);
	CHECK(FD_ISSET(ends[0], &readable));
}

CASE(select_without_descriptors_sleeps, "select(2)")
{
	struct timeval timeout = { 0, 2000 };
	long long before = nanoseconds(CLOCK_MONOTONIC);

	CHECK_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &timeout), 0);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
	CHECK_EQ(timeout.tv_sec, 0);
	CHECK_EQ(timeout.tv_usec, 0);
}

CASE(select_finds_a_mere_place_ready_for_everything, "select(2)")
{
	int fd = CHECK_OK(open(".", O_PATH));
	fd_set sets[3];

	for (int i = 0; i < 3; i++) {
		FD_ZERO(&sets[i]);
		FD_SET(fd, &sets[i]);
	}
	CHECK_EQ(select(fd + 1, &sets[0], &sets[1], &sets[2], NULL), 3);
	for (int i = 0; i < 3; i++)
		CHECK(FD_ISSET(fd, &sets[i]));
}

CASE(select_errors, "select(2)")
{
	struct timeval invalid = { -1, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(900, &set);
	CHECK_ERR(syscall(SYS_select, -1, NULL, NULL, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, &invalid), EINVAL);
	CHECK_ERR(syscall(SYS_select, 8, unmapped(), NULL, NULL, NULL), EFAULT);
	for (int fd = 0; fd < 3; fd++)
		FD_CLR(fd, &set);
	CHECK_OK(dup2(0, 901));
	CHECK_ERR(select(901, &set, NULL, NULL, NULL), EBADF);
}
