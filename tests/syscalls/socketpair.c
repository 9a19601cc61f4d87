/* Connected AF_UNIX sockets: streams, packets, shutdown, passed descriptors, send and receive flags. */
#include "harness.h"
#include "fixtures.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static int pair[2];
static char text[1 << 20];

static void make_pair(int type)
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, pair));
}

/* Sends one byte and these descriptors. */
static ssize_t send_descriptors(int socket, const int *fds, int count)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8))) = { 0 };
	struct iovec part = { "d", 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header = (struct cmsghdr *)control;

	message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(int) * count), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
	return sendmsg(socket, &message, 0);
}

/* Receives one byte and at most room descriptors; returns how many came, and the message's flags. */
static int receive_descriptors(int socket, int *fds, int room, int flags, int *flags_seen)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8)));
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header;
	int count;

	message.msg_controllen = CMSG_LEN(sizeof(int) * room);
	CHECK_EQ(recvmsg(socket, &message, flags), 1);
	*flags_seen = message.msg_flags;
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return 0;
	CHECK_EQ(header->cmsg_type, SCM_RIGHTS);
	count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(header), sizeof(int) * count);
	return count;
}

CASE(stream_joins_and_splits_what_is_sent, "socketpair(2)")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[0], "abc", 3), 3);
	CHECK_EQ(write(pair[0], "def", 3), 3);
	CHECK_EQ(read(pair[1], text, 2), 2);
	CHECK_EQ(read(pair[1], text, 100), 4);
	CHECK(memcmp(text, "cdef", 4) == 0);
}

CASE(both_directions_are_independent, "socketpair(2)")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[0], "a", 1), 1);
	CHECK_EQ(write(pair[1], "bb", 2), 2);
	CHECK_EQ(read(pair[0], text, 100), 2);
	CHECK_EQ(read(pair[1], text, 100), 1);
}

CASE(closed_peer_gives_end_of_file_then_EPIPE, "unix(7)")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[1], "last", 4), 4);
	CHECK_OK(close(pair[1]));
	CHECK_EQ(read(pair[0], text, 100), 4);
	CHECK_EQ(read(pair[0], text, 100), 0);
	CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	handle(SIGPIPE, count_signal, 0);
	CHECK_ERR(write(pair[0], "x", 1), EPIPE);
	CHECK_EQ(signals_seen, 1);
}

CASE(closing_with_unread_data_resets_the_peer, "unix(7)")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[0], "unread", 6), 6);
	CHECK_OK(close(pair[1]));
	CHECK_ERR(read(pair[0], text, 100), ECONNRESET);
	CHECK_EQ(read(pair[0], text, 100), 0);
}

CASE(shutdown_of_writing_is_end_of_file_for_the_peer, "shutdown(2)")
{
	make_pair(SOCK_STREAM);
	CHECK_OK(shutdown(pair[0], SHUT_WR));
	CHECK_EQ(read(pair[1], text, 100), 0);
	CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(write(pair[1], "still", 5), 5);
	CHECK_EQ(read(pair[0], text, 100), 5);
	CHECK_ERR(shutdown(pair[0], 3), EINVAL);
	CHECK_ERR(shutdown(0, SHUT_RD), ENOTSOCK);
}

CASE(MSG_PEEK_leaves_the_data, "recv(2)")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[0], "peek", 4), 4);
	CHECK_EQ(recv(pair[1], text, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(pair[1], text, 100, 0), 4);
}

