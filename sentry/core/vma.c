/* Vma: a range [start, end) of page-aligned addresses that have everything in common. */
#include "vma.h"

#include <sys/mman.h>

void *vma_must(void *memory)
{
	if (!memory)
		Py_FatalError("no memory for a list of mappings");
	return memory;
}

Vma *vma_new(uint64_t start, uint64_t end, int prot, unsigned flags, PyObject *file, PyObject *source,
	     uint64_t offset, PyObject *name)
{
	Vma *vma = vma_must(PyObject_New(Vma, &VmaType));
	vma->start = start;
	vma->end = end;
	vma->prot = prot;
	vma->flags = flags;
	vma->offset = offset;
	vma->file = Py_XNewRef(file);
	vma->source = Py_XNewRef(source);
	vma->name = Py_XNewRef(name);
	return vma;
}

Vma *vma_part(Vma *vma, uint64_t start, uint64_t end)
{
	uint64_t offset = vma->source ? vma->offset + start - vma->start : 0;
	return vma_new(start, end, vma->prot, vma->flags, vma->file, vma->source, offset, vma->name);
}

Vma *vma_changed(Vma *vma, int prot, unsigned flags)
{
	return vma_new(vma->start, vma->end, prot, flags, vma->file, vma->source, vma->offset, vma->name);
}

static bool same_name(PyObject *a, PyObject *b)
{
	return a == b || (a && b && PyBytes_GET_SIZE(a) == PyBytes_GET_SIZE(b) &&
			  !memcmp(PyBytes_AS_STRING(a), PyBytes_AS_STRING(b), (size_t)PyBytes_GET_SIZE(a)));
}

bool vma_joins(Vma *vma, Vma *after)
{
	return vma->end == after->start && vma->prot == after->prot && vma->flags == after->flags &&
	       !(vma->flags & VM_SPECIAL) && vma->file == after->file &&
	       (vma->file || vma->source == after->source) &&
	       (!vma->source || vma->offset + vma->end - vma->start == after->offset) &&
	       same_name(vma->name, after->name);
}

static PyObject *given(PyObject *object)
{
	return object == Py_None ? NULL : object;
}

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"start", "end", "prot", "flags", "file", "source", "offset", "name", NULL};
	unsigned long long start, end, offset = 0;
	int prot;
	unsigned flags;
	PyObject *file = NULL, *source = NULL, *name = NULL;
	(void)type; /* it has no subclasses */
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KKiI|OOKO", names, &start, &end, &prot, &flags, &file,
					 &source, &offset, &name))
		return NULL;
	name = given(name);
	if (name && !PyBytes_Check(name))
		return PyErr_Format(PyExc_TypeError, "name: bytes are wanted");
	return (PyObject *)vma_new(start, end, prot, flags, given(file), given(source), offset, name);
}

static void dealloc(Vma *self)
{
	Py_XDECREF(self->file);
	Py_XDECREF(self->source);
	Py_XDECREF(self->name);
	PyObject_Free(self);
}

static PyObject *part(Vma *self, PyObject *args)
{
	unsigned long long start, end;
	if (!PyArg_ParseTuple(args, "KK", &start, &end))
		return NULL;
	return (PyObject *)vma_part(self, start, end);
}

static PyObject *changed(Vma *self, PyObject *args)
{
	int prot;
	unsigned flags;
	if (!PyArg_ParseTuple(args, "iI", &prot, &flags))
		return NULL;
	return (PyObject *)vma_changed(self, prot, flags);
}

static PyObject *renamed(Vma *self, PyObject *name)
{
	if (name != Py_None && !PyBytes_Check(name))
		return PyErr_Format(PyExc_TypeError, "name: bytes are wanted");
	return (PyObject *)vma_new(self->start, self->end, self->prot, self->flags, self->file, self->source,
				   self->offset, given(name));
}

static PyObject *joins(Vma *self, PyObject *after)
{
	if (!Py_IS_TYPE(after, &VmaType))
		return PyErr_Format(PyExc_TypeError, "joins: a Vma is wanted");
	return PyBool_FromLong(vma_joins(self, (Vma *)after));
}

static PyObject *is_data(Vma *self, PyObject *unused)
{
	(void)unused;
	return PyBool_FromLong(vma_is_data(self));
}

static PyObject *get_shared(Vma *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(self->flags & VM_SHARED);
}

static PyObject *get_length(Vma *self, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(self->end - self->start);
}

static PyObject *repr(Vma *self)
{
	char text[120];
	snprintf(text, sizeof text, "<Vma %llx-%llx %c%c%c 0x%x %llx>", (unsigned long long)self->start,
		 (unsigned long long)self->end, self->prot & PROT_READ ? 'r' : '-',
		 self->prot & PROT_WRITE ? 'w' : '-', self->prot & PROT_EXEC ? 'x' : '-', self->flags,
		 (unsigned long long)self->offset);
	return PyUnicode_FromString(text);
}

static PyMethodDef methods[] = {
	{"part", (PyCFunction)part, METH_VARARGS, NULL},
	{"changed", (PyCFunction)changed, METH_VARARGS, NULL},
	{"renamed", (PyCFunction)renamed, METH_O, NULL},
	{"joins", (PyCFunction)joins, METH_O, NULL},
	{"is_data", (PyCFunction)is_data, METH_NOARGS, NULL},
	{0},
};

#define FIELD(name, type) {#name, type, offsetof(Vma, name), READONLY, NULL}
static PyMemberDef members[] = {
	FIELD(start, T_ULONGLONG), FIELD(end, T_ULONGLONG), FIELD(offset, T_ULONGLONG),
	FIELD(prot, T_INT),	   FIELD(flags, T_UINT),    FIELD(file, T_OBJECT),
	FIELD(source, T_OBJECT),   FIELD(name, T_OBJECT),   {0},
};

static PyGetSetDef getset[] = {
	{"shared", (getter)get_shared, NULL, NULL, NULL},
	{"length", (getter)get_length, NULL, NULL, NULL},
	{0},
};

PyTypeObject VmaType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.Vma",
	.tp_basicsize = sizeof(Vma),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = new,
	.tp_dealloc = (destructor)dealloc,
	.tp_repr = (reprfunc)repr,
	.tp_methods = methods,
	.tp_members = members,
	.tp_getset = getset,
};
