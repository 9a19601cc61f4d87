/* Which kinds of files splice, sendfile, tee, vmsplice and copy_file_range take from and give to. */
#include "harness.h"
#include "fixtures.h"

#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static int open_pipe(int end, int filled)
{
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	if (filled)
		CHECK_EQ(write(ends[1], "hello", 5), 5);
	return ends[end];
}

static int open_pair(int type)
{
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends));
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	return ends[0];
}

static int new_eventfd(void) { return eventfd(3, EFD_NONBLOCK); }
static int new_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK); }
static int new_epoll(void) { return epoll_create1(0); }
static int new_inotify(void) { return inotify_init1(IN_NONBLOCK); }
static int stream(void) { return open_pair(SOCK_STREAM); }
static int datagram(void) { return open_pair(SOCK_DGRAM); }
static int packets(void) { return open_pair(SOCK_SEQPACKET); }
static int directory(void) { return open(".", O_RDONLY | O_DIRECTORY); }
static int namespace(void) { return open("/proc/self/ns/uts", O_RDONLY); }
static int zeros(void) { return open("/dev/zero", O_RDWR); }
static int null(void) { return open("/dev/null", O_RDWR); }
static int full(void) { return open("/dev/full", O_RDWR); }
static int noise(void) { return open("/dev/urandom", O_RDWR); }
static int status(void) { return open("/proc/self/status", O_RDONLY); }
static int comm(void) { return open("/proc/self/comm", O_RDWR); }
static int memory(void) { return open("/proc/self/mem", O_RDWR); }
static int mounts(void) { return open("/proc/self/mountinfo", O_RDONLY); }
static int meminfo(void) { return open("/proc/meminfo", O_RDONLY); }
static int swaps(void) { return open("/proc/swaps", O_RDONLY); }
static int sysvipc(void) { return open("/proc/sysvipc/shm", O_RDONLY); }
static int net(void) { return open("/proc/net/unix", O_RDONLY); }
static int sysctl_file(void) { return open("/proc/sys/kernel/pid_max", O_RDONLY); }
static int sysfs(void) { return open("/sys/devices/system/cpu/online", O_RDONLY); }

static int regular(void) { return make_file("regular", "hello"); }

static int new_memfd(void)
{
	int fd = CHECK_OK(memfd_create("kind", 0));

	CHECK_EQ(pwrite(fd, "hello", 5, 0), 5);
	return fd;
}

static int new_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return signalfd(-1, &set, SFD_NONBLOCK);
}

static int terminal(void)
{
	int fd = CHECK_OK(posix_openpt(O_RDWR | O_NOCTTY));

	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	return fd;
}

/* What splice(2) to a pipe and sendfile(2) to a file answer, and splice(2) from a pipe that has something: a
 * count or an errno (-1: not tried). */
static const struct kind {
	const char *name;
	int (*make)(void);
	int spliced, sent, taken;
} kinds[] = {
	{ "regular file", regular, 4, 4, 4 },
	{ "memfd", new_memfd, 4, 4, 4 },
	{ "directory", directory, -EINVAL, -EINVAL, -EBADF },
	{ "stream socket", stream, 4, -EINVAL, 4 },
	{ "datagram socket", datagram, 4, -EINVAL, 4 },
	{ "seqpacket socket", packets, 4, -EINVAL, 4 },
	{ "eventfd", new_eventfd, -EINVAL, -EINVAL, -EINVAL },
	{ "timerfd", new_timerfd, -EINVAL, -EINVAL, -EINVAL },
	{ "epoll", new_epoll, -EINVAL, -EINVAL, -EINVAL },
	{ "signalfd", new_signalfd, -EINVAL, -EINVAL, -EINVAL },
	{ "inotify", new_inotify, -EINVAL, -EINVAL, -EBADF },
	{ "namespace", namespace, -EINVAL, -EINVAL, -EBADF },
	{ "terminal", terminal, -EAGAIN, -EINVAL, 4 },
	{ "/dev/zero", zeros, 4, 4, 4 },
	{ "/dev/null", null, -EINVAL, -EINVAL, 4 },
	{ "/dev/full", full, 4, 4, -EINVAL },
	{ "/dev/urandom", noise, 4, 4, 4 },
	{ "/proc/PID/status", status, -EINVAL, -EINVAL, -EBADF },
	{ "/proc/PID/comm", comm, -EINVAL, -EINVAL, -EINVAL },
	{ "/proc/PID/mem", memory, -EINVAL, -EINVAL, -EINVAL },
	{ "/proc/PID/mountinfo", mounts, 4, 4, -EBADF },
	{ "/proc/meminfo", meminfo, 4, 4, -EBADF },
	{ "/proc/swaps", swaps, -EINVAL, -EINVAL, -EBADF },
	{ "/proc/sysvipc", sysvipc, -EINVAL, -EINVAL, -EBADF },
	{ "/proc/net", net, -EINVAL, -EINVAL, -EBADF },
	{ "/proc/sys", sysctl_file, 4, 4, -EBADF },
	{ "/sys", sysfs, -1, -1, -EBADF },
};

