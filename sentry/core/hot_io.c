/* C answers on open files: read, write, pread64, pwrite64, lseek, fstat.
 *
 * Each repeats what its Python twin (sentry.syscalls.read_write) does in the common case and says HOT_MISS
 * for all the rest: a wrong mode, a limit in sight, an error of the host.
 *
 * A copy from or to guest memory may call the memory manager, and a wake-up may call any waiter, both in
 * Python.  Neither of them reads, writes, truncates or closes files: a pipe's ring, an inode's descriptor and
 * the bounce buffer stay as they are meanwhile.  Even so, a reference to the file is held (with_file).
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_END 0x7ffffffff000ULL /* TASK_SIZE_MAX: no buffer reaches beyond */

static const char zeros[4096];

static int64_t read_zeros(Task *task, uint64_t addr, uint64_t count)
{
	uint64_t done = 0;
	while (done < count) {
		size_t part = count - done < sizeof zeros ? count - done : sizeof zeros;
		ssize_t moved = task_write(task, addr + done, zeros, part);
		if (moved > 0)
			done += (uint64_t)moved;
		if (moved != (ssize_t)part)
			return done ? (int64_t)done : -EFAULT;
	}
	return (int64_t)done;
}

typedef int64_t (*file_call)(Task *task, File *file, struct pf_regs *regs);

/* Call `answer` with the file of the first argument. */
static int64_t with_file(Task *task, struct pf_regs *regs, file_call answer)
{
	File *file = fdtable_peek(task, regs->rdi);
	if (!file)
		return HOT_MISS;
	Py_INCREF(file);
	int64_t result = answer(task, file, regs);
	Py_DECREF(file);
	return result;
}

/* Whether the second and third argument are a range of user addresses; else it is EFAULT, even at the end of
 * the file. */
static bool is_buffer(struct pf_regs *regs)
{
	return regs->rdx <= USER_END && regs->rsi <= USER_END - regs->rdx;
}

/* Whether pread's or pwrite's bytes lie at offsets that exist. */
static bool is_range(struct pf_regs *regs)
{
	int64_t end;
	return (int64_t)regs->r10 >= 0 && !__builtin_add_overflow((int64_t)regs->r10, (int64_t)regs->rdx, &end);
}

static uint64_t bounded(uint64_t count)
{
	return count < MAX_RW_COUNT ? count : MAX_RW_COUNT;
}

static int64_t read_file(Task *task, File *file, struct pf_regs *regs)
{
	if (!file->readable || !is_buffer(regs) || file_watched(file))
		return HOT_MISS;
	uint64_t count = bounded(regs->rdx);
	int64_t result;
	switch (file->kind) {
	case KIND_INODE:
		result = inode_read(task, file, regs->rsi, count, file->pos);
		if (result > 0)
			file->pos += result;
		return result;
	case KIND_PIPE:
		return read_pipe(task, file, regs->rsi, count);
	case KIND_EVENTFD:
		return read_counter(task, file, regs->rsi, count);
	case KIND_NULL:
		return 0;
	case KIND_ZERO:
	case KIND_FULL:
		return count > 65536 ? HOT_MISS : read_zeros(task, regs->rsi, count);
	default:
		return HOT_MISS;
	}
}

static int64_t hot_read(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, read_file);
}

static int64_t write_file(Task *task, File *file, struct pf_regs *regs)
{
	if (!file->writable || !is_buffer(regs) || file_watched(file))
		return HOT_MISS;
	uint64_t count = bounded(regs->rdx);
	int64_t result;
	long long pos;
	switch (file->kind) {
	case KIND_INODE:
		if (!regular_inode(file))
			return HOT_MISS;
		pos = file->flags & O_APPEND ? (long long)regular_inode(file)->size : file->pos;
		result = inode_write(task, file, regs->rsi, count, pos);
		if (result > 0)
			file->pos = pos + result;
		return result;
	case KIND_PIPE:
		return write_pipe(task, file, regs->rsi, count);
	case KIND_EVENTFD:
		return write_counter(task, file, regs->rsi, count);
	case KIND_NULL:
	case KIND_ZERO:
		return (int64_t)count;
	default:
		return HOT_MISS;
	}
}

static int64_t hot_write(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, write_file);
}

static int64_t pread_file(Task *task, File *file, struct pf_regs *regs)
{
	if (!file->readable || !is_buffer(regs) || !is_range(regs) || file_watched(file))
		return HOT_MISS;
	return inode_read(task, file, regs->rsi, bounded(regs->rdx), (long long)regs->r10);
}

static int64_t hot_pread(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, pread_file);
}

static int64_t pwrite_file(Task *task, File *file, struct pf_regs *regs)
{
	/* With O_APPEND Linux appends whatever the offset (pwrite(2), BUGS): rare, left to Python. */
	if (!file->writable || !is_buffer(regs) || !is_range(regs) || file->flags & O_APPEND ||
	    file_watched(file))
		return HOT_MISS;
	return inode_write(task, file, regs->rsi, bounded(regs->rdx), (long long)regs->r10);
}

static int64_t hot_pwrite(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, pwrite_file);
}

static int64_t seek_file(Task *task, File *file, struct pf_regs *regs)
{
	(void)task;
	Inode *inode = regular_inode(file);
	long long base, pos;
	if (!inode)
		return HOT_MISS;
	switch ((int)regs->rdx) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = file->pos;
		break;
	case SEEK_END:
		base = (long long)inode->size;
		break;
	default:
		return HOT_MISS;
	}
	if (__builtin_add_overflow(base, (int64_t)regs->rsi, &pos) || pos < 0)
		return HOT_MISS;
	return file->pos = pos;
}

static int64_t hot_lseek(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, seek_file);
}

static int64_t stat_file(Task *task, File *file, struct pf_regs *regs)
{
	struct stat st;
	if (!file->inode || !PyObject_TypeCheck(file->inode, &InodeType))
		return HOT_MISS;
	Inode *inode = (Inode *)file->inode;
	if (inode->is_volatile || file_idmapped(file))
		return HOT_MISS;
	inode_stat(inode, task, &st);
	return task_write(task, regs->rsi, &st, sizeof st) == sizeof st ? 0 : -EFAULT;
}

static int64_t hot_fstat(Task *task, struct pf_regs *regs)
{
	return with_file(task, regs, stat_file);
}

void hot_io_init(void)
{
	hot_calls[SYS_read] = hot_read;
	hot_calls[SYS_write] = hot_write;
	hot_calls[SYS_pread64] = hot_pread;
	hot_calls[SYS_pwrite64] = hot_pwrite;
	hot_calls[SYS_lseek] = hot_lseek;
	hot_calls[SYS_fstat] = hot_fstat;
}
