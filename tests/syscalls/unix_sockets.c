/* AF_UNIX sockets with addresses: bind, listen, connect, accept, names. Unnamed pairs: socketpair.c. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char text[256];

static struct sockaddr_un named(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, path);
	return address;
}

static int bind_to(int fd, const char *path)
{
	struct sockaddr_un address = named(path);

	return bind(fd, (struct sockaddr *)&address, sizeof(address));
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = named(path);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int stream(void)
{
	return CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int datagram(void)
{
	return CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
}

/* A socket that listens at the path. */
static int listener(const char *path, int type)
{
	int fd = CHECK_OK(socket(AF_UNIX, type, 0));

	CHECK_OK(bind_to(fd, path));
	CHECK_OK(listen(fd, 5));
	return fd;
}

CASE(connect_and_accept_make_a_pair, "unix(7)")
{
	int server = listener("socket", SOCK_STREAM), client = stream(), peer;

	CHECK_OK(connect_to(client, "socket"));
	peer = CHECK_OK(accept(server, NULL, NULL));
	CHECK_EQ(send(client, "question", 8, 0), 8);
	CHECK_EQ(recv(peer, text, sizeof(text), 0), 8);
	CHECK(memcmp(text, "question", 8) == 0);
	CHECK_EQ(send(peer, "answer", 6, 0), 6);
	CHECK_EQ(recv(client, text, sizeof(text), 0), 6);
}

CASE(bind_makes_a_socket_file, "unix(7)")
{
	struct stat status;

	listener("socket", SOCK_STREAM);
	CHECK_OK(stat("socket", &status));
	CHECK(S_ISSOCK(status.st_mode));
	CHECK_ERR(open("socket", O_RDWR), ENXIO);
}

CASE(bind_errors, "unix(7)")
{
	int fd = stream();
	struct sockaddr_un address = named("name");

	put_file("file", "");
	CHECK_ERR(bind_to(fd, "file"), EADDRINUSE);
	CHECK_ERR(bind_to(fd, "missing/socket"), ENOENT);
	CHECK_ERR(bind_to(fd, "file/socket"), ENOTDIR);
	CHECK_ERR(bind(fd, (struct sockaddr *)&address, 1), EINVAL);
	CHECK_ERR(bind(fd, (struct sockaddr *)&address, 1000), EINVAL);
	CHECK_ERR(syscall(SYS_bind, fd, unmapped(), sizeof(address)), EFAULT);
	CHECK_ERR(bind_to(0, "name"), ENOTSOCK);
	CHECK_ERR(bind_to(999, "name"), EBADF);
	CHECK_OK(bind_to(fd, "name"));
	CHECK_ERR(bind_to(fd, "other"), EINVAL);
	CHECK_ERR(access("other", F_OK), ENOENT);
	CHECK_ERR(bind_to(fd, "name"), EADDRINUSE);
	CHECK_OK(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)));
}

CASE(SIOCUNIXFILE_opens_the_file_of_a_socket, "unix(7)")
{
	int fd = stream(), file;
	struct stat status;

	if (geteuid() != 0) {
		CHECK_ERR(ioctl(fd, SIOCPROTOPRIVATE), EPERM);
		return;
	}
	CHECK_ERR(ioctl(fd, SIOCPROTOPRIVATE), ENOENT);
	CHECK_OK(bind_to(fd, "name"));
	file = CHECK_OK(ioctl(fd, SIOCPROTOPRIVATE));
	CHECK_OK(fstat(file, &status));
	CHECK(S_ISSOCK(status.st_mode));
	CHECK_EQ(fcntl(file, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fchmod(file, 0600), EBADF);
}

CASE(length_of_an_absent_address_does_not_matter, "sendmsg(2)")
{
	int ends[2];
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_namelen = -1 };
	struct sockaddr_un address;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_EQ(sendmsg(ends[0], &message, 0), 1);
	message.msg_namelen = -1;
	CHECK_EQ(recvmsg(ends[1], &message, 0), 1);
	message.msg_name = &address;
	message.msg_namelen = -1;
	CHECK_ERR(sendmsg(ends[0], &message, 0), EINVAL);
}

