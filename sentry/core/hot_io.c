/* C answers on open files: read, write, pread64, pwrite64, lseek, fstat.
 *
 * Each repeats what its Python twin (sentry.syscalls.read_write) does in the common case and says HOT_MISS
 * for all the rest: a wrong mode, a pipe that would block, a limit in sight, an error of the host.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOUNCE (256 << 10)
#define PAGE 4096ULL
#define SETID_BITS (S_ISUID | S_ISGID)

static char bounce[BOUNCE];
static const char zeros[4096];

/* The regular file's inode when C may use it as it is. */
static Inode *inode_of(File *file)
{
	if (file->kind != KIND_INODE || !file->inode || !PyObject_TypeCheck(file->inode, &InodeType))
		return NULL;
	Inode *inode = (Inode *)file->inode;
	return inode->is_volatile ? NULL : inode;
}

static void touch_atime(File *file, Inode *inode)
{
	/* relatime (mount(8)); files of a read-only layer keep theirs */
	if (!inode->writable || file->flags & O_NOATIME)
		return;
	if (inode->atime <= inode->mtime || inode->atime <= inode->ctime)
		inode->atime = now_coarse();
}

static int64_t read_inode(Task *task, File *file, uint64_t addr, uint64_t count, long long pos)
{
	Inode *inode = inode_of(file);
	if (!inode || (inode->fd < 0 && inode->size))
		return HOT_MISS;
	if ((unsigned long long)pos >= inode->size || !count)
		return 0;
	if (count > inode->size - (unsigned long long)pos)
		count = inode->size - (unsigned long long)pos;
	uint64_t done = 0;
	while (done < count) {
		size_t part = count - done < BOUNCE ? count - done : BOUNCE;
		ssize_t got = pread(inode->fd, bounce, part, pos + (off_t)done);
		if (got < 0)
			return done ? (int64_t)done : HOT_MISS;
		if (!got)
			break;
		ssize_t moved = task_write(task, addr + done, bounce, (size_t)got);
		if (moved > 0)
			done += (uint64_t)moved;
		if (moved != got) {
			if (!done)
				return -EFAULT;
			break;
		}
	}
	touch_atime(file, inode);
	return (int64_t)done;
}

static long long pages(unsigned long long bytes)
{
	return (long long)((bytes + PAGE - 1) / PAGE);
}

/* Account for the pages of a write that ends at `end`; false: Python must see to it. */
static bool charge(Inode *inode, unsigned long long end)
{
	PagePool *pool = (PagePool *)inode->pool;
	if (!pool || !Py_IS_TYPE(pool, &PagePoolType))
		return end <= inode->size;
	if (inode->charged < pages(inode->size))
		return false; /* a file with holes: which of its pages exist takes a closer look */
	long long more = pages(end) - inode->charged;
	if (more <= 0)
		return true;
	if (more > pool->limit - pool->used)
		return false;
	pool->used += more;
	inode->charged += more;
	return true;
}

static int64_t write_inode(Task *task, File *file, uint64_t addr, uint64_t count, long long pos)
{
	Inode *inode = inode_of(file);
	Group *group = (Group *)task->group;
	if (!inode || !inode->writable || inode->fd < 0 || inode->mode & SETID_BITS || !count)
		return HOT_MISS;
	unsigned long long end = (unsigned long long)pos + count;
	if (end > inode->size && (end > group->fsize_limit || end > INT64_MAX - PAGE))
		return HOT_MISS;
	if (!charge(inode, end))
		return HOT_MISS;
	uint64_t done = 0;
	while (done < count) {
		size_t part = count - done < BOUNCE ? count - done : BOUNCE;
		ssize_t got = task_read(task, addr + done, bounce, part);
		if (got < 0) {
			if (!done)
				return -EFAULT;
			break;
		}
		ssize_t put = pwrite(inode->fd, bounce, (size_t)got, pos + (off_t)done);
		if (put < 0)
			return done ? (int64_t)done : HOT_MISS;
		done += (uint64_t)put;
		if ((unsigned long long)pos + done > inode->size)
			inode->size = (unsigned long long)pos + done;
		if ((size_t)put != part)
			break;
	}
	inode->mtime = inode->ctime = now_coarse();
	return (int64_t)done;
}

static int64_t read_pipe(Task *task, File *file, uint64_t addr, uint64_t count)
{
	if (!file->state || !PyObject_TypeCheck(file->state, &PipeBufferType))
		return HOT_MISS;
	PipeBuffer *pipe = (PipeBuffer *)file->state;
	if (!count)
		return 0;
	if (!pipe->length)
		return pipe->writers ? HOT_MISS : 0;
	uint64_t done = 0;
	while (done < count && pipe->length) {
		unsigned char *at;
		size_t part = pipe_part(pipe, &at);
		if (part > count - done)
			part = count - done;
		ssize_t moved = task_write(task, addr + done, at, part);
		if (moved > 0) {
			pipe_consume(pipe, (size_t)moved);
			done += (uint64_t)moved;
		}
		if (moved != (ssize_t)part)
			break;
	}
	if (!done)
		return -EFAULT;
	queue_wake_quietly(pipe->queue, POLLOUT | POLLWRNORM);
	return (int64_t)done;
}

