/* InodeBase: what stat(2) tells, and the host descriptor that holds a regular file's bytes. */
#include "core.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

long long now_coarse(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static unsigned long long block_count(Inode *inode)
{
	struct stat st;
	/* A sparse memfd holds less than its size tells. */
	if (inode->fd >= 0 && fstat(inode->fd, &st) == 0)
		return (unsigned long long)st.st_blocks;
	return S_ISREG(inode->mode) || S_ISLNK(inode->mode) ? (inode->size + 511) / 512 : 0;
}

static void split(long long ns, struct timespec *out)
{
	long long seconds = ns / 1000000000LL, rest = ns % 1000000000LL;
	if (rest < 0) {
		rest += 1000000000LL;
		seconds--;
	}
	out->tv_sec = seconds;
	out->tv_nsec = rest;
}

void inode_stat(Inode *inode, void *stat144)
{
	struct stat st = {0};
	_Static_assert(sizeof st == 144, "struct stat of x86-64");
	st.st_dev = inode->dev;
	st.st_ino = inode->ino;
	st.st_nlink = inode->nlink;
	st.st_mode = inode->mode;
	st.st_uid = inode->uid;
	st.st_gid = inode->gid;
	st.st_rdev = inode->rdev;
	st.st_size = (off_t)inode->size;
	st.st_blksize = (blksize_t)inode->blksize;
	st.st_blocks = (blkcnt_t)block_count(inode);
	split(inode->atime, &st.st_atim);
	split(inode->mtime, &st.st_mtim);
	split(inode->ctime, &st.st_ctim);
	memcpy(stat144, &st, sizeof st);
}

static PyObject *stat_bytes(Inode *self, PyObject *unused)
{
	(void)unused;
	char st[144];
	inode_stat(self, st);
	return PyBytes_FromStringAndSize(st, sizeof st);
}

static PyObject *blocks(Inode *self, PyObject *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(block_count(self));
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
		self->blksize = 4096;
		self->nlink = 1;
	}
	return (PyObject *)self;
}

static int init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	(void)self;
	(void)args;
	(void)kwargs;
	return 0;
}

static void dealloc(Inode *self)
{
	if (self->fd >= 0)
		close(self->fd);
	Py_XDECREF(self->pool);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"stat_bytes", (PyCFunction)stat_bytes, METH_NOARGS, NULL},
	{"blocks", (PyCFunction)blocks, METH_NOARGS, NULL},
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
	.tp_init = init,
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
