/* ReadyList and Interest: which files of an epoll instance may have something to report (epoll(7)).
 *
 * What must hold: an interest whose file is ready (and that is armed) is in its list, once.  The file's
 * queue puts it there; `ready_collect` takes it out, asks the file, and puts level-triggered ones that are
 * still ready back at the end, so that everyone gets a turn.  The list owns what is in it.
 */
#include "core.h"

#include <poll.h>
#include <sys/epoll.h>

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)
#define PIPE_BUF 4096
#define EVENTFD_MAX (~0ULL - 1)

static void append(ReadyList *list, Interest *interest)
{
	interest->in_list = 1;
	interest->next = NULL;
	if (list->last)
		list->last->next = interest;
	else
		list->first = interest;
	list->last = interest;
	list->count++;
}

/* The oldest interest, its reference passed to the caller; NULL: the list is empty. */
static Interest *take_first(ReadyList *list)
{
	Interest *interest = list->first;
	if (!interest)
		return NULL;
	list->first = interest->next;
	if (!list->first)
		list->last = NULL;
	list->count--;
	interest->in_list = 0;
	interest->next = NULL;
	return interest;
}

/* Note that the interest may be ready, and tell who waits; 0, or -1 with an exception. */
static int come_in(Interest *interest)
{
	ReadyList *list = interest->list;
	Py_INCREF(interest);
	append(list, interest);
	return queue_wake(list->queue, READABLE);
}

int interest_notify(Interest *interest, unsigned events)
{
	return !(events & interest->mask) || interest->in_list || !interest->list ? 0 : come_in(interest);
}

/* poll(2)'s events of a file; -1 with an exception. */
static long file_poll(File *file)
{
	static PyObject *name;
	long events = 0;
	if (file->kind == KIND_EVENTFD && file->state && Py_IS_TYPE(file->state, &CounterType)) {
		unsigned long long value = ((Counter *)file->state)->value;
		if (value)
			events = POLLIN;
		if (value <= EVENTFD_MAX)
			return events | (value < EVENTFD_MAX ? POLLOUT : 0);
	}
	PipeBuffer *pipe = (PipeBuffer *)file->state;
	if (file->kind == KIND_PIPE && pipe && Py_IS_TYPE(pipe, &PipeBufferType) && pipe->readers && pipe->writers) {
		if (file->readable && pipe->length)
			events = READABLE;
		if (file->writable && pipe->length + PIPE_BUF <= pipe->capacity)
			events |= WRITABLE;
		return events;
	}
	if (!name && !(name = PyUnicode_InternFromString("poll")))
		return -1;
	PyObject *answer = PyObject_CallMethodNoArgs((PyObject *)file, name);
	if (!answer)
		return -1;
	events = PyLong_AsLong(answer);
	Py_DECREF(answer);
	return events;
}

/* The events to report now; -1 with an exception. */
static long interest_poll(Interest *interest)
{
	if (!interest->mask || !interest->file)
		return 0;
	PyObject *file = PyObject_CallNoArgs(interest->file);
	if (!file)
		return -1;
	long events = PyObject_TypeCheck(file, &FileType) ? file_poll((File *)file) : 0;
	Py_DECREF(file);
	return events < 0 ? -1 : events & (long)interest->mask;
}

Py_ssize_t ready_collect(ReadyList *list, struct epoll_event *found, Py_ssize_t limit)
{
	Py_ssize_t count = 0;
	Interest *again = NULL, **end = &again;
	for (Py_ssize_t left = list->count; left > 0 && count < limit; left--) {
		Interest *interest = take_first(list);
		if (!interest)
			break;
		long events = interest_poll(interest);
		if (events < 0) {
			PyErr_WriteUnraisable((PyObject *)interest); /* poll must not fail */
			events = 0;
		}
		bool keep = false;
		if (events) {
			found[count].events = (unsigned)events;
			found[count++].data.u64 = interest->data;
			if (interest->events & EPOLLONESHOT)
				interest->mask = 0;
			else
				keep = !(interest->events & EPOLLET) && !interest->in_list;
		}
		if (keep) {
			interest->in_list = 1;
			*end = interest;
			end = &interest->next;
		} else
			Py_DECREF(interest);
	}
	while (again) {
		Interest *interest = again;
		again = interest->next;
		append(list, interest);
	}
	return count;
}

static PyObject *collect(ReadyList *self, PyObject *arg)
{
	Py_ssize_t limit = PyLong_AsSsize_t(arg);
	if (limit == -1 && PyErr_Occurred())
		return NULL;
	if (limit > self->count)
		limit = self->count;
	struct epoll_event *events = PyMem_New(struct epoll_event, limit > 0 ? limit : 1);
	if (!events)
		return PyErr_NoMemory();
	Py_ssize_t count = ready_collect(self, events, limit);
	PyObject *list = PyList_New(count);
	for (Py_ssize_t i = 0; list && i < count; i++) {
		PyObject *pair = Py_BuildValue("IK", events[i].events, (unsigned long long)events[i].data.u64);
		if (!pair)
			Py_CLEAR(list);
		else
			PyList_SET_ITEM(list, i, pair);
	}
	PyMem_Free(events);
	return list;
}

