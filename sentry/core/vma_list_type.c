/* VmaList as Python sees it; vma_list.c does the work. */
#include "vma.h"

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"lowest", "base", NULL};
	unsigned long long lowest, base;
	(void)type; /* it has no subclasses */
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KK", names, &lowest, &base))
		return NULL;
	return (PyObject *)vma_list_new(lowest, base);
}

static void dealloc(VmaList *self)
{
	for (size_t i = 0; i < self->count; i++)
		Py_DECREF(self->vmas[i]);
	PyMem_Free(self->vmas);
	PyObject_Free(self);
}

static PyObject *slice(VmaList *self, size_t low, size_t high)
{
	PyObject *list = PyList_New(high > low ? (Py_ssize_t)(high - low) : 0);
	for (size_t i = low; list && i < high; i++)
		PyList_SET_ITEM(list, (Py_ssize_t)(i - low), Py_NewRef(self->vmas[i]));
	return list;
}

static PyObject *fork_list(VmaList *self, PyObject *unused)
{
	(void)unused;
	return (PyObject *)vma_list_fork(self);
}

static bool parse_addr(PyObject *arg, uint64_t *addr)
{
	*addr = PyLong_AsUnsignedLongLong(arg);
	return !(*addr == ~0ULL && PyErr_Occurred());
}

static bool parse_range(PyObject *args, uint64_t *start, uint64_t *end)
{
	unsigned long long s, e;
	if (!PyArg_ParseTuple(args, "KK", &s, &e))
		return false;
	*start = s;
	*end = e;
	return true;
}

static PyObject *find(VmaList *self, PyObject *arg)
{
	uint64_t addr;
	if (!parse_addr(arg, &addr))
		return NULL;
	Vma *vma = vma_list_find(self, addr);
	return Py_NewRef(vma ? (PyObject *)vma : Py_None);
}

static PyObject *find_index(VmaList *self, PyObject *arg)
{
	uint64_t addr;
	return parse_addr(arg, &addr) ? PyLong_FromSize_t(vma_list_index(self, addr)) : NULL;
}

static PyObject *overlapping(VmaList *self, PyObject *args)
{
	uint64_t start, end;
	if (!parse_range(args, &start, &end))
		return NULL;
	return slice(self, vma_list_index(self, start), vma_list_before(self, end));
}

static PyObject *covered(VmaList *self, PyObject *args)
{
	uint64_t start, end;
	if (!parse_range(args, &start, &end))
		return NULL;
	for (size_t i = vma_list_index(self, start); start < end && i < self->count; i++) {
		if (self->vmas[i]->start > start)
			break;
		start = self->vmas[i]->end;
	}
	return PyLong_FromUnsignedLongLong(start < end ? start : end);
}

static PyObject *is_free(VmaList *self, PyObject *args)
{
	uint64_t start, end;
	return parse_range(args, &start, &end) ? PyBool_FromLong(vma_list_is_free(self, start, end)) : NULL;
}

static PyObject *is_reserved(VmaList *self, PyObject *args)
{
	uint64_t start, end;
	return parse_range(args, &start, &end) ? PyBool_FromLong(vma_list_is_reserved(self, start, end)) : NULL;
}

static PyObject *room(uint64_t start)
{
	if (start == NO_ROOM)
		Py_RETURN_NONE;
	return PyLong_FromUnsignedLongLong(start);
}

static PyObject *room_anywhere(VmaList *self, PyObject *arg)
{
	uint64_t length;
	return parse_addr(arg, &length) ? room(vma_list_room(self, length)) : NULL;
}

static PyObject *room_below(VmaList *self, PyObject *arg)
{
	uint64_t length;
	return parse_addr(arg, &length) ? room(vma_list_room_below(self, length)) : NULL;
}

static PyObject *room_above(VmaList *self, PyObject *args)
{
	unsigned long long length, low, high;
	if (!PyArg_ParseTuple(args, "KKK", &length, &low, &high))
		return NULL;
	return room(vma_list_room_above(self, length, low, high));
}

