/* PipeBuffer: a bounded ring of bytes.  Counter: an eventfd's number. */
#include "core.h"

static int ring_grow(PipeBuffer *pipe, size_t wanted)
{
	size_t size = pipe->allocated ? pipe->allocated : 4096;
	while (size < wanted)
		size *= 2;
	if (size > pipe->capacity)
		size = pipe->capacity;
	if (size <= pipe->allocated)
		return 0;
	unsigned char *data = PyMem_Malloc(size);
	if (!data)
		return -1;
	size_t first = pipe->allocated - pipe->head;
	if (first > pipe->length)
		first = pipe->length;
	if (pipe->length) {
		memcpy(data, pipe->data + pipe->head, first);
		memcpy(data + first, pipe->data, pipe->length - first);
	}
	PyMem_Free(pipe->data);
	pipe->data = data;
	pipe->allocated = size;
	pipe->head = 0;
	return 0;
}

size_t pipe_room(PipeBuffer *pipe, unsigned char **at)
{
	*at = NULL;
	if (pipe->length >= pipe->capacity)
		return 0;
	if (pipe->length == pipe->allocated && ring_grow(pipe, pipe->length + 1) < 0)
		return 0;
	if (pipe->length == 0)
		pipe->head = 0;
	size_t tail = pipe->head + pipe->length;
	if (tail >= pipe->allocated)
		tail -= pipe->allocated;
	*at = pipe->data + tail;
	size_t room = tail >= pipe->head ? pipe->allocated - tail : pipe->head - tail;
	/* A shrunk pipe (F_SETPIPE_SZ) may have more memory than capacity. */
	return room < pipe->capacity - pipe->length ? room : pipe->capacity - pipe->length;
}

size_t pipe_part(PipeBuffer *pipe, unsigned char **at)
{
	*at = pipe->data + pipe->head;
	size_t part = pipe->allocated - pipe->head;
	return part < pipe->length ? part : pipe->length;
}

void pipe_commit(PipeBuffer *pipe, size_t count)
{
	pipe->length += count;
}

void pipe_consume(PipeBuffer *pipe, size_t count)
{
	pipe->length -= count;
	pipe->head += count;
	if (pipe->head >= pipe->allocated)
		pipe->head -= pipe->allocated;
	if (pipe->length == 0) {
		pipe->head = 0;
		if (pipe->allocated > 65536) { /* an idle pipe keeps no more than an ordinary one */
			PyMem_Free(pipe->data);
			pipe->data = NULL;
			pipe->allocated = 0;
		}
	}
}

static PyObject *put(PipeBuffer *self, PyObject *source)
{
	Py_buffer view;
	if (PyObject_GetBuffer(source, &view, PyBUF_SIMPLE) < 0)
		return NULL;
	size_t done = 0, count = (size_t)view.len;
	if (count > 0 && self->length < self->capacity) {
		size_t wanted = self->length + count;
		if (ring_grow(self, wanted < self->capacity ? wanted : self->capacity) < 0) {
			PyBuffer_Release(&view);
			return PyErr_NoMemory();
		}
	}
	while (done < count) {
		unsigned char *at;
		size_t room = pipe_room(self, &at);
		if (!room)
			break;
		if (room > count - done)
			room = count - done;
		memcpy(at, (char *)view.buf + done, room);
		pipe_commit(self, room);
		done += room;
	}
	PyBuffer_Release(&view);
	return PyLong_FromSize_t(done);
}

static PyObject *take(PipeBuffer *self, PyObject *arg, bool consume)
{
	Py_ssize_t count = PyLong_AsSsize_t(arg);
	if (count == -1 && PyErr_Occurred())
		return NULL;
	if (count < 0 || (size_t)count > self->length)
		count = (Py_ssize_t)self->length;
	PyObject *bytes = PyBytes_FromStringAndSize(NULL, count);
	if (!bytes || !count)
		return bytes;
	unsigned char *at;
	size_t part = pipe_part(self, &at);
	if (part > (size_t)count)
		part = (size_t)count;
	memcpy(PyBytes_AS_STRING(bytes), at, part);
	if (part < (size_t)count)
		memcpy(PyBytes_AS_STRING(bytes) + part, self->data, (size_t)count - part);
	if (consume)
		pipe_consume(self, (size_t)count);
	return bytes;
}

