/* Options of level SOL_SOCKET on UNIX sockets: defaults, limits, and what they do to messages. */
#include "harness.h"
#include "fixtures.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#define SO_BUF_LOCK 72
#endif
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#define SO_PASSRIGHTS 83
#define SCM_PIDFD 0x04

static int ends[2];
static char text[4096];

static void open_pair(int type)
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, ends));
}

static int get(int fd, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, option, &value, &length));
	return value;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

/* One message with all that came along, in `control`; returns its length. */
static char control[512];
static struct msghdr received;

static ssize_t receive(int fd, int flags)
{
	static struct iovec vector = { text, sizeof(text) };

	received = (struct msghdr){ .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
	return recvmsg(fd, &received, flags);
}

static void *control_of(int type, size_t size)
{
	struct cmsghdr *part;

	for (part = CMSG_FIRSTHDR(&received); part; part = CMSG_NXTHDR(&received, part))
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == type) {
			CHECK_EQ(part->cmsg_len, CMSG_LEN(size));
			return CMSG_DATA(part);
		}
	return NULL;
}

CASE(options_begin_as_documented, "socket(7)")
{
	static const struct { int option, value; } begin[] = {
		{ SO_TYPE, SOCK_STREAM }, { SO_DOMAIN, AF_UNIX }, { SO_PROTOCOL, 0 }, { SO_ERROR, 0 },
		{ SO_ACCEPTCONN, 0 }, { SO_DEBUG, 0 }, { SO_REUSEADDR, 0 }, { SO_KEEPALIVE, 0 },
		{ SO_DONTROUTE, 0 }, { SO_BROADCAST, 0 }, { SO_OOBINLINE, 0 }, { SO_RCVLOWAT, 1 },
		{ SO_SNDLOWAT, 1 }, { SO_PRIORITY, 0 }, { SO_MARK, 0 }, { SO_PASSCRED, 0 }, { SO_TIMESTAMP, 0 },
		{ SO_TIMESTAMPNS, 0 }, { SO_RXQ_OVFL, 0 }, { SO_PEEK_OFF, -1 }, { SO_LOCK_FILTER, 0 },
		{ SO_INCOMING_CPU, -1 }, { SO_NO_CHECK, 0 }, { SO_BSDCOMPAT, 0 }, { SO_SELECT_ERR_QUEUE, 0 },
		{ SO_BUSY_POLL, 0 }, { SO_ZEROCOPY, 0 }, { SO_BUF_LOCK, 0 }, { SO_PASSPIDFD, 0 },
	};
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	for (size_t i = 0; i < sizeof(begin) / sizeof(*begin); i++)
		if (get(fd, begin[i].option) != begin[i].value)
			FAIL("option %d is %d, expected %d", begin[i].option, get(fd, begin[i].option),
			     begin[i].value);
}

CASE(switches_are_told_as_1, "socket(7)")
{
	static const int switches[] = { SO_REUSEADDR, SO_KEEPALIVE, SO_DONTROUTE, SO_BROADCAST, SO_OOBINLINE,
					SO_PASSCRED, SO_TIMESTAMP, SO_RXQ_OVFL, SO_NO_CHECK, SO_PASSPIDFD };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
		CHECK_OK(set(fd, switches[i], 77));
		CHECK_EQ(get(fd, switches[i]), 1);
		CHECK_OK(set(fd, switches[i], 0));
		CHECK_EQ(get(fd, switches[i]), 0);
	}
}

CASE(options_that_can_only_be_asked_for, "socket(7)")
{
	static const int fixed[] = { SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN, SO_SNDLOWAT,
				     SO_PEERCRED, SO_PEERGROUPS, SO_COOKIE, SO_MEMINFO, SO_PEERPIDFD };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (set(fd, fixed[i], 1) != -1 || errno != ENOPROTOOPT)
			FAIL("option %d: %s", fixed[i], errno_name(errno));
	CHECK_ERR(set(fd, 250, 1), ENOPROTOOPT);
	CHECK_ERR(set(fd, SO_REUSEPORT, 1), EOPNOTSUPP);
	CHECK_OK(set(fd, SO_REUSEPORT, 0));
	CHECK_ERR(set(fd, SO_ZEROCOPY, 1), EOPNOTSUPP);
	CHECK_ERR(set(fd, SO_BUF_LOCK, 4), EINVAL);
	CHECK_ERR(set(fd, SO_BUSY_POLL, -1), EINVAL);
}

