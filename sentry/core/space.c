/* SpaceBase: an address space as C and Python know it; the rest is sentry.mm.space. */
#include "vma.h"

#include <sys/mman.h>

bool space_may_patch(PyObject *mm, uint64_t addr, uint64_t length)
{
	if (!mm || !PyObject_TypeCheck(mm, &SpaceType))
		return false;
	Vma *vma = vma_list_find(((Space *)mm)->areas, addr);
	return vma && length && length <= vma->end - addr && !(vma->flags & (VM_SHARED | VM_SPECIAL)) &&
	       vma->prot == (PROT_READ | PROT_EXEC);
}

bool space_has_secrets(PyObject *mm)
{
	return mm && PyObject_TypeCheck(mm, &SpaceType) && ((Space *)mm)->secret;
}

static PyObject *may_patch(PyObject *self, PyObject *args)
{
	unsigned long long addr, length;
	if (!PyArg_ParseTuple(args, "KK", &addr, &length))
		return NULL;
	return PyBool_FromLong(space_may_patch(self, addr, length));
}

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"lowest", "base", NULL};
	unsigned long long lowest, base;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KK", names, &lowest, &base))
		return NULL;
	Space *self = (Space *)type->tp_alloc(type, 0);
	if (self) {
		self->areas = vma_list_new(lowest, base);
		self->users = 1;
		self->exe = Py_NewRef(Py_None);
		self->auxv = PyBytes_FromStringAndSize("", 0);
	}
	return (PyObject *)self;
}

/* What fork(2)'s child has: locks and the will to lock are not inherited (mlock(2)). */
static PyObject *copy(Space *self, PyObject *unused)
{
	(void)unused;
	Space *child = (Space *)Py_TYPE(self)->tp_alloc(Py_TYPE(self), 0);
	if (!child)
		return NULL;
	size_t head = offsetof(Space, areas);
	memcpy((char *)child + head, (char *)self + head, sizeof *self - head);
	child->areas = vma_list_fork(self->areas);
	Py_XINCREF(child->exe);
	Py_XINCREF(child->auxv);
	child->users = 1;
	child->lock_future = 0;
	child->locked = 0;
	return (PyObject *)child;
}

static void dealloc(Space *self)
{
	Py_XDECREF(self->areas);
	Py_XDECREF(self->exe);
	Py_XDECREF(self->auxv);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"copy", (PyCFunction)copy, METH_NOARGS, NULL},
	{"may_patch", (PyCFunction)may_patch, METH_VARARGS, NULL},
	{0},
};

#define FIELD(name, type) {#name, type, offsetof(Space, name), 0, NULL}
static PyMemberDef members[] = {
	{"areas", T_OBJECT, offsetof(Space, areas), READONLY, NULL},
	FIELD(brk_start, T_ULONGLONG), FIELD(brk_end, T_ULONGLONG),   FIELD(code_start, T_ULONGLONG),
	FIELD(code_end, T_ULONGLONG),  FIELD(data_start, T_ULONGLONG), FIELD(data_end, T_ULONGLONG),
	FIELD(arg_start, T_ULONGLONG), FIELD(arg_end, T_ULONGLONG),   FIELD(env_start, T_ULONGLONG),
	FIELD(env_end, T_ULONGLONG),   FIELD(stack_start, T_ULONGLONG), FIELD(lock_future, T_UINT),
	FIELD(users, T_INT),	       FIELD(locked, T_BOOL),	      FIELD(sealed, T_BOOL),
	FIELD(mdwe, T_UBYTE),	       FIELD(secret, T_BOOL),
	FIELD(attached, T_BOOL),       FIELD(exe, T_OBJECT),	      FIELD(auxv, T_OBJECT),
	{0},
};

PyTypeObject SpaceType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.SpaceBase",
	.tp_basicsize = sizeof(Space),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = new,
	.tp_init = no_arguments,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
	.tp_members = members,
};