static PyObject *get(PipeBuffer *self, PyObject *count)
{
	return take(self, count, true);
}

static PyObject *peek(PipeBuffer *self, PyObject *count)
{
	return take(self, count, false);
}

static Py_ssize_t length(PipeBuffer *self)
{
	return (Py_ssize_t)self->length;
}

static int init(PipeBuffer *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"capacity", NULL};
	Py_ssize_t capacity = 65536;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n", names, &capacity))
		return -1;
	if (capacity <= 0) {
		PyErr_SetString(PyExc_ValueError, "capacity must be positive");
		return -1;
	}
	self->capacity = (size_t)capacity;
	if (!self->queue)
		self->queue = PyObject_CallNoArgs((PyObject *)&WaitQueueType);
	return self->queue ? 0 : -1;
}

static int traverse(PipeBuffer *self, visitproc visit, void *arg)
{
	Py_VISIT(self->queue);
	return 0;
}

static int clear(PipeBuffer *self)
{
	Py_CLEAR(self->queue);
	return 0;
}

static void dealloc(PipeBuffer *self)
{
	PyObject_GC_UnTrack(self);
	clear(self);
	PyMem_Free(self->data);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"put", (PyCFunction)put, METH_O, NULL},
	{"get", (PyCFunction)get, METH_O, NULL},
	{"peek", (PyCFunction)peek, METH_O, NULL},
	{0},
};

static PyMemberDef members[] = {
	{"capacity", T_PYSSIZET, offsetof(PipeBuffer, capacity), 0, NULL},
	{"readers", T_INT, offsetof(PipeBuffer, readers), 0, NULL},
	{"writers", T_INT, offsetof(PipeBuffer, writers), 0, NULL},
	{"queue", T_OBJECT, offsetof(PipeBuffer, queue), READONLY, NULL},
	{0},
};

static PySequenceMethods as_sequence = {.sq_length = (lenfunc)length};

PyTypeObject PipeBufferType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.PipeBuffer",
	.tp_basicsize = sizeof(PipeBuffer),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)init,
	.tp_dealloc = (destructor)dealloc,
	.tp_traverse = (traverseproc)traverse,
	.tp_clear = (inquiry)clear,
	.tp_methods = methods,
	.tp_members = members,
	.tp_as_sequence = &as_sequence,
};

static int counter_init(Counter *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"value", "semaphore", NULL};
	unsigned long long value = 0;
	int semaphore = 0;
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Kp", names, &value, &semaphore))
		return -1;
	self->value = value;
	self->semaphore = (char)semaphore;
	if (!self->queue)
		self->queue = PyObject_CallNoArgs((PyObject *)&WaitQueueType);
	return self->queue ? 0 : -1;
}

static int counter_traverse(Counter *self, visitproc visit, void *arg)
{
	Py_VISIT(self->queue);
	return 0;
}

static int counter_clear(Counter *self)
{
	Py_CLEAR(self->queue);
	return 0;
}

static void counter_dealloc(Counter *self)
{
	PyObject_GC_UnTrack(self);
	counter_clear(self);
	Py_TYPE(self)->tp_free(self);
}

static PyMemberDef counter_members[] = {
	{"value", T_ULONGLONG, offsetof(Counter, value), 0, NULL},
	{"semaphore", T_BOOL, offsetof(Counter, semaphore), 0, NULL},
	{"queue", T_OBJECT, offsetof(Counter, queue), READONLY, NULL},
	{0},
};

PyTypeObject CounterType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.Counter",
	.tp_basicsize = sizeof(Counter),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)counter_init,
	.tp_dealloc = (destructor)counter_dealloc,
	.tp_traverse = (traverseproc)counter_traverse,
	.tp_clear = (inquiry)counter_clear,
	.tp_members = counter_members,
};
