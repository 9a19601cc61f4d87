/* Guest memory: the process holds it, and it need not stop for that. */
#include "ptrace.h"

ssize_t op_read(struct pf_context *ctx, uint64_t addr, void *buf, size_t len)
{
	return remote_read(ctx->space->host_pid, addr, buf, len);
}

ssize_t op_write(struct pf_context *ctx, uint64_t addr, const void *buf, size_t len)
{
	return remote_write(ctx->space->host_pid, addr, buf, len);
}

ssize_t op_readv(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, void *buf, size_t len)
{
	return remote_readv(ctx->space->host_pid, iov, iovcnt, buf, len);
}

ssize_t op_writev(struct pf_context *ctx, const struct pf_iov *iov, int iovcnt, const void *buf, size_t len)
{
	return remote_writev(ctx->space->host_pid, iov, iovcnt, buf, len);
}

/* Done by the guest's own process: no other way is atomic to its threads. */
int op_cmpxchg(struct pf_context *ctx, uint64_t addr, uint32_t expect, uint32_t desired, uint32_t *seen)
{
	struct pf_regs regs = {.rdi = addr, .rax = expect, .rcx = desired};
	if (ctx->running || addr & 3 || !guest_range(addr, sizeof expect))
		return ctx->running ? -EINVAL : -EFAULT;
	int64_t result = inject(thread_of(ctx), STUB_CMPXCHG, &regs);
	if (result < 0)
		return (int)result;
	*seen = (uint32_t)result;
	return 0;
}
