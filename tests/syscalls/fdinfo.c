/* /proc/PID/fdinfo: what each kind of descriptor tells about itself. */
#include "harness.h"
#include "fixtures.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static const char *fdinfo(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return text_of(path);
}

static void check_has(int fd, const char *line)
{
	const char *text = fdinfo(fd);

	if (strstr(text, line) == NULL)
		FAIL("no \"%s\" in \"%s\"", line, text);
}

CASE(it_tells_position_flags_and_inode, "proc(5)")
{
	char line[64];
	struct stat status;
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));

	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(strncmp(fdinfo(fd), "pos:\t5\nflags:\t0", 15), 0);
	snprintf(line, sizeof(line), "flags:\t0%o\n", O_RDWR | O_APPEND | O_CLOEXEC | 0100000);
	check_has(fd, line);
	CHECK_OK(fstat(fd, &status));
	snprintf(line, sizeof(line), "\nino:\t%lu\n", status.st_ino);
	check_has(fd, line);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	snprintf(line, sizeof(line), "flags:\t0%o\n", O_RDWR | O_APPEND | 0100000);
	check_has(fd, line);
	check_has(fd, "\nmnt_id:\t");
}

CASE(of_an_eventfd_it_tells_the_counter, "proc(5)")
{
	int fd = CHECK_OK(eventfd(0xabc, EFD_SEMAPHORE)), plain = CHECK_OK(eventfd(0, 0));

	check_has(fd, "\neventfd-count:              abc\n");
	check_has(fd, "\neventfd-semaphore: 1\n");
	check_has(plain, "\neventfd-count:                0\n");
	check_has(plain, "\neventfd-semaphore: 0\n");
}

CASE(of_an_epoll_instance_it_tells_each_interest, "proc(5)")
{
	char line[128];
	int fd = CHECK_OK(epoll_create1(0)), other = CHECK_OK(eventfd(0, 0));
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789a };

	CHECK(strstr(fdinfo(fd), "tfd:") == NULL);
	CHECK_OK(epoll_ctl(fd, EPOLL_CTL_ADD, other, &event));
	snprintf(line, sizeof(line), "\ntfd: %8d events: 80000019 data:       123456789a  pos:0 ino:", other);
	check_has(fd, line);
	CHECK_OK(epoll_ctl(fd, EPOLL_CTL_DEL, other, &event));
	CHECK(strstr(fdinfo(fd), "tfd:") == NULL);
}

CASE(of_a_signalfd_it_tells_the_mask, "proc(5)")
{
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMAX);
	fd = CHECK_OK(signalfd(-1, &mask, 0));
	check_has(fd, "\nsigmask:\t8000000000000200\n");
}

CASE(of_a_timerfd_it_tells_the_timer, "proc(5)")
{
	struct itimerspec spec = { .it_interval = { 7, 5 }, .it_value = { 1, 0 } };
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));

	check_has(fd, "\nclockid: 1\nticks: 0\nsettime flags: 00\nit_value: (0, 0)\nit_interval: (0, 0)\n");
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
	check_has(fd, "\nclockid: 1\nticks: ");
	check_has(fd, "\nsettime flags: 01\nit_value: (");
	check_has(fd, "\nit_interval: (7, 5)\n");
	CHECK(strstr(fdinfo(fd), "ticks: 0") == NULL);
}
