/* FdTable: descriptors to open file descriptions.
 *
 * Dropping the last reference to a file runs its release() in Python, which may come back here: the table is
 * always consistent before a reference is dropped.
 */
#include "core.h"

#include <errno.h>

static File *slot_file(FdTable *table, long fd)
{
	return fd >= 0 && fd < table->allocated ? (File *)table->slots[fd].file : NULL;
}

File *fdtable_peek(Task *task, uint64_t fd)
{
	if (!task->files || !PyObject_TypeCheck(task->files, &FdTableType))
		return NULL;
	return slot_file((FdTable *)task->files, (int)(uint32_t)fd);
}

static bool parse_fd(PyObject *arg, long *fd)
{
	*fd = PyLong_AsLong(arg);
	return !(*fd == -1 && PyErr_Occurred());
}

static int reserve(FdTable *table, long fd)
{
	if (fd < table->allocated)
		return 0;
	long size = table->allocated ? table->allocated : 64;
	while (size <= fd)
		size *= 2;
	struct fd_slot *slots = PyMem_Realloc(table->slots, (size_t)size * sizeof *slots);
	if (!slots) {
		PyErr_NoMemory();
		return -1;
	}
	memset(slots + table->allocated, 0, (size_t)(size - table->allocated) * sizeof *slots);
	table->slots = slots;
	table->allocated = (int)size;
	return 0;
}

static void store(FdTable *table, long fd, PyObject *file, bool cloexec)
{
	table->slots[fd].file = Py_NewRef(file);
	table->slots[fd].cloexec = cloexec;
	table->used++;
}

/* The file that was at fd, its reference passed to the caller. */
static PyObject *take(FdTable *table, long fd)
{
	PyObject *file = table->slots[fd].file;
	if (file) {
		table->slots[fd].file = NULL;
		table->slots[fd].cloexec = false;
		table->used--;
		if (fd < table->lowest)
			table->lowest = (int)fd;
	}
	return file;
}

static PyObject *get(FdTable *self, PyObject *arg)
{
	long fd;
	if (!parse_fd(arg, &fd))
		return NULL;
	File *file = slot_file(self, fd);
	return file ? Py_NewRef(file) : raise_errno(EBADF);
}

/* The first free descriptor from fd on; -1 when the limit forbids it. */
static long free_slot(FdTable *table, long fd)
{
	while (fd < table->allocated && table->slots[fd].file)
		fd++;
	return fd < table->limit ? fd : -1;
}

int fdtable_lowest(FdTable *table)
{
	long fd = free_slot(table, table->lowest);
	if (fd >= 0)
		table->lowest = (int)fd;
	return (int)fd;
}

int fdtable_install(FdTable *table, int fd, PyObject *file, bool cloexec)
{
	if (reserve(table, fd) < 0)
		return -1;
	store(table, fd, file, cloexec);
	if (fd == table->lowest)
		table->lowest = fd + 1;
	return 0;
}

PyObject *fdtable_take(FdTable *table, uint64_t fd)
{
	int number = (int)(uint32_t)fd;
	return slot_file(table, number) ? take(table, number) : NULL;
}

static PyObject *lowest_free(FdTable *self, PyObject *unused)
{
	(void)unused;
	int fd = fdtable_lowest(self);
	return fd < 0 ? raise_errno(EMFILE) : PyLong_FromLong(fd);
}

static PyObject *install(FdTable *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"file", "cloexec", "minimum", NULL};
	PyObject *file;
	int cloexec = 0;
	long fd = 0;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|pl", names, &FileType, &file, &cloexec, &fd))
		return NULL;
	bool from_lowest = fd <= self->lowest;
	fd = free_slot(self, from_lowest ? self->lowest : fd);
	if (fd < 0)
		return raise_errno(EMFILE);
	if (reserve(self, fd) < 0)
		return NULL;
	store(self, fd, file, cloexec);
	if (from_lowest)
		self->lowest = (int)fd + 1;
	return PyLong_FromLong(fd);
}

static PyObject *set(FdTable *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"fd", "file", "cloexec", NULL};
	PyObject *file;
	int cloexec = 0;
	long fd;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "lO!|p", names, &fd, &FileType, &file, &cloexec))
		return NULL;
	if (fd < 0 || fd >= self->limit)
		return raise_errno(EBADF);
	if (reserve(self, fd) < 0)
		return NULL;
	PyObject *old = take(self, fd);
	store(self, fd, file, cloexec);
	return old ? old : Py_NewRef(Py_None);
}

static PyObject *drop(FdTable *self, PyObject *arg)
{
	long fd;
	if (!parse_fd(arg, &fd))
		return NULL;
	if (!slot_file(self, fd))
		return raise_errno(EBADF);
	return take(self, fd);
}