CASE(option_values_must_be_long_enough, "setsockopt(2)")
{
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), value = 1;
	struct timeval time = { 0, 1000000 };
	socklen_t length = sizeof(value);

	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, -1), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value)), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)), EINVAL);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), EDOM);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, unmapped(), 4), EFAULT);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, unmapped(), &length), EFAULT);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, unmapped()), EFAULT);
	length = -1;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length), EINVAL);
	length = 2;
	value = -1;
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
	CHECK_EQ(length, 2);
	CHECK_EQ(value, (int)0xffff0001);
	CHECK_ERR(setsockopt(fd, 6, 1, &value, sizeof(value)), EOPNOTSUPP);
	CHECK_ERR(getsockopt(fd, 6, 1, &value, &length), EOPNOTSUPP);
	length = -1;
	CHECK_ERR(getsockopt(fd, 6, 1, &value, &length), EOPNOTSUPP);
	length = 4;
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &value, &length), EINVAL);
	CHECK_ERR(setsockopt(0x7fff, SOL_SOCKET, SO_REUSEADDR, &value, 4), EBADF);
	CHECK_ERR(setsockopt(make_file("f", ""), SOL_SOCKET, SO_REUSEADDR, &value, 4), ENOTSOCK);
}

CASE(time_outs_are_kept_in_ticks, "socket(7), SO_RCVTIMEO")
{
	struct timeval time = { 3, 500000 };
	socklen_t length = sizeof(time);

	open_pair(SOCK_STREAM);
	CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, &length));
	CHECK_EQ(time.tv_sec, 3);
	CHECK_EQ(time.tv_usec, 500000);
	time = (struct timeval){ 0, 1 };
	CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, &length));
	CHECK(time.tv_usec > 0 && time.tv_usec <= 10000);
	/* They hold for read(2) and write(2) too. */
	CHECK_ERR(read(ends[0], text, 1), EAGAIN);
	CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
	while (write(ends[0], text, sizeof(text)) > 0)
		;
	CHECK_EQ(errno, EAGAIN);
}

CASE(peeking_moves_on_from_SO_PEEK_OFF, "socket(7), SO_PEEK_OFF")
{
	open_pair(SOCK_STREAM);
	CHECK_OK(set(ends[0], SO_PEEK_OFF, 1));
	CHECK_EQ(write(ends[1], "aabbccddeeff", 12), 12);
	CHECK_EQ(recv(ends[0], text, 2, MSG_PEEK), 2);
	CHECK(memcmp(text, "ab", 2) == 0);
	CHECK_EQ(get(ends[0], SO_PEEK_OFF), 3);
	CHECK_EQ(read(ends[0], text, 2), 2);
	CHECK_EQ(get(ends[0], SO_PEEK_OFF), 1);
	CHECK_EQ(recv(ends[0], text, 100, MSG_PEEK), 9);
	CHECK_EQ(text[0], 'b');
	CHECK_ERR(recv(ends[0], text, 100, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK_OK(set(ends[0], SO_PEEK_OFF, -1));
	CHECK_EQ(recv(ends[0], text, 100, MSG_PEEK), 10);
}

CASE(peeking_walks_over_datagrams, "socket(7), SO_PEEK_OFF")
{
	open_pair(SOCK_DGRAM);
	CHECK_OK(set(ends[0], SO_PEEK_OFF, 0));
	CHECK_EQ(write(ends[1], "one", 3), 3);
	CHECK_EQ(write(ends[1], "four", 4), 4);
	CHECK_EQ(recv(ends[0], text, 100, MSG_PEEK), 3);
	CHECK_EQ(recv(ends[0], text, 100, MSG_PEEK), 4);
	CHECK(memcmp(text, "four", 4) == 0);
	CHECK_ERR(recv(ends[0], text, 100, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(recv(ends[0], text, 100, 0), 3);
}

CASE(datagrams_tell_when_they_came, "socket(7), SO_TIMESTAMP")
{
	struct timespec *exact;
	struct timeval *time;

	open_pair(SOCK_DGRAM);
	CHECK_OK(set(ends[0], SO_TIMESTAMP, 1));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(receive(ends[0], 0), 1);
	time = control_of(SO_TIMESTAMP, sizeof(*time));
	CHECK(time && time->tv_sec > 1500000000 && time->tv_usec < 1000000);
	CHECK_OK(set(ends[0], SO_TIMESTAMPNS, 1));
	CHECK_EQ(get(ends[0], SO_TIMESTAMP), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(receive(ends[0], 0), 1);
	exact = control_of(SO_TIMESTAMPNS, sizeof(*exact));
	CHECK(exact && exact->tv_sec > 1500000000 && exact->tv_nsec < 1000000000);
}

CASE(messages_bring_a_pidfd_of_their_sender, "unix(7), SO_PASSPIDFD")
{
	char link[64], info[64];
	int *fd;

	open_pair(SOCK_DGRAM);
	if (set(ends[0], SO_PASSPIDFD, 1) != 0)
		SKIP("no SO_PASSPIDFD here");
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(receive(ends[0], 0), 1);
	fd = control_of(SCM_PIDFD, sizeof(*fd));
	CHECK(fd && *fd >= 0);
	CHECK_EQ(fcntl(*fd, F_GETFD), FD_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fdinfo/%d", *fd);
	snprintf(info, sizeof(info), "Pid:\t%d\n", getpid());
	CHECK(strstr(text_of(link), info));
}

CASE(the_peer_is_known_by_credentials_groups_and_pidfd, "unix(7), SO_PEERCRED")
{
	int fd, other = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	struct ucred creds;
	gid_t groups[64];
	socklen_t length = sizeof(creds);

	open_pair(SOCK_STREAM);
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &creds, &length));
	CHECK_EQ(creds.pid, getpid());
	CHECK_EQ(creds.uid, geteuid());
	length = sizeof(creds);
	CHECK_OK(getsockopt(other, SOL_SOCKET, SO_PEERCRED, &creds, &length));
	CHECK_EQ(creds.pid, 0);
	CHECK_EQ(creds.uid, -1u);
	length = sizeof(groups);
	CHECK_ERR(getsockopt(other, SOL_SOCKET, SO_PEERGROUPS, groups, &length), ENODATA);
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_PEERGROUPS, groups, &length));
	CHECK_EQ(length, getgroups(0, NULL) * sizeof(gid_t));
	length = sizeof(fd);
	CHECK_ERR(getsockopt(other, SOL_SOCKET, SO_PEERPIDFD, &fd, &length), ENODATA);
	length = sizeof(fd);
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_PEERPIDFD, &fd, &length));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	length = sizeof(text);
	CHECK_ERR(getsockopt(ends[0], SOL_SOCKET, SO_PEERSEC, text, &length), ENOPROTOOPT);
}

