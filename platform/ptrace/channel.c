/* Descriptors on their way to a stub.
 *
 * One SOCK_SEQPACKET pair for all stubs: injected work is synchronous, so at most one message is under way.
 * A guest thread can spoil the message header that its own stub's recvmsg uses; then the message may stay in
 * the queue, where the next stub would take it for its own.  So after any failure the sentry drains the
 * stubs' end itself.
 */
#include "ptrace.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2] = {-1, -1}; /* the sentry's, the stubs' */

int channel_open(int *stub_end)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	*stub_end = ends[1];
	return 0;
}

void channel_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
		ends[i] = -1;
	}
}

/* fd < 0: a lone byte. */
int channel_send(int fd)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof fd)];
	} control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	}
	return sendmsg(ends[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void channel_drain(void)
{
	char byte;
	struct iovec iov = {&byte, 1};
	/* There is no room for control data: it is closed. */
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	while (recvmsg(ends[1], &message, MSG_DONTWAIT) >= 0)
		;
}
