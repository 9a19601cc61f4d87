/* FutexTable and FutexWaiter: the futexes as Python sees them.  What they do is in futex.c. */
#include "core.h"

/* A key from Python: (object, offset), borrowed. */
static int convert_key(PyObject *pair, struct futex_waiter *key)
{
	if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
		PyErr_SetString(PyExc_TypeError, "futex key: a pair is wanted");
		return 0;
	}
	key->space = PyTuple_GET_ITEM(pair, 0);
	key->offset = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(pair, 1));
	return !PyErr_Occurred();
}

static PyObject *add(FutexTable *self, PyObject *args)
{
	FutexWaiter *holder;
	struct futex_waiter key;
	if (!PyArg_ParseTuple(args, "O!O&", &FutexWaiterType, &holder, convert_key, &key))
		return NULL;
	if (holder->waiter.next || !holder->waiter.holder)
		return PyErr_Format(PyExc_ValueError, "add: a waiter that is in no queue is wanted");
	futex_queue(self, &holder->waiter, key.space, key.offset);
	Py_RETURN_NONE;
}

static PyObject *discard(FutexTable *self, PyObject *holder)
{
	(void)self;
	if (!PyObject_TypeCheck(holder, &FutexWaiterType))
		return PyErr_Format(PyExc_TypeError, "a FutexWaiter is wanted");
	futex_forget(&((FutexWaiter *)holder)->waiter);
	Py_RETURN_NONE;
}

static PyObject *wake(FutexTable *self, PyObject *args)
{
	struct futex_waiter key;
	unsigned count;
	unsigned bitset = ~0U;
	if (!PyArg_ParseTuple(args, "O&I|I", convert_key, &key, &count, &bitset))
		return NULL;
	int woken = futex_wake(self, key.space, key.offset, count, bitset);
	return woken < 0 ? raise_errno(-woken) : PyLong_FromLong(woken);
}

static PyObject *requeue(FutexTable *self, PyObject *args)
{
	struct futex_waiter key, target;
	unsigned count, move, moved;
	if (!PyArg_ParseTuple(args, "O&O&II", convert_key, &key, convert_key, &target, &count, &move))
		return NULL;
	int woken = futex_requeue(self, key.space, key.offset, target.space, target.offset, count, move, ~0U,
				  &moved);
	return woken < 0 ? raise_errno(-woken) : Py_BuildValue("iI", woken, moved);
}

static PyObject *pi_waiters(FutexTable *self, PyObject *pair)
{
	struct futex_waiter key;
	return convert_key(pair, &key) ? futex_pi_waiters(self, key.space, key.offset) : NULL;
}

static PyObject *any_waits(FutexTable *self, PyObject *pair)
{
	struct futex_waiter key;
	return convert_key(pair, &key) ? PyBool_FromLong(futex_any_waits(self, key.space, key.offset)) : NULL;
}

static Py_ssize_t length(FutexTable *self)
{
	Py_ssize_t count = 0;
	for (int i = 0; i < FUTEX_BUCKETS; i++)
		for (struct futex_waiter *waiter = self->buckets[i].next; waiter != &self->buckets[i];
		     waiter = waiter->next)
			count++;
	return count;
}

static PyObject *new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	FutexTable *self = (FutexTable *)type->tp_alloc(type, 0);
	if (!self)
		return NULL;
	self->buckets = PyMem_Calloc(FUTEX_BUCKETS, sizeof *self->buckets);
	if (!self->buckets) {
		Py_DECREF(self);
		return PyErr_NoMemory();
	}
	for (int i = 0; i < FUTEX_BUCKETS; i++)
		self->buckets[i].next = self->buckets[i].prev = &self->buckets[i];
	return (PyObject *)self;
}

static void dealloc(FutexTable *self)
{
	for (int i = 0; self->buckets && i < FUTEX_BUCKETS; i++)
		while (self->buckets[i].next != &self->buckets[i])
			futex_forget(self->buckets[i].next);
	PyMem_Free(self->buckets);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"add", (PyCFunction)add, METH_VARARGS, NULL},
	{"remove", (PyCFunction)discard, METH_O, NULL},
	{"wake", (PyCFunction)wake, METH_VARARGS, NULL},
	{"requeue", (PyCFunction)requeue, METH_VARARGS, NULL},
	{"any_waits", (PyCFunction)any_waits, METH_O, NULL},
	{"pi_waiters", (PyCFunction)pi_waiters, METH_O, NULL},
	{0},
};

static PySequenceMethods as_sequence = {.sq_length = (lenfunc)length};

PyTypeObject FutexTableType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.FutexTable",
	.tp_basicsize = sizeof(FutexTable),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = new,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
	.tp_as_sequence = &as_sequence,
};

static int waiter_init(FutexWaiter *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"task", "address", "bitset", "pi", NULL};
	Task *task;
	unsigned bitset;
	int pi = 0;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!KI|p", names, &TaskType, &task, &self->address,
					 &bitset, &pi))
		return -1;
	if (self->waiter.holder) {
		PyErr_SetString(PyExc_TypeError, "a FutexWaiter is made once");
		return -1;
	}
	self->waiter.holder = (PyObject *)self;
	self->waiter.task = (Task *)Py_NewRef(task);
	self->waiter.bitset = bitset;
	self->waiter.pi = pi;
	return 0;
}

static PyObject *get_key(FutexWaiter *self, void *unused)
{
	(void)unused;
	if (!self->waiter.space)
		Py_RETURN_NONE;
	return Py_BuildValue("OK", self->waiter.space, (unsigned long long)self->waiter.offset);
}

static PyObject *waiter_wake(FutexWaiter *self, PyObject *unused)
{
	(void)unused;
	if (self->waiter.task)
		futex_tell(&self->waiter);
	Py_RETURN_NONE;
}

static int waiter_traverse(FutexWaiter *self, visitproc visit, void *arg)
{
	Py_VISIT(self->waiter.task);
	Py_VISIT(self->waiter.space);
	return 0;
}

static int waiter_clear(FutexWaiter *self)
{
	Py_CLEAR(self->waiter.task);
	return 0;
}

static void waiter_dealloc(FutexWaiter *self)
{
	PyObject_GC_UnTrack(self);
	waiter_clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef waiter_methods[] = {
	{"wake", (PyCFunction)waiter_wake, METH_NOARGS, NULL},
	{0},
};

#define OFFSET(member) (offsetof(FutexWaiter, waiter) + offsetof(struct futex_waiter, member))
static PyMemberDef waiter_members[] = {
	{"task", T_OBJECT, OFFSET(task), READONLY, NULL},
	{"address", T_ULONGLONG, offsetof(FutexWaiter, address), READONLY, NULL},
	{"bitset", T_UINT, OFFSET(bitset), READONLY, NULL},
	{"pi", T_BOOL, OFFSET(pi), READONLY, NULL},
	{"woken", T_BOOL, OFFSET(woken), READONLY, NULL},
	{0},
};

static PyGetSetDef waiter_getset[] = {
	{"key", (getter)get_key, NULL, NULL, NULL},
	{0},
};

PyTypeObject FutexWaiterType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.FutexWaiter",
	.tp_basicsize = sizeof(FutexWaiter),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)waiter_init,
	.tp_dealloc = (destructor)waiter_dealloc,
	.tp_traverse = (traverseproc)waiter_traverse,
	.tp_clear = (inquiry)waiter_clear,
	.tp_methods = waiter_methods,
	.tp_members = waiter_members,
	.tp_getset = waiter_getset,
};
