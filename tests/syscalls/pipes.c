/* Pipes and FIFOs: ends, capacity, blocking, SIGPIPE, partial transfers. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <pthread.h>
#include <limits.h>
#include <sys/ioctl.h>

static char buffer[1 << 17];

CASE(pipe_returns_a_read_end_and_a_write_end, "pipe(2)")
{
	int ends[2];

	CHECK_OK(syscall(SYS_pipe, ends));
	CHECK_EQ(ends[1], ends[0] + 1);
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	CHECK_EQ(read(ends[0], buffer, 100), 5);
	CHECK(memcmp(buffer, "hello", 5) == 0);
	CHECK_ERR(write(ends[0], "x", 1), EBADF);
	CHECK_ERR(read(ends[1], buffer, 1), EBADF);
}

CASE(pipe2_flags_are_applied_and_checked, "pipe(2)")
{
	int ends[2];

	CHECK_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
	CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_ERR(syscall(SYS_pipe2, ends, O_CREAT), EINVAL);
	CHECK_OK(pipe2(ends, O_DIRECT));
	CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY);
	CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_DIRECT);
}

CASE(pipe_to_a_bad_pointer_gives_EFAULT_and_uses_no_descriptor, "pipe(2)")
{
	int before = CHECK_OK(dup(0)), after;

	CHECK_OK(close(before));
	CHECK_ERR(syscall(SYS_pipe, unmapped()), EFAULT);
	after = CHECK_OK(dup(0));
	CHECK_EQ(after, before);
}

CASE(read_after_the_last_writer_closed_returns_0, "pipe(7)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "ab", 2), 2);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], buffer, 10), 2);
	CHECK_EQ(read(ends[0], buffer, 10), 0);
}

CASE(write_without_readers_raises_SIGPIPE, "pipe(7)")
{
	int ends[2];
	pid_t child = fork_child();

	if (child == 0) {
		if (pipe(ends) || close(ends[0]))
			_exit(1);
		signal(SIGPIPE, SIG_DFL);
		if (write(ends[1], "x", 1))
			_exit(2);
		_exit(3);
	}
	CHECK_KILLED(child, SIGPIPE);
}

CASE(write_without_readers_gives_EPIPE_when_SIGPIPE_is_ignored, "pipe(7)")
{
	int ends[2];

	handle(SIGPIPE, SIG_IGN, 0);
	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHECK_ERR(write(ends[1], "x", 1), EPIPE);
}

CASE(empty_nonblocking_pipe_gives_EAGAIN, "pipe(7)")
{
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	CHECK_ERR(read(ends[0], buffer, 1), EAGAIN);
	CHECK_EQ(read(ends[0], buffer, 0), 0);
}

CASE(default_capacity_is_65536_bytes, "pipe(7)")
{
	int ends[2];

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	if (fcntl(ends[0], F_GETPIPE_SZ) < 65536)
		SKIP("the user's pipe pages are used up");
	CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(write(ends[1], buffer, sizeof(buffer)), 65536);
	CHECK_ERR(write(ends[1], "x", 1), EAGAIN);
}

CASE(nonblocking_write_of_at_most_PIPE_BUF_is_all_or_nothing, "pipe(7)")
{
	int ends[2];
	ssize_t written, total = 0;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	while ((written = write(ends[1], buffer, PIPE_BUF)) == PIPE_BUF)
		total += written;
	CHECK_EQ(written, -1);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(total % PIPE_BUF, 0);
	CHECK_EQ(read(ends[0], buffer, 100), 100);
	CHECK_ERR(write(ends[1], buffer, PIPE_BUF), EAGAIN);
}

CASE(nonblocking_write_above_PIPE_BUF_may_be_partial, "pipe(7)")
{
	int ends[2], room;

	CHECK_OK(pipe2(ends, O_NONBLOCK));
	room = CHECK_OK(fcntl(ends[0], F_GETPIPE_SZ));
	CHECK_EQ(write(ends[1], buffer, room - PIPE_BUF), room - PIPE_BUF);
	CHECK_EQ(write(ends[1], buffer, 3 * PIPE_BUF), PIPE_BUF);
}

CASE(blocked_reader_is_woken_by_a_write, "pipe(7)")
{
	int ends[2];
	char byte;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 50; i++)
			sched_yield();
		_exit(write(ends[1], "k", 1) != 1);
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(byte, 'k');
	CHECK_EXITS(child, 0);
}

CASE(blocking_write_larger_than_the_pipe_completes_as_it_is_drained, "pipe(7)")
{
	int ends[2];
	ssize_t total = 0, got;
	pid_t child;

	CHECK_OK(pipe(ends));
	child = fork_child();
	if (child == 0)
		_exit(write(ends[1], buffer, sizeof(buffer)) != sizeof(buffer));
	CHECK_OK(close(ends[1]));
	while ((got = CHECK_OK(read(ends[0], buffer, 5000))) > 0)
		total += got;
	CHECK_EQ(total, sizeof(buffer));
	CHECK_EXITS(child, 0);
}

CASE(blocking_write_interrupted_after_some_bytes_returns_their_number, "signal(7)")
{
	int ends[2], room;

	CHECK_OK(pipe(ends));
	room = CHECK_OK(fcntl(ends[0], F_GETPIPE_SZ));
	alarm_often(count_signal, 0);
	CHECK_EQ(write(ends[1], buffer, sizeof(buffer)), room);
	still();
}

CASE(F_SETPIPE_SZ_rounds_up_and_refuses_to_lose_data, "fcntl(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 5000), 8192);
	CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
	CHECK_EQ(write(ends[1], buffer, 8192), 8192);
	CHECK_ERR(fcntl(ends[0], F_SETPIPE_SZ, 4096), EBUSY);
}

CASE(FIONREAD_counts_the_bytes_waiting, "pipe(7)")
{
	int ends[2], waiting = -1;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "12345", 5), 5);
	CHECK_OK(ioctl(ends[0], FIONREAD, &waiting));
	CHECK_EQ(waiting, 5);
}

CASE(seeking_on_a_pipe_gives_ESPIPE, "lseek(2)")
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(pread(ends[0], buffer, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(ends[1], buffer, 1, 0), ESPIPE);
}

CASE(fifo_open_nonblocking_for_writing_without_reader_gives_ENXIO, "fifo(7)")
{
	CHECK_OK(mkfifo("fifo", 0600));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_OK(open("fifo", O_RDONLY | O_NONBLOCK));
	CHECK_OK(open("fifo", O_WRONLY | O_NONBLOCK));
}

CASE(fifo_open_blocks_until_the_other_end_is_open, "fifo(7)")
{
	pid_t child;
	int fd;

	CHECK_OK(mkfifo("fifo", 0600));
	child = fork_child();
	if (child == 0) {
		fd = open("fifo", O_WRONLY);
		_exit(write(fd, "f", 1) != 1);
	}
	fd = CHECK_OK(open("fifo", O_RDONLY));
	CHECK_EQ(read(fd, buffer, 10), 1);
	CHECK_EQ(read(fd, buffer, 10), 0);
	CHECK_EXITS(child, 0);
}

CASE(fifo_open_blocked_is_interrupted_with_EINTR, "open(2)")
{
	CHECK_OK(mkfifo("fifo", 0600));
	alarm_often(count_signal, 0);
	CHECK_ERR(open("fifo", O_RDONLY), EINTR);
	still();
}

CASE(fifo_keeps_its_data_between_separate_openers, "fifo(7)")
{
	int fd;

	CHECK_OK(mkfifo("fifo", 0600));
	fd = CHECK_OK(open("fifo", O_RDWR));
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(read(CHECK_OK(open("fifo", O_RDONLY)), buffer, 10), 2);
}
