/* Guest memory, by process_vm_readv and process_vm_writev: page protection is honoured, COW is broken,
 * nothing stops.
 *
 * The host copies in large steps and may give up a whole step when one page of it is missing.  A short
 * transfer goes on page by page from where it ended, so that the caller gets every byte there is.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "remote.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct pf_iov) == sizeof(struct iovec), "a guest iovec is a host iovec");

#define PAGE 4096ULL

typedef ssize_t transfer(pid_t, const struct iovec *, unsigned long, const struct iovec *, unsigned long,
			 unsigned long);

static size_t copy_pages(int pid, uint64_t addr, char *buf, size_t len, transfer *copy)
{
	size_t done = 0;
	while (done < len) {
		size_t step = PAGE - ((addr + done) & (PAGE - 1));
		step = step < len - done ? step : len - done;
		struct iovec local = {buf + done, step}, remote = {(void *)(addr + done), step};
		ssize_t got = copy(pid, &local, 1, &remote, 1, 0);
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

/* One contiguous range, cut off at the end of the guest's part. */
static ssize_t copy_range(int pid, uint64_t addr, char *buf, size_t len, transfer *copy)
{
	size_t done = 0;
	if (!len)
		return 0;
	if (addr >= PF_GUEST_END)
		return -EFAULT;
	if (len > PF_GUEST_END - addr)
		len = PF_GUEST_END - addr;
	struct iovec local = {buf, len}, remote = {(void *)addr, len};
	ssize_t got = copy(pid, &local, 1, &remote, 1, 0);
	if (got == (ssize_t)len)
		return got;
	done = got > 0 ? (size_t)got : 0;
	done += copy_pages(pid, addr + done, buf + done, len - done, copy);
	return done ? (ssize_t)done : -EFAULT;
}

static ssize_t copy_scattered(int pid, const struct pf_iov *iov, int iovcnt, char *buf,
			      size_t len, transfer *copy)
{
	struct iovec remote[IOV_MAX], local = {buf, 0};
	size_t done = 0;
	int count = 0;
	bool clean = true; /* within the guest's part, all of it */
	if (iovcnt < 0 || iovcnt > IOV_MAX)
		return -EINVAL;
	for (; count < iovcnt && local.iov_len < len; count++) {
		size_t take = iov[count].len < len - local.iov_len ? iov[count].len : len - local.iov_len;
		clean = clean && guest_range(iov[count].base, take);
		remote[count] = (struct iovec){(void *)iov[count].base, take};
		local.iov_len += take;
	}
	if (!local.iov_len)
		return 0;
	if (clean) {
		ssize_t got = copy(pid, &local, 1, remote, (unsigned long)count, 0);
		if (got == (ssize_t)local.iov_len)
			return got;
	}
	/* Not all of it can be had: one by one, to the first that fails. */
	for (int i = 0; i < count; i++) {
		size_t want = remote[i].iov_len;
		ssize_t got = copy_range(pid, (uint64_t)remote[i].iov_base, buf + done, want, copy);
		if (got > 0)
			done += (size_t)got;
		if (got < (ssize_t)want)
			break;
	}
	return done ? (ssize_t)done : -EFAULT;
}

ssize_t remote_read(int pid, uint64_t addr, void *buf, size_t len)
{
	return copy_range(pid, addr, buf, len, process_vm_readv);
}

ssize_t remote_write(int pid, uint64_t addr, const void *buf, size_t len)
{
	return copy_range(pid, addr, (char *)buf, len, process_vm_writev);
}

ssize_t remote_readv(int pid, const struct pf_iov *iov, int iovcnt, void *buf, size_t len)
{
	return copy_scattered(pid, iov, iovcnt, buf, len, process_vm_readv);
}

ssize_t remote_writev(int pid, const struct pf_iov *iov, int iovcnt, const void *buf, size_t len)
{
	return copy_scattered(pid, iov, iovcnt, (char *)buf, len, process_vm_writev);
}
