/* Blocked calls meeting a signal: EINTR or restart, as signal(7) lists them. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

static int ends[2];

/* After some interruptions, lets the blocked reader of the pipe have its byte. */
static void feed_at_the_third(int number)
{
	count_signal(number);
	if (signals_seen == 3 && write(ends[1], "r", 1) != 1)
		_exit(99);
}

CASE(read_of_a_pipe_gives_EINTR_without_SA_RESTART, "signal(7)")
{
	char byte;

	CHECK_OK(pipe(ends));
	alarm_often(count_signal, 0);
	CHECK_ERR(read(ends[0], &byte, 1), EINTR);
	still();
	CHECK(signals_seen >= 1);
}

CASE(read_of_a_pipe_is_restarted_with_SA_RESTART, "signal(7)")
{
	char byte;

	CHECK_OK(pipe(ends));
	alarm_often(feed_at_the_third, SA_RESTART);
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	still();
	CHECK(signals_seen >= 3);
}

CASE(ignored_signal_does_not_interrupt, "signal(7)")
{
	pid_t child;
	char byte;

	CHECK_OK(pipe(ends));
	handle(SIGUSR1, SIG_IGN, 0);
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 20; i++) {
			kill(getppid(), SIGUSR1);
			sched_yield();
		}
		_exit(write(ends[1], "i", 1) != 1);
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EXITS(child, 0);
}

CASE(stop_and_continue_do_not_interrupt_a_read, "signal(7)")
{
	int status;
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0)
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(child, SIGCONT));
	tell(ends[1]);
	CHECK_EXITS(child, 0);
}

CASE(wait4_gives_EINTR_without_and_is_restarted_with_SA_RESTART, "signal(7)")
{
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		await(ends[0]);
		_exit(0);
	}
	alarm_often(count_signal, 0);
	CHECK_ERR(waitpid(child, NULL, 0), EINTR);
	alarm_often(feed_at_the_third, SA_RESTART);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	still();
	CHECK(signals_seen >= 3);
}

CASE(pause_always_gives_EINTR, "pause(2)")
{
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(pause(), EINTR);
	still();
}

CASE(nanosleep_gives_EINTR_and_the_time_left, "nanosleep(2)")
{
	struct timespec request = { 1000, 0 }, left = { 0, 0 };

	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(syscall(SYS_nanosleep, &request, &left), EINTR);
	still();
	CHECK(left.tv_sec >= 900 && left.tv_sec < 1000);
}

CASE(absolute_clock_nanosleep_gives_EINTR_and_no_remainder, "clock_nanosleep(2)")
{
	struct timespec until, left = { 7, 7 };

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += 1000;
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left), EINTR);
	still();
	CHECK_EQ(left.tv_sec, 7);
}

CASE(nanosleep_goes_on_after_stop_and_continue, "restart_syscall(2)")
{
	struct timespec request = { 0, 15000000 };
	long long before = nanoseconds(CLOCK_MONOTONIC);
	int status;
	pid_t child = fork_child();

	if (child == 0) {
		if (syscall(SYS_nanosleep, &request, NULL) != 0)
			_exit(1);
		_exit(nanoseconds(CLOCK_MONOTONIC) - before < 15000000);
	}
	CHECK_OK(kill(child, SIGSTOP));
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	if (WIFSTOPPED(status)) {
		CHECK_OK(kill(child, SIGCONT));
		status = wait_status(child);
	}
	CHECK_EQ(status, 0);
}

CASE(poll_select_and_epoll_wait_give_EINTR_even_with_SA_RESTART, "signal(7)")
{
	struct pollfd entry;
	struct epoll_event event;
	fd_set set;
	int epoll = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(ends));
	entry = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(poll(&entry, 1, -1), EINTR);
	CHECK_ERR(ppoll(&entry, 1, NULL, NULL), EINTR);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CHECK_ERR(select(ends[0] + 1, &set, NULL, NULL, NULL), EINTR);
	CHECK_ERR(epoll_wait(epoll, &event, 1, -1), EINTR);
	still();
}

CASE(sigtimedwait_is_interrupted_by_another_signal, "sigwaitinfo(2)")
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(sigwaitinfo(&set, NULL), EINTR);
	still();
}

CASE(sigsuspend_lets_the_signal_in_and_restores_the_mask, "sigsuspend(2)")
{
	sigset_t block, none, after;

	handle(SIGUSR1, count_signal, SA_RESTART);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &after));
	CHECK_EQ(sigismember(&after, SIGUSR1), 1);
}

CASE(ppoll_with_a_mask_lets_a_pending_signal_in, "poll(2)")
{
	struct pollfd nothing = { .fd = -1 };
	sigset_t block, none;

	handle(SIGUSR1, count_signal, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_ERR(ppoll(&nothing, 1, NULL, &none), EINTR);
	CHECK_EQ(signals_seen, 1);
}

CASE(write_to_a_full_pipe_gives_EINTR_before_anything_is_written, "signal(7)")
{
	static char block[1 << 16];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	while (write(ends[1], block, sizeof(block)) > 0)
		;
	CHECK_OK(fcntl(ends[1], F_SETFL, 0));
	alarm_often(count_signal, 0);
	CHECK_ERR(write(ends[1], block, 1), EINTR);
	still();
}

CASE(recv_gives_EINTR_without_SA_RESTART, "signal(7)")
{
	int pair[2];
	char byte;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	alarm_often(count_signal, 0);
	CHECK_ERR(recv(pair[0], &byte, 1, 0), EINTR);
	still();
}

CASE(recv_with_SO_RCVTIMEO_gives_EINTR_even_with_SA_RESTART, "signal(7)")
{
	struct timeval timeout = { 1000, 0 };
	int pair[2];
	char byte;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	alarm_often(count_signal, SA_RESTART);
	CHECK_ERR(recv(pair[0], &byte, 1, 0), EINTR);
	still();
}

CASE(flock_gives_EINTR_without_SA_RESTART, "flock(2)")
{
	int holder = make_file("file", ""), waiter = CHECK_OK(open("file", O_RDONLY));

	CHECK_OK(syscall(SYS_flock, holder, 2 /* LOCK_EX */));
	alarm_often(count_signal, 0);
	CHECK_ERR(syscall(SYS_flock, waiter, 2), EINTR);
	still();
}