static void expect(const char *call, const struct kind *kind, ssize_t answer, int expected)
{
	long actual = answer < 0 ? -errno : answer;

	if (actual != expected)
		FAIL("%s, %s: %ld (%s), expected %d (%s)", call, kind->name, actual, errno_name(actual < 0 ? -actual : 0),
		     expected, errno_name(expected < 0 ? -expected : 0));
}

CASE(splice_takes_only_from_files_that_can_give, "splice(2)")
{
	for (const struct kind *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++) {
		int fd = CHECK_OK(kind->make());

		if (kind->spliced != -1)
			expect("splice to a pipe", kind, splice(fd, NULL, open_pipe(1, 0), NULL, 4, SPLICE_F_NONBLOCK),
			       kind->spliced);
	}
}

CASE(sendfile_takes_only_from_files_that_can_give, "sendfile(2)")
{
	int to = make_file("to", "");

	for (const struct kind *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++) {
		int fd = CHECK_OK(kind->make());

		if (kind->sent != -1)
			expect("sendfile", kind, sendfile(to, fd, NULL, 4), kind->sent);
		if (kind->spliced != -1)
			expect("sendfile to a pipe", kind, sendfile(open_pipe(1, 0), CHECK_OK(kind->make()), NULL, 4),
			       kind->spliced);
	}
}

CASE(splice_and_sendfile_give_only_to_files_that_can_take, "splice(2)")
{
	for (const struct kind *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++) {
		int fd = CHECK_OK(kind->make());

		expect("splice from a pipe", kind, splice(open_pipe(0, 1), NULL, fd, NULL, 4, SPLICE_F_NONBLOCK),
		       kind->taken);
		expect("sendfile to it", kind, sendfile(fd, make_file("from", "hello"), NULL, 4), kind->taken);
	}
}

CASE(tee_and_vmsplice_are_for_pipes, "tee(2)")
{
	struct iovec data = { "hello", 5 }, nothing = { "", 0 };

	for (const struct kind *kind = kinds; kind < kinds + sizeof(kinds) / sizeof(*kinds); kind++) {
		int fd = CHECK_OK(kind->make());

		expect("tee", kind, tee(fd, open_pipe(1, 0), 4, SPLICE_F_NONBLOCK), -EINVAL);
		expect("vmsplice", kind, vmsplice(fd, &data, 1, SPLICE_F_NONBLOCK), -EBADF);
		expect("vmsplice of nothing", kind, vmsplice(fd, &nothing, 1, SPLICE_F_NONBLOCK), 0);
	}
	CHECK_EQ(vmsplice(open_pipe(1, 0), &data, 1, 0), 5);
}

CASE(sendfile_to_a_pipe_takes_from_sockets_but_not_from_pipes, "sendfile(2)")
{
	CHECK_EQ(sendfile(open_pipe(1, 0), stream(), NULL, 4), 4);
	CHECK_ERR(sendfile(open_pipe(1, 0), open_pipe(0, 1), NULL, 4), EINVAL);
	CHECK_EQ(sendfile(open_pipe(1, 0), open_pipe(0, 1), NULL, 0), 0);
}

CASE(sendfile_to_a_pipe_answers_when_the_pipe_is_full, "sendfile(2)")
{
	int ends[2], from = CHECK_OK(open("/dev/zero", O_RDONLY));

	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 65536), 65536);
	CHECK_EQ(sendfile(ends[1], from, NULL, 1 << 20), 65536);
	CHECK_OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
	CHECK_ERR(sendfile(ends[1], from, NULL, 1), EAGAIN);
}

CASE(what_cannot_be_read_or_written_comes_after_the_offsets, "splice(2)")
{
	int reader = open_pipe(0, 0), writer = open_pipe(1, 0);
	off64_t zero = 0;
	off_t start = 0;

	CHECK_ERR(splice(writer, &zero, writer, NULL, 1, 0), ESPIPE);
	CHECK_ERR(splice(writer, NULL, writer, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(reader, NULL, reader, &zero, 1, 0), ESPIPE);
	CHECK_ERR(splice(reader, NULL, reader, unmapped(), 1, 0), ESPIPE);
	CHECK_ERR(splice(regular(), unmapped(), reader, NULL, 1, 0), EFAULT);
	CHECK_ERR(sendfile(999, stream(), &start, 1), ESPIPE);
	CHECK_ERR(sendfile(999, regular(), &start, 1), EBADF);
}

CASE(nothing_to_move_is_checked_in_each_call_s_own_order, "splice(2)")
{
	CHECK_EQ(splice(999, NULL, 999, NULL, 0, 0), 0);
	CHECK_EQ(splice(999, NULL, 999, NULL, 0, 0x1000), 0);
	CHECK_EQ(tee(999, 999, 0, 0), 0);
	CHECK_ERR(tee(999, 999, 0, 0x1000), EINVAL);
	CHECK_EQ(sendfile(regular(), new_eventfd(), NULL, 0), 0);
	CHECK_ERR(sendfile(regular(), stream(), NULL, 0), EINVAL);
	CHECK_ERR(copy_file_range(stream(), NULL, regular(), NULL, 0, 0), EINVAL);
}

CASE(a_pipe_without_readers_breaks_before_its_source_is_looked_at, "sendfile(2)")
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_OK(close(ends[0]));
	CHECK_ERR(sendfile(ends[1], status(), NULL, 1), EPIPE);
	CHECK_ERR(sendfile(ends[1], regular(), NULL, 0), EPIPE);
	CHECK_ERR(splice(directory(), NULL, ends[1], NULL, 1, 0), EPIPE);
	CHECK_ERR(splice(open_pipe(0, 0), NULL, ends[1], NULL, 1, 0), EAGAIN);
	CHECK_ERR(tee(open_pipe(0, 0), ends[1], 1, 0), EAGAIN);
	CHECK_ERR(tee(open_pipe(0, 1), ends[1], 1, 0), EPIPE);
}

