/* Descriptors on their way to a stub that is a host process. */
#ifndef CHANNEL_H
#define CHANNEL_H

#define CHANNEL_FDS 3 /* at most, in a message */

/* One message of one byte, with `count` descriptors, on a SOCK_SEQPACKET socket.  It never waits.
 * 0 or -errno: of sendmsg(2), -EINVAL for a count that is out of range. */
int channel_send(int socket, const int *fds, int count);

#endif
