/* The host's file calls that Python lacks. */
#define _GNU_SOURCE
#include "core.h"
#include "vma.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SYS_FCHMODAT2 452 /* Linux 6.6 */
#define SYS_CACHESTAT 451 /* Linux 6.5 */

static int open_at(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
	return fd < 0 ? -errno : (int)fd;
}

/* As openat2(2), for paths of any length: what is longer than the host takes goes in steps. */
static int open_beneath(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	int here = dirfd;
	while (strlen(path) >= PATH_MAX) {
		char part[PATH_MAX];
		size_t length = PATH_MAX - 2; /* up to a slash */
		while (length && path[length] != '/')
			length--;
		if (!length) {
			if (here != dirfd)
				close(here);
			return -ENAMETOOLONG;
		}
		memcpy(part, path, length);
		part[length] = 0;
		int next = open_at(here, part, O_PATH | O_DIRECTORY, 0, resolve);
		if (here != dirfd)
			close(here);
		if (next < 0)
			return next;
		here = next;
		path += length + 1;
	}
	int fd = open_at(here, path, flags, mode, resolve);
	if (here != dirfd)
		close(here);
	return fd;
}

static PyObject *host_open(PyObject *module, PyObject *args)
{
	(void)module;
	int dirfd;
	const char *path;
	unsigned long long flags, mode = 0, resolve = 0;
	if (!PyArg_ParseTuple(args, "iyK|KK", &dirfd, &path, &flags, &mode, &resolve))
		return NULL;
	if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
		mode = 0; /* openat2 refuses a mode that means nothing */
	int fd = open_beneath(dirfd, path, flags, mode, resolve);
	return fd < 0 ? raise_errno(-fd) : PyLong_FromLong(fd);
}

static long long nanoseconds(long long seconds, long long rest)
{
	return seconds * 1000000000LL + rest;
}

static long long stamp(struct statx_timestamp at)
{
	return nanoseconds(at.tv_sec, at.tv_nsec);
}

static PyObject *host_stat(PyObject *module, PyObject *args)
{
	(void)module;
	int dirfd;
	const char *path;
	struct statx st;
	if (!PyArg_ParseTuple(args, "iy", &dirfd, &path))
		return NULL;
	int fd = dirfd;
	if (*path) {
		fd = open_beneath(dirfd, path, O_PATH | O_NOFOLLOW, 0,
				  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
		if (fd < 0)
			return raise_errno(-fd);
	}
	int result = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0 ? errno : 0;
	if (fd != dirfd)
		close(fd);
	if (result)
		return raise_errno(result);
	long long changed = stamp(st.stx_ctime), modified = stamp(st.stx_mtime);
	long long born = changed < modified ? changed : modified; /* at the latest, where the host doesn't know */
	if (st.stx_mask & STATX_BTIME)
		born = stamp(st.stx_btime);
	return Py_BuildValue("IKKKIIKLLLLLlL", st.stx_mode, (unsigned long long)st.stx_ino,
			     (unsigned long long)makedev(st.stx_dev_major, st.stx_dev_minor),
			     (unsigned long long)st.stx_nlink, st.stx_uid, st.stx_gid,
			     (unsigned long long)makedev(st.stx_rdev_major, st.stx_rdev_minor),
			     (long long)st.stx_size, stamp(st.stx_atime), modified, changed, born,
			     (long)st.stx_blksize, (long long)st.stx_blocks);
}

/* One batch of getdents64(2) records appended to `list`; 0, or -1 with an exception. */
static int append_entries(PyObject *list, const char *records, long size, int fd)
{
	struct stat st;
	for (long at = 0; at < size;) {
		const struct dirent64 *entry = (const struct dirent64 *)(records + at);
		at += entry->d_reclen;
		const char *name = entry->d_name;
		unsigned type = entry->d_type;
		if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
			continue;
		if (type == DT_UNKNOWN) { /* some file systems keep the type in the inode alone */
			if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue; /* gone meanwhile */
			type = IFTODT(st.st_mode);
		}
		PyObject *item = Py_BuildValue("yKI", name, (unsigned long long)entry->d_ino, type);
		if (!item || PyList_Append(list, item) < 0) {
			Py_XDECREF(item);
			return -1;
		}
		Py_DECREF(item);
	}
	return 0;
}

static PyObject *host_list(PyObject *module, PyObject *arg)
{
	(void)module;
	char records[32768] __attribute__((aligned(8)));
	long fd = PyLong_AsLong(arg);
	if (fd == -1 && PyErr_Occurred())
		return NULL;
	PyObject *list = PyList_New(0);
	while (list) {
		long size = syscall(SYS_getdents64, (int)fd, records, sizeof records);
		if (size == 0)
			break;
		if (size < 0) {
			raise_errno(errno);
			Py_CLEAR(list);
		} else if (append_entries(list, records, size, (int)fd) < 0) {
			Py_CLEAR(list);
		}
	}
	return list;
}

static PyObject *host_fallocate(PyObject *module, PyObject *args)
{
	(void)module;
	int fd, mode, result;
	long long offset, length;
	if (!PyArg_ParseTuple(args, "iiLL", &fd, &mode, &offset, &length))
		return NULL;
	do
		result = fallocate(fd, mode, offset, length);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return raise_errno(errno);
	Py_RETURN_NONE;
}

/* What of a range of a file is in the host's page cache; length 0: all behind the offset. */
static PyObject *host_cachestat(PyObject *module, PyObject *args)
{
	(void)module;
	int fd;
	uint64_t range[2], counts[5];
	unsigned long long offset, length;
	if (!PyArg_ParseTuple(args, "iKK", &fd, &offset, &length))
		return NULL;
	range[0] = offset;
	range[1] = length;
	if (syscall(SYS_CACHESTAT, fd, range, counts, 0) < 0)
		return raise_errno(errno);
	return Py_BuildValue("KKKKK", counts[0], counts[1], counts[2], counts[3], counts[4]);
}

/* Which pages of a file are in the host's memory, by a mapping that nobody touches. */
static PyObject *host_mincore(PyObject *module, PyObject *args)
{
	(void)module;
	int fd;
	long long offset;
	Py_ssize_t pages;
	if (!PyArg_ParseTuple(args, "iLn", &fd, &offset, &pages))
		return NULL;
	PyObject *found = PyBytes_FromStringAndSize(NULL, pages);
	if (!found)
		return NULL;
	size_t length = (size_t)pages * PAGE_SIZE;
	void *place = mmap(NULL, length, PROT_NONE, MAP_SHARED, fd, offset);
	int failed = place == MAP_FAILED || mincore(place, length, (void *)PyBytes_AS_STRING(found)) < 0;
	int code = errno;
	if (place != MAP_FAILED)
		munmap(place, length);
	if (!failed)
		return found;
	Py_DECREF(found);
	return raise_errno(code);
}

/* A file of any kind, by a descriptor that may be an O_PATH one. */
static PyObject *host_chmod(PyObject *module, PyObject *args)
{
	(void)module;
	int fd;
	unsigned mode;
	if (!PyArg_ParseTuple(args, "iI", &fd, &mode))
		return NULL;
	if (syscall(SYS_FCHMODAT2, fd, "", mode, AT_EMPTY_PATH) < 0)
		return raise_errno(errno == ENOSYS ? EPERM : errno);
	Py_RETURN_NONE;
}

static PyObject *host_rename(PyObject *module, PyObject *args)
{
	(void)module;
	int from, to;
	unsigned int flags;
	const char *old, *new;
	if (!PyArg_ParseTuple(args, "iyiyI", &from, &old, &to, &new, &flags))
		return NULL;
	/* Not by the C library, which calls renameat without flags. */
	if (syscall(SYS_renameat2, from, old, to, new, flags) < 0)
		return raise_errno(errno);
	Py_RETURN_NONE;
}

static PyObject *clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return PyLong_FromLongLong(nanoseconds(now.tv_sec, now.tv_nsec));
}

