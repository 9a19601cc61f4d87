/* Address-space work: host calls that a stopped thread of the space makes for the sentry. */
#include "systrap.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* Page alignment and the like are for the host's kernel to refuse; the stub's range is for us. */
static int work(struct pf_context *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	if (ctx->running || !guest_range(a, b))
		return -EINVAL;
	int64_t result = stub_call(ctx, nr, a, b, c, d, e, 0);
	return result < 0 ? (int)result : 0;
}

static int64_t map_descriptor(struct thread *thread, uint64_t addr, size_t len, int prot, int flags, int fd,
			      off_t offset)
{
	int failed = channel_send(space_of(thread)->socket, &fd, 1);
	if (failed)
		return failed;
	return order(thread, ORDER_MAP, 0, addr, len, (uint64_t)prot, (uint64_t)flags, 0, (uint64_t)offset);
}

int op_map(struct pf_context *ctx, uint64_t addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	int64_t result;
	if (ctx->running || !guest_range(addr, len))
		return -EINVAL;
	sites_forget((struct space *)ctx->space, addr, len);
	flags |= MAP_FIXED;
	if (fd >= 0 && !(flags & MAP_ANONYMOUS))
		result = map_descriptor(thread_of(ctx), addr, len, prot, flags, fd, offset);
	else
		result = stub_call(ctx, SYS_mmap, addr, len, (uint64_t)prot, (uint64_t)flags, (uint64_t)-1, 0);
	return result == (int64_t)addr ? 0 : result < 0 ? (int)result : -EIO;
}

int op_unmap(struct pf_context *ctx, uint64_t addr, size_t len)
{
	sites_forget((struct space *)ctx->space, addr, len);
	return work(ctx, SYS_munmap, addr, len, 0, 0, 0);
}

int op_protect(struct pf_context *ctx, uint64_t addr, size_t len, int prot)
{
	/* Who may write it is to find what was there; and we can only change code that may be run. */
	if (prot != (PROT_READ | PROT_EXEC) && !ctx->running && guest_range(addr, len))
		sites_restore(thread_of(ctx), addr, len);
	return work(ctx, SYS_mprotect, addr, len, (uint64_t)prot, 0, 0);
}

int op_remap(struct pf_context *ctx, uint64_t old, size_t old_len, size_t new_len, int flags, uint64_t target)
{
	if (!guest_range(target, new_len) || ctx->running || !guest_range(old, old_len))
		return -EINVAL;
	sites_restore(thread_of(ctx), old, old_len);
	sites_forget((struct space *)ctx->space, target, new_len);
	return work(ctx, SYS_mremap, old, old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED | (unsigned)flags,
		    target);
}

int op_advise(struct pf_context *ctx, uint64_t addr, size_t len, int advice)
{
	if (advice == MADV_DONTNEED && !ctx->running && guest_range(addr, len))
		sites_restore(thread_of(ctx), addr, len); /* the file's code comes back, whatever it is by now */
	return work(ctx, SYS_madvise, addr, len, (uint64_t)advice, 0, 0);
}

int op_sync(struct pf_context *ctx, uint64_t addr, size_t len, int flags)
{
	return work(ctx, SYS_msync, addr, len, (uint64_t)flags, 0, 0);
}