CASE(copy_file_range_wants_regular_files_of_one_file_system, "copy_file_range(2)")
{
	int fd = regular();

	CHECK_ERR(copy_file_range(stream(), NULL, directory(), NULL, 1, 0), EISDIR);
	CHECK_ERR(copy_file_range(fd, NULL, directory(), NULL, 1, 0), EISDIR);
	CHECK_ERR(copy_file_range(open_pipe(0, 1), NULL, fd, NULL, 1, 0), EINVAL);
	CHECK_ERR(copy_file_range(CHECK_OK(open("regular", O_PATH)), NULL, fd, NULL, 1, 0), EBADF);
	CHECK_ERR(copy_file_range(new_memfd(), NULL, fd, NULL, 1, 0), EXDEV);
	CHECK_ERR(copy_file_range(new_memfd(), NULL, fd, NULL, 0, 0), EXDEV);
	CHECK_ERR(copy_file_range(sysctl_file(), NULL, fd, NULL, 1, 0), EXDEV);
	CHECK_EQ(copy_file_range(new_memfd(), NULL, new_memfd(), NULL, 4, 0), 4);
}

CASE(copy_file_range_tells_overflowing_ranges_from_bad_offsets, "copy_file_range(2)")
{
	int from = make_file("from", "0123456789"), to = make_file("to", "");
	off64_t before = -1, low = INT64_MIN, high = INT64_MAX, zero = 0;

	CHECK_ERR(copy_file_range(from, &before, to, NULL, 4, 0), EOVERFLOW);
	CHECK_ERR(copy_file_range(from, NULL, to, &before, 4, 0), EOVERFLOW);
	CHECK_ERR(copy_file_range(from, &before, to, NULL, 0, 0), EINVAL);
	CHECK_ERR(copy_file_range(from, &low, to, NULL, 4, 0), EINVAL);
	CHECK_EQ(copy_file_range(from, &high, to, NULL, 4, 0), 0);
	CHECK_ERR(copy_file_range(from, &zero, to, &high, 4, 0), EFBIG);
	CHECK_EQ(copy_file_range(from, &zero, to, NULL, SIZE_MAX, 0), 10);
}

static void interrupted(int signo)
{
	(void)signo;
}

/* EINTR after a tenth of a second, for calls that wait. */
static void interrupt_soon(void)
{
	struct sigaction action = { .sa_handler = interrupted };
	struct itimerval soon = { .it_value.tv_usec = 100000 };

	CHECK_OK(sigaction(SIGALRM, &action, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
}

CASE(the_flag_against_waiting_is_for_pipes_and_streams, "splice(2)")
{
	int streams[2], datagrams[2], ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, streams));
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams));
	CHECK_OK(pipe(ends));
	CHECK_ERR(splice(streams[0], NULL, ends[1], NULL, 9, SPLICE_F_NONBLOCK), EAGAIN);
	interrupt_soon();
	CHECK_ERR(splice(datagrams[0], NULL, ends[1], NULL, 9, SPLICE_F_NONBLOCK), EINTR);
	interrupt_soon();
	CHECK_ERR(splice(streams[0], NULL, ends[1], NULL, 9, 0), EINTR);
}

CASE(a_target_that_is_no_pipe_is_waited_for_until_all_is_moved, "sendfile(2)")
{
	static char buffer[1 << 20];
	int streams[2], from = CHECK_OK(open("/dev/zero", O_RDONLY)), status;
	pid_t reader;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, streams));
	reader = CHECK_OK(fork());
	if (reader == 0) {
		usleep(50000);
		_exit(recv(streams[1], buffer, sizeof(buffer), MSG_WAITALL) != sizeof(buffer));
	}
	CHECK_EQ(sendfile(streams[0], from, NULL, sizeof(buffer)), sizeof(buffer));
	CHECK_EQ(waitpid(reader, &status, 0), reader);
	CHECK_EQ(status, 0);
}
