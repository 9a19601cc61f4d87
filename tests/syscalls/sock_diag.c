/* NETLINK_SOCK_DIAG: what UNIX sockets there are (sock_diag(7)). */
#include "harness.h"
#include "fixtures.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ESTABLISHED = 1, UNCONNECTED = 7, LISTENING = 10, EVERYTHING = 0x7f };
static char buffer[65536];

struct found {
	struct unix_diag_msg message;
	char name[128];
	int name_length, peer, receive, send, shut, uid;
};

static unsigned inode_of(int fd)
{
	struct stat status;

	CHECK_OK(fstat(fd, &status));
	return status.st_ino;
}

static int ask(int flags, struct unix_diag_req request, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
		{ .nlmsg_len = sizeof(message.header) + size, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		  .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 7 },
		request,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd == -1 && errno == EPROTONOSUPPORT)
		SKIP("no NETLINK_SOCK_DIAG");
	CHECK_OK(fd);
	CHECK_EQ(send(fd, &message, message.header.nlmsg_len, 0), message.header.nlmsg_len);
	return fd;
}

/* The error that answers a request. */
static int refusal(struct unix_diag_req request, size_t size)
{
	struct nlmsghdr *header = (void *)buffer;
	int fd = ask(0, request, size);

	CHECK(recv(fd, buffer, sizeof(buffer), 0) > 0);
	close(fd);
	return header->nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(header))->error : 0;
}

static struct found parse(struct nlmsghdr *header)
{
	struct found found = { .message = *(struct unix_diag_msg *)NLMSG_DATA(header), .peer = -1, .uid = -1 };
	struct nlattr *at = (void *)((char *)NLMSG_DATA(header) + sizeof(struct unix_diag_msg));
	char *end = (char *)header + header->nlmsg_len;

	for (; (char *)at < end; at = (void *)((char *)at + NLA_ALIGN(at->nla_len))) {
		int *value = (void *)((char *)at + NLA_HDRLEN);

		switch (at->nla_type) {
		case UNIX_DIAG_NAME:
			found.name_length = at->nla_len - NLA_HDRLEN;
			memcpy(found.name, value, found.name_length);
			break;
		case UNIX_DIAG_PEER: found.peer = *value; break;
		case UNIX_DIAG_RQLEN: found.receive = value[0]; found.send = value[1]; break;
		case UNIX_DIAG_SHUTDOWN: found.shut = *(char *)value; break;
		case UNIX_DIAG_UID: found.uid = *value; break;
		}
	}
	return found;
}

/* What a dump of sockets in these states tells of one; its family is 0 when it is not among them. */
static struct found dumped(unsigned inode, unsigned states)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_states = states, .udiag_show = EVERYTHING };
	int fd = ask(NLM_F_DUMP, request, sizeof(request));
	struct found found = { .peer = 0 };

	for (;;) {
		int left = recv(fd, buffer, sizeof(buffer), 0);

		CHECK(left > 0);
		for (struct nlmsghdr *at = (void *)buffer; NLMSG_OK(at, (unsigned)left); at = NLMSG_NEXT(at, left)) {
			if (at->nlmsg_type == NLMSG_DONE) {
				close(fd);
				return found;
			}
			CHECK_EQ(at->nlmsg_type, SOCK_DIAG_BY_FAMILY);
			CHECK_EQ(at->nlmsg_flags, NLM_F_MULTI);
			CHECK_EQ(at->nlmsg_seq, 7);
			if (((struct unix_diag_msg *)NLMSG_DATA(at))->udiag_ino == inode)
				found = parse(at);
		}
	}
}

CASE(a_dump_lists_connected_sockets, "sock_diag(7)")
{
	struct found found;
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	CHECK_EQ(write(ends[0], "hello", 5), 5);
	CHECK_OK(shutdown(ends[1], SHUT_WR));
	found = dumped(inode_of(ends[1]), 1 << ESTABLISHED);
	CHECK_EQ(found.message.udiag_family, AF_UNIX);
	CHECK_EQ(found.message.udiag_type, SOCK_STREAM);
	CHECK_EQ(found.message.udiag_state, ESTABLISHED);
	CHECK_EQ(found.peer, inode_of(ends[0]));
	CHECK_EQ(found.receive, 5);
	CHECK_EQ(found.send, 0);
	CHECK_EQ(found.shut, 2);
	CHECK_EQ(found.uid, geteuid());
	CHECK_EQ(found.name_length, 0);
	found = dumped(inode_of(ends[0]), 1 << ESTABLISHED);
	CHECK_EQ(found.receive, 0);
	CHECK(found.send > 5);
	CHECK_EQ(found.shut, 1);
	CHECK_EQ(dumped(inode_of(ends[0]), 1 << LISTENING).message.udiag_family, 0);
}

CASE(a_dump_lists_listeners_and_names, "sock_diag(7)")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int listener = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), client = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	int other = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct found found;

	CHECK_OK(bind(listener, (void *)&name, sizeof(name)));
	CHECK_OK(listen(listener, 5));
	CHECK_OK(connect(client, (void *)&name, sizeof(name)));
	found = dumped(inode_of(listener), 1 << LISTENING);
	CHECK_EQ(found.message.udiag_state, LISTENING);
	CHECK_EQ(found.name_length, 7);
	CHECK_STREQ(found.name, "socket");
	CHECK_EQ(found.receive, 1);
	CHECK_EQ(found.send, 5);
	CHECK_EQ(found.peer, -1);
	name.sun_path[0] = '\0';
	CHECK_OK(bind(other, (void *)&name, sizeof(sa_family_t) + 6));
	found = dumped(inode_of(other), 1 << UNCONNECTED);
	CHECK_EQ(found.message.udiag_type, SOCK_DGRAM);
	CHECK_EQ(found.name_length, 6);
	CHECK(memcmp(found.name, "\0ocket", 6) == 0);
}

CASE(one_socket_is_asked_for_by_its_number, "sock_diag(7)")
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_show = EVERYTHING, .udiag_cookie = { -1, -1 } };
	struct unix_diag_msg *message = NLMSG_DATA(buffer);
	int ends[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
	request.udiag_ino = inode_of(ends[0]);
	CHECK_EQ(refusal(request, sizeof(request)), 0);
	CHECK_EQ(message->udiag_ino, request.udiag_ino);
	CHECK_EQ(message->udiag_type, SOCK_SEQPACKET);
	request.udiag_cookie[0] = message->udiag_cookie[0];
	request.udiag_cookie[1] = message->udiag_cookie[1];
	CHECK_EQ(refusal(request, sizeof(request)), 0);
	request.udiag_cookie[0]++;
	CHECK_EQ(refusal(request, sizeof(request)), ESTALE);
	close(ends[0]);
	request.udiag_cookie[0] = request.udiag_cookie[1] = -1;
	CHECK_EQ(refusal(request, sizeof(request)), ENOENT);
	request.udiag_ino = 0;
	CHECK_EQ(refusal(request, sizeof(request)), EINVAL);
	request.udiag_ino = 1;
	CHECK_EQ(refusal(request, 8), EINVAL);
	CHECK_EQ(refusal(request, 1), EINVAL);
	request.sdiag_family = 200;
	CHECK_EQ(refusal(request, sizeof(request)), EINVAL);
}
