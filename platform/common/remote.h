/* The memory of a guest's process, from outside: what back-ends whose guests are host processes share. */
#ifndef REMOTE_H
#define REMOTE_H

#include <stdbool.h>

#include "platform.h"

/* Is [addr, addr + len) in the guest's part? */
static inline bool guest_range(uint64_t addr, uint64_t len)
{
	return addr <= PF_GUEST_END && len <= PF_GUEST_END - addr;
}

/* The contract's read, write, readv, writev on the process `pid`. */
ssize_t remote_read(int pid, uint64_t addr, void *buf, size_t len);
ssize_t remote_write(int pid, uint64_t addr, const void *buf, size_t len);
ssize_t remote_readv(int pid, const struct pf_iov *iov, int iovcnt, void *buf, size_t len);
ssize_t remote_writev(int pid, const struct pf_iov *iov, int iovcnt, const void *buf, size_t len);

#endif