static PyObject *monotonic(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return clock_ns(CLOCK_MONOTONIC);
}

static PyObject *realtime(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return clock_ns(CLOCK_REALTIME);
}

static PyObject *now(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromLongLong(now_coarse());
}

static PyObject *timer_create_fd(PyObject *module, PyObject *wall)
{
	(void)module;
	int clock = wall == Py_True ? CLOCK_REALTIME : CLOCK_MONOTONIC;
	int fd = timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK);
	return fd < 0 ? raise_errno(errno) : PyLong_FromLong(fd);
}

static PyObject *timer_arm(PyObject *module, PyObject *args)
{
	(void)module;
	int fd, flags = TFD_TIMER_ABSTIME, notice_steps = 0;
	long long when;
	if (!PyArg_ParseTuple(args, "iL|p", &fd, &when, &notice_steps))
		return NULL;
	if (notice_steps)
		flags |= TFD_TIMER_CANCEL_ON_SET;
	if (when < 1)
		when = 1; /* zero would disarm */
	struct itimerspec at = {.it_value = {.tv_sec = when / 1000000000LL, .tv_nsec = when % 1000000000LL}};
	if (timerfd_settime(fd, flags, &at, NULL) == 0)
		Py_RETURN_FALSE;
	if (errno != ECANCELED) /* the clock was set before; it is armed all the same */
		return raise_errno(errno);
	Py_RETURN_TRUE;
}

static PyObject *count_files(PyObject *module, PyObject *unused)
{
	(void)module, (void)unused;
	return Py_BuildValue("ll", open_files, (long)FILES_MAX);
}

PyMethodDef host_methods[] = {
	{"host_open", host_open, METH_VARARGS, NULL},
	{"host_list", host_list, METH_O, NULL},
	{"host_stat", host_stat, METH_VARARGS, NULL},
	{"host_fallocate", host_fallocate, METH_VARARGS, NULL},
	{"host_cachestat", host_cachestat, METH_VARARGS, NULL},
	{"host_mincore", host_mincore, METH_VARARGS, NULL},
	{"host_chmod", host_chmod, METH_VARARGS, NULL},
	{"host_rename", host_rename, METH_VARARGS, NULL},
	{"monotonic", monotonic, METH_NOARGS, NULL},
	{"realtime", realtime, METH_NOARGS, NULL},
	{"now", now, METH_NOARGS, NULL},
	{"count_files", count_files, METH_NOARGS, NULL},
	{"timer_create", timer_create_fd, METH_O, NULL},
	{"timer_arm", timer_arm, METH_VARARGS, NULL},
	{0},
};
