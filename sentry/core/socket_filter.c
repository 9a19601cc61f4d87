/* SocketFilter: a filter of what a socket is sent (SO_ATTACH_FILTER, socket(7)). */
#include "bpf_program.h"

#include <errno.h>

#define ALL_MAX (1UL << 22) /* instructions of all filters in the sandbox */

static unsigned long all;

typedef struct {
	PyObject_HEAD
	struct bpf_program program;
} SocketFilter;

static PyObject *filter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	Py_buffer program;
	(void)kwargs;
	if (!PyArg_ParseTuple(args, "y*", &program))
		return NULL;
	SocketFilter *self = (SocketFilter *)type->tp_alloc(type, 0);
	if (!self)
		goto failed;
	if (!program_take(&self->program, &program, CBPF_PACKET))
		goto failed;
	all += self->program.length;
	if (all > ALL_MAX) {
		raise_errno(ENOMEM);
		goto failed;
	}
	PyBuffer_Release(&program);
	return (PyObject *)self;
failed:
	PyBuffer_Release(&program);
	Py_XDECREF(self);
	return NULL;
}

static void filter_dealloc(SocketFilter *self)
{
	all -= self->program.length;
	program_free(&self->program);
	Py_TYPE(self)->tp_free(self);
}

static Py_ssize_t filter_length(SocketFilter *self)
{
	return self->program.length;
}

static PyObject *filter_run(SocketFilter *self, PyObject *message)
{
	Py_buffer data;
	if (PyObject_GetBuffer(message, &data, PyBUF_SIMPLE) < 0)
		return NULL;
	const struct cbpf_input in = {CBPF_PACKET, data.buf, data.len > UINT32_MAX ? UINT32_MAX : (uint32_t)data.len};
	uint32_t kept = cbpf_run(self->program.code, &in);
	PyBuffer_Release(&data);
	return PyLong_FromUnsignedLong(kept);
}

static PyObject *get_program(SocketFilter *self, void *unused)
{
	(void)unused;
	return program_text(&self->program);
}

static PyMethodDef filter_methods[] = {
	{"run", (PyCFunction)filter_run, METH_O, NULL},
	{0},
};

static PyGetSetDef filter_getset[] = {
	{"program", (getter)get_program, NULL, NULL, NULL},
	{0},
};

static PySequenceMethods filter_sequence = {.sq_length = (lenfunc)filter_length};

PyTypeObject SocketFilterType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.SocketFilter",
	.tp_basicsize = sizeof(SocketFilter),
	.tp_flags = Py_TPFLAGS_DEFAULT,
	.tp_new = filter_new,
	.tp_dealloc = (destructor)filter_dealloc,
	.tp_as_sequence = &filter_sequence,
	.tp_methods = filter_methods,
	.tp_getset = filter_getset,
};
