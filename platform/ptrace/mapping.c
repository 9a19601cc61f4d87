/* Address-space work: host calls that a stopped context of the space makes for the sentry. */
#include "ptrace.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* Page alignment and the like are for the host's kernel to refuse; the stub's range is for us. */
static int order(struct pf_context *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	if (ctx->running || !guest_range(a, b))
		return -EINVAL;
	int64_t result = inject_call(thread_of(ctx), nr, a, b, c, d, e, 0);
	return result < 0 ? (int)result : 0;
}

static int map_descriptor(struct thread *thread, uint64_t addr, size_t len, int prot, int flags, int fd,
			  off_t offset)
{
	struct pf_regs regs = {
		.r12 = addr,
		.r13 = len,
		.r14 = (uint64_t)prot,
		.r10 = (uint64_t)flags,
		.r9 = (uint64_t)offset,
	};
	int failed = channel_send(channel, &fd, 1);
	if (failed)
		return failed;
	int64_t result = inject(thread, STUB_MAP, &regs);
	if (result == (int64_t)addr)
		return 0;
	channel_drain();
	return result < 0 ? (int)result : -EIO;
}

int op_map(struct pf_context *ctx, uint64_t addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (ctx->running || !guest_range(addr, len))
		return -EINVAL;
	flags |= MAP_FIXED;
	if (fd >= 0 || !(flags & MAP_ANONYMOUS) || flags & MAP_SHARED)
		rseq_overlaid((struct space *)ctx->space, addr, len);
	if (fd >= 0 && !(flags & MAP_ANONYMOUS))
		return map_descriptor(thread_of(ctx), addr, len, prot, flags, fd, offset);
	int64_t result = inject_call(thread_of(ctx), SYS_mmap, addr, len, (uint64_t)prot, (uint64_t)flags,
				     (uint64_t)-1, 0);
	return result == (int64_t)addr ? 0 : result < 0 ? (int)result : -EIO;
}

int op_unmap(struct pf_context *ctx, uint64_t addr, size_t len)
{
	return order(ctx, SYS_munmap, addr, len, 0, 0, 0);
}

int op_protect(struct pf_context *ctx, uint64_t addr, size_t len, int prot)
{
	return order(ctx, SYS_mprotect, addr, len, (uint64_t)prot, 0, 0);
}

int op_remap(struct pf_context *ctx, uint64_t old, size_t old_len, size_t new_len, int flags, uint64_t target)
{
	if (!guest_range(target, new_len))
		return -EINVAL;
	rseq_overlaid((struct space *)ctx->space, target, new_len);
	return order(ctx, SYS_mremap, old, old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED | (unsigned)flags,
		     target);
}

int op_advise(struct pf_context *ctx, uint64_t addr, size_t len, int advice)
{
	return order(ctx, SYS_madvise, addr, len, (uint64_t)advice, 0, 0);
}

int op_sync(struct pf_context *ctx, uint64_t addr, size_t len, int flags)
{
	return order(ctx, SYS_msync, addr, len, (uint64_t)flags, 0, 0);
}