CASE(MSG_DONTWAIT_gives_EAGAIN, "recv(2)")
{
	make_pair(SOCK_STREAM);
	CHECK_ERR(recv(pair[0], text, 1, MSG_DONTWAIT), EAGAIN);
	while (send(pair[0], text, 65536, MSG_DONTWAIT) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

CASE(MSG_WAITALL_waits_for_the_full_request, "recv(2)")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	child = fork_child();
	if (child == 0) {
		for (int i = 0; i < 10; i++) {
			CHECK_EQ(write(pair[0], "0123456789", 10), 10);
			sched_yield();
		}
		_exit(0);
	}
	CHECK_EQ(recv(pair[1], text, 100, MSG_WAITALL), 100);
	CHECK_EXITS(child, 0);
}

CASE(blocking_send_of_a_megabyte_completes_as_it_is_read, "send(2)")
{
	ssize_t got, total = 0;
	pid_t child;

	make_pair(SOCK_STREAM);
	child = fork_child();
	if (child == 0)
		_exit(write(pair[0], text, sizeof(text)) != sizeof(text));
	CHECK_OK(close(pair[0]));
	while ((got = CHECK_OK(read(pair[1], text, 10000))) > 0)
		total += got;
	CHECK_EQ(total, sizeof(text));
	CHECK_EXITS(child, 0);
}

CASE(packets_keep_their_boundaries_and_are_truncated, "unix(7)")
{
	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(send(pair[0], "first", 5, 0), 5);
	CHECK_EQ(send(pair[0], "second", 6, 0), 6);
	CHECK_EQ(recv(pair[1], text, 100, 0), 5);
	CHECK_EQ(recv(pair[1], text, 3, 0), 3);
	CHECK_ERR(recv(pair[1], text, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(close(pair[0]));
	CHECK_EQ(recv(pair[1], text, 100, 0), 0);
}

CASE(datagram_of_0_bytes_is_a_datagram, "unix(7)")
{
	make_pair(SOCK_DGRAM);
	CHECK_EQ(send(pair[0], text, 0, 0), 0);
	CHECK_EQ(send(pair[0], "x", 1, 0), 1);
	CHECK_EQ(recv(pair[1], text, 100, 0), 0);
	CHECK_EQ(recv(pair[1], text, 100, 0), 1);
}

CASE(sendmsg_gathers_and_recvmsg_scatters, "send(2)")
{
	char first[4], second[100];
	struct iovec out[2] = { { "abc", 3 }, { "defgh", 5 } }, in[2] = { { first, 4 }, { second, 100 } };
	struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr received = { .msg_iov = in, .msg_iovlen = 2 };

	make_pair(SOCK_SEQPACKET);
	CHECK_EQ(sendmsg(pair[0], &sent, 0), 8);
	CHECK_EQ(recvmsg(pair[1], &received, 0), 8);
	CHECK(memcmp(first, "abcd", 4) == 0 && memcmp(second, "efgh", 4) == 0);
	CHECK_EQ(received.msg_controllen, 0);
}

CASE(SCM_RIGHTS_passes_open_file_descriptions, "unix(7)")
{
	int fds[2] = { make_file("file", "0123456789"), 0 }, received[8], flags;

	CHECK_OK(lseek(fds[0], 4, SEEK_SET));
	make_pair(SOCK_STREAM);
	CHECK_EQ(send_descriptors(pair[0], fds, 2), 1);
	CHECK_EQ(receive_descriptors(pair[1], received, 8, MSG_CMSG_CLOEXEC, &flags), 2);
	CHECK(received[0] != fds[0]);
	CHECK_EQ(lseek(received[0], 0, SEEK_CUR), 4);
	CHECK_EQ(fcntl(received[0], F_GETFD), FD_CLOEXEC);
}

CASE(passed_descriptor_survives_its_closing_by_the_sender, "unix(7)")
{
	int fd = make_file("file", "kept"), received[8], flags;

	make_pair(SOCK_STREAM);
	CHECK_EQ(send_descriptors(pair[0], &fd, 1), 1);
	CHECK_OK(close(fd));
	CHECK_OK(unlink("file"));
	CHECK_EQ(receive_descriptors(pair[1], received, 8, 0, &flags), 1);
	CHECK_EQ(pread(received[0], text, 4, 0), 4);
	CHECK(memcmp(text, "kept", 4) == 0);
}

CASE(too_little_room_for_descriptors_sets_MSG_CTRUNC, "unix(7)")
{
	int fds[3] = { 0, 0, 0 }, received[8], flags;

	make_pair(SOCK_STREAM);
	CHECK_EQ(send_descriptors(pair[0], fds, 3), 1);
	CHECK_EQ(receive_descriptors(pair[1], received, 1, 0, &flags), 1);
	CHECK(flags & MSG_CTRUNC);
}

CASE(passing_a_bad_descriptor_gives_EBADF, "unix(7)")
{
	int fd = 999;

	make_pair(SOCK_STREAM);
	CHECK_ERR(send_descriptors(pair[0], &fd, 1), EBADF);
}

CASE(SO_RCVTIMEO_gives_EAGAIN_after_its_time, "socket(7)")
{
	struct timeval timeout = { 0, 2000 };
	long long before = nanoseconds(CLOCK_MONOTONIC);

	make_pair(SOCK_STREAM);
	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
	CHECK_ERR(recv(pair[0], text, 1, 0), EAGAIN);
	CHECK(nanoseconds(CLOCK_MONOTONIC) - before >= 2000000);
}

CASE(poll_of_a_pair_follows_data_and_hang_up, "poll(2)")
{
	struct pollfd entry;

	make_pair(SOCK_STREAM);
	entry = (struct pollfd){ .fd = pair[0], .events = POLLIN | POLLOUT };
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLOUT);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN | POLLOUT);
	CHECK_OK(close(pair[1]));
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN | POLLOUT | POLLHUP);
}

CASE(FIONREAD_counts_the_bytes_of_a_stream, "unix(7)")
{
	int waiting = -1;

	make_pair(SOCK_STREAM);
	CHECK_EQ(write(pair[0], "12345", 5), 5);
	CHECK_OK(ioctl(pair[1], FIONREAD, &waiting));
	CHECK_EQ(waiting, 5);
}

CASE(socketpair_errors, "socketpair(2)")
{
	CHECK_ERR(socketpair(AF_UNIX, 77, 0, pair), EINVAL);
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 99, pair), EPROTONOSUPPORT);
	CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, unmapped()), EFAULT);
	make_pair(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	CHECK_ERR(read(pair[0], text, 1), EAGAIN);
	CHECK_ERR(lseek(pair[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(recv(make_file("file", ""), text, 1, 0), ENOTSOCK);
}
