/* C answers on regular files: the bytes behind an inode's host descriptor (twin: sentry.vfs.regular).
 *
 * What is read or written goes through one bounce buffer; hot_io.c says why nothing else uses it meanwhile.
 */
#include "vma.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUNCE (256 << 10)
#define PAGE 4096ULL
#define SETID_BITS (S_ISUID | S_ISGID)

static char bounce[BOUNCE];

Inode *regular_inode(File *file)
{
	if (file->kind != KIND_INODE || !file->inode || !PyObject_TypeCheck(file->inode, &InodeType))
		return NULL;
	Inode *inode = (Inode *)file->inode;
	return inode->is_volatile ? NULL : inode;
}

static void touch_atime(File *file, Inode *inode)
{
	/* files of a read-only layer keep theirs */
	if (!inode->writable || file->flags & O_NOATIME || !file->path || !PyObject_TypeCheck(file->path, &PathType))
		return;
	inode_accessed(((Path *)file->path)->mount, inode);
}

int64_t inode_read(Task *task, File *file, uint64_t addr, uint64_t count, long long pos)
{
	Inode *inode = regular_inode(file);
	if (!inode || (inode->fd < 0 && inode->size) || (file->flags & O_DIRECT && space_has_secrets(task->mm)))
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

int64_t inode_write(Task *task, File *file, uint64_t addr, uint64_t count, long long pos)
{
	Inode *inode = regular_inode(file);
	Group *group = (Group *)task->group;
	if (!inode || !inode->writable || inode->fd < 0 || inode->mode & SETID_BITS || inode->has_caps || !count)
		return HOT_MISS;
	if (file->flags & O_DIRECT && space_has_secrets(task->mm))
		return HOT_MISS;
	unsigned long long end = (unsigned long long)pos + count;
	/* RLIMIT_FSIZE counts within a larger file, too */
	if (end > group->fsize_limit || end > INT64_MAX - PAGE || !charge(inode, end))
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