CASE(connect_errors, "connect(2)")
{
	int fd = stream(), bound = stream();

	put_file("file", "");
	CHECK_OK(bind_to(bound, "deaf"));
	CHECK_ERR(connect_to(fd, "missing"), ENOENT);
	CHECK_ERR(connect_to(fd, "file"), ECONNREFUSED);
	CHECK_ERR(connect_to(fd, "deaf"), ECONNREFUSED);
	listener("packets", SOCK_SEQPACKET);
	CHECK_ERR(connect_to(fd, "packets"), EPROTOTYPE);
	listener("socket", SOCK_STREAM);
	CHECK_OK(connect_to(fd, "socket"));
	CHECK_ERR(connect_to(fd, "socket"), EISCONN);
}

CASE(connect_without_room_in_the_backlog_gives_EAGAIN, "connect(2)")
{
	int server = stream(), fd, tries = 0;

	CHECK_OK(bind_to(server, "socket"));
	CHECK_OK(listen(server, 1));
	do
		fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	while (connect_to(fd, "socket") == 0 && ++tries < 100);
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(tries, 2);
}

CASE(accept_errors, "accept(2)")
{
	int server = listener("socket", SOCK_STREAM | SOCK_NONBLOCK), ends[2];

	CHECK_OK(pipe(ends));
	CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
	CHECK_ERR(accept(ends[0], NULL, NULL), ENOTSOCK);
	CHECK_ERR(accept(stream(), NULL, NULL), EINVAL);
	CHECK_ERR(accept(datagram(), NULL, NULL), EOPNOTSUPP);
	CHECK_ERR(accept4(server, NULL, NULL, 0x1), EINVAL);
	CHECK_ERR(accept(999, NULL, NULL), EBADF);
}

CASE(accept4_sets_the_flags_of_the_new_descriptor, "accept(2)")
{
	int server = listener("socket", SOCK_STREAM), client = stream(), peer;

	CHECK_OK(connect_to(client, "socket"));
	peer = CHECK_OK(accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(peer, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(recv(peer, text, 1, 0), EAGAIN);
}

CASE(blocked_accept_is_woken_by_a_connection, "accept(2)")
{
	int server = listener("socket", SOCK_STREAM);
	pid_t child = fork_child();

	if (child == 0)
		_exit(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
	CHECK_OK(accept(server, NULL, NULL));
	CHECK_EXITS(child, 0);
}

CASE(listening_socket_is_readable_when_a_connection_waits, "unix(7)")
{
	struct pollfd entry = { .fd = listener("socket", SOCK_STREAM), .events = POLLIN };

	CHECK_EQ(poll(&entry, 1, 0), 0);
	CHECK_OK(connect_to(stream(), "socket"));
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN);
}

CASE(getsockname_and_getpeername_tell_the_path, "getsockname(2)")
{
	struct sockaddr_un address;
	socklen_t length = sizeof(address);
	int server = listener("socket", SOCK_STREAM), client = stream();

	CHECK_OK(connect_to(client, "socket"));
	CHECK_OK(getsockname(server, (struct sockaddr *)&address, &length));
	CHECK_EQ(length, offsetof(struct sockaddr_un, sun_path) + strlen("socket") + 1);
	CHECK_STREQ(address.sun_path, "socket");
	length = sizeof(address);
	CHECK_OK(getpeername(client, (struct sockaddr *)&address, &length));
	CHECK_STREQ(address.sun_path, "socket");
	length = sizeof(address);
	CHECK_OK(getsockname(client, (struct sockaddr *)&address, &length));
	CHECK_EQ(length, sizeof(sa_family_t));
	CHECK_EQ(address.sun_family, AF_UNIX);
	CHECK_ERR(getpeername(server, (struct sockaddr *)&address, &length), ENOTCONN);
}

CASE(abstract_names_need_no_file, "unix(7)")
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length;
	int server = stream(), client = stream();

	length = sizeof(sa_family_t) + 1 + sprintf(address.sun_path + 1, "runsc-test-%d", getpid());
	CHECK_OK(bind(server, (struct sockaddr *)&address, length));
	CHECK_OK(listen(server, 1));
	CHECK_OK(connect(client, (struct sockaddr *)&address, length));
	CHECK_ERR(bind(stream(), (struct sockaddr *)&address, length), EADDRINUSE);
	CHECK_ERR(connect(client, (struct sockaddr *)&address, length - 1), ECONNREFUSED);
}

CASE(datagrams_keep_their_boundaries_and_sender, "unix(7)")
{
	struct sockaddr_un from, to = named("receiver");
	socklen_t length = sizeof(from);
	int receiver = datagram(), sender = datagram();

	CHECK_OK(bind_to(receiver, "receiver"));
	CHECK_OK(bind_to(sender, "sender"));
	CHECK_EQ(sendto(sender, "one", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	CHECK_EQ(sendto(sender, "second", 6, 0, (struct sockaddr *)&to, sizeof(to)), 6);
	CHECK_EQ(recvfrom(receiver, text, sizeof(text), 0, (struct sockaddr *)&from, &length), 3);
	CHECK_STREQ(from.sun_path, "sender");
	CHECK_EQ(recv(receiver, text, 2, MSG_TRUNC), 6);
	CHECK_ERR(recv(receiver, text, sizeof(text), MSG_DONTWAIT), EAGAIN);
}

CASE(SO_PEERCRED_names_the_peer_at_connect, "unix(7)")
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int server = listener("socket", SOCK_STREAM), fd;
	pid_t child = fork_child();

	if (child == 0)
		_exit(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));
	fd = CHECK_OK(accept(server, NULL, NULL));
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length));
	CHECK_EQ(peer.pid, child);
	CHECK_EQ(peer.uid, geteuid());
	CHECK_EQ(peer.gid, getegid());
	CHECK_EXITS(child, 0);
}