CASE(SO_PEERNAME_is_getpeername, "socket(7)")
{
	struct sockaddr_un name;
	socklen_t length = sizeof(sa_family_t);

	open_pair(SOCK_STREAM);
	CHECK_OK(getsockopt(ends[0], SOL_SOCKET, SO_PEERNAME, &name, &length));
	CHECK_EQ(name.sun_family, AF_UNIX);
	length = sizeof(name);
	CHECK_ERR(getsockopt(ends[0], SOL_SOCKET, SO_PEERNAME, &name, &length), EINVAL);
	CHECK_ERR(getsockopt(CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)), SOL_SOCKET, SO_PEERNAME, &name, &length),
		  ENOTCONN);
}

CASE(files_may_be_refused, "unix(7), SO_PASSRIGHTS")
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec vector = { "x", 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = room,
				  .msg_controllen = sizeof(room) };
	struct cmsghdr *part = CMSG_FIRSTHDR(&message);

	open_pair(SOCK_STREAM);
	if (set(ends[0], SO_PASSRIGHTS, 0) != 0)
		SKIP("no SO_PASSRIGHTS here");
	*part = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	CHECK_ERR(sendmsg(ends[1], &message, 0), EPERM);
	CHECK_OK(set(ends[0], SO_PASSRIGHTS, 1));
	CHECK_EQ(sendmsg(ends[1], &message, 0), 1);
}

