/* What /proc/PID/io counts of a thread: bytes that its calls read and wrote, and the calls (proc_pid_io(5)). */
#include "core.h"

#include <errno.h>
#include <sys/syscall.h>

enum {
	READS = 1,
	WRITES = 2,
	ALWAYS = 4, /* even a call that got no further than its arguments */
};

static const unsigned char kinds[HOT_COUNT] = {
	[SYS_read] = READS,
	[SYS_pread64] = READS,
	[SYS_readv] = READS | ALWAYS,
	[SYS_preadv] = READS | ALWAYS,
	[SYS_preadv2] = READS | ALWAYS,
	[SYS_write] = WRITES,
	[SYS_pwrite64] = WRITES,
	[SYS_writev] = WRITES | ALWAYS,
	[SYS_pwritev] = WRITES | ALWAYS,
	[SYS_pwritev2] = WRITES | ALWAYS,
	[SYS_sendfile] = READS | WRITES,
	[SYS_copy_file_range] = READS | WRITES,
};

/* Whether a call failed before it came to the files. */
static bool is_early(int kind, int64_t result)
{
	if ((kind & READS) && (kind & WRITES))
		return result < 0;
	return result == -EBADF || result == -EINVAL || result == -EFAULT || result == -ESPIPE;
}

void io_count(Task *task, int64_t result)
{
	unsigned nr = (unsigned)task->syscall_nr;
	int kind = nr < HOT_COUNT ? kinds[nr] : 0;
	if (!kind || (!(kind & ALWAYS) && is_early(kind, result)))
		return;
	unsigned long long bytes = result > 0 ? (unsigned long long)result : 0;
	if (kind & READS) {
		task->rchar += bytes;
		task->syscr++;
	}
	if (kind & WRITES) {
		task->wchar += bytes;
		task->syscw++;
	}
}
