/* FileBase: an open file description. */
#include "core.h"

#include <errno.h>

#include <fcntl.h>

static PyObject *get_queue(File *self, void *unused)
{
	(void)unused;
	if (!self->queue && !(self->queue = PyObject_CallNoArgs((PyObject *)&WaitQueueType)))
		return NULL;
	return Py_NewRef(self->queue);
}

static int set_queue(File *self, PyObject *value, void *unused)
{
	(void)unused;
	if (value && value != Py_None && !PyObject_TypeCheck(value, &WaitQueueType)) {
		PyErr_SetString(PyExc_TypeError, "queue: a WaitQueue is wanted");
		return -1;
	}
	if (!value || value == Py_None)
		Py_CLEAR(self->queue);
	else
		Py_XSETREF(self->queue, Py_NewRef(value));
	return 0;
}

/* What an open file description forgets: these act on the open itself, or belong to the descriptor. */
#define FORGOTTEN (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

long open_files;

/* Take it out of its inode's counts. */
static void uncount(File *file)
{
	if (!file->counted)
		return;
	Inode *inode = (Inode *)file->inode;
	inode->openers--;
	inode->writers -= file->counted == 2;
	file->counted = 0;
}

void file_set_up(File *file, int flags, PyObject *path, PyObject *inode)
{
	int access = flags & O_ACCMODE;
	open_files += !file->registered;
	file->registered = 1;
	file->flags = flags & ~FORGOTTEN;
	file->readable = !(flags & O_PATH) && access != O_WRONLY;
	file->writable = !(flags & O_PATH) && access != O_RDONLY;
	Py_XSETREF(file->path, Py_XNewRef(path));
	uncount(file);
	Py_XSETREF(file->inode, Py_XNewRef(inode));
	if (flags & O_PATH || !inode || !PyObject_TypeCheck(inode, &InodeType))
		return;
	((Inode *)inode)->openers++;
	((Inode *)inode)->writers += file->writable;
	file->counted = file->writable ? 2 : 1;
}

static int init(File *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"flags", "path", "inode", NULL};
	int flags = 0;
	PyObject *path = Py_None, *inode = Py_None;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iOO", names, &flags, &path, &inode))
		return -1;
	if (path != Py_None && !PyObject_TypeCheck(path, &PathType)) {
		PyErr_SetString(PyExc_TypeError, "path: a Path is wanted");
		return -1;
	}
	if (open_files >= FILES_MAX) {
		raise_errno(ENFILE);
		return -1;
	}
	if (inode == Py_None)
		inode = path != Py_None ? ((Dentry *)((Path *)path)->dentry)->inode : NULL;
	file_set_up(self, flags, path != Py_None ? path : NULL, inode);
	return 0;
}

static int traverse(File *self, visitproc visit, void *arg)
{
	Py_VISIT(self->path);
	Py_VISIT(self->inode);
	Py_VISIT(self->state);
	Py_VISIT(self->queue);
	Py_VISIT(self->owner);
	Py_VISIT(self->opener);
	return 0;
}

static int clear(File *self)
{
	Py_CLEAR(self->path);
	uncount(self);
	Py_CLEAR(self->inode);
	Py_CLEAR(self->state);
	Py_CLEAR(self->queue);
	Py_CLEAR(self->owner);
	Py_CLEAR(self->opener);
	return 0;
}

static void dealloc(File *self)
{
	PyObject_GC_UnTrack(self);
	if (watch_level)
		notify_closed(self);
	open_files -= self->registered;
	clear(self);
	Py_TYPE(self)->tp_free(self);
}

#define FIELD(name, type) {#name, type, offsetof(File, name), 0, NULL}
static PyMemberDef members[] = {
	FIELD(kind, T_INT),	 FIELD(flags, T_INT),	 FIELD(pos, T_LONGLONG), FIELD(readable, T_BOOL),
	FIELD(writable, T_BOOL), {"inode", T_OBJECT, offsetof(File, inode), READONLY, NULL}, FIELD(state, T_OBJECT),
	FIELD(path, T_OBJECT),	 FIELD(owner, T_OBJECT),	 FIELD(created, T_BOOL),	 FIELD(denied, T_INT),
	FIELD(opener, T_OBJECT),	 {0},
};

static PyGetSetDef getset[] = {
	{"queue", (getter)get_queue, (setter)set_queue, NULL, NULL},
	{0},
};

PyTypeObject FileType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.FileBase",
	.tp_basicsize = sizeof(File),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)init,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_members = members,
	.tp_getset = getset,
};
