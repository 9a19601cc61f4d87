/* InodeBase: what stat(2) tells, and the host descriptor that holds a regular file's bytes. */
#include "core.h"

#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

long long now_coarse(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

#define DAY (86400 * 1000000000LL)

void inode_accessed(PyObject *mount, Inode *inode)
{
	if (!mount || !PyObject_TypeCheck(mount, &MountType) || inode->is_volatile)
		return;
	unsigned flags = ((Mount *)mount)->flags | (inode->fs_flags & FS_NOATIME_FL ? MS_NOATIME : 0);
	if (flags & (MS_NOATIME | MS_RDONLY) || (flags & MS_NODIRATIME && S_ISDIR(inode->mode)))
		return;
	long long now = now_coarse();
	if (!(flags & MS_RELATIME) || inode->atime <= inode->mtime || inode->atime <= inode->ctime ||
	    now - inode->atime >= DAY)
		inode->atime = now;
}

static unsigned long long blocks_held(Inode *inode)
{
	struct stat st;
	/* A sparse memfd holds less than its size tells. */
	if (inode->fd >= 0 && fstat(inode->fd, &st) == 0)
		return (unsigned long long)st.st_blocks;
	/* What is not stored holds none: files of proc and sysfs, and links, which are in the inode itself. */
	return inode->held > 0 ? (unsigned long long)inode->held : 0;
}

unsigned long long inode_blocks(Inode *inode)
{
	/* A file in memory holds what it is charged, unless guests fill its holes through mappings. */
	if (inode->pool && inode->writable && !inode->pinned)
		return (unsigned long long)inode->charged * (PAGE / 512);
	return blocks_held(inode);
}

struct timespec split_time(long long ns)
{
	long long seconds = ns / 1000000000LL, rest = ns % 1000000000LL;
	if (rest < 0) {
		rest += 1000000000LL;
		seconds--;
	}
	return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

void inode_stat(Inode *inode, Task *reader, void *stat144)
{
	struct stat st = {0};
	_Static_assert(sizeof st == 144, "struct stat of x86-64");
	st.st_dev = inode->dev;
	st.st_ino = inode->ino;
	st.st_nlink = inode->nlink;
	st.st_mode = inode->mode;
	st.st_uid = uid_shown(reader, inode->uid);
	st.st_gid = gid_shown(reader, inode->gid);
	st.st_rdev = inode->rdev;
	st.st_size = (off_t)inode->size;
	st.st_blksize = (blksize_t)inode->blksize;
	st.st_blocks = (blkcnt_t)inode_blocks(inode);
	st.st_atim = split_time(inode->atime);
	st.st_mtim = split_time(inode->mtime);
	st.st_ctim = split_time(inode->ctime);
	memcpy(stat144, &st, sizeof st);
}

static PyObject *stat_bytes(Inode *self, PyObject *reader)
{
	char st[144];
	if (!PyObject_TypeCheck(reader, &TaskType))
		return PyErr_Format(PyExc_TypeError, "a TaskBase is wanted");
	inode_stat(self, (Task *)reader, st);
	return PyBytes_FromStringAndSize(st, sizeof st);
}

static PyObject *blocks(Inode *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(blocks_held(self));
}

static PyObject *get_fd(Inode *self, void *unused)
{
	(void)unused;
	return PyLong_FromLong(self->fd);
}

static int set_fd(Inode *self, PyObject *value, void *unused)
{
	(void)unused;
	long fd = value ? PyLong_AsLong(value) : -1;
	if (fd == -1 && PyErr_Occurred())
		return -1;
	if (self->fd >= 0 && self->fd != fd)
		close(self->fd);
	self->fd = (int)fd;
	return 0;
}

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	Inode *self = (Inode *)type->tp_alloc(type, 0);
	if (self) {
		self->fd = -1;
		self->held = -1;
		self->blksize = 4096;
		self->nlink = 1;
	}
	return (PyObject *)self;
}

static int init(Inode *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"mode", "uid", "gid", NULL};
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|III", names, &self->mode, &self->uid, &self->gid))
		return -1;
	self->nlink = S_ISDIR(self->mode) ? 2 : 1;
	self->atime = self->mtime = self->ctime = self->btime = now_coarse();
	return 0;
}

static PyObject *is_dir(Inode *self, PyObject *unused)
{
	(void)unused;
	return PyBool_FromLong(S_ISDIR(self->mode));
}

