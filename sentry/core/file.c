/* FileBase: an open file description. */
#include "core.h"

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

static int init(PyObject *self, PyObject *args, PyObject *kwargs)
{
	(void)self;
	(void)args;
	(void)kwargs;
	return 0;
}

static int traverse(File *self, visitproc visit, void *arg)
{
	Py_VISIT(self->inode);
	Py_VISIT(self->state);
	Py_VISIT(self->queue);
	return 0;
}

static int clear(File *self)
{
	Py_CLEAR(self->inode);
	Py_CLEAR(self->state);
	Py_CLEAR(self->queue);
	return 0;
}

static void dealloc(File *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	Py_TYPE(self)->tp_free(self);
}

#define FIELD(name, type) {#name, type, offsetof(File, name), 0, NULL}
static PyMemberDef members[] = {
	FIELD(kind, T_INT),	 FIELD(flags, T_INT),	 FIELD(pos, T_LONGLONG), FIELD(readable, T_BOOL),
	FIELD(writable, T_BOOL), FIELD(inode, T_OBJECT), FIELD(state, T_OBJECT), {0},
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
	.tp_init = init,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_members = members,
	.tp_getset = getset,
};
