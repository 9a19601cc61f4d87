/* Guest memory: what is small goes through the slot of a stub that is at hand, the rest through the host. */
#include "systrap.h"

#include <string.h>

/* By the thread's own stub.  -1: not this way. */
static ssize_t by_stub(struct thread *thread, uint32_t what, uint64_t addr, char *buf, size_t len)
{
	uint8_t *data = (uint8_t *)thread->slot + SLOT_DATA;
	if (len > DATA_SIZE || thread->base.running || !guest_range(addr, len) || !is_attentive(thread))
		return -1;
	if (what == ORDER_COPY_OUT)
		memcpy(data, buf, len);
	int64_t left = order(thread, what, 0, addr, len, 0, 0, 0, 0);
	if (left < 0 || left > (int64_t)len)
		return -EFAULT;
	size_t done = len - (size_t)left;
	if (what == ORDER_COPY_IN)
		memcpy(buf, data, done);
	return done ? (ssize_t)done : -EFAULT;
}

ssize_t op_read(struct pf_context *ctx, uint64_t addr, void *buf, size_t len)
{
	if (!len)
		return 0;
	ssize_t done = by_stub(thread_of(ctx), ORDER_COPY_IN, addr, buf, len);
	return done != -1 ? done : remote_read(ctx->space->host_pid, addr, buf, len);
}

ssize_t op_write(struct pf_context *ctx, uint64_t addr, const void *buf, size_t len)
{
	if (!len)
		return 0;
	ssize_t done = by_stub(thread_of(ctx), ORDER_COPY_OUT, addr, (char *)buf, len);
	return done != -1 ? done : remote_write(ctx->space->host_pid, addr, buf, len);
}

ssize_t op_readv(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, void *buf, size_t len)
{
	if (iovcnt == 1)
		return op_read(ctx, iov->base, buf, iov->len < len ? iov->len : len);
	return remote_readv(ctx->space->host_pid, iov, iovcnt, buf, len);
}

ssize_t op_writev(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, const void *buf, size_t len)
{
	if (iovcnt == 1)
		return op_write(ctx, iov->base, buf, iov->len < len ? iov->len : len);
	return remote_writev(ctx->space->host_pid, iov, iovcnt, buf, len);
}

/* Done by the guest's own process: no other way is atomic to its threads. */
int op_cmpxchg(struct pf_context *ctx, uint64_t addr, uint32_t expect, uint32_t desired, uint32_t *seen)
{
	if (ctx->running || addr & 3 || !guest_range(addr, sizeof expect))
		return ctx->running ? -EINVAL : -EFAULT;
	int64_t result = order(thread_of(ctx), ORDER_CMPXCHG, 0, addr, expect, desired, 0, 0, 0);
	if (result < 0)
		return result == -1 ? -EFAULT : (int)result;
	*seen = (uint32_t)result;
	return 0;
}