static PyObject *modified(Inode *self, PyObject *unused)
{
	(void)unused;
	self->mtime = self->ctime = now_coarse();
	Py_RETURN_NONE;
}

static PyObject *fill(Inode *self, PyObject *args)
{
	unsigned long long ino, dev, nlink, rdev, size, blksize, shown_dev;
	PyObject *stat;
	if (!PyArg_ParseTuple(args, "O!K", &PyTuple_Type, &stat, &shown_dev) ||
	    !PyArg_ParseTuple(stat, "IKKKIIKKLLLLKL", &self->mode, &ino, &dev, &nlink, &self->uid, &self->gid,
			      &rdev, &size, &self->atime, &self->mtime, &self->ctime, &self->btime, &blksize, &self->held))
		return NULL;
	self->ino = ino;
	self->dev = shown_dev;
	self->nlink = nlink;
	self->rdev = rdev;
	self->size = size;
	self->blksize = blksize;
	Py_RETURN_NONE;
}

static void dealloc(Inode *self)
{
	if (self->fd >= 0)
		close(self->fd);
	Py_XDECREF(self->pool);
	Py_XDECREF(self->target);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"stat_bytes", (PyCFunction)stat_bytes, METH_O, NULL},
	{"blocks", (PyCFunction)blocks, METH_NOARGS, NULL},
	{"is_dir", (PyCFunction)is_dir, METH_NOARGS, NULL},
	{"modified", (PyCFunction)modified, METH_NOARGS, NULL},
	{"fill", (PyCFunction)fill, METH_VARARGS, NULL},
	{0},
};

#define FIELD(name, type) {#name, type, offsetof(Inode, name), 0, NULL}
static PyMemberDef members[] = {
	FIELD(ino, T_ULONGLONG),   FIELD(dev, T_ULONGLONG), FIELD(rdev, T_ULONGLONG),
	FIELD(nlink, T_ULONGLONG), FIELD(size, T_ULONGLONG), FIELD(blksize, T_ULONGLONG),
	FIELD(mode, T_UINT),	   FIELD(uid, T_UINT),	     FIELD(gid, T_UINT),
	FIELD(atime, T_LONGLONG),  FIELD(mtime, T_LONGLONG), FIELD(ctime, T_LONGLONG),
	FIELD(btime, T_LONGLONG),  FIELD(writable, T_BOOL),  FIELD(charged, T_LONGLONG),
	{"volatile", T_BOOL, offsetof(Inode, is_volatile), 0, NULL},
	{"pool", T_OBJECT, offsetof(Inode, pool), 0, NULL},
	{"target", T_OBJECT, offsetof(Inode, target), 0, NULL},
	{"pinned", T_BOOL, offsetof(Inode, pinned), 0, NULL},
	{"locked", T_BOOL, offsetof(Inode, locked), 0, NULL},
	{"openers", T_INT, offsetof(Inode, openers), READONLY, NULL},
	{"writers", T_INT, offsetof(Inode, writers), READONLY, NULL},
	FIELD(wary, T_INT),	   FIELD(has_caps, T_BOOL),	FIELD(fs_flags, T_UINT),
	FIELD(flags_kept, T_UINT),
	{"guarded", T_BOOL, offsetof(Inode, guarded), 0, NULL},
	{"watched", T_BOOL, offsetof(Inode, watched), 0, NULL},
	{0},
};

static PyGetSetDef getset[] = {
	{"fd", (getter)get_fd, (setter)set_fd, NULL, NULL},
	{0},
};

PyTypeObject InodeType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.InodeBase",
	.tp_basicsize = sizeof(Inode),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = new,
	.tp_init = (initproc)init,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
	.tp_members = members,
	.tp_getset = getset,
};

static int pool_init(PagePool *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"limit", NULL};
	return PyArg_ParseTupleAndKeywords(args, kwargs, "L", names, &self->limit) ? 0 : -1;
}

static PyMemberDef pool_members[] = {
	{"limit", T_LONGLONG, offsetof(PagePool, limit), 0, NULL},
	{"used", T_LONGLONG, offsetof(PagePool, used), 0, NULL},
	{0},
};

PyTypeObject PagePoolType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.PagePool",
	.tp_basicsize = sizeof(PagePool),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)pool_init,
	.tp_members = pool_members,
};