static PyObject *cloexec(FdTable *self, PyObject *arg)
{
	long fd;
	if (!parse_fd(arg, &fd))
		return NULL;
	if (!slot_file(self, fd))
		return raise_errno(EBADF);
	return PyBool_FromLong(self->slots[fd].cloexec);
}

static PyObject *set_cloexec(FdTable *self, PyObject *args)
{
	long fd;
	int on;
	if (!PyArg_ParseTuple(args, "lp", &fd, &on))
		return NULL;
	if (!slot_file(self, fd))
		return raise_errno(EBADF);
	self->slots[fd].cloexec = on;
	Py_RETURN_NONE;
}

static PyObject *copy(FdTable *self, PyObject *unused)
{
	(void)unused;
	FdTable *twin = (FdTable *)PyObject_CallNoArgs((PyObject *)Py_TYPE(self));
	if (!twin)
		return NULL;
	twin->limit = self->limit;
	twin->lowest = self->lowest;
	if (self->allocated && reserve(twin, self->allocated - 1) < 0) {
		Py_DECREF(twin);
		return NULL;
	}
	for (int fd = 0; fd < self->allocated; fd++)
		if (self->slots[fd].file)
			store(twin, fd, self->slots[fd].file, self->slots[fd].cloexec);
	return (PyObject *)twin;
}

static PyObject *own(FdTable *self, PyObject *unused)
{
	if (self->users <= 1)
		return Py_NewRef((PyObject *)self);
	PyObject *twin = copy(self, unused);
	if (twin)
		self->users--;
	return twin;
}

static PyObject *close_on_exec(FdTable *self, PyObject *unused)
{
	(void)unused;
	PyObject *closed = PyList_New(0);
	for (int fd = 0; closed && fd < self->allocated; fd++) {
		if (!self->slots[fd].file || !self->slots[fd].cloexec)
			continue;
		PyObject *file = take(self, fd);
		if (PyList_Append(closed, file) < 0)
			Py_CLEAR(closed);
		Py_DECREF(file);
	}
	return closed;
}

static PyObject *items(FdTable *self, PyObject *unused)
{
	(void)unused;
	PyObject *list = PyList_New(0);
	for (int fd = 0; list && fd < self->allocated; fd++) {
		if (!self->slots[fd].file)
			continue;
		PyObject *pair = Py_BuildValue("iO", fd, self->slots[fd].file);
		if (!pair || PyList_Append(list, pair) < 0)
			Py_CLEAR(list);
		Py_XDECREF(pair);
	}
	return list;
}

static Py_ssize_t length(FdTable *self)
{
	return self->used;
}

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	FdTable *self = (FdTable *)type->tp_alloc(type, 0);
	if (self) {
		self->limit = 1024;
		self->users = 1;
	}
	return (PyObject *)self;
}

static int traverse(FdTable *self, visitproc visit, void *arg)
{
	for (int fd = 0; fd < self->allocated; fd++)
		Py_VISIT(self->slots[fd].file);
	return 0;
}

static int clear(FdTable *self)
{
	for (int fd = 0; fd < self->allocated; fd++) {
		PyObject *file = take(self, fd);
		Py_XDECREF(file);
	}
	return 0;
}

static void dealloc(FdTable *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	PyMem_Free(self->slots);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"get", (PyCFunction)get, METH_O, NULL},
	{"install", (PyCFunction)(void (*)(void))install, METH_VARARGS | METH_KEYWORDS, NULL},
	{"lowest_free", (PyCFunction)lowest_free, METH_NOARGS, NULL},
	{"set", (PyCFunction)(void (*)(void))set, METH_VARARGS | METH_KEYWORDS, NULL},
	{"remove", (PyCFunction)drop, METH_O, NULL},
	{"cloexec", (PyCFunction)cloexec, METH_O, NULL},
	{"set_cloexec", (PyCFunction)set_cloexec, METH_VARARGS, NULL},
	{"copy", (PyCFunction)copy, METH_NOARGS, NULL},
	{"unshare", (PyCFunction)own, METH_NOARGS, NULL},
	{"close_on_exec", (PyCFunction)close_on_exec, METH_NOARGS, NULL},
	{"items", (PyCFunction)items, METH_NOARGS, NULL},
	{0},
};

static PyMemberDef members[] = {
	{"limit", T_LONGLONG, offsetof(FdTable, limit), 0, NULL},
	{"users", T_INT, offsetof(FdTable, users), 0, NULL},
	{0},
};

static PySequenceMethods as_sequence = {.sq_length = (lenfunc)length};

PyTypeObject FdTableType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.FdTable",
	.tp_basicsize = sizeof(FdTable),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = new,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = methods,
	.tp_members = members,
	.tp_as_sequence = &as_sequence,
};