static int64_t write_pipe(Task *task, File *file, uint64_t addr, uint64_t count)
{
	if (!file->state || !PyObject_TypeCheck(file->state, &PipeBufferType))
		return HOT_MISS;
	PipeBuffer *pipe = (PipeBuffer *)file->state;
	if (!count || !pipe->readers || count > pipe->capacity - (pipe->length < pipe->capacity ? pipe->length : pipe->capacity))
		return HOT_MISS; /* SIGPIPE, partial and blocking writes */
	uint64_t done = 0;
	while (done < count) {
		unsigned char *at;
		size_t room = pipe_room(pipe, &at);
		if (!room)
			break;
		if (room > count - done)
			room = count - done;
		ssize_t moved = task_read(task, addr + done, at, room);
		if (moved > 0) {
			pipe_commit(pipe, (size_t)moved);
			done += (uint64_t)moved;
		}
		if (moved != (ssize_t)room)
			break;
	}
	if (!done)
		return -EFAULT;
	queue_wake_quietly(pipe->queue, POLLIN | POLLRDNORM);
	return (int64_t)done;
}

static Counter *counter_of(File *file, uint64_t count)
{
	return count >= 8 && file->state && PyObject_TypeCheck(file->state, &CounterType) ? (Counter *)file->state
											  : NULL;
}

static int64_t read_counter(Task *task, File *file, uint64_t addr, uint64_t count)
{
	Counter *counter = counter_of(file, count);
	if (!counter || !counter->value)
		return HOT_MISS;
	uint64_t taken = counter->semaphore ? 1 : counter->value;
	counter->value -= taken;
	queue_wake_quietly(counter->queue, POLLOUT | POLLWRNORM);
	/* As Linux does, the count is gone even when the buffer is not there. */
	return task_write(task, addr, &taken, 8) == 8 ? 8 : -EFAULT;
}

static int64_t write_counter(Task *task, File *file, uint64_t addr, uint64_t count)
{
	Counter *counter = counter_of(file, count);
	uint64_t added;
	if (!counter)
		return HOT_MISS;
	if (task_read(task, addr, &added, 8) != 8)
		return -EFAULT;
	if (added >= ~0ULL - counter->value)
		return HOT_MISS; /* blocks, or is EINVAL */
	counter->value += added;
	if (added)
		queue_wake_quietly(counter->queue, POLLIN | POLLRDNORM);
	return 8;
}

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

static uint64_t bounded(uint64_t count)
{
	return count < MAX_RW_COUNT ? count : MAX_RW_COUNT;
}

static int64_t hot_read(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	if (!file || !file->readable || regs->rdx > INT64_MAX)
		return HOT_MISS;
	uint64_t count = bounded(regs->rdx);
	int64_t result;
	switch (file->kind) {
	case KIND_INODE:
		result = read_inode(task, file, regs->rsi, count, file->pos);
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

static int64_t hot_write(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	if (!file || !file->writable || regs->rdx > INT64_MAX)
		return HOT_MISS;
	uint64_t count = bounded(regs->rdx);
	int64_t result;
	long long pos;
	switch (file->kind) {
	case KIND_INODE:
		if (!inode_of(file))
			return HOT_MISS;
		pos = file->flags & O_APPEND ? (long long)inode_of(file)->size : file->pos;
		result = write_inode(task, file, regs->rsi, count, pos);
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

static int64_t hot_pread(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	if (!file || !file->readable || regs->rdx > INT64_MAX || (int64_t)regs->r10 < 0)
		return HOT_MISS;
	return read_inode(task, file, regs->rsi, bounded(regs->rdx), (long long)regs->r10);
}

static int64_t hot_pwrite(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	/* With O_APPEND Linux appends whatever the offset (pwrite(2), BUGS): rare, left to Python. */
	if (!file || !file->writable || regs->rdx > INT64_MAX || (int64_t)regs->r10 < 0 || file->flags & O_APPEND)
		return HOT_MISS;
	return write_inode(task, file, regs->rsi, bounded(regs->rdx), (long long)regs->r10);
}

static int64_t hot_lseek(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	Inode *inode = file ? inode_of(file) : NULL;
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

static int64_t hot_fstat(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	struct stat st;
	if (!file || !file->inode || !PyObject_TypeCheck(file->inode, &InodeType))
		return HOT_MISS;
	Inode *inode = (Inode *)file->inode;
	if (inode->is_volatile)
		return HOT_MISS;
	inode_stat(inode, &st);
	return task_write(task, regs->rsi, &st, sizeof st) == sizeof st ? 0 : -EFAULT;
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