static PyObject *has_ready(ReadyList *self, PyObject *unused)
{
	(void)unused;
	while (self->first) {
		Interest *interest = (Interest *)Py_NewRef(self->first);
		long events = interest_poll(interest);
		if (events < 0) {
			Py_DECREF(interest);
			return NULL;
		}
		if (!events && self->first == interest)
			Py_DECREF(take_first(self));
		Py_DECREF(interest);
		if (events)
			Py_RETURN_TRUE;
	}
	Py_RETURN_FALSE;
}

static PyObject *empty(ReadyList *self, PyObject *unused)
{
	(void)unused;
	for (Interest *interest; (interest = take_first(self));)
		Py_DECREF(interest);
	Py_RETURN_NONE;
}

static PyObject *list_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)args;
	(void)kwargs;
	ReadyList *self = (ReadyList *)type->tp_alloc(type, 0);
	if (self && !(self->queue = PyObject_CallNoArgs((PyObject *)&WaitQueueType)))
		Py_CLEAR(self);
	return (PyObject *)self;
}

static int list_traverse(ReadyList *self, visitproc visit, void *arg)
{
	Py_VISIT(self->queue);
	for (Interest *interest = self->first; interest; interest = interest->next)
		Py_VISIT(interest);
	return 0;
}

static int list_clear(ReadyList *self)
{
	Py_CLEAR(self->queue);
	for (Interest *interest; (interest = take_first(self));)
		Py_DECREF(interest);
	return 0;
}

static void list_dealloc(ReadyList *self)
{
	PyObject_GC_UnTrack(self);
	list_clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef list_methods[] = {
	{"collect", (PyCFunction)collect, METH_O, NULL},
	{"has_ready", (PyCFunction)has_ready, METH_NOARGS, NULL},
	{"empty", (PyCFunction)empty, METH_NOARGS, NULL},
	{0},
};

static PyMemberDef list_members[] = {
	{"queue", T_OBJECT, offsetof(ReadyList, queue), READONLY, NULL},
	{0},
};

PyTypeObject ReadyListType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.ReadyListBase",
	.tp_basicsize = sizeof(ReadyList),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = list_new,
	.tp_dealloc = (destructor)list_dealloc,
	.tp_traverse = (traverseproc)list_traverse,
	.tp_clear = (inquiry)list_clear,
	.tp_methods = list_methods,
	.tp_members = list_members,
};

static PyObject *check(Interest *self, PyObject *unused)
{
	(void)unused;
	if (self->in_list || !self->list)
		Py_RETURN_NONE;
	long events = interest_poll(self);
	if (events < 0 || (events && !self->in_list && come_in(self) < 0))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *get_list(Interest *self, void *unused)
{
	(void)unused;
	return Py_NewRef(self->list ? (PyObject *)self->list : Py_None);
}

static int set_list(Interest *self, PyObject *value, void *unused)
{
	(void)unused;
	if (!value || !PyObject_TypeCheck(value, &ReadyListType) || self->list) {
		PyErr_SetString(PyExc_TypeError, "ready: a ReadyList is wanted, once");
		return -1;
	}
	self->list = (ReadyList *)Py_NewRef(value);
	return 0;
}

static int interest_traverse(Interest *self, visitproc visit, void *arg)
{
	Py_VISIT(self->list);
	Py_VISIT(self->file);
	return 0;
}

static int interest_clear(Interest *self)
{
	Py_CLEAR(self->file);
	Py_CLEAR(self->list); /* it owns us while we are in it: so we aren't, or it is cleared, too */
	return 0;
}

static void interest_dealloc(Interest *self)
{
	PyObject_GC_UnTrack(self);
	interest_clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef interest_methods[] = {
	{"check", (PyCFunction)check, METH_NOARGS, NULL},
	{0},
};

static PyMemberDef interest_members[] = {
	{"file", T_OBJECT, offsetof(Interest, file), 0, NULL},
	{"events", T_UINT, offsetof(Interest, events), 0, NULL},
	{"mask", T_UINT, offsetof(Interest, mask), 0, NULL},
	{"data", T_ULONGLONG, offsetof(Interest, data), 0, NULL},
	{0},
};

static PyGetSetDef interest_getset[] = {
	{"ready", (getter)get_list, (setter)set_list, NULL, NULL},
	{0},
};

PyTypeObject InterestType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.InterestBase",
	.tp_basicsize = sizeof(Interest),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_dealloc = (destructor)interest_dealloc,
	.tp_traverse = (traverseproc)interest_traverse,
	.tp_clear = (inquiry)interest_clear,
	.tp_methods = interest_methods,
	.tp_members = interest_members,
	.tp_getset = interest_getset,
};
