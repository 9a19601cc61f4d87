/* The channel by which descriptors come to the stubs.
 *
 * One SOCK_SEQPACKET pair for all stubs: injected work is synchronous, so at most one message is under way.
 * A guest thread can spoil the message header that its own stub's recvmsg uses; then the message may stay in
 * the queue, where the next stub would take it for its own.  So after any failure the sentry drains the
 * stubs' end itself.
 */
#include "ptrace.h"

#include <sys/socket.h>
#include <unistd.h>

int channel = -1;
static int stub_end = -1;

int channel_open(int *end)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	channel = ends[0];
	*end = stub_end = ends[1];
	return 0;
}

void channel_close(void)
{
	if (channel >= 0) {
		close(channel);
		close(stub_end);
	}
	channel = stub_end = -1;
}

void channel_drain(void)
{
	char byte;
	struct iovec iov = {&byte, 1};
	/* There is no room for control data: it is closed. */
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	while (recvmsg(stub_end, &message, MSG_DONTWAIT) >= 0)
		;
}
