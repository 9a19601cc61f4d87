/* FP and vector state: XSAVE's standard format, as the NT_X86_XSTATE register set has it. */
#include "ptrace.h"

#include <elf.h>
#include <string.h>
#include <sys/uio.h>

#define MAX_XSTATE 16384 /* AMX included: 11008 */

static char initial[MAX_XSTATE]; /* what execve leaves */
static size_t size_of_state;

static ssize_t get(struct thread *thread, void *buf, size_t size)
{
	struct iovec iov = {buf, size};
	if (ptrace(PTRACE_GETREGSET, thread->base.host_tid, NT_X86_XSTATE, &iov) < 0)
		return -errno;
	return (ssize_t)iov.iov_len;
}

static int set(struct thread *thread, const void *buf, size_t size)
{
	struct iovec iov = {(void *)buf, size};
	return ptrace(PTRACE_SETREGSET, thread->base.host_tid, NT_X86_XSTATE, &iov) < 0 ? -errno : 0;
}

int fpu_init(struct thread *thread)
{
	ssize_t got = get(thread, initial, sizeof initial);
	if (got < 0)
		return (int)got;
	size_of_state = (size_t)got;
	return 0;
}

int fpu_copy(struct thread *to, struct thread *from)
{
	char state[MAX_XSTATE];
	ssize_t got = get(from, state, size_of_state);
	return got < 0 ? (int)got : set(to, state, (size_t)got);
}

size_t op_fpu_size(void)
{
	return size_of_state;
}

ssize_t op_get_fpu(struct pf_context *ctx, void *buf, size_t size)
{
	return size < size_of_state ? -EINVAL : get(thread_of(ctx), buf, size_of_state);
}

/* -EINVAL, or -EFAULT from some kernels, for a state that the CPU would refuse. */
int op_set_fpu(struct pf_context *ctx, const void *buf, size_t size)
{
	return size != size_of_state ? -EINVAL : set(thread_of(ctx), buf, size);
}

int op_reset_fpu(struct pf_context *ctx)
{
	return set(thread_of(ctx), initial, size_of_state);
}
