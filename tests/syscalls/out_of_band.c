/* Out-of-band data of UNIX stream sockets: MSG_OOB, the mark, SO_OOBINLINE, POLLPRI and SIGURG. */
#include "harness.h"
#include "fixtures.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int ends[2];
static char text[64];

static void open_pair(int type)
{
	CHECK_OK(socketpair(AF_UNIX, type, 0, ends));
}

static void put(const char *bytes, int flags)
{
	CHECK_EQ(send(ends[1], bytes, strlen(bytes), flags), strlen(bytes));
}

static void get(const char *bytes, int flags)
{
	CHECK_EQ(recv(ends[0], text, sizeof(text), flags | MSG_DONTWAIT), strlen(bytes));
	CHECK(memcmp(text, bytes, strlen(bytes)) == 0);
}

static void get_nothing(int flags, int error)
{
	CHECK_ERR(recv(ends[0], text, sizeof(text), flags | MSG_DONTWAIT), error);
}

static int at_mark(void)
{
	int mark;

	CHECK_OK(ioctl(ends[0], SIOCATMARK, &mark));
	return mark;
}

CASE(the_last_byte_is_out_of_band, "socket(7), MSG_OOB")
{
	open_pair(SOCK_STREAM);
	put("hello", MSG_OOB);
	get("o", MSG_OOB | MSG_PEEK);
	get("o", MSG_OOB);
	get_nothing(MSG_OOB, EINVAL);
	get("hell", 0);
	get_nothing(0, EAGAIN);
}

CASE(reads_stop_at_the_mark, "sockatmark(3)")
{
	open_pair(SOCK_STREAM);
	put("ab", 0);
	put("c", MSG_OOB);
	put("de", 0);
	CHECK_EQ(at_mark(), 0);
	get("ab", 0);
	CHECK_EQ(at_mark(), 1);
	get("c", MSG_OOB);
	CHECK_EQ(at_mark(), 1);
	get("de", 0);
	CHECK_EQ(at_mark(), 0);
}

CASE(unread_out_of_band_data_is_passed_over, "socket(7), MSG_OOB")
{
	open_pair(SOCK_STREAM);
	put("a", 0);
	put("b", MSG_OOB);
	put("c", 0);
	get("a", 0);
	get("c", 0);
	get_nothing(MSG_OOB, EINVAL);
}

CASE(newer_out_of_band_data_makes_the_older_ordinary, "socket(7), MSG_OOB")
{
	open_pair(SOCK_STREAM);
	put("a", MSG_OOB);
	put("b", MSG_OOB);
	get("a", 0);
	get("b", MSG_OOB);
}

CASE(SO_OOBINLINE_leaves_it_in_the_stream, "socket(7), SO_OOBINLINE")
{
	int on = 1;

	open_pair(SOCK_STREAM);
	CHECK_OK(setsockopt(ends[0], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	put("a", 0);
	put("b", MSG_OOB);
	put("c", 0);
	get_nothing(MSG_OOB, EINVAL);
	CHECK_EQ(recv(ends[0], text, 3, MSG_WAITALL), 1);
	CHECK_EQ(at_mark(), 1);
	get("bc", 0);
}

CASE(it_raises_POLLPRI_and_SIGURG, "socket(7), SIOCSPGRP")
{
	struct pollfd entry;
	pid_t owner = getpid();

	open_pair(SOCK_STREAM);
	handle(SIGURG, count_signal, 0);
	CHECK_OK(ioctl(ends[0], SIOCSPGRP, &owner));
	owner = 0;
	CHECK_OK(ioctl(ends[0], SIOCGPGRP, &owner));
	CHECK_EQ(owner, getpid());
	entry = (struct pollfd){ .fd = ends[0], .events = POLLIN | POLLPRI };
	put("x", MSG_OOB);
	CHECK_EQ(signals_seen, 1);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN | POLLPRI);
	get("x", MSG_OOB);
	CHECK_EQ(poll(&entry, 1, 0), 1);
	CHECK_EQ(entry.revents, POLLIN);
}

CASE(only_streams_have_it, "socket(7), MSG_OOB")
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	int mark;

	for (int i = 0; i < 2; i++) {
		open_pair(types[i]);
		CHECK_ERR(send(ends[1], "x", 1, MSG_OOB), EOPNOTSUPP);
		get_nothing(MSG_OOB, EOPNOTSUPP);
		CHECK_ERR(ioctl(ends[0], SIOCATMARK, &mark), EOPNOTSUPP);
	}
	open_pair(SOCK_STREAM);
	CHECK_ERR(send(ends[1], "", 0, MSG_OOB), EOPNOTSUPP);
}
