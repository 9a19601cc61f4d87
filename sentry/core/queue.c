/* WaitQueue: who waits for something to change. */
#include "core.h"

static PyObject *notify_name;

int queue_wake(PyObject *object, unsigned events)
{
	WaitQueue *queue = (WaitQueue *)object;
	if (!queue || object == Py_None || !queue->waiters || PyDict_GET_SIZE(queue->waiters) == 0)
		return 0;
	if (!notify_name && !(notify_name = PyUnicode_InternFromString("notify")))
		return -1;
	PyObject *members = PyDict_Keys(queue->waiters); /* a snapshot: waiters come and go meanwhile */
	PyObject *mask = PyLong_FromUnsignedLong(events);
	int failed = !members || !mask;
	for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(members); i++) {
		PyObject *taken = PyObject_CallMethodOneArg(PyList_GET_ITEM(members, i), notify_name, mask);
		failed = !taken;
		Py_XDECREF(taken);
	}
	Py_XDECREF(members);
	Py_XDECREF(mask);
	return failed ? -1 : 0;
}

void queue_wake_quietly(PyObject *queue, unsigned events)
{
	if (queue_wake(queue, events) < 0)
		PyErr_WriteUnraisable(queue);
}

static PyObject *add(WaitQueue *self, PyObject *waiter)
{
	if (!self->waiters && !(self->waiters = PyDict_New()))
		return NULL;
	if (PyDict_SetItem(self->waiters, waiter, Py_None) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *discard(WaitQueue *self, PyObject *waiter)
{
	if (self->waiters) {
		int present = PyDict_Contains(self->waiters, waiter);
		if (present < 0 || (present && PyDict_DelItem(self->waiters, waiter) < 0))
			return NULL;
	}
	Py_RETURN_NONE;
}

static PyObject *wake(PyObject *self, PyObject *events)
{
	unsigned long mask = PyLong_AsUnsignedLongMask(events);
	if (mask == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	if (queue_wake(self, (unsigned)mask) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static Py_ssize_t length(WaitQueue *self)
{
	return self->waiters ? PyDict_GET_SIZE(self->waiters) : 0;
}

static PyObject *iterate(WaitQueue *self)
{
	PyObject *members = self->waiters ? PyDict_Keys(self->waiters) : PyList_New(0);
	if (!members)
		return NULL;
	PyObject *iterator = PyObject_GetIter(members);
	Py_DECREF(members);
	return iterator;
}

static int traverse(WaitQueue *self, visitproc visit, void *arg)
{
	Py_VISIT(self->waiters);
	return 0;
}

static int clear(WaitQueue *self)
{
	Py_CLEAR(self->waiters);
	return 0;
}

static void dealloc(WaitQueue *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"add", (PyCFunction)add, METH_O, NULL},
	{"remove", (PyCFunction)discard, METH_O, NULL},
	{"wake", wake, METH_O, NULL},
	{0},
};

static PySequenceMethods as_sequence = {.sq_length = (lenfunc)length};

PyTypeObject WaitQueueType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.WaitQueue",
	.tp_basicsize = sizeof(WaitQueue),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = methods,
	.tp_as_sequence = &as_sequence,
	.tp_iter = (getiterfunc)iterate,
};