static PyObject *reserve(VmaList *self, PyObject *args)
{
	if (!parse_range(args, &self->reserved_start, &self->reserved_end))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *insert(VmaList *self, PyObject *arg)
{
	if (!Py_IS_TYPE(arg, &VmaType))
		return PyErr_Format(PyExc_TypeError, "insert: a Vma is wanted");
	Vma *vma = (Vma *)Py_NewRef(arg);
	vma_list_replace(self, vma->start, vma->end, &vma, 1);
	Py_RETURN_NONE;
}

static PyObject *clear(VmaList *self, PyObject *args)
{
	uint64_t start, end;
	if (!parse_range(args, &start, &end))
		return NULL;
	vma_list_replace(self, start, end, NULL, 0);
	Py_RETURN_NONE;
}

/* Put a Python list's mappings in place of all in [start, end). */
static PyObject *replace_by(VmaList *self, uint64_t start, uint64_t end, PyObject *pieces)
{
	size_t count = (size_t)PyList_GET_SIZE(pieces);
	Vma **new = vma_must(PyMem_Malloc((count + 1) * sizeof *new));
	for (size_t i = 0; i < count; i++) {
		PyObject *item = PyList_GET_ITEM(pieces, (Py_ssize_t)i);
		if (!Py_IS_TYPE(item, &VmaType)) {
			while (i--)
				Py_DECREF(new[i]);
			PyMem_Free(new);
			return PyErr_Format(PyExc_TypeError, "replace: Vmas are wanted");
		}
		new[i] = (Vma *)Py_NewRef(item);
	}
	vma_list_replace(self, start, end, new, count);
	PyMem_Free(new);
	Py_RETURN_NONE;
}

static PyObject *replace(VmaList *self, PyObject *args)
{
	unsigned long long start, end;
	PyObject *pieces;
	if (!PyArg_ParseTuple(args, "KKO!", &start, &end, &PyList_Type, &pieces))
		return NULL;
	return replace_by(self, start, end, pieces);
}

static PyObject *update(VmaList *self, PyObject *args)
{
	unsigned long long start, end;
	PyObject *change, *done = NULL;
	if (!PyArg_ParseTuple(args, "KKO", &start, &end, &change))
		return NULL;
	PyObject *pieces = slice(self, vma_list_index(self, start), vma_list_before(self, end));
	for (Py_ssize_t i = 0; pieces && i < PyList_GET_SIZE(pieces); i++) {
		Vma *vma = (Vma *)PyList_GET_ITEM(pieces, i);
		uint64_t low = vma->start > start ? vma->start : start, high = vma->end < end ? vma->end : end;
		Vma *cut = vma_part(vma, low, high);
		PyObject *changed = PyObject_CallOneArg(change, (PyObject *)cut);
		Py_DECREF(cut);
		if (!changed || PyList_SetItem(pieces, i, changed) < 0)
			Py_CLEAR(pieces);
	}
	if (pieces)
		done = replace_by(self, start, end, pieces);
	Py_XDECREF(pieces);
	return done;
}

static PyObject *get_vmas(VmaList *self, void *unused)
{
	(void)unused;
	return slice(self, 0, self->count);
}

static Py_ssize_t length(VmaList *self)
{
	return (Py_ssize_t)self->count;
}

static PyObject *item(VmaList *self, Py_ssize_t index)
{
	if (index < 0 || (size_t)index >= self->count) {
		PyErr_SetString(PyExc_IndexError, "no such mapping");
		return NULL;
	}
	return Py_NewRef(self->vmas[index]);
}

static PyMethodDef methods[] = {
	{"fork", (PyCFunction)fork_list, METH_NOARGS, NULL},
	{"find", (PyCFunction)find, METH_O, NULL},
	{"index", (PyCFunction)find_index, METH_O, NULL},
	{"overlapping", (PyCFunction)overlapping, METH_VARARGS, NULL},
	{"covered", (PyCFunction)covered, METH_VARARGS, NULL},
	{"is_free", (PyCFunction)is_free, METH_VARARGS, NULL},
	{"is_reserved", (PyCFunction)is_reserved, METH_VARARGS, NULL},
	{"room", (PyCFunction)room_anywhere, METH_O, NULL},
	{"room_below", (PyCFunction)room_below, METH_O, NULL},
	{"room_above", (PyCFunction)room_above, METH_VARARGS, NULL},
	{"reserve", (PyCFunction)reserve, METH_VARARGS, NULL},
	{"insert", (PyCFunction)insert, METH_O, NULL},
	{"clear", (PyCFunction)clear, METH_VARARGS, NULL},
	{"replace", (PyCFunction)replace, METH_VARARGS, NULL},
	{"update", (PyCFunction)update, METH_VARARGS, NULL},
	{0},
};

#define FIELD(name) {#name, T_ULONGLONG, offsetof(VmaList, name), READONLY, NULL}
static PyMemberDef members[] = {
	FIELD(lowest), FIELD(base), FIELD(total), FIELD(data), FIELD(gap_floor),
	FIELD(reserved_start), FIELD(reserved_end),
	{"bottom_up", T_BOOL, offsetof(VmaList, bottom_up), 0, NULL}, {0},
};

static PyGetSetDef getset[] = {
	{"vmas", (getter)get_vmas, NULL, NULL, NULL},
	{0},
};

static PySequenceMethods sequence = {
	.sq_length = (lenfunc)length,
	.sq_item = (ssizeargfunc)item,
};

PyTypeObject VmaListType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.VmaList",
	.tp_basicsize = sizeof(VmaList),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = new,
	.tp_dealloc = (destructor)dealloc,
	.tp_iter = PySeqIter_New,
	.tp_as_sequence = &sequence,
	.tp_methods = methods,
	.tp_members = members,
	.tp_getset = getset,
};
