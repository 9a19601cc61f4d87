/* SCM_RIGHTS (unix(7)). */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int channel_send(int socket, const int *fds, int count)
{
	char byte = 0;
	struct iovec iov = {&byte, 1};
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (count < 0 || count > CHANNEL_FDS)
		return -EINVAL;
	if (count) {
		size_t len = (size_t)count * sizeof(int);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(len);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(len);
		memcpy(CMSG_DATA(&control.head), fds, len);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}