static int attach(int fd, struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = { length, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

#define ATTACH(fd, code) attach(fd, code, sizeof(code) / sizeof(*(code)))

CASE(a_filter_drops_and_cuts_datagrams, "socket(7), SO_ATTACH_FILTER")
{
	/* Keeps three bytes of what begins with 'a'. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 3),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};

	open_pair(SOCK_DGRAM);
	CHECK_OK(ATTACH(ends[0], code));
	CHECK_EQ(write(ends[1], "dropped", 7), 7);
	CHECK_EQ(write(ends[1], "abcde", 5), 5);
	CHECK_EQ(recv(ends[0], text, 100, 0), 3);
	CHECK(memcmp(text, "abc", 3) == 0);
	CHECK_ERR(recv(ends[0], text, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(set(ends[0], SO_DETACH_FILTER, 0));
	CHECK_ERR(set(ends[0], SO_DETACH_FILTER, 0), ENOENT);
	CHECK_EQ(write(ends[1], "passed", 6), 6);
	CHECK_EQ(recv(ends[0], text, 100, 0), 6);
}

CASE(a_filter_computes, "socket(7), SO_ATTACH_FILTER")
{
	/* Keeps as many bytes as the first two say, big-endian, by way of memory and X. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_LD | BPF_IMM, 100),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 100),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	open_pair(SOCK_SEQPACKET);
	CHECK_OK(ATTACH(ends[0], code));
	CHECK_EQ(write(ends[1], "\0\5abcdefgh", 10), 10);
	CHECK_EQ(recv(ends[0], text, 100, 0), 5);
	/* Too short for the load: lost. */
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_ERR(recv(ends[0], text, 100, MSG_DONTWAIT), EAGAIN);
}

CASE(a_filter_looks_at_bytes_from_x_on, "socket(7), SO_ATTACH_FILTER")
{
	/* Keeps what the byte says that is behind a header of 4 times the first byte's low half, modulo 8. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 1),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 8),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	open_pair(SOCK_DGRAM);
	CHECK_OK(ATTACH(ends[0], code));
	CHECK_EQ(write(ends[1], "\xf1" "abcd\x0b" "efgh", 10), 10);
	CHECK_EQ(recv(ends[0], text, 100, 0), 3);
	CHECK_EQ(write(ends[1], "\x02" "abcdefg", 8), 8);
	CHECK_ERR(recv(ends[0], text, 100, MSG_DONTWAIT), EAGAIN);
}

CASE(a_filter_asks_for_facts, "socket(7), SO_ATTACH_FILTER")
{
	struct sock_filter none[] = { /* a message has neither protocol nor mark; then it computes with X */
		BPF_STMT(BPF_LD | BPF_IMM, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_STMT(BPF_ST, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_STMT(BPF_LDX | BPF_IMM, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_ALU_XOR_X)),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_filter device[] = { /* nor a device: that is the end */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_STMT(BPF_RET | BPF_K, 10),
	};
	struct sock_filter unknown[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MAX)),
		BPF_STMT(BPF_RET | BPF_K, 10),
	};

	open_pair(SOCK_DGRAM);
	CHECK_OK(ATTACH(ends[0], none));
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_EQ(recv(ends[0], text, 100, 0), 6);
	CHECK_OK(ATTACH(ends[0], device));
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_ERR(recv(ends[0], text, 100, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(ATTACH(ends[0], unknown), EINVAL);
}

CASE(bad_filters_are_refused, "socket(7), SO_ATTACH_FILTER")
{
	struct sock_filter good[] = { BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_filter endless[] = { BPF_STMT(BPF_LD | BPF_IMM, 1) };
	struct sock_filter far[] = { BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_filter zero[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_filter unstored[] = { BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_A, 0) };
	struct sock_filter word[] = { BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0) };
	struct sock_filter unknown[] = { BPF_STMT(0xffff, 16), BPF_STMT(BPF_RET | BPF_A, 0) };

	open_pair(SOCK_DGRAM);
	CHECK_ERR(ATTACH(ends[0], endless), EINVAL);
	CHECK_ERR(ATTACH(ends[0], far), EINVAL);
	CHECK_ERR(ATTACH(ends[0], zero), EINVAL);
	CHECK_ERR(ATTACH(ends[0], unstored), EINVAL);
	CHECK_ERR(ATTACH(ends[0], word), EINVAL);
	CHECK_ERR(ATTACH(ends[0], unknown), EINVAL);
	CHECK_ERR(attach(ends[0], good, 0), EINVAL);
	CHECK_ERR(attach(ends[0], unmapped(), 1), EFAULT);
	CHECK_ERR(set(ends[0], SO_ATTACH_FILTER, 1), EINVAL);
	CHECK_OK(ATTACH(ends[0], good));
	CHECK_OK(set(ends[0], SO_LOCK_FILTER, 1));
	CHECK_ERR(set(ends[0], SO_LOCK_FILTER, 0), EPERM);
	CHECK_ERR(set(ends[0], SO_DETACH_FILTER, 0), EPERM);
	CHECK_ERR(ATTACH(ends[0], good), EPERM);
}
