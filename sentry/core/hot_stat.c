/* C answers on attributes by name: stat, lstat, newfstatat, statx (twin: sentry.syscalls.stat). */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static int64_t give_stat(Task *task, Inode *inode, uint64_t addr)
{
	struct stat st;
	if (!inode || inode->is_volatile)
		return HOT_MISS;
	inode_stat(inode, task, &st);
	return task_write(task, addr, &st, sizeof st) == sizeof st ? 0 : -EFAULT;
}

static int64_t stat_at(Task *task, int dirfd, uint64_t name, uint64_t addr, bool follow)
{
	struct place at;
	int64_t failed = walk_to(task, dirfd, name, follow, &at);
	return failed ? failed : give_stat(task, dentry_inode(at.dentry), addr);
}

static int64_t hot_stat(Task *task, struct pf_regs *regs)
{
	return stat_at(task, AT_FDCWD, regs->rdi, regs->rsi, true);
}

static int64_t hot_lstat(Task *task, struct pf_regs *regs)
{
	return stat_at(task, AT_FDCWD, regs->rdi, regs->rsi, false);
}

/* The file that an empty name with AT_EMPTY_PATH means, glibc's fstat(2); NULL: it is not that, or not ours.
 * A null pointer is an empty name, too. */
static File *file_itself(Task *task, int dirfd, uint64_t name, int flags)
{
	char first = 0;
	if (!(flags & AT_EMPTY_PATH) || dirfd == AT_FDCWD)
		return NULL;
	if ((name && task_read(task, name, &first, 1) != 1) || first)
		return NULL;
	File *file = fdtable_peek(task, (uint32_t)dirfd);
	if (!file || !file->inode || !PyObject_TypeCheck(file->inode, &InodeType) || file_idmapped(file))
		return NULL;
	return file;
}

static int64_t hot_newfstatat(Task *task, struct pf_regs *regs)
{
	int dirfd = (int)regs->rdi, flags = (int)regs->r10;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return HOT_MISS;
	if (!(flags & AT_EMPTY_PATH))
		return stat_at(task, dirfd, regs->rsi, regs->rdx, !(flags & AT_SYMLINK_NOFOLLOW));
	File *file = file_itself(task, dirfd, regs->rsi, flags);
	return file ? give_stat(task, (Inode *)file->inode, regs->rdx) : HOT_MISS;
}

static struct statx_timestamp timestamp(long long ns)
{
	struct timespec time = split_time(ns);
	return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

#define MNT_ID_UNIQUE 0x4000U /* STATX_MNT_ID_UNIQUE, since Linux 6.8 */
/* The attributes that every file tells of, and those that are the FS_*_FL of the same number. */
#define EVERY_ATTRIBUTE (STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX)
#define FLAG_ATTRIBUTES (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP)
#define UNIQUE_OFFSET (1ULL << 31) /* sentry.vfs.mounts.mount, MNT_UNIQUE_ID_OFFSET */

static int64_t give_statx(Task *task, Inode *inode, struct place *at, unsigned wanted, uint64_t addr)
{
	if (!inode || inode->is_volatile)
		return HOT_MISS;
	bool mount_root = at && (PyObject *)at->dentry == at->mount->root;
	struct statx st = {
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME | (wanted & MNT_ID_UNIQUE ? MNT_ID_UNIQUE : STATX_MNT_ID),
		.stx_blksize = (uint32_t)inode->blksize,
		.stx_attributes = (mount_root ? STATX_ATTR_MOUNT_ROOT : 0) | (inode->fs_flags & FLAG_ATTRIBUTES),
		.stx_nlink = (uint32_t)inode->nlink,
		.stx_uid = uid_shown(task, inode->uid),
		.stx_gid = gid_shown(task, inode->gid),
		.stx_mode = (uint16_t)inode->mode,
		.stx_ino = inode->ino,
		.stx_size = inode->size,
		.stx_blocks = inode_blocks(inode),
		.stx_attributes_mask = EVERY_ATTRIBUTE | (inode->flags_kept & FLAG_ATTRIBUTES),
		.stx_atime = timestamp(inode->atime),
		.stx_btime = timestamp(inode->btime),
		.stx_ctime = timestamp(inode->ctime),
		.stx_mtime = timestamp(inode->mtime),
		.stx_rdev_major = major(inode->rdev),
		.stx_rdev_minor = minor(inode->rdev),
		.stx_dev_major = major(inode->dev),
		.stx_dev_minor = minor(inode->dev),
		.stx_mnt_id = !at ? 0 : (uint64_t)at->mount->id + (wanted & MNT_ID_UNIQUE ? UNIQUE_OFFSET : 0),
	};
	return task_write(task, addr, &st, sizeof st) == sizeof st ? 0 : -EFAULT;
}

static int64_t hot_statx(Task *task, struct pf_regs *regs)
{
	int dirfd = (int)regs->rdi, flags = (int)regs->rdx;
	struct place at;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE) ||
	    regs->r10 & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return HOT_MISS;
	if (flags & AT_EMPTY_PATH) {
		File *file = file_itself(task, dirfd, regs->rsi, flags);
		if (!file)
			return HOT_MISS;
		bool placed = place_of(file->path, &at);
		return give_statx(task, (Inode *)file->inode, placed ? &at : NULL, (unsigned)regs->r10, regs->r8);
	}
	int64_t failed = walk_to(task, dirfd, regs->rsi, !(flags & AT_SYMLINK_NOFOLLOW), &at);
	return failed ? failed : give_statx(task, dentry_inode(at.dentry), &at, (unsigned)regs->r10, regs->r8);
}

void hot_stat_init(void)
{
	hot_calls[SYS_stat] = hot_stat;
	hot_calls[SYS_lstat] = hot_lstat;
	hot_calls[SYS_newfstatat] = hot_newfstatat;
	hot_calls[SYS_statx] = hot_statx;
}
