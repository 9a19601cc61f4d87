/* WaitQueue: who waits for something to change: parked tasks, epoll interests, and what Python put in. */
#include "core.h"

#include <poll.h>
#include <sys/epoll.h>

static PyObject *notify_name;

static Py_ssize_t length(WaitQueue *self)
{
	return self->waiters ? PyDict_GET_SIZE(self->waiters) : 0;
}

static int notify(PyObject *waiter, unsigned events)
{
	if (PyObject_TypeCheck(waiter, &TaskType)) {
		if (((Task *)waiter)->parked.events & events)
			park_wake((Task *)waiter, WAIT_WOKEN);
		return 0;
	}
	if (PyObject_TypeCheck(waiter, &InterestType))
		return interest_notify((Interest *)waiter, events);
	if (!notify_name && !(notify_name = PyUnicode_InternFromString("notify")))
		return -1;
	PyObject *mask = PyLong_FromUnsignedLong(events);
	PyObject *taken = mask ? PyObject_CallMethodOneArg(waiter, notify_name, mask) : NULL;
	Py_XDECREF(mask);
	Py_XDECREF(taken);
	return taken ? 0 : -1;
}

/* epoll_ctl(2), EPOLLEXCLUSIVE: of those, one whose epoll instance has a waiter is enough. */
static bool is_exclusive(PyObject *waiter, unsigned events)
{
	return PyObject_TypeCheck(waiter, &InterestType) && ((Interest *)waiter)->events & EPOLLEXCLUSIVE &&
	       !(events & (POLLERR | POLLHUP));
}

static bool is_awaited(Interest *interest, unsigned events)
{
	return events & interest->mask && interest->list && length((WaitQueue *)interest->list->queue) > 0;
}

int queue_wake(PyObject *object, unsigned events)
{
	WaitQueue *queue = (WaitQueue *)object;
	if (!queue || object == Py_None || !queue->waiters || PyDict_GET_SIZE(queue->waiters) == 0)
		return 0;
	int failed = 0;
	if (PyDict_GET_SIZE(queue->waiters) == 1) {
		PyObject *only = NULL, *value;
		Py_ssize_t pos = 0;
		PyDict_Next(queue->waiters, &pos, &only, &value);
		Py_INCREF(only);
		failed = notify(only, events);
		Py_DECREF(only);
		return failed;
	}
	PyObject *members = PyDict_Keys(queue->waiters); /* a snapshot: waiters come and go meanwhile */
	if (!members)
		return -1;
	bool taken = false;
	for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(members); i++) {
		PyObject *waiter = PyList_GET_ITEM(members, i);
		bool exclusive = is_exclusive(waiter, events);
		if (exclusive && taken)
			continue;
		taken |= exclusive && is_awaited((Interest *)waiter, events);
		failed = notify(waiter, events);
	}
	Py_DECREF(members);
	return failed;
}

void queue_wake_quietly(PyObject *queue, unsigned events)
{
	if (queue_wake(queue, events) < 0)
		PyErr_WriteUnraisable(queue);
}

int queue_add(PyObject *object, PyObject *waiter)
{
	WaitQueue *queue = (WaitQueue *)object;
	if (!queue->waiters && !(queue->waiters = PyDict_New()))
		return -1;
	return PyDict_SetItem(queue->waiters, waiter, Py_None);
}

int queue_remove(PyObject *object, PyObject *waiter)
{
	WaitQueue *queue = (WaitQueue *)object;
	int present = queue->waiters ? PyDict_Contains(queue->waiters, waiter) : 0;
	return present > 0 ? PyDict_DelItem(queue->waiters, waiter) : present;
}

static PyObject *add(PyObject *self, PyObject *waiter)
{
	if (queue_add(self, waiter) < 0)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *discard(PyObject *self, PyObject *waiter)
{
	if (queue_remove(self, waiter) < 0)
		return NULL;
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
	{"add", add, METH_O, NULL},
	{"remove", discard, METH_O, NULL},
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
