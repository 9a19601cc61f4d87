/* C answers on names: access, faccessat, readlink, open, openat (twins: sentry.syscalls.stat, .open,
 * sentry.vfs.namei).
 *
 * What is not in the dentry cache, all errors but ENOENT and ENOTDIR, and what needs a capability are Python's.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static PyObject *name_plain;

static int64_t access_at(Task *task, int dirfd, uint64_t name, int mode, int flags)
{
	struct place at;
	Creds *creds = (Creds *)task->creds;
	if (mode & ~7 || flags & ~(AT_SYMLINK_NOFOLLOW | AT_EACCESS) || !creds ||
	    !PyObject_TypeCheck(creds, &CredsType))
		return HOT_MISS;
	/* It is the real ids that count, which mostly are the others as well. */
	if (!(flags & AT_EACCESS) && (creds->uid != creds->fsuid || creds->gid != creds->fsgid))
		return HOT_MISS;
	int64_t failed = walk_to(task, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW), &at);
	if (failed)
		return failed;
	Inode *inode = dentry_inode(at.dentry);
	if (!inode || !permits(task->creds, inode, (unsigned)mode))
		return HOT_MISS;
	if ((mode & X_OK && at.mount->flags & MS_NOEXEC) || (mode & W_OK && at.mount->flags & MS_RDONLY))
		return HOT_MISS;
	return 0;
}

static int64_t hot_access(Task *task, struct pf_regs *regs)
{
	return access_at(task, AT_FDCWD, regs->rdi, (int)regs->rsi, 0);
}

static int64_t hot_faccessat(Task *task, struct pf_regs *regs)
{
	return access_at(task, (int)regs->rdi, regs->rsi, (int)regs->rdx, 0);
}

static int64_t hot_faccessat2(Task *task, struct pf_regs *regs)
{
	return access_at(task, (int)regs->rdi, regs->rsi, (int)regs->rdx, (int)regs->r10);
}

static int64_t readlink_at(Task *task, int dirfd, uint64_t name, uint64_t addr, int size)
{
	struct place at;
	if (size <= 0)
		return HOT_MISS;
	int64_t failed = walk_to(task, dirfd, name, false, &at);
	if (failed)
		return failed;
	Inode *inode = dentry_inode(at.dentry);
	if (!inode)
		return HOT_MISS;
	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	if (!inode->target || !PyBytes_Check(inode->target))
		return HOT_MISS;
	Py_ssize_t length = PyBytes_GET_SIZE(inode->target);
	if (length > size)
		length = size;
	inode_accessed((PyObject *)at.mount, inode);
	PyObject *target = Py_NewRef(inode->target);
	ssize_t moved = task_write(task, addr, PyBytes_AS_STRING(target), (size_t)length);
	Py_DECREF(target);
	return moved == length ? length : -EFAULT;
}

static int64_t hot_readlink(Task *task, struct pf_regs *regs)
{
	return readlink_at(task, AT_FDCWD, regs->rdi, regs->rsi, (int)regs->rdx);
}

static int64_t hot_readlinkat(Task *task, struct pf_regs *regs)
{
	return readlink_at(task, (int)regs->rdi, regs->rsi, regs->rdx, (int)regs->r10);
}

/* The class whose instance, made of flags and path alone, is what opening the inode gives; new reference.
 * Subclasses of Inode that do more in open() say None. */
static PyTypeObject *plain_class(Inode *inode)
{
	PyObject *plain = PyObject_GetAttr((PyObject *)Py_TYPE(inode), name_plain);
	if (plain && PyType_Check(plain) && PyType_IsSubtype((PyTypeObject *)plain, &FileType))
		return (PyTypeObject *)plain;
	PyErr_Clear();
	Py_XDECREF(plain);
	return NULL;
}

static PyObject *new_file(Task *task, struct place *at, Inode *inode, int flags)
{
	PyTypeObject *type = open_files < FILES_MAX ? plain_class(inode) : NULL;
	if (!type)
		return NULL;
	PyObject *path = path_new(Py_TYPE(fs_context(task)->root), at->mount, at->dentry);
	File *file = path ? (File *)type->tp_alloc(type, 0) : NULL;
	Py_DECREF(type);
	if (file) {
		file_set_up(file, flags, path, (PyObject *)inode);
		file->kind = S_ISREG(inode->mode) ? KIND_INODE : KIND_PYTHON;
		file->opener = Py_XNewRef(task->creds);
	} else {
		PyErr_Clear();
	}
	Py_XDECREF(path);
	return (PyObject *)file;
}

#define SERVED                                                                                          \
	(O_ACCMODE | O_CREAT | O_NOCTTY | O_APPEND | O_NONBLOCK | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | \
	 O_CLOEXEC)
#define LARGEFILE 0100000 /* O_LARGEFILE, which the headers of x86-64 leave out */

static int64_t open_at(Task *task, int dirfd, uint64_t name, int flags)
{
	struct place at;
	if (flags & ~(SERVED | LARGEFILE) || !task->files || !PyObject_TypeCheck(task->files, &FdTableType))
		return HOT_MISS;
	FdTable *files = (FdTable *)task->files;
	int fd = fdtable_lowest(files);
	if (fd < 0)
		return HOT_MISS; /* EMFILE, whatever the name */
	int64_t failed = walk_to(task, dirfd, name, !(flags & O_NOFOLLOW), &at);
	if (failed)
		return flags & O_CREAT ? HOT_MISS : failed;
	Inode *inode = dentry_inode(at.dentry);
	unsigned access = flags & O_ACCMODE, wanted = access == O_RDONLY ? 4 : access == O_WRONLY ? 2 : 6;
	if (!inode || !permits(task->creds, inode, wanted))
		return HOT_MISS;
	if (S_ISDIR(inode->mode) ? wanted != 4 || flags & O_CREAT
				 : !S_ISREG(inode->mode) || flags & O_DIRECTORY ||
					   (wanted & 2 && at.mount->flags & MS_RDONLY))
		return HOT_MISS;
	Inode *directory = at.dentry->parent ? dentry_inode((Dentry *)at.dentry->parent) : NULL;
	if (flags & O_CREAT && directory && directory->mode & S_ISVTX)
		return HOT_MISS; /* /proc/sys/fs/protected_regular is Python's */
	if (((Creds *)task->creds)->restricted || inode->wary || place_watched(&at))
		return HOT_MISS;
	PyObject *file = new_file(task, &at, inode, flags | LARGEFILE);
	if (!file)
		return HOT_MISS;
	failed = fdtable_install(files, fd, file, flags & O_CLOEXEC);
	Py_DECREF(file);
	if (failed) {
		PyErr_Clear();
		return HOT_MISS;
	}
	return fd;
}

static int64_t hot_open(Task *task, struct pf_regs *regs)
{
	return open_at(task, AT_FDCWD, regs->rdi, (int)regs->rsi);
}

static int64_t hot_openat(Task *task, struct pf_regs *regs)
{
	return open_at(task, (int)regs->rdi, regs->rsi, (int)regs->rdx);
}

void hot_path_init(void)
{
	hot_calls[SYS_access] = hot_access;
	hot_calls[SYS_faccessat] = hot_faccessat;
	hot_calls[SYS_faccessat2] = hot_faccessat2;
	hot_calls[SYS_readlink] = hot_readlink;
	hot_calls[SYS_readlinkat] = hot_readlinkat;
	hot_calls[SYS_open] = hot_open;
	hot_calls[SYS_openat] = hot_openat;
}

int hot_path_load(void)
{
	name_plain = PyUnicode_InternFromString("plain");
	return name_plain ? 0 : -1;
}
