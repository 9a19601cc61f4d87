/* A wait keeps its files open no longer than it lasts: killed, interrupted or over, the other end sees it. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* Each waits for the socket `fd` to have something to read, or room to write; some with a second file. */

static void wait_poll(int fd)
{
	struct pollfd entry = { fd, POLLIN, 0 };

	poll(&entry, 1, -1);
}

static void wait_poll_with_timeout(int fd)
{
	struct pollfd entries[2] = { { fd, POLLIN, 0 }, { fd, POLLPRI, 0 } };

	poll(entries, 2, 1000000);
}

static void wait_ppoll(int fd)
{
	struct pollfd entry = { fd, POLLIN, 0 };
	sigset_t none;

	sigemptyset(&none);
	ppoll(&entry, 1, NULL, &none);
}

static void wait_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, NULL);
}

static void wait_epoll(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int instance = epoll_create1(0);

	epoll_ctl(instance, EPOLL_CTL_ADD, fd, &event);
	epoll_wait(instance, &event, 1, -1);
	close(instance);
}

static void wait_read(int fd)
{
	char byte;

	CHECK(read(fd, &byte, 1) <= 0);
}

static void wait_recvmsg(int fd)
{
	char byte;
	struct iovec piece = { &byte, 1 };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	recvmsg(fd, &message, 0);
}

static void wait_recvmmsg(int fd)
{
	char byte;
	struct iovec piece = { &byte, 1 };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } } };

	recvmmsg(fd, messages, 2, 0, NULL);
}

static void wait_splice(int fd)
{
	int ends[2];

	if (pipe(ends) == 0)
		splice(fd, NULL, ends[1], NULL, 10, 0);
	close(ends[0]);
	close(ends[1]);
}

static void wait_write(int fd)
{
	static char much[1 << 22];

	CHECK(write(fd, much, sizeof(much)) < (ssize_t)sizeof(much));
}

static void wait_sendfile(int fd)
{
	int file = open("much", O_RDWR | O_CREAT, 0600);

	CHECK_EQ(ftruncate(file, 1 << 22), 0);
	sendfile(fd, file, NULL, 1 << 22);
	close(file);
}

static void wait_flock(int fd)
{
	(void)fd;
	flock(CHECK_OK(open("locked", O_RDWR)), LOCK_EX);
}

static const struct kind {
	const char *name;
	void (*wait)(int fd);
} kinds[] = {
	{ "poll", wait_poll }, { "poll with a timeout", wait_poll_with_timeout }, { "ppoll", wait_ppoll },
	{ "select", wait_select }, { "epoll_wait", wait_epoll }, { "read", wait_read },
	{ "recvmsg", wait_recvmsg }, { "recvmmsg", wait_recvmmsg }, { "splice", wait_splice },
	{ "write", wait_write }, { "sendfile", wait_sendfile }, { "flock", wait_flock },
};

static int ends[2];
static const struct kind *chosen;
static volatile pid_t waiting;

static void see_asleep(pid_t process, pid_t thread)
{
	char path[64], state[2] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", process, thread);
	while (state[0] != 'S') {
		FILE *stat = fopen(path, "r");

		if (stat == NULL)
			FAIL("%s: no thread sleeps: %s", chosen->name, errno_name(errno));
		CHECK_EQ(fscanf(stat, "%*d (%*[^)]) %1s", state), 1);
		fclose(stat);
	}
}

static void *wait_in_thread(void *unused)
{
	waiting = gettid();
	chosen->wait(ends[1]);
	return unused;
}

static void start_waiting_thread(pthread_t *thread)
{
	waiting = 0;
	CHECK_EQ(pthread_create(thread, NULL, wait_in_thread, NULL), 0);
	while (!waiting)
		;
	see_asleep(getpid(), waiting);
}

/* The other end of the pair: whatever is still to be read, then the end of the file, and soon. */
static void check_end(void)
{
	static char bytes[65536];
	struct pollfd entry = { ends[0], POLLIN, 0 };
	ssize_t length;

	do {
		if (poll(&entry, 1, 10000) != 1)
			FAIL("%s: the socket has not been closed", chosen->name);
		length = read(ends[0], bytes, sizeof(bytes));
	} while (length > 0);
	CHECK(length == 0 || errno == ECONNRESET);
	CHECK_OK(close(ends[0]));
}

static void each_kind(void (*one)(void))
{
	int lock = make_file("locked", "");

	CHECK_OK(flock(lock, LOCK_EX));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		chosen = &kinds[i];
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		one();
	}
}

static void exit_beside(void)
{
	pthread_t thread;
	pid_t child = fork_child();

	if (child == 0) {
		close(ends[0]);
		start_waiting_thread(&thread);
		_exit(3);
	}
	CHECK_OK(close(ends[1]));
	CHECK_EXITS(child, 3);
	check_end();
}

CASE(exit_closes_what_another_thread_waits_for, "exit_group(2)")
{
	each_kind(exit_beside);
}

static void kill_waiting(void)
{
	pid_t child = fork_child();

	if (child == 0) {
		close(ends[0]);
		chosen->wait(ends[1]);
		_exit(1);
	}
	CHECK_OK(close(ends[1]));
	see_asleep(child, child);
	end_child(child);
	check_end();
}

CASE(a_killed_process_closes_what_it_waited_for, "signal(7)")
{
	each_kind(kill_waiting);
}

static void interrupt_waiting(void)
{
	pthread_t thread;

	start_waiting_thread(&thread);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(close(ends[1]));
	check_end();
}

CASE(an_interrupted_wait_leaves_the_file_to_be_closed, "signal(7)")
{
	handle(SIGUSR1, count_signal, 0);
	each_kind(interrupt_waiting);
}

static void execute_beside(void)
{
	char byte;
	int executed[2], stopper[2];
	pthread_t thread;
	pid_t child;

	CHECK_OK(pipe2(executed, O_CLOEXEC));
	CHECK_OK(pipe2(stopper, O_CLOEXEC));
	child = fork_child();
	if (child == 0) {
		close(ends[0]);
		CHECK_OK(fcntl(ends[1], F_SETFD, FD_CLOEXEC));
		CHECK_OK(dup2(stopper[0], 0));
		start_waiting_thread(&thread);
		execl("/bin/sh", "sh", "-c", "read nothing; exit 4", NULL);
		_exit(1);
	}
	CHECK_OK(close(ends[1]));
	CHECK_OK(close(executed[1]));
	CHECK_EQ(read(executed[0], &byte, 1), 0);
	check_end();
	CHECK_OK(close(executed[0]));
	CHECK_OK(close(stopper[0]));
	CHECK_OK(close(stopper[1]));
	CHECK_EXITS(child, 4);
}

CASE(execve_closes_what_another_thread_waits_for, "execve(2)")
{
	each_kind(execute_beside);
}
