/* C answers on descriptors themselves: close, dup and its forms, fcntl's flags (twin:
 * sentry.syscalls.descriptors).
 *
 * Dropping a file's last reference may run its release() in Python; the table is consistent by then, and
 * nothing here is used afterwards.
 */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

static FdTable *table_of(Task *task)
{
	return task->files && PyObject_TypeCheck(task->files, &FdTableType) ? (FdTable *)task->files : NULL;
}

/* Whether a close of `file` must look for POSIX locks to drop. */
static bool may_hold_locks(File *file)
{
	if (!file->inode || file->flags & O_PATH)
		return false;
	return !PyObject_TypeCheck(file->inode, &InodeType) || ((Inode *)file->inode)->locked;
}

static int64_t hot_close(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	if (!file && table_of(task))
		return -EBADF;
	if (!file || may_hold_locks(file))
		return HOT_MISS;
	Py_XDECREF(fdtable_take(table_of(task), regs->rdi));
	return 0;
}

/* Another descriptor of `file`, the lowest from `minimum` on. */
static int64_t duplicate(FdTable *table, File *file, int minimum, bool cloexec)
{
	int fd = minimum <= table->lowest ? fdtable_lowest(table) : -1;
	if (fd < 0 || fdtable_install(table, fd, (PyObject *)file, cloexec) < 0) {
		PyErr_Clear();
		return HOT_MISS;
	}
	return fd;
}

static int64_t hot_dup(Task *task, struct pf_regs *regs)
{
	File *file = fdtable_peek(task, regs->rdi);
	return file ? duplicate(table_of(task), file, 0, false) : HOT_MISS;
}

static int64_t dup_to(Task *task, struct pf_regs *regs, bool cloexec)
{
	FdTable *table = table_of(task);
	File *file = fdtable_peek(task, regs->rdi), *old = fdtable_peek(task, regs->rsi);
	int fd = (int)regs->rsi;
	if (!file || fd < 0 || fd >= table->limit || fd == (int)regs->rdi || (old && may_hold_locks(old)))
		return HOT_MISS;
	PyObject *replaced = fdtable_take(table, regs->rsi);
	bool failed = fdtable_install(table, fd, (PyObject *)file, cloexec) < 0;
	if (failed) /* no memory for a larger table: nothing was there, either */
		PyErr_Clear();
	Py_XDECREF(replaced);
	return failed ? HOT_MISS : fd;
}

static int64_t hot_dup2(Task *task, struct pf_regs *regs)
{
	return dup_to(task, regs, false);
}

static int64_t hot_dup3(Task *task, struct pf_regs *regs)
{
	int flags = (int)regs->rdx;
	return flags & ~O_CLOEXEC ? HOT_MISS : dup_to(task, regs, flags);
}

static int64_t hot_fcntl(Task *task, struct pf_regs *regs)
{
	FdTable *table = table_of(task);
	File *file = fdtable_peek(task, regs->rdi);
	if (!file)
		return HOT_MISS;
	struct fd_slot *slot = &table->slots[(uint32_t)regs->rdi];
	switch ((int)regs->rsi) {
	case F_GETFD:
		return slot->cloexec ? FD_CLOEXEC : 0;
	case F_SETFD:
		slot->cloexec = regs->rdx & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return file->flags & ~FMODE_NONOTIFY;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if ((uint32_t)regs->rdx > INT32_MAX)
			return HOT_MISS;
		return duplicate(table, file, (int)regs->rdx, (int)regs->rsi == F_DUPFD_CLOEXEC);
	default:
		return HOT_MISS;
	}
}

void hot_fd_init(void)
{
	hot_calls[SYS_close] = hot_close;
	hot_calls[SYS_dup] = hot_dup;
	hot_calls[SYS_dup2] = hot_dup2;
	hot_calls[SYS_dup3] = hot_dup3;
	hot_calls[SYS_fcntl] = hot_fcntl;
}