CASE(socket_arguments_are_checked, "socket(2)")
{
	CHECK_ERR(socket(AF_UNIX, 77, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
	CHECK_ERR(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0), EINVAL);
	CHECK_ERR(listen(datagram(), 1), EOPNOTSUPP);
	CHECK_ERR(listen(stream(), 1), EINVAL);
}

CASE(options_of_a_new_socket, "socket(7)")
{
	int fd = stream(), value = -1;
	socklen_t length = sizeof(value);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &length));
	CHECK_EQ(value, AF_UNIX);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length));
	CHECK_EQ(value, 0);
	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
	CHECK_EQ(value, 0);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
	CHECK_ERR(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
	CHECK_ERR(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, unmapped(), &length), EFAULT);
	CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), EINVAL);
}

CASE(bytes_that_are_left_are_told, "Linux, af_unix.c: SO_INQ")
{
	const int inq = 84; /* SO_INQ and SCM_INQ, which older headers lack */
	int ends[2], on = 1, left;
	char control[64], data[4];
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *first;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	if (setsockopt(ends[0], SOL_SOCKET, inq, &on, sizeof(on)) == -1 && errno == ENOPROTOOPT)
		SKIP("a kernel older than 6.17");
	CHECK_EQ(write(ends[1], "hello world", 11), 11);
	for (int peek = 1; peek >= 0; peek--) {
		message.msg_controllen = sizeof(control);
		CHECK_EQ(recvmsg(ends[0], &message, peek ? MSG_PEEK : 0), 4);
		first = CMSG_FIRSTHDR(&message);
		CHECK(first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == inq);
		memcpy(&left, CMSG_DATA(first), sizeof(left));
		CHECK_EQ(left, peek ? 11 : 7);
	}
	on = 2;
	CHECK_ERR(setsockopt(ends[0], SOL_SOCKET, inq, &on, sizeof(on)), EINVAL);
	on = 0;
	CHECK_OK(setsockopt(ends[0], SOL_SOCKET, inq, &on, sizeof(on)));
	CHECK_EQ(recvmsg(ends[0], &message, 0), 4);
	CHECK_EQ(message.msg_controllen, 0);
	on = 1;
	CHECK_ERR(setsockopt(datagram(), SOL_SOCKET, inq, &on, sizeof(on)), ENOPROTOOPT);
}
