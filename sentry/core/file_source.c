/* FileSource: a regular file as what is mapped (twin: the MapSource of sentry.vfs.file). */
#include "vma.h"

typedef struct {
	PyObject_HEAD
	PyObject *inode;
} FileSource;

PyObject *file_source_new(PyObject *inode)
{
	FileSource *source = vma_must(PyObject_New(FileSource, &FileSourceType));
	source->inode = Py_NewRef(inode);
	return (PyObject *)source;
}

static void dealloc(FileSource *self)
{
	Py_DECREF(self->inode);
	PyObject_Free(self);
}

static PyObject *get_name(FileSource *self, void *unused)
{
	(void)self;
	(void)unused;
	return PyBytes_FromStringAndSize("", 0); /* the file's path is what tells */
}

static PyMemberDef members[] = {
	{"inode", T_OBJECT, offsetof(FileSource, inode), READONLY, NULL},
	{"key", T_OBJECT, offsetof(FileSource, inode), READONLY, NULL},
	{0},
};

static PyGetSetDef getset[] = {
	{"name", (getter)get_name, NULL, NULL, NULL},
	{0},
};

PyTypeObject FileSourceType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.FileSource",
	.tp_basicsize = sizeof(FileSource),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_dealloc = (destructor)dealloc,
	.tp_members = members,
	.tp_getset = getset,
};
